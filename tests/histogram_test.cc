// The histogram keeps its promises: 0.4% on every value, exact counts and maximum, quantiles by
// their definition, and no number where nothing was measured.
#include "bench/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#include "workloads/random.h"

namespace ringchurn {
namespace {

constexpr std::uint64_t kLimit = Histogram::kMaxRecordableNs;

/// What the histogram reports for a value when it can't fall back on its exact maximum.
std::uint64_t reported(std::uint64_t ns) {
  Histogram histogram;
  histogram.record(ns);
  histogram.record(kLimit);
  return histogram.quantile(0.5).value();
}

double relative_error(std::uint64_t value, std::uint64_t true_value) {
  if (value == true_value) return 0;
  return std::fabs(static_cast<double>(value) - static_cast<double>(true_value)) /
         static_cast<double>(true_value);
}

/// The definition of Histogram::quantile on the values themselves; rank counts from 1.
std::uint64_t exact_quantile(std::vector<std::uint64_t> values, std::size_t rank) {
  std::sort(values.begin(), values.end());
  return values[rank - 1];
}

TEST(Histogram, KeepsDurationsBelow256NanosecondsExactly) {
  for (std::uint64_t ns = 0; ns < 256; ++ns) EXPECT_EQ(reported(ns), ns);
}

TEST(Histogram, ReportsEveryDurationWithinFourTenthsOfAPercent) {
  Random random(1);
  double worst = 0;
  for (int bit = 8; bit <= 39; ++bit) {
    const std::uint64_t power = std::uint64_t{1} << bit;
    std::vector<std::uint64_t> values = {power - 1, power, power + 1, 2 * power - 1};
    for (int i = 0; i < 60; ++i) values.push_back(power + random.next() % power);
    for (const std::uint64_t ns : values) worst = std::max(worst, relative_error(reported(ns), ns));
  }
  EXPECT_LE(worst, 0.004);
  EXPECT_GT(worst, 0.003) << "finer than promised: the storage could be halved";
}

TEST(Histogram, OrdersBucketsAsItOrdersDurations) {
  std::uint64_t last = 0;
  for (std::uint64_t ns = 1; ns < kLimit; ns += 1 + ns / 300) {
    const std::uint64_t now = reported(ns);
    EXPECT_GE(now, last) << ns;
    last = now;
  }
}

TEST(Histogram, SaysNothingAboutNothing) {
  const Histogram empty;
  EXPECT_EQ(empty.count(), 0U);
  EXPECT_EQ(empty.overflow(), 0U);
  EXPECT_EQ(empty.max(), std::nullopt);
  for (const double q : {0.0, 0.5, 1.0}) EXPECT_EQ(empty.quantile(q), std::nullopt);
}

TEST(Histogram, CountsAZeroAsAMeasurement) {
  Histogram histogram;
  histogram.record(0);
  EXPECT_EQ(histogram.count(), 1U);
  EXPECT_EQ(histogram.max(), 0U);
  EXPECT_EQ(histogram.quantile(0.5), 0U);
}

TEST(Histogram, KeepsTheMaximumExactlyAndReportsNothingAboveIt) {
  Histogram histogram;
  histogram.record(1'000'000);
  histogram.record(1'000'001);
  EXPECT_EQ(histogram.max(), 1'000'001U);
  EXPECT_EQ(histogram.quantile(1), 1'000'001U);
  EXPECT_LE(histogram.quantile(0.5).value(), 1'000'001U);
}

TEST(Histogram, FindsTheRankThatTheDefinitionNames) {
  struct Case {
    double q;
    std::uint64_t expected;
  };
  Histogram histogram;
  for (std::uint64_t ns = 1; ns <= 100; ++ns) histogram.record(ns);
  // 0.07, 0.14, 0.28, 0.29, 0.55, 0.56, 0.57, 0.58: times 100 each differs from the whole number.
  const std::vector<Case> cases = {
      {0, 1},     {0.001, 1}, {0.01, 1},  {0.0101, 2},  {0.07, 7},  {0.14, 14},
      {0.28, 28}, {0.29, 29}, {0.5, 50},  {0.501, 51},  {0.55, 55}, {0.56, 56},
      {0.57, 57}, {0.58, 58}, {0.99, 99}, {0.991, 100}, {1, 100},
  };
  for (const Case& c : cases) EXPECT_EQ(histogram.quantile(c.q), c.expected) << c.q;
}

TEST(Histogram, AgreesWithSortedValues) {
  Random random(2);
  std::vector<std::uint64_t> values(10'000);
  Histogram histogram;
  for (std::uint64_t& value : values) {
    value = static_cast<std::uint64_t>(std::exp(7 + 9 * random.unit()));
    histogram.record(value);
  }
  for (const std::size_t rank : {1U, 10U, 5'000U, 9'000U, 9'900U, 9'990U, 9'999U, 10'000U}) {
    const double q = static_cast<double>(rank) / 10'000;
    EXPECT_LE(relative_error(histogram.quantile(q).value(), exact_quantile(values, rank)), 0.004)
        << q;
  }
}

TEST(Histogram, MergesByAddition) {
  Random random(3);
  Histogram left;
  Histogram right;
  Histogram both;
  for (int i = 0; i < 1'000; ++i) {
    const std::uint64_t ns = random.next() >> random.below(64);
    (i % 3 == 0 ? left : right).record(ns);
    both.record(ns);
  }
  ASSERT_GT(both.overflow(), 0U);
  EXPECT_FALSE(left == both);
  left += right;
  EXPECT_TRUE(left == both);
  left += Histogram();
  EXPECT_TRUE(left == both);
}

TEST(Histogram, CountsWhatIsTooLongAndDoesNotInventItsLength) {
  Histogram histogram;
  for (int i = 0; i < 8; ++i) histogram.record(1'000);
  histogram.record(kLimit + 1);
  histogram.record(5 * kLimit);
  EXPECT_EQ(histogram.count(), 10U);
  EXPECT_EQ(histogram.overflow(), 2U);
  EXPECT_LE(relative_error(histogram.quantile(0.8).value(), 1'000), 0.004);
  EXPECT_EQ(histogram.quantile(0.9), std::nullopt);
  EXPECT_EQ(histogram.quantile(1), 5 * kLimit);
  EXPECT_EQ(histogram.max(), 5 * kLimit);
}

TEST(Histogram, TellsWhatItHoldsBucketByBucket) {
  Histogram histogram;
  EXPECT_TRUE(histogram.filled().empty());
  for (const std::uint64_t ns : {7UL, 300UL, 7UL, 301UL, 5 * kLimit}) histogram.record(ns);
  using Filled = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
  const Filled filled = histogram.filled();
  ASSERT_EQ(filled.size(), 3U);
  EXPECT_EQ(filled[0], std::pair(std::uint64_t{7}, std::uint64_t{2}));
  EXPECT_EQ(filled[1].first, histogram.quantile(0.6));
  EXPECT_EQ(filled[1].second, 2U);
  EXPECT_EQ(filled[2].second, 1U) << "what is too long is in the last bucket";
  std::uint64_t total = 0;
  for (const auto& [ns, count] : filled) total += count;
  EXPECT_EQ(total, histogram.count());
}

TEST(Histogram, TellsNoBucketBeyondTheLongestDuration) {
  Histogram histogram;
  histogram.record(1'000'000);
  EXPECT_LE(histogram.filled().back().first, *histogram.max());
}

TEST(Histogram, TakesTheLongestRecordableDurationWithoutOverflow) {
  Histogram histogram;
  histogram.record(kLimit);
  histogram.record(kLimit);
  EXPECT_EQ(histogram.overflow(), 0U);
  EXPECT_LE(relative_error(histogram.quantile(0.5).value(), kLimit), 0.004);
  EXPECT_EQ(histogram.max(), kLimit);
}

}  // namespace
}  // namespace ringchurn
