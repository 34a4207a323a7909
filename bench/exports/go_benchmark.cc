// Go's benchmark text (golang.org/design/14313-benchmark-format), for benchstat: a line for each
// subject with all of its numbers, or one for each block of a comparison, which benchstat takes as
// samples.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "bench/exports/exports.h"
#include "bench/exports/metrics.h"
#include "bench/text.h"

namespace ringchurn {
namespace {

/// Fields end at white space. The form has no way to quote.
std::string one_word(std::string_view field) {
  std::string text = printable(field);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == ' '; }, '_');
  return text;
}

/// "BenchmarkConnection/arm=graceful-2": `benchstat -col /arm` compares the arms. Go has the CPUs
/// behind the name, so a name of ours that ends in a number keeps it.
std::string benchmark_name(SubjectKind kind, const std::string& subject, unsigned cpus) {
  const std::string about = kind == SubjectKind::load ? ""
                            : kind == SubjectKind::control
                                ? "/arm=control"
                                : fmt::format("/{}={}", subject_kind_name(kind), subject);
  return fmt::format("BenchmarkConnection{}-{}", one_word(about), cpus);
}

std::string unit_of(const Metric& metric) {
  std::string unit;
  for (const auto& label : metric.labels) unit += label.second + '-';
  return one_word(unit + metric.family->go);
}

/// Go knows nanoseconds, and no microseconds.
double in_go_units(const Metric& metric) {
  return std::string_view(metric.family->unit) == "us" ? metric.value * 1e3 : metric.value;
}

std::string metric_lines(const RecordedResult& result) {
  std::set<std::string> units;
  std::string unit_lines, lines, line;
  const Metric* last = nullptr;
  std::vector<Metric> metrics = metrics_of(result);
  std::erase_if(metrics, [](const Metric& metric) { return metric.better == Better::neither; });
  std::stable_sort(metrics.begin(), metrics.end(), [](const Metric& a, const Metric& b) {
    return std::pair(a.kind, a.subject) < std::pair(b.kind, b.subject);
  });
  for (const Metric& metric : metrics) {
    if (last == nullptr || last->kind != metric.kind || last->subject != metric.subject) {
      lines += fmt::format("{}{} {}", last == nullptr ? "" : "\n",
                           benchmark_name(metric.kind, metric.subject, result.context.cpus),
                           std::max<std::uint64_t>(metric.samples, 1));
    }
    last = &metric;
    const std::string unit = unit_of(metric);
    lines += fmt::format(" {} {}", in_go_units(metric), unit);
    if (!units.insert(unit).second) continue;
    unit_lines += fmt::format("Unit {} better={}\n", unit,
                              metric.better == Better::smaller ? "lower" : "higher");
  }
  return unit_lines + lines + '\n';
}

std::string block_lines(const RecordedResult& result) {
  std::string lines = "Unit cpu-ns/conn better=lower\n";
  for (const ArmBlocks& arm : blocks_of(result)) {
    for (const BlockCost& block : arm.blocks) {
      lines += fmt::format("{} {} {} cpu-ns/conn\n",
                           benchmark_name(arm.kind, arm.subject, result.context.cpus), block.count,
                           block.cost / block.count * 1e3);
    }
  }
  return lines;
}

}  // namespace

std::string go_benchmark_export(const RecordedResult& result, ExportRows rows) {
  const std::string text = rows == ExportRows::blocks ? block_lines(result) : metric_lines(result);
  // benchstat makes a table of its own for each cpu and pkg: what must not be compared.
  return fmt::format("goos: linux\npkg: ringchurn\ncpu: {}\n{}",
                     printable(result.context.cpu_model), text);
}

}  // namespace ringchurn
