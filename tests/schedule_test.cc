// A block of the schedule is fair: every arm twice, in a mirror, every order as likely as any
// other.
#include "bench/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "workloads/random.h"

namespace ringchurn {
namespace {

using Block = std::vector<std::uint8_t>;

TEST(MirroredBlock, HoldsEachArmTwiceAndReadsTheSameBackwards) {
  Random random(1);
  for (std::uint8_t arms = 1; arms <= 8; ++arms) {
    for (int i = 0; i < 100; ++i) {
      const Block block = mirrored_block(arms, random);
      ASSERT_EQ(block.size(), 2U * arms);
      EXPECT_TRUE(std::equal(block.begin(), block.end(), block.rbegin()));
      for (std::uint8_t arm = 0; arm < arms; ++arm) {
        EXPECT_EQ(std::count(block.begin(), block.end(), arm), 2);
      }
    }
  }
}

TEST(MirroredBlock, IsAbbaOrBaabForTwoArms) {
  Random random(2);
  std::map<Block, int> seen;
  for (int i = 0; i < 1'000; ++i) ++seen[mirrored_block(2, random)];
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_NEAR((seen[{0, 1, 1, 0}]), 500, 80);  // five standard deviations
}

TEST(MirroredBlock, DrawsEveryPermutationAboutEquallyOften) {
  Random random(3);
  std::map<Block, int> seen;
  for (int i = 0; i < 24'000; ++i) ++seen[mirrored_block(4, random)];
  ASSERT_EQ(seen.size(), 24U);
  for (const auto& [block, times] : seen) {
    EXPECT_NEAR(times, 1'000, 155) << testing::PrintToString(block);  // five standard deviations
  }
}

TEST(MirroredBlock, DependsOnTheSeedAlone) {
  Random one(4);
  Random same(4);
  Random other(5);
  Block first;
  Block again;
  Block different;
  for (int i = 0; i < 20; ++i) {
    for (const std::uint8_t arm : mirrored_block(3, one)) first.push_back(arm);
    for (const std::uint8_t arm : mirrored_block(3, same)) again.push_back(arm);
    for (const std::uint8_t arm : mirrored_block(3, other)) different.push_back(arm);
  }
  EXPECT_EQ(first, again);
  EXPECT_NE(first, different);
}

TEST(Random, IsXoshiro256StarStarSeededBySplitmix64) {
  // Seed 0: splitmix64's first four outputs are published with its source
  // (e220a8397b1dcdaf, 6e789e6aa1b965f4, 06c45d188009454f, f88bb8a8724c81ec); from them follows
  // rotl(6e789e6aa1b965f4 * 5, 7) * 9.
  Random random(0);
  EXPECT_EQ(random.next(), 0x99ec5f36cb75f2b4U);
  EXPECT_EQ(random.next(), 0xbf6e1f784956452aU);
}

TEST(Random, DrawsBelowItsBoundEvenly) {
  Random random(6);
  std::vector<int> seen(7);
  for (int i = 0; i < 7'000; ++i) ++seen[random.below(7)];
  for (const int times : seen) EXPECT_NEAR(times, 1'000, 150);
  EXPECT_EQ(random.below(1), 0U);
}

}  // namespace
}  // namespace ringchurn
