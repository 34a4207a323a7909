// The comparison's statistics against tables, against data with a known answer, and against 2,000
// simulated comparisons each with jitter, drift, outliers, correlated noise, and all of them: what
// an interval covers, how often an arm differs from itself, and whether that stays so if measuring
// goes on until the interval is narrow.
#include "bench/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "bench/resolution.h"
#include "bench/schedule.h"
#include "workloads/random.h"

namespace ringchurn {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Arms {
  std::vector<BlockCost> candidate;
  std::vector<BlockCost> baseline;
};

std::optional<CostComparison> compare(const Arms& arms, const Bootstrap& bootstrap = {}) {
  return compare_costs(arms.candidate, arms.baseline, bootstrap);
}

/// `blocks` blocks in which a connection costs 20 in the candidate, 25 in the baseline, give or
/// take one per mille.
Arms quiet_arms(std::size_t blocks) {
  Random random(7);
  const auto block = [&random](double cost) {
    return BlockCost{600 * cost * (1 + 0.002 * (random.unit() - 0.5)), 600};
  };
  Arms arms;
  for (std::size_t i = 0; i < blocks; ++i) {
    arms.candidate.push_back(block(20));
    arms.baseline.push_back(block(25));
  }
  return arms;
}

TEST(NormalCdf, AgreesWithTheTable) {
  EXPECT_NEAR(normal_cdf(0), 0.5, 1e-12);
  EXPECT_NEAR(normal_cdf(1), 0.841344746, 1e-9);
  EXPECT_NEAR(normal_cdf(-1.959963985), 0.025, 1e-9);
  EXPECT_NEAR(normal_cdf(-4), 3.16712e-5, 1e-10);
}

TEST(NormalQuantile, AgreesWithTheTable) {
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-9);
  EXPECT_NEAR(normal_quantile(0.975), 1.959963985, 1e-9);
  EXPECT_NEAR(normal_quantile(0.001), -3.090232306, 1e-9);
}

