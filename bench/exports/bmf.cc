// Bencher Metric Format: by benchmark, by measure, a value and the ends of its interval. It holds
// what is better small or large; a raw count grows with the length of the load, and alerts nobody.
#include "bench/exports/exports.h"
#include "bench/exports/metrics.h"
#include "bench/json.h"

namespace ringchurn {

std::string bmf_export(const RecordedResult& result) {
  Json benchmarks = Json::object();
  for (const Metric& metric : metrics_of(result)) {
    if (metric.better == Better::neither) continue;
    Json& measure = benchmarks[metric.subject_name()][metric.name()];
    measure = {{"value", metric.value}};
    if (!metric.interval) continue;
    measure["lower_value"] = metric.interval->ci_low;
    measure["upper_value"] = metric.interval->ci_high;
  }
  return pretty(benchmarks) + '\n';
}

}  // namespace ringchurn
