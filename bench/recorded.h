// Any result file, read back: what run, drive, serve, merge, compare, sweep, gate or atlas wrote,
// as far as somebody who passes it on needs it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/atlas.h"
#include "bench/result.h"

namespace ringchurn {

/// What one file holds. What its command does not write is empty.
struct RecordedResult {
  std::string path;
  Context context;  ///< without `load`, as far as read_origin() goes
  /// The account of connections, and, unless `arms` is empty, the comparison, with a sweep's
  /// points.
  std::optional<CompareResult> load;
  std::vector<Bill> bills;  ///< their names, and obstacles, or wholes and parts
  std::optional<Gate> gate;
  std::optional<AtlasResult> atlas;  ///< entries, without stories; no claims
  std::vector<Verdict> verdicts;
  bool interrupted = false;

  bool is_comparison() const { return load && !load->arms.empty(); }
};

/// Reads the result that any command of ringchurn wrote to `path`. Throws Error (kExitUsage) with
/// one line for what is no such file.
RecordedResult read_recorded(const std::string& path);

}  // namespace ringchurn
