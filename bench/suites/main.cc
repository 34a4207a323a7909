// The benchmark suites in a lab of their own, on one CPU. A Google Benchmark program: its flags,
// its JSON.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdio>
#include <optional>

#include "bench/context.h"
#include "bench/suites/suite_lab.h"
#include "ring/error.h"

namespace ringchurn {
namespace {

std::optional<Lab> lab;

}  // namespace

const Lab& suite_lab() { return *lab; }

}  // namespace ringchurn

int main(int argc, char** argv) {
  using namespace ringchurn;
  try {
    lab = enter_lab(LabKind::private_namespace);
    if (const std::vector<int> cpus = usable_cpus(); !cpus.empty()) pin_to(cpus.front());
    register_teardowns();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return kExitUsage;
    benchmark::RunSpecifiedBenchmarks();
    return kExitGood;
  } catch (const Error& error) {
    fmt::print(stderr, "ringchurn_benchmarks: {}\n", error.what());
    return error.exit_code;
  }
}