TEST(StudentT, AgreesWithTheTable) {
  struct Row {
    int degrees;
    double t95, t975, t995;
  };
  // Abramowitz and Stegun, table 26.10.
  const std::vector<Row> table = {
      {1, 6.314, 12.706, 63.657}, {2, 2.920, 4.303, 9.925},  {3, 2.353, 3.182, 5.841},
      {4, 2.132, 2.776, 4.604},   {5, 2.015, 2.571, 4.032},  {9, 1.833, 2.262, 3.250},
      {10, 1.812, 2.228, 3.169},  {15, 1.753, 2.131, 2.947}, {29, 1.699, 2.045, 2.756},
      {30, 1.697, 2.042, 2.750},  {60, 1.671, 2.000, 2.660}, {120, 1.658, 1.980, 2.617},
  };
  for (const Row& row : table) {
    EXPECT_NEAR(student_t_quantile(0.95, row.degrees), row.t95, 6e-4) << row.degrees;
    EXPECT_NEAR(student_t_quantile(0.975, row.degrees), row.t975, 6e-4) << row.degrees;
    EXPECT_NEAR(student_t_quantile(0.995, row.degrees), row.t995, 6e-4) << row.degrees;
    EXPECT_DOUBLE_EQ(student_t_quantile(0.025, row.degrees),
                     -student_t_quantile(0.975, row.degrees));
  }
  EXPECT_NEAR(student_t_quantile(0.5, 7), 0, 1e-9);
  EXPECT_NEAR(student_t_quantile(0.975, 100'000), 1.95998, 1e-4) << "tends to the normal";
}

TEST(CompareCosts, FindsRatioAndDifferenceOfTheTotals) {
  const CostComparison result = compare(quiet_arms(40)).value();
  EXPECT_NEAR(result.candidate_cost, 20, 0.01);
  EXPECT_NEAR(result.baseline_cost, 25, 0.01);
  EXPECT_NEAR(result.ratio.value, 0.8, 0.0005);
  EXPECT_NEAR(result.difference.value, -5, 0.02);
  EXPECT_LT(result.ratio.low, 0.8);
  EXPECT_GT(result.ratio.high, 0.8);
  EXPECT_LT(result.ratio.high - result.ratio.low, 0.001);
  EXPECT_LT(result.difference.low, -5);
  EXPECT_GT(result.difference.high, -5);
  EXPECT_EQ(result.blocks, 40U);
  EXPECT_EQ(result.candidate_outliers + result.baseline_outliers, 0U);
}

TEST(CompareCosts, WeighsConnectionsAndNotBlocks) {
  Arms arms{std::vector<BlockCost>(8, {10, 1}), std::vector<BlockCost>(8, {10, 1})};
  for (std::size_t i = 0; i < 2; ++i) arms.candidate[i] = {20 * 98, 98};
  const CostComparison result = compare(arms).value();
  EXPECT_DOUBLE_EQ(result.candidate_cost, (2 * 20 * 98 + 6 * 10) / 202.0);
  EXPECT_DOUBLE_EQ(result.baseline_cost, 10);
}

TEST(CompareCosts, AnswersExactlyWhereNothingVaries) {
  const Arms arms{std::vector<BlockCost>(12, {4 * 600, 600}),
                  std::vector<BlockCost>(12, {6 * 500, 500})};
  const CostComparison result = compare(arms).value();
  EXPECT_DOUBLE_EQ(result.ratio.low, 4.0 / 6);
  EXPECT_DOUBLE_EQ(result.ratio.high, 4.0 / 6);
  EXPECT_DOUBLE_EQ(result.difference.value, -2);
}

TEST(CompareCosts, KeepsRareCountsWhereMostBlocksAreTheSame) {
  Arms arms{std::vector<BlockCost>(20, {4 * 600, 600}), std::vector<BlockCost>(20, {6 * 600, 600})};
  arms.candidate[3].cost += 60;  // a few retransmitted segments
  const CostComparison result = compare(arms).value();
  EXPECT_EQ(result.candidate_outliers, 0U);
  EXPECT_DOUBLE_EQ(result.candidate_cost, 4 + 60 / 12'000.0);
}

TEST(CompareCosts, IsTheSameForTheSameSeed) {
  const Arms arms = quiet_arms(30);
  const Interval one = compare(arms, {.seed = 1}).value().ratio;
  const Interval same = compare(arms, {.seed = 1}).value().ratio;
  const Interval other = compare(arms, {.seed = 2}).value().ratio;
  EXPECT_EQ(one.low, same.low);
  EXPECT_EQ(one.high, same.high);
  EXPECT_NE(one.low, other.low);
  EXPECT_EQ(one.value, other.value) << "the estimate does not depend on the seed";
}

TEST(CompareCosts, IsWiderForMoreConfidence) {
  const Arms arms = quiet_arms(30);
  const Interval narrow = compare(arms, {.confidence = 0.8}).value().ratio;
  const Interval wide = compare(arms, {.confidence = 0.99}).value().ratio;
  EXPECT_LT(wide.low, narrow.low);
  EXPECT_GT(wide.high, narrow.high);
}

TEST(CompareCosts, LeavesOutliersOutAndSaysWhoseTheyWere) {
  const CostComparison quiet = compare(quiet_arms(40)).value();
  Arms arms = quiet_arms(40);
  for (const std::size_t block : {3U, 17U, 18U}) arms.candidate[block].cost *= 3;
  arms.baseline[30].cost *= 1.5;
  const CostComparison noisy = compare(arms).value();
  EXPECT_EQ(noisy.candidate_outliers, 3U);
  EXPECT_EQ(noisy.baseline_outliers, 1U);
  EXPECT_EQ(noisy.blocks, 40U);
  EXPECT_NEAR(noisy.ratio.value, quiet.ratio.value, 0.0002);
  EXPECT_NEAR(noisy.baseline_cost, 25, 0.01);
  EXPECT_LT(noisy.ratio.high - noisy.ratio.low, 1.3 * (quiet.ratio.high - quiet.ratio.low));
}

TEST(CompareCosts, GivesNoAnswerWithoutTheDataForOne) {
  EXPECT_TRUE(compare(quiet_arms(kMinBlocks)).has_value());
  EXPECT_FALSE(compare(quiet_arms(kMinBlocks - 1)).has_value());
  EXPECT_FALSE(compare({}).has_value());
  Arms uneven = quiet_arms(20);
  uneven.baseline.pop_back();
  EXPECT_FALSE(compare(uneven).has_value());
}

TEST(CompareCosts, GivesNoAnswerFromABlockThatMeasuredNothing) {
  const std::vector<BlockCost> unusable = {{100, 0},        {0, 100},       {-1, 100},
                                           {100, -1},       {kNaN, 10},     {100, kNaN},
                                           {kInfinity, 10}, {10, kInfinity}};
  for (const BlockCost& block : unusable) {
    Arms arms = quiet_arms(20);
    arms.candidate[5] = block;
    EXPECT_FALSE(compare(arms).has_value()) << block.cost << " / " << block.count;
    arms = quiet_arms(20);
    arms.baseline[5] = block;
    EXPECT_FALSE(compare(arms).has_value()) << block.cost << " / " << block.count;
  }
}

/// What a machine does to the cost of a connection.
struct Noise {
  const char* name;
  double drift = 0;     ///< over 120 slices, as a share of the cost
  double swing = 0;     ///< up and down, the same
  double wander = 0;    ///< a step of a random walk that forgets a tenth of it each slice
  double outliers = 0;  ///< how many slices cost 20% more on average
};

constexpr Noise kNoises[] = {{.name = "Jitter"},
                             {.name = "Drift", .drift = 0.15, .swing = 0.05},
                             {.name = "Outliers", .outliers = 0.03},
                             {.name = "Correlated", .wander = 0.011},
                             {"AllTogether", 0.15, 0.05, 0.011, 0.03}};
/// Like a busy virtual machine's.
constexpr const Noise& kAllNoises = kNoises[4];

/// A machine with such noise, and jitter of 1.5% in each slice.
class NoisyMachine {
 public:
  NoisyMachine(std::uint64_t seed, const Noise& noise)
      : random_(seed), noise_(noise), phase_(6.28 * random_.unit()) {}

  /// The next slice of `count` connections that cost `cost` each on a quiet machine.
  BlockCost run(double cost, double count) {
    wander_ = 0.9 * wander_ + noise_.wander * normal();
    const double drift = 1 + noise_.drift * slice_ / 120;
    const double swing = 1 + noise_.swing * std::sin(phase_ + slice_ / 6);
    const double outlier =
        random_.unit() < noise_.outliers ? 1 - 0.2 * std::log(1 - random_.unit()) : 1;
    slice_ += 1;
    return {count * cost * drift * swing * outlier * std::exp(wander_ + 0.015 * normal()), count};
  }

  /// The next block of a comparison's schedule. The candidate costs `ratio` of the baseline.
  void block(double ratio, Arms& arms) {
    arms.candidate.emplace_back();
    arms.baseline.emplace_back();
    for (const std::uint8_t arm : mirrored_block(2, random_)) {
      const BlockCost slice = run(arm == 0 ? 30 * ratio : 30, 600);
      BlockCost& total = (arm == 0 ? arms.candidate : arms.baseline).back();
      total.cost += slice.cost;
      total.count += slice.count;
    }
  }

 private:
  double normal() {  // Box and Muller
    return std::sqrt(-2 * std::log(1 - random_.unit())) *
           std::cos(2 * std::numbers::pi * random_.unit());
  }

  Random random_;
  Noise noise_;
  double phase_;
  double wander_ = 0;
  double slice_ = 0;
};

Arms simulate(std::uint64_t seed, const Noise& noise, double ratio, std::size_t blocks) {
  NoisyMachine machine(seed, noise);
  Arms arms;
  while (arms.baseline.size() < blocks) machine.block(ratio, arms);
  return arms;
}

// Under AddressSanitizer a comparison takes six times as long, so that there are fewer of them, and
// the bounds are wider by what chance does to the smaller number.
#ifdef __SANITIZE_ADDRESS__
constexpr int kComparisons = 400;
constexpr double kSlack = 0.012;  ///< two binomial standard deviations of 400, less two of 2,000
#else
constexpr int kComparisons = 2000;
constexpr double kSlack = 0;
#endif
constexpr int kResamples = 300;

/// How often an interval missed the truth.
struct Misses {
  int comparisons = kComparisons;
  int too_low = 0, too_high = 0;
  void add(const Interval& interval, double truth) {
    too_low += interval.high < truth;
    too_high += interval.low > truth;
  }
  double share() const { return static_cast<double>(too_low + too_high) / comparisons; }
  double skew() const { return std::fabs(too_low - too_high) / comparisons; }
};

class Coverage : public testing::TestWithParam<std::tuple<Noise, std::size_t>> {};

TEST_P(Coverage, Is93To97PercentAndMissesAreEvenlySpread) {
  constexpr double kRatio = 0.84;
  const auto& [noise, blocks] = GetParam();
  Misses misses;
  for (std::uint64_t seed = 0; seed < kComparisons; ++seed) {
    const Arms arms = simulate(seed, noise, kRatio, blocks);
    misses.add(compare(arms, {.seed = seed, .resamples = kResamples}).value().ratio, kRatio);
  }
  EXPECT_GE(misses.share(), 0.03 - kSlack);
  EXPECT_LE(misses.share(), 0.07 + kSlack);
  EXPECT_LE(misses.skew(), 0.0125 + kSlack) << "one end is too near";
}

INSTANTIATE_TEST_SUITE_P(Comparisons, Coverage,
                         testing::Combine(testing::ValuesIn(kNoises), testing::Values(10, 30)),
                         [](const auto& made) {
                           return std::get<0>(made.param).name + std::string("Of") +
                                  std::to_string(std::get<1>(made.param)) + "Blocks";
                         });

class AgainstItself : public testing::TestWithParam<Noise> {};

TEST_P(AgainstItself, AnArmDiffersAsOftenAsThePValueSays) {
  int at_5_percent = 0, at_one_in_a_thousand = 0, contradictions = 0;
  for (std::uint64_t seed = 0; seed < kComparisons; ++seed) {
    const Arms arms = simulate(seed + 1'000'000, GetParam(), 1, 16);
    const auto found = compare(arms, {.seed = seed, .resamples = kResamples}).value();
    const bool excludes_one = found.ratio.low > 1 || found.ratio.high < 1;
    contradictions += excludes_one != (found.p_value <= 0.05);
    at_5_percent += found.p_value <= 0.05;
    at_one_in_a_thousand += found.p_value <= 0.001;
  }
  EXPECT_EQ(contradictions, 0) << "the p-value is the interval read backwards";
  EXPECT_GE(at_5_percent, (0.03 - kSlack) * kComparisons);
  EXPECT_LE(at_5_percent, (0.05 + 0.01 + kSlack) * kComparisons) << "two standard deviations more";
  EXPECT_LE(at_one_in_a_thousand, 6) << "2 are to be expected of 2,000, and 7 once in 200 tests";
}

INSTANTIATE_TEST_SUITE_P(Noises, AgainstItself, testing::ValuesIn(kNoises),
                         [](const auto& made) { return std::string(made.param.name); });

/// Measures until the resolution is reached, or for `most` blocks, and answers.
CostComparison measure_until(double resolution, double ratio, std::size_t most,
                             NoisyMachine machine, const Bootstrap& bootstrap) {
  ResolutionGoal goal(resolution, bootstrap);
  std::vector<std::vector<BlockCost>> candidates(1);
  Arms arms;
  for (bool is_enough = false; !is_enough;) {
    machine.block(ratio, arms);
    const bool is_over = arms.baseline.size() == most;
    if (!is_over && !goal.is_due(arms.baseline.size())) continue;
    candidates[0] = arms.candidate;
    is_enough = goal.look(candidates, arms.baseline, 0) || is_over;
  }
  return compare_at_95_percent(arms.candidate, arms.baseline, goal.answer()).value();
}

/// A resolution that this noise reaches after some 25 blocks and five looks.
struct Sought {
  Noise noise;
  double resolution;
};

class ReachedResolution : public testing::TestWithParam<Sought> {};

// Stopping at a narrow interval prefers those that chance has narrowed: with 95% at each look, up
// to 8% of the answers would miss. Half as many comparisons, since each has several looks.
TEST_P(ReachedResolution, KeepsTheErrorAtFivePercent) {
  const auto& [noise, resolution] = GetParam();
  Misses misses{kComparisons / 2};
  for (std::uint64_t seed = 0; seed < kComparisons / 2; ++seed) {
    const CostComparison answer = measure_until(resolution, 1, 50, {seed + 2'000'000, noise},
                                                {.seed = seed, .resamples = kResamples});
    misses.add(answer.ratio, 1);
    EXPECT_EQ(answer.p_value <= 0.05, answer.ratio.low > 1 || answer.ratio.high < 1);
  }
  EXPECT_GE(misses.share(), 0.02 - kSlack) << "wider than it need be";
  EXPECT_LE(misses.share(), 0.05 + 0.014 + 1.5 * kSlack) << "two standard deviations more";
}

INSTANTIATE_TEST_SUITE_P(Noises, ReachedResolution,
                         testing::Values(Sought{kNoises[0], 0.007}, Sought{kNoises[1], 0.007},
                                         Sought{kNoises[2], 0.01}, Sought{kNoises[3], 0.009},
                                         Sought{kNoises[4], 0.012}),
                         [](const auto& made) { return std::string(made.param.noise.name); });

TEST(ResolutionGoal, LooksAfterAQuarterMoreBlocksEachTime) {
  ResolutionGoal goal(1e-9);
  std::vector<std::vector<BlockCost>> candidates(2);
  std::vector<BlockCost> baseline;
  std::vector<unsigned> looks;
  while (baseline.size() < 60) {
    candidates[0].push_back({20.0 * 600, 600});
    candidates[1].push_back({21.0 * 600 + static_cast<double>(baseline.size() % 3), 600});
    baseline.push_back({25.0 * 600, 600});
    if (!goal.is_due(baseline.size())) continue;
    EXPECT_FALSE(goal.look(candidates, baseline, 0.1 * static_cast<double>(baseline.size())));
    looks.push_back(static_cast<unsigned>(baseline.size()));
  }
  EXPECT_EQ(looks, (std::vector<unsigned>{8, 10, 13, 17, 22, 28, 35, 44, 55}));
  ASSERT_EQ(goal.looks().size(), looks.size());
  EXPECT_EQ(goal.looks().back().blocks, 55U);
  EXPECT_DOUBLE_EQ(goal.looks().back().measured_s, 5.5);
  EXPECT_GT(goal.looks().back().half_width, 0) << "of the arm that varies, not of the other";
  EXPECT_FALSE(goal.is_reached());
}

TEST(ResolutionGoal, PaysForItsSecondLook) {
  const Arms arms = quiet_arms(10);
  const std::vector<std::vector<BlockCost>> candidates = {arms.candidate};
  ResolutionGoal goal(1e-9, {.seed = 3});
  EXPECT_DOUBLE_EQ(goal.answer().confidence, 0.95);
  goal.look(candidates, arms.baseline, 1);
  EXPECT_DOUBLE_EQ(goal.answer().confidence, 0.95);
  goal.look(candidates, arms.baseline, 2);
  EXPECT_DOUBLE_EQ(goal.answer().confidence, 0.97);
  EXPECT_EQ(goal.answer().seed, 3U);
  const Interval answer =
      compare_at_95_percent(arms.candidate, arms.baseline, goal.answer())->ratio;
  EXPECT_DOUBLE_EQ(goal.looks().back().half_width, (answer.high - answer.low) / 2)
      << "the answer has the interval that the look saw";
}

TEST(MinimumDetectableEffect, IsShownInFourOfFiveComparisons) {
  constexpr std::size_t kBlocks = 20;
  double effect = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    effect += compare(simulate(seed, kNoises[0], 1, kBlocks), {.resamples = kResamples})
                  ->minimum_detectable_effect /
              100;
  }
  int shown = 0;
  for (std::uint64_t seed = 0; seed < kComparisons; ++seed) {
    const Arms arms = simulate(seed + 3'000'000, kNoises[0], 1 + effect, kBlocks);
    shown += compare(arms, {.seed = seed, .resamples = kResamples})->p_value <= 0.05;
  }
  EXPECT_NEAR(static_cast<double>(shown) / kComparisons, 0.8, 0.05 + kSlack);
}

TEST(MinimumDetectableEffect, Is2Point8StandardErrorsWithManyBlocks) {
  const Arms arms = quiet_arms(4000);
  const CostComparison found = compare(arms, {.resamples = 1000}).value();
  const double standard_error = std::log(found.ratio.high / found.ratio.low) / (2 * 1.96);
  EXPECT_NEAR(found.minimum_detectable_effect / standard_error, 2.8, 0.2);
}

TEST(PValue, IsOneOrNothingWhereNothingVaries) {
  const Arms same{std::vector<BlockCost>(12, {6 * 600, 600}),
                  std::vector<BlockCost>(12, {6 * 500, 500})};
  EXPECT_EQ(compare(same)->p_value, 1);
  const Arms different{std::vector<BlockCost>(12, {4 * 600, 600}),
                       std::vector<BlockCost>(12, {6 * 500, 500})};
  EXPECT_EQ(compare(different)->p_value, 1e-12) << "or anything less";
}

TEST(PValue, IsTinyForADifferenceThatNoResampleContradicts) {
  Arms arms = quiet_arms(kMinBlocks);
  for (BlockCost& block : arms.baseline) block.cost *= 0.802;  // 0.25% are left
  const double p_value = compare(arms)->p_value;
  EXPECT_LT(p_value, 1e-3);
  EXPECT_GT(p_value, 1e-9);
}

TEST(Holm, AgreesWithAnExampleByHand) {
  // In order 0.005, 0.01, 0.03, 0.04, times 4, 3, 2, 1: 0.02, 0.03, 0.06, and 0.04, which must not
  // be less than the one before.
  const std::vector<double> p_values = {0.01, 0.04, 0.03, 0.005};
  const std::vector<double> by_hand = {0.03, 0.06, 0.06, 0.02};
  const std::vector<double> adjusted = holm_adjusted(p_values);
  ASSERT_EQ(adjusted.size(), by_hand.size());
  for (std::size_t i = 0; i < by_hand.size(); ++i) EXPECT_DOUBLE_EQ(adjusted[i], by_hand[i]) << i;
}

TEST(Holm, LeavesOneAloneAndExceedsOneNowhere) {
  EXPECT_EQ(holm_adjusted(std::vector<double>{0.04}), std::vector<double>{0.04});
  EXPECT_EQ(holm_adjusted(std::vector<double>{0.9, 0.6}), (std::vector<double>{1, 1}));
  EXPECT_TRUE(holm_adjusted({}).empty());
}

TEST(CompareCosts, IsNarrowEnoughToSeeTwoPercentInThirtyNoisyBlocks) {
  double width = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Interval ratio =
        compare(simulate(seed, kAllNoises, 1, 30), {.resamples = kResamples}).value().ratio;
    width += (ratio.high - ratio.low) / 100;
  }
  EXPECT_LT(width, 0.025);
}

}  // namespace
}  // namespace ringchurn
