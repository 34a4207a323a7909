// See exports.h. What each format can hold stands here; how it looks, in its own file.
#include "bench/exports/exports.h"

#include <fmt/format.h>

#include <string_view>

#include "bench/exports/metrics.h"
#include "bench/recorded.h"
#include "bench/text.h"
#include "ring/error.h"

namespace ringchurn {
namespace {

/// A format of measurements needs some that it can hold.
void require_measurements(const RecordedResult& result, const ExportRequest& request) {
  const char* format = format_name(request.format);
  if (result.atlas) {
    refuse_export(result,
                  fmt::format("is the result of an atlas, which measures nothing that {} holds; "
                              "export it as junit, csv or markdown",
                              format));
  }
  if (request.rows == ExportRows::blocks && blocks_of(result).empty()) {
    refuse_export(result, "has no blocks: give the result of a compare, or leave --rows out");
  }
  const bool times_only = request.format == ExportFormat::google_benchmark;
  for (const Metric& metric : metrics_of(result)) {
    if (metric.better != Better::neither && (!times_only || metric.is_time())) return;
  }
  refuse_export(
      result,
      fmt::format("has no measurement that {} holds; export it as junit or markdown", format));
}

}  // namespace

void refuse_export(const RecordedResult& result, std::string_view why) {
  throw Error(kExitUsage, printable(fmt::format("'{}' {}", result.path, why)));
}

const char* format_name(ExportFormat format) {
  switch (format) {
    case ExportFormat::google_benchmark:
      return "google-benchmark";
    case ExportFormat::bmf:
      return "bmf";
    case ExportFormat::github_smaller:
      return "github-smaller";
    case ExportFormat::go_benchmark:
      return "go-benchmark";
    case ExportFormat::csv:
      return "csv";
    case ExportFormat::junit:
      return "junit";
    case ExportFormat::openmetrics:
      return "openmetrics";
    case ExportFormat::markdown:
      return "markdown";
    case ExportFormat::hgrm:
      return "hgrm";
  }
  return "";
}

std::string export_result(const RecordedResult& result, const ExportRequest& request) {
  switch (request.format) {
    case ExportFormat::csv:
      return csv_export(result);
    case ExportFormat::junit:
      return junit_export(result);
    case ExportFormat::markdown:
      return markdown_export(result);
    case ExportFormat::hgrm:
      return hgrm_export(result, request.histogram);
    default:
      require_measurements(result, request);
  }
  switch (request.format) {
    case ExportFormat::google_benchmark:
      return google_benchmark_export(result, request.rows.value_or(ExportRows::metrics));
    case ExportFormat::bmf:
      return bmf_export(result);
    case ExportFormat::github_smaller:
      return github_smaller_export(result);
    case ExportFormat::go_benchmark:
      return go_benchmark_export(result, request.rows.value_or(ExportRows::metrics));
    default:
      return openmetrics_export(result);
  }
}

}  // namespace ringchurn
