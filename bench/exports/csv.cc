// Comma-separated values (RFC 4180, but for lines that end as Unix has it): one row for each
// number, under one line of headings.
#include <fmt/format.h>

#include <string_view>

#include "bench/exports/exports.h"
#include "bench/exports/metrics.h"
#include "bench/text.h"

namespace ringchurn {
namespace {

/// Printable: a row is a line.
std::string cell(std::string_view field) {
  const std::string text = printable(field);
  if (text.find_first_of(",\"") == text.npos) return text;
  std::string safe = "\"";
  for (const char c : text) safe += c == '"' ? std::string("\"\"") : std::string(1, c);
  return safe + '"';
}

}  // namespace

std::string csv_export(const RecordedResult& result) {
  std::string text = "kind,subject,metric,value,unit,ci_low,ci_high,samples,better\n";
  for (const Metric& metric : metrics_of(result)) {
    const std::string interval =
        metric.interval ? fmt::format("{},{}", metric.interval->ci_low, metric.interval->ci_high)
                        : ",";
    text += fmt::format(
        "{},{},{},{},{},{},{},{}\n", subject_kind_name(metric.kind), cell(metric.subject),
        cell(metric.name()), metric.value, metric.family->unit, interval,
        metric.samples > 0 ? fmt::format("{}", metric.samples) : "", better_name(metric.better));
  }
  return text;
}

}  // namespace ringchurn
