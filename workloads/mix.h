// The weighted mix: which scenario the next connection plays.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "workloads/random.h"

namespace ringchurn {

/// One entry of a mix as the user wrote it: a scenario's name or file, and its weight.
struct MixEntry {
  std::string scenario;
  double weight = 1;
};

/// Reads "graceful=70,rst-client=20,half-close=10", or one scenario alone ("graceful", weight 1).
/// Throws Error (exit code 2) for a weight that is not a positive number and a scenario named
/// twice.
std::vector<MixEntry> parse_mix(std::string_view text);

/// Draws scenarios by weight. One per thread; deterministic from its seed; allocates nothing.
class Mix {
 public:
  /// `scenarios[i]` is drawn with probability weights[i] / sum of weights. Sizes are equal, not 0.
  Mix(std::vector<std::uint16_t> scenarios, const std::vector<double>& weights, std::uint64_t seed);

  std::uint16_t draw();
  /// The scenarios that can be drawn.
  const std::vector<std::uint16_t>& scenarios() const { return scenarios_; }

 private:
  std::vector<std::uint16_t> scenarios_;
  std::vector<std::uint64_t> thresholds_;  ///< cumulative weights, scaled to 2^32
  Random random_;
};

}  // namespace ringchurn
