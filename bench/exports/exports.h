// Results in the formats of other people's programs: a file of this folder for each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringchurn {

struct RecordedResult;

enum class ExportFormat : std::uint8_t {
  google_benchmark,
  bmf,
  github_smaller,
  go_benchmark,
  csv,
  junit,
  openmetrics,
  markdown,
  hgrm,
};

/// What the rows of google-benchmark and go-benchmark are.
enum class ExportRows : std::uint8_t {
  metrics,  ///< one for each number of the result
  blocks,   ///< one for each block of a comparison, as repetitions
};

struct ExportRequest {
  ExportFormat format = ExportFormat::markdown;
  std::optional<ExportRows> rows;  ///< google-benchmark, go-benchmark; empty: metrics
  std::string histogram;           ///< hgrm: "SCENARIO/PHASE", "SCENARIO", or ""
};

/// The format's name on the command line: "google-benchmark".
const char* format_name(ExportFormat format);

/// `result` in the format that is asked for, ended by a newline. Text that is not UTF-8 comes out
/// printable. Throws Error (kExitUsage) with one line if the format cannot hold this result, or the
/// result has not what was asked for.
std::string export_result(const RecordedResult& result, const ExportRequest& request);

/// Throws Error (kExitUsage): "'PATH' WHY", in one line.
[[noreturn]] void refuse_export(const RecordedResult& result, std::string_view why);

// The formats, each in a file of its own name. They expect what export_result() has checked.

std::string google_benchmark_export(const RecordedResult& result, ExportRows rows);
std::string bmf_export(const RecordedResult& result);
std::string github_smaller_export(const RecordedResult& result);
std::string go_benchmark_export(const RecordedResult& result, ExportRows rows);
std::string csv_export(const RecordedResult& result);
std::string junit_export(const RecordedResult& result);
std::string openmetrics_export(const RecordedResult& result);
std::string markdown_export(const RecordedResult& result);

/// `which` is ExportRequest::histogram. Throws Error (kExitUsage) if there is no such histogram.
std::string hgrm_export(const RecordedResult& result, std::string_view which);

}  // namespace ringchurn
