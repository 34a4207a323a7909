// Intended starts: evenly, at random, and up a ramp; alone and shared among threads.
#include "bench/pacer.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace ringchurn {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

std::vector<std::uint64_t> starts(Pacer pacer, std::size_t count) {
  std::vector<std::uint64_t> times;
  for (; times.size() < count; pacer.advance()) times.push_back(pacer.next_ns());
  return times;
}

TEST(Pacer, SpacesConstantArrivalsEvenlyFromTheStart) {
  EXPECT_THAT(
      starts(Pacer({.per_s = 4}, 0, 1, 1000, 1), 4),
      testing::ElementsAre(1000, 1000 + kSecond / 4, 1000 + kSecond / 2, 1000 + 3 * kSecond / 4));
}

TEST(Pacer, DoesNotDriftOverALongRun) {
  const auto times = starts(Pacer({.per_s = 3}, 0, 1, 0, 1), 3'000'001);
  EXPECT_NEAR(static_cast<double>(times.back()), 1e6 * kSecond, 1000);
}

TEST(Pacer, ThreadsInterleaveAndKeepThePaceTogether) {
  std::vector<std::uint64_t> all;
  for (unsigned share = 0; share < 4; ++share) {
    const auto own = starts(Pacer({.per_s = 1000}, share, 4, 0, share), 250);
    all.insert(all.end(), own.begin(), own.end());
  }
  std::sort(all.begin(), all.end());
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(all[i]), static_cast<double>(i) * 1e6, 1) << i;
  }
}

TEST(Pacer, ARampBeginsHalfAsManyAndThenKeepsTheRate) {
  const auto times = starts(Pacer({.per_s = 1000, .ramp_ns = 10 * kSecond}, 0, 1, 0, 1), 20'000);
  const auto begun_by = [&](std::uint64_t time) {
    const auto later = std::lower_bound(times.begin(), times.end(), time);
    return static_cast<double>(later - times.begin());
  };
  EXPECT_NEAR(begun_by(5 * kSecond), 1250, 2);  // 1000/s * 5 s * (5/10) / 2
  EXPECT_NEAR(begun_by(10 * kSecond), 5000, 2);
  EXPECT_NEAR(begun_by(12 * kSecond), 7000, 2);
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
}

TEST(Pacer, KnowsWhatWouldStillHaveBegun) {
  for (const std::uint64_t ramp : {std::uint64_t{0}, 4 * kSecond}) {
    Pacer pacer({.per_s = 100, .ramp_ns = ramp}, 0, 1, 1000, 1);
    // The second is the very moment at which a connection is meant to begin.
    for (const std::uint64_t until : {kSecond, 1000 + kSecond, 3 * kSecond, 9 * kSecond}) {
      const std::uint64_t foreseen = pacer.due_before(until);
      std::uint64_t came = 0;
      for (Pacer other = pacer; other.next_ns() < until; other.advance()) ++came;
      EXPECT_EQ(foreseen, came);
      while (pacer.next_ns() < until) pacer.advance();
      EXPECT_EQ(pacer.due_before(until), 0);
    }
  }
}

// Mean and standard deviation of exponential gaps are equal; evenly spaced ones have none.
TEST(Pacer, PoissonArrivalsHaveExponentialGaps) {
  constexpr std::size_t kMany = 200'000;
  const auto times =
      starts(Pacer({.per_s = 1e6, .arrivals = Arrivals::poisson}, 0, 1, 0, 7), kMany);
  double sum = 0, squares = 0;
  for (std::size_t i = 1; i < kMany; ++i) {
    const auto gap = static_cast<double>(times[i] - times[i - 1]);
    sum += gap;
    squares += gap * gap;
  }
  const double mean = sum / (kMany - 1);
  EXPECT_NEAR(mean, 1000, 15);
  EXPECT_NEAR(std::sqrt(squares / (kMany - 1) - mean * mean), 1000, 25);
}

TEST(Pacer, ASeedGivesTheSameArrivals) {
  const Pace pace{.per_s = 100, .ramp_ns = kSecond, .arrivals = Arrivals::poisson};
  EXPECT_EQ(starts(Pacer(pace, 0, 2, 0, 5), 100), starts(Pacer(pace, 0, 2, 0, 5), 100));
  EXPECT_NE(starts(Pacer(pace, 0, 2, 0, 5), 100), starts(Pacer(pace, 0, 2, 0, 6), 100));
}

}  // namespace
}  // namespace ringchurn
