// What a comparison may conclude: how the costs per connection of two arms differ, with confidence
// intervals. Pure functions: no clock, no I/O, and the same answer from the same seed everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace ringchurn {

/// What one arm did in one block of the schedule.
struct BlockCost {
  double cost = 0;   ///< what was spent, in any unit: CPU nanoseconds, segments, ...
  double count = 0;  ///< connections that it was spent on
};

/// How intervals are found. The same settings on the same data give the same intervals, to the bit.
struct Bootstrap {
  std::uint64_t seed = 1;
  double confidence = 0.95;  ///< above 0 and below 1
  int resamples = 4000;      ///< at least 100; 4,000 fix an end to about 2% of the interval's width
};

struct Interval {
  double value = 0;
  double low = 0;
  double high = 0;
};

/// A candidate's cost against a baseline's.
struct CostComparison {
  double candidate_cost = 0;  ///< per connection: the arm's total cost over its total count
  double baseline_cost = 0;
  Interval ratio;       ///< candidate over baseline; 0.84 means that the candidate costs 16% less
  Interval difference;  ///< candidate minus baseline, per connection

  /// How often at most chance alone would show a ratio as far from 1, 0 to 1: 1 - confidence is
  /// where an end of the ratio's interval touches 1. 1e-12 stands for anything less.
  double p_value = 1;
  /// The smallest difference, as a share of the baseline's cost (0.007: 0.7%), that data with this
  /// noise shows, its interval excluding 1, in 80% of comparisons.
  double minimum_detectable_effect = 0;

  std::size_t blocks = 0;  ///< measured
  /// Blocks left out of everything above, by the arm that cost more than usual in them (or whose
  /// rival cost less). Noise hits both arms alike; if they all fall to one arm, its own rare costs
  /// are being left out, and the totals over all blocks should be looked at.
  std::size_t candidate_outliers = 0;
  std::size_t baseline_outliers = 0;
};

/// With fewer blocks there is no answer: hardly any answer could be contradicted.
inline constexpr std::size_t kMinBlocks = 8;

/// Compares the arms' costs per connection. candidate[i] and baseline[i] must come from block i.
///
/// Estimates the ratio of totals over ordinary blocks. A block is left out, for both arms, when the
/// logarithm of its own ratio is further from the median block's than five standard deviations,
/// taken as 1.4826 median absolute deviations. In quiet data that is no block at all. Blocks hit by
/// something else (an interrupt storm, a neighbour on the core) would otherwise cost the answer
/// most of its precision, and the interval its honesty: its coverage fell to 89% in simulation.
///
/// The intervals are percentile bootstraps over whole blocks, both arms of a block drawn together,
/// which is what makes slow drift cancel. Each resample leaves out its own outliers, so the
/// intervals account for that choice. They are widened for small samples after Hesterberg (2015),
/// "What Teachers Should Know About the Bootstrap" (The American Statistician 69). They suppose
/// that one block's ratio does not foretell the next block's; noise that both arms of a block share
/// does no harm.
///
/// nullopt, never NaN or infinity, if there are fewer than kMinBlocks blocks, the spans differ in
/// length, or any block has less than one connection or a cost that is not positive and finite.
std::optional<CostComparison> compare_costs(std::span<const BlockCost> candidate,
                                            std::span<const BlockCost> baseline,
                                            const Bootstrap& bootstrap = {});

/// Which blocks compare_costs() takes: false for its outliers. Empty if it has no answer.
std::vector<bool> ordinary_blocks(std::span<const BlockCost> candidate,
                                  std::span<const BlockCost> baseline);
/// Holm's step-down adjustment (1979): if differences are claimed where the adjusted p-value is at
/// most 0.05, all claims are right in 95% of comparisons, however many arms each has. In the order
/// of `p_values`; one alone stays as it is.
std::vector<double> holm_adjusted(std::span<const double> p_values);

/// The probability that a standard normal variable is at most x.
double normal_cdf(double x);

/// The value that a standard normal variable stays below with `probability`, above 0 and below 1.
double normal_quantile(double probability);

/// The value that Student's t with `degrees` >= 1 degrees of freedom stays below with probability
/// `probability`, above 0 and below 1.
double student_t_quantile(double probability, int degrees);

}  // namespace ringchurn
