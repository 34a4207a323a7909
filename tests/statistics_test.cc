// The comparison's statistics against tables, against data with a known answer, and against 2,000
// simulated comparisons with drift, correlated noise and outliers.
#include "bench/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <optional>
#include <vector>

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

/// A machine whose noise is like a busy virtual machine's: every connection's cost drifts by 15%
/// over the run, swings by 5%, wanders with a memory of ten slices, jitters, and in 3% of the
/// slices is 20% more on average.
class NoisyMachine {
 public:
  explicit NoisyMachine(std::uint64_t seed) : random_(seed), phase_(6.28 * random_.unit()) {}

  /// The next slice of `count` connections that cost `cost` each on a quiet machine.
  BlockCost run(double cost, double count) {
    wander_ = 0.9 * wander_ + 0.011 * normal();
    const double drift = 1 + 0.15 * slice_ / 120;
    const double swing = 1 + 0.05 * std::sin(phase_ + slice_ / 6);
    const double outlier = random_.unit() < 0.03 ? 1 - 0.2 * std::log(1 - random_.unit()) : 1;
    slice_ += 1;
    return {count * cost * drift * swing * outlier * std::exp(wander_ + 0.015 * normal()), count};
  }

  Random& random() { return random_; }

 private:
  double normal() {  // Box and Muller
    return std::sqrt(-2 * std::log(1 - random_.unit())) *
           std::cos(2 * std::numbers::pi * random_.unit());
  }

  Random random_;
  double phase_;
  double wander_ = 0;
  double slice_ = 0;
};

/// A whole comparison, scheduled as a real one; the candidate costs `ratio` of the baseline.
Arms simulate(std::uint64_t seed, double ratio, std::size_t blocks) {
  NoisyMachine machine(seed);
  Arms arms{std::vector<BlockCost>(blocks), std::vector<BlockCost>(blocks)};
  for (std::size_t block = 0; block < blocks; ++block) {
    for (const std::uint8_t arm : mirrored_block(2, machine.random())) {
      const BlockCost slice = machine.run(arm == 0 ? 30 * ratio : 30, 600);
      BlockCost& total = (arm == 0 ? arms.candidate : arms.baseline)[block];
      total.cost += slice.cost;
      total.count += slice.count;
    }
  }
  return arms;
}

class Coverage : public testing::TestWithParam<std::size_t> {};

TEST_P(Coverage, Is95PercentOfNoisyComparisonsAndMissesAreEvenlySpread) {
  constexpr double kRatio = 0.84;
  constexpr int kComparisons = 2000;
  int too_low = 0;
  int too_high = 0;
  for (std::uint64_t seed = 0; seed < kComparisons; ++seed) {
    const Arms arms = simulate(seed, kRatio, GetParam());
    const Interval ratio = compare(arms, {.seed = seed, .resamples = 300}).value().ratio;
    too_low += ratio.high < kRatio;
    too_high += ratio.low > kRatio;
  }
  const int missed = too_low + too_high;
  EXPECT_GE(missed, 3 * kComparisons / 100);
  EXPECT_LE(missed, 7 * kComparisons / 100);
  EXPECT_NEAR(too_low, too_high, 1.25 * kComparisons / 100) << "one end is too near";
}

INSTANTIATE_TEST_SUITE_P(Blocks, Coverage, testing::Values(10, 30));

TEST(CompareCosts, IsNarrowEnoughToSeeTwoPercentInThirtyNoisyBlocks) {
  double width = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Interval ratio = compare(simulate(seed, 1, 30), {.resamples = 300}).value().ratio;
    width += (ratio.high - ratio.low) / 100;
  }
  EXPECT_LT(width, 0.025);
}

}  // namespace
}  // namespace ringchurn
