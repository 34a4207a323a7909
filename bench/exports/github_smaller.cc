// github-action-benchmark's customSmallerIsBetter: a flat list, of which an alert is raised when an
// entry grows. So it holds what is better small, and nothing else.
#include <fmt/format.h>

#include "bench/exports/exports.h"
#include "bench/exports/metrics.h"
#include "bench/json.h"
#include "bench/text.h"

namespace ringchurn {

std::string github_smaller_export(const RecordedResult& result) {
  Json entries = Json::array();
  for (const Metric& metric : metrics_of(result)) {
    if (metric.better != Better::smaller) continue;
    Json entry = {{"name", fmt::format("{}: {}", metric.subject_name(), metric.name())},
                  {"unit", metric.family->unit},
                  {"value", metric.value}};
    if (metric.interval) {
      entry["range"] =
          fmt::format("{:.4g} to {:.4g}", metric.interval->ci_low, metric.interval->ci_high);
    }
    if (metric.samples > 0) entry["extra"] = fmt::format("samples: {}", grouped(metric.samples));
    entries.push_back(std::move(entry));
  }
  return pretty(entries) + '\n';
}

}  // namespace ringchurn
