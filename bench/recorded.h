// Any result file, read back: what run, drive, serve, merge, compare, sweep, gate or atlas wrote,
// as far as somebody who passes it on needs it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/atlas.h"
#include "bench/result.h"

namespace ringchurn {

/// What a gate decided.
struct RecordedGate {
  struct Requirement {
    std::string text;             ///< "errors.unexpected == 0"
    std::optional<double> value;  ///< what it was held against; empty: it was not measured
    bool ok = false;
  };
  std::string verdict;  ///< "fine", "regression" or "undecided"
  std::string metric, method, baseline, candidate;
  double margin = 0;  ///< 0.05: a ratio of up to 1.05 is fine
  std::optional<Estimate> ratio;
  std::uint64_t pairs = 0;
  std::vector<Requirement> requirements;
  std::string sentence;  ///< the answer in words
};

/// What one file holds. What its command does not write is empty.
struct RecordedResult {
  std::string path;
  Context context;  ///< without `load`, as far as read_origin() goes
  /// The account of connections, and, unless `arms` is empty, the comparison, with a sweep's
  /// points.
  std::optional<CompareResult> load;
  std::optional<RecordedGate> gate;
  std::optional<AtlasResult> atlas;  ///< entries, without stories; no claims
  std::vector<Verdict> verdicts;
  bool interrupted = false;

  bool is_comparison() const { return load && !load->arms.empty(); }
};

/// Reads the result that any command of ringchurn wrote to `path`. Throws Error (kExitUsage) with
/// one line for what is no such file.
RecordedResult read_recorded(const std::string& path);

}  // namespace ringchurn
