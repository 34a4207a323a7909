// The one list of what a result has measured, which every export prints in its own way: what, of
// whom, in which unit, how sure, and which way is better.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/recorded.h"
#include "bench/statistics.h"

namespace ringchurn {

enum class Better : std::uint8_t { smaller, larger, neither };
/// "smaller", "larger", "neither".
const char* better_name(Better better);

/// A kind of number, and what it is called where names follow a convention.
struct MetricFamily {
  const char* name;         ///< the field's term, its unit last: "cpu_us_per_connection"
  const char* unit;         ///< "us", "ns", "1/s", "1" for a ratio, or what is counted
  const char* openmetrics;  ///< in base units, without "ringchurn_": "connection_cpu_seconds"
  const char* go;           ///< for benchstat, which makes seconds of ns: "cpu-ns/conn"
  const char* help;         ///< a sentence, without its full stop
};

/// What a number is about.
enum class SubjectKind : std::uint8_t {
  load,      ///< all connections together; it has no name
  scenario,  ///< of the mix, or of the atlas
  arm,       ///< of a comparison, a sweep or a gate
  control,   ///< the baseline against itself
};
/// "load", "scenario", "arm", "control".
const char* subject_kind_name(SubjectKind kind);

struct Metric {
  const MetricFamily* family = nullptr;  ///< one of a table that lives as long as the program
  SubjectKind kind = SubjectKind::load;
  std::string subject;  ///< its name; unique among the subjects of its kind
  /// What tells it from others of its family: {"phase", "teardown"}, {"quantile", "p99"}.
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;                  ///< finite, in family->unit
  std::optional<Estimate> interval;  ///< the value with its 95% interval, if it has one
  std::uint64_t samples = 0;         ///< what it was made from (connections, blocks); 0: unknown
  Better better = Better::neither;

  /// "teardown_p99_latency_ns": the labels' values, then the family's name. Unique in its subject.
  std::string name() const;
  /// "graceful", or "load" and "A/A control" for what has no name of its own.
  std::string subject_name() const;
  bool is_time() const;  ///< in ns or us
  /// In seconds where it is a time, else as it is: what OpenMetrics asks for.
  double in_base_units(double number) const;
};

/// Everything that `result` has measured, in the order of a report. What was not measured is left
/// out. Neither two metrics of one subject nor two subjects of one kind have the same name.
std::vector<Metric> metrics_of(const RecordedResult& result);

/// What an arm of a comparison cost in each block (CPU us, connections), those without a connection
/// left out.
struct ArmBlocks {
  SubjectKind kind = SubjectKind::arm;
  std::string subject;  ///< as Metric::subject
  std::vector<BlockCost> blocks;
};

/// Every arm, then the control. Empty for what is no comparison, or has no slices.
std::vector<ArmBlocks> blocks_of(const RecordedResult& result);

/// Metric::subject_name() of what has no metric.
std::string subject_name(SubjectKind kind, const std::string& subject);

}  // namespace ringchurn
