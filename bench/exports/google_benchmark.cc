// Google Benchmark's JSON: for its compare.py, for the tool googlecpp of github-action-benchmark,
// and for Bencher's adapter cpp_google. It holds times and nothing else. A row has two of them,
// real and CPU time; ours has one number, which stands in both, because each of the readers looks
// at another.
#include <fmt/format.h>

#include <cstddef>

#include "bench/exports/exports.h"
#include "bench/exports/metrics.h"
#include "bench/json.h"

namespace ringchurn {
namespace {

/// One repetition of a benchmark.
struct Row {
  std::string name;
  double value;
  const char* unit;
  std::uint64_t iterations;
  std::size_t repetition = 0, repetitions = 1;
};

Json row_json(const Row& row) {
  return {{"name", row.name},
          {"run_name", row.name},
          {"run_type", "iteration"},
          {"repetitions", row.repetitions},
          {"repetition_index", row.repetition},
          {"threads", 1},
          {"iterations", row.iterations},
          {"real_time", row.value},
          {"cpu_time", row.value},
          {"time_unit", row.unit}};
}

Json metric_rows(const RecordedResult& result) {
  Json rows = Json::array();
  for (const Metric& metric : metrics_of(result)) {
    if (!metric.is_time() || metric.better == Better::neither) continue;
    rows.push_back(row_json({fmt::format("{}/{}", metric.subject_name(), metric.name()),
                             metric.value, metric.family->unit, metric.samples}));
  }
  return rows;
}

Json block_rows(const RecordedResult& result) {
  Json rows = Json::array();
  for (const ArmBlocks& arm : blocks_of(result)) {
    const std::string name =
        fmt::format("{}/cpu_us_per_connection", subject_name(arm.kind, arm.subject));
    for (std::size_t i = 0; i < arm.blocks.size(); ++i) {
      const BlockCost& block = arm.blocks[i];
      rows.push_back(row_json({name, block.cost / block.count, "us",
                               static_cast<std::uint64_t>(block.count), i, arm.blocks.size()}));
    }
  }
  return rows;
}

}  // namespace

std::string google_benchmark_export(const RecordedResult& result, ExportRows rows) {
  const Context& context = result.context;
  const Json json = {
      {"context",
       {{"date", context.started_at},
        {"executable", "ringchurn"},
        {"num_cpus", context.cpus},
        {"caches", Json::array()},  // must be there; which caches the CPU has was not asked
        {"ringchurn_version", context.version},
        {"ringchurn_command", context.command},
        {"kernel", context.kernel},
        {"cpu_model", context.cpu_model}}},
      {"benchmarks", rows == ExportRows::blocks ? block_rows(result) : metric_rows(result)}};
  return pretty(json) + '\n';
}

}  // namespace ringchurn
