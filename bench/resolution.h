// When a comparison that was asked for a resolution has seen enough. Pure: no clock, no I/O.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "bench/result.h"
#include "bench/statistics.h"

namespace ringchurn {

/// Looks at a comparison while it is measured, and says when it may end: when half the width of
/// every candidate's interval is at most the resolution that was asked for.
///
/// It looks after 8, 10, 13, 17, ... blocks, each number a quarter more than the one before, and
/// when the time is over: when, never depends on what was seen. It stops for narrowness alone, not
/// for a difference; but chance narrows an interval, too, and the 95% interval of the look that
/// stopped would hold the truth in as few as 92% of comparisons (statistics_test.cc). So from the
/// second look on, intervals are taken at 97%: then the answer's holds it in 95%.
class ResolutionGoal {
 public:
  /// `asked`: above 0; 0.005 is half a percent. `bootstrap`: how the answer's intervals will be
  /// found; its confidence is 95%, and each look takes its own.
  explicit ResolutionGoal(double asked, const Bootstrap& bootstrap = {});

  /// Whether the schedule has a look after so many blocks.
  bool is_due(std::size_t blocks) const { return blocks >= next_; }

  /// Looks. `candidates` and `baseline` are costs by block, as compare_costs() takes them; at least
  /// one candidate. True if the resolution is reached: measure no more.
  bool look(std::span<const std::vector<BlockCost>> candidates,
            const std::vector<BlockCost>& baseline, double measured_s);

  /// What the answer's intervals must be taken with: as the last look took them, if there was one.
  Bootstrap answer() const;

  const std::vector<Look>& looks() const { return looks_; }
  bool is_reached() const { return !looks_.empty() && looks_.back().half_width <= asked_; }

 private:
  double asked_;
  Bootstrap bootstrap_;
  std::size_t next_ = kMinBlocks;
  std::vector<Look> looks_;
};

/// compare_costs() as a comparison tells it: `bootstrap` as ResolutionGoal::answer() has it, and
/// the p-value so that it is 0.05 where the interval that is called the 95% interval touches 1.
std::optional<CostComparison> compare_at_95_percent(std::span<const BlockCost> candidate,
                                                    std::span<const BlockCost> baseline,
                                                    const Bootstrap& bootstrap);

}  // namespace ringchurn
