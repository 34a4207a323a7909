// Totals over ordinary blocks, bootstrapped; what follows for claims; and the two distributions
// that the small-sample correction needs.
#include "bench/statistics.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <iterator>
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

/// Resampling n blocks finds a spread that is too small by sqrt((n-1)/n): the factor to mend it.
double mended_spread(std::size_t blocks) {
  const auto n = static_cast<double>(blocks);
  return std::sqrt(n / (n - 1));
}

int degrees_of_freedom(std::size_t blocks) { return static_cast<int>(blocks) - 1; }

/// The lower tail to cut off the bootstrap distribution of n blocks. The plain percentile interval
/// is too narrow by that spread, and by z/t, since it takes the spread for known (Hesterberg 2015).
double expanded_tail(double confidence, std::size_t blocks) {
  const double t = student_t_quantile((1 + confidence) / 2, degrees_of_freedom(blocks));
  return normal_cdf(-mended_spread(blocks) * t);
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

/// The largest tail to cut off at both ends with which the interval still holds 1: at() backwards.
double tail_up_to_one(const std::vector<double>& sorted) {
  const auto place = [&](std::vector<double>::const_iterator above) -> double {
    if (above == sorted.begin()) return 0;
    if (above == sorted.end()) return 1;
    const double below = *std::prev(above);
    const double between = (1 - below) / (*above - below);
    return (static_cast<double>(above - sorted.begin() - 1) + between) /
           static_cast<double>(sorted.size() - 1);
  };
  const double highest = place(std::upper_bound(sorted.begin(), sorted.end(), 1.0));
  const double lowest = place(std::lower_bound(sorted.begin(), sorted.end(), 1.0));
  return std::min(highest, 1 - lowest);
}

/// The standard deviation of the logarithms of resampled ratios.
double log_deviation(const std::vector<double>& ratios) {
  double sum = 0, squares = 0;
  const double origin = std::log(ratios.front());  // near the mean: nothing cancels
  for (const double ratio : ratios) {
    const double distance = std::log(ratio) - origin;
    sum += distance;
    squares += distance * distance;
  }
  const auto count = static_cast<double>(ratios.size());
  return std::sqrt(std::max(0.0, squares - sum * sum / count) / (count - 1));
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

/// `sorted`: the resampled ratios. `deviation`: that of their logarithms.
double p_value(double ratio, const std::vector<double>& sorted, double deviation,
               std::size_t blocks) {
  constexpr double kTooFewToTell = 1.0 / 400;  // of the resamples; below any 95% interval's tail
  const double tail = tail_up_to_one(sorted);
  if (tail >= 0.5) return 1;
  const double distance = std::fabs(std::log(ratio)) / deviation;  // infinite if nothing varies
  const double z = tail >= kTooFewToTell ? -normal_quantile(tail)
                                         : std::max(distance, -normal_quantile(kTooFewToTell));
  constexpr double kLeast = 1e-12;  // below, the subtraction leaves nothing but rounding
  return std::max(kLeast,
                  1 - student_t_within(z / mended_spread(blocks), degrees_of_freedom(blocks)));
}

double minimum_detectable_effect(double confidence, double deviation, std::size_t blocks) {
  constexpr double kPower = 0.8;
  const int degrees = degrees_of_freedom(blocks);
  const double errors =
      student_t_quantile((1 + confidence) / 2, degrees) + student_t_quantile(kPower, degrees);
  return std::expm1(errors * mended_spread(blocks) * deviation);
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
  const double deviation = log_deviation(ratios);
  result.p_value = p_value(result.ratio.value, ratios, deviation, blocks.size());
  result.minimum_detectable_effect =
      minimum_detectable_effect(bootstrap.confidence, deviation, blocks.size());
  return result;
}

std::vector<double> holm_adjusted(std::span<const double> p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size());
  double floor = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const auto hypotheses = static_cast<double>(order.size() - rank);
    floor = std::max(floor, std::min(1.0, hypotheses * p_values[order[rank]]));
    adjusted[order[rank]] = floor;
  }
  return adjusted;
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

double normal_quantile(double probability) {
  assert(probability > 0 && probability < 1);
  double low = -40;  // beyond, the distribution is 0 or 1 in a double
  double high = 40;
  while (high - low > 1e-12) {
    const double middle = std::midpoint(low, high);
    (normal_cdf(middle) < probability ? low : high) = middle;
  }
  return high;
}

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
