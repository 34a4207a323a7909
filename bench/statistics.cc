// Totals over ordinary blocks, bootstrapped; and the two distributions that the small-sample
// correction needs.
#include "bench/statistics.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <vector>

#include "workloads/random.h"

namespace ringchurn {
namespace {

struct Block {
  BlockCost candidate;
  BlockCost baseline;
  double log_ratio = 0;
};

double per_connection(const BlockCost& cost) { return cost.cost / cost.count; }

bool measured(const BlockCost& block) {
  return std::isfinite(block.cost) && std::isfinite(block.count) && block.cost > 0 &&
         block.count >= 1;
}

/// The blocks side by side; none if they cannot be compared.
std::vector<Block> paired(std::span<const BlockCost> candidate,
                          std::span<const BlockCost> baseline) {
  if (candidate.size() != baseline.size() || candidate.size() < kMinBlocks) return {};
  std::vector<Block> blocks;
  blocks.reserve(candidate.size());
  for (std::size_t i = 0; i < candidate.size(); ++i) {
    if (!measured(candidate[i]) || !measured(baseline[i])) return {};
    const double log_ratio =
        std::log(per_connection(candidate[i])) - std::log(per_connection(baseline[i]));
    blocks.push_back({candidate[i], baseline[i], log_ratio});
  }
  return blocks;
}

/// The middle value, the upper one of two; reorders `values`.
double median(std::vector<double>& values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The log-ratios that an ordinary block may have.
struct Range {
  double low;
  double high;
};

/// `scratch` is overwritten; it saves an allocation per resample.
Range ordinary_range(const std::vector<Block>& blocks, std::vector<double>& scratch) {
  // Makes the median absolute deviation an estimate of a normal distribution's standard deviation.
  constexpr double kNormalConsistency = 1.4826;
  constexpr double kStandardDeviations = 5;
  scratch.resize(blocks.size());
  std::transform(blocks.begin(), blocks.end(), scratch.begin(),
                 [](const Block& block) { return block.log_ratio; });
  const double center = median(scratch);
  for (double& value : scratch) value = std::fabs(value - center);
  const double deviation = kNormalConsistency * median(scratch);
  // Counts, segments for example, are the same in most blocks: then the deviation says nothing.
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double reach = deviation > 1e-9 ? kStandardDeviations * deviation : kInfinity;
  return {center - reach, center + reach};
}

void add(BlockCost& total, const BlockCost& block) {
  total.cost += block.cost;
  total.count += block.count;
}

/// The estimates, without their intervals.
CostComparison estimate(const std::vector<Block>& blocks, std::vector<double>& scratch) {
  const Range ordinary = ordinary_range(blocks, scratch);
  CostComparison result;
  result.blocks = blocks.size();
  BlockCost candidate;
  BlockCost baseline;
  for (const Block& block : blocks) {
    if (block.log_ratio > ordinary.high) {
      ++result.candidate_outliers;
    } else if (block.log_ratio < ordinary.low) {
      ++result.baseline_outliers;
    } else {
      add(candidate, block.candidate);
      add(baseline, block.baseline);
    }
  }
  result.candidate_cost = per_connection(candidate);
  result.baseline_cost = per_connection(baseline);
  result.ratio.value = result.candidate_cost / result.baseline_cost;
  result.difference.value = result.candidate_cost - result.baseline_cost;
  return result;
}

/// The lower tail to cut off the bootstrap distribution of n blocks. The plain percentile interval
/// is too narrow by sqrt((n-1)/n), since it resamples a spread that is too small by that factor,
/// and by z/t, since it takes that spread for known (Hesterberg 2015).
double expanded_tail(double confidence, std::size_t blocks) {
  const auto n = static_cast<double>(blocks);
  const double t = student_t_quantile((1 + confidence) / 2, static_cast<int>(blocks) - 1);
  return normal_cdf(-std::sqrt(n / (n - 1)) * t);
}

/// Interpolates linearly between the order statistics; `position` from 0 to 1.
double at(const std::vector<double>& sorted, double position) {
  const double place = position * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], place - std::floor(place));
}

void set_ends(Interval& interval, std::vector<double>& resampled, double tail) {
  std::sort(resampled.begin(), resampled.end());
  interval.low = at(resampled, tail);
  interval.high = at(resampled, 1 - tail);
}

/// The probability that |T| <= t, for t >= 0: the finite sums of Abramowitz and Stegun 26.7.3 (odd
/// degrees) and 26.7.4 (even degrees).
double student_t_within(double t, int degrees) {
  const double angle = std::atan(t / std::sqrt(degrees));
  const double cosine = std::cos(angle);
  const bool odd = degrees % 2 == 1;
  double term = odd ? cosine : 1;
  double sum = 0;
  for (int k = odd ? 1 : 0; k <= degrees - 2; k += 2) {
    sum += term;
    term *= cosine * cosine * (k + 1) / (k + 2);
  }
  if (!odd) return std::sin(angle) * sum;
  return (angle + std::sin(angle) * sum) * 2 / std::numbers::pi;
}

}  // namespace

std::optional<CostComparison> compare_costs(std::span<const BlockCost> candidate,
                                            std::span<const BlockCost> baseline,
                                            const Bootstrap& bootstrap) {
  assert(bootstrap.confidence > 0 && bootstrap.confidence < 1 && bootstrap.resamples >= 100);
  const std::vector<Block> blocks = paired(candidate, baseline);
  if (blocks.empty()) return std::nullopt;
  std::vector<double> scratch;
  CostComparison result = estimate(blocks, scratch);

  Random random(bootstrap.seed);
  std::vector<Block> sample(blocks.size());
  std::vector<double> ratios;
  std::vector<double> differences;
  for (int i = 0; i < bootstrap.resamples; ++i) {
    for (Block& drawn : sample) {
      drawn = blocks[random.below(static_cast<std::uint32_t>(blocks.size()))];
    }
    const CostComparison resampled = estimate(sample, scratch);
    ratios.push_back(resampled.ratio.value);
    differences.push_back(resampled.difference.value);
  }
  const double tail = expanded_tail(bootstrap.confidence, blocks.size());
  set_ends(result.ratio, ratios, tail);
  set_ends(result.difference, differences, tail);
  return result;
}

std::vector<bool> ordinary_blocks(std::span<const BlockCost> candidate,
                                  std::span<const BlockCost> baseline) {
  const std::vector<Block> blocks = paired(candidate, baseline);
  if (blocks.empty()) return {};
  std::vector<double> scratch;
  const Range ordinary = ordinary_range(blocks, scratch);
  std::vector<bool> taken;
  for (const Block& block : blocks) {
    taken.push_back(ordinary.low <= block.log_ratio && block.log_ratio <= ordinary.high);
  }
  return taken;
}

double normal_cdf(double x) { return std::erfc(-x / std::numbers::sqrt2) / 2; }

double student_t_quantile(double probability, int degrees) {
  assert(probability > 0 && probability < 1 && degrees >= 1);
  if (probability < 0.5) return -student_t_quantile(1 - probability, degrees);
  const double within = 2 * probability - 1;
  double low = 0;
  double high = 1;
  while (student_t_within(high, degrees) < within) high *= 2;
  while (high - low > 1e-12 * high) {
    const double middle = std::midpoint(low, high);
    (student_t_within(middle, degrees) < within ? low : high) = middle;
  }
  return high;
}

}  // namespace ringchurn
