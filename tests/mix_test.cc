// The weighted mix: reading it, refusing it, drawing from it.
#include "workloads/mix.h"

#include <gtest/gtest.h>

#include <array>

#include "ring/error.h"

namespace ringchurn {
namespace {

std::string refusal(const std::string& text) {
  try {
    parse_mix(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code, kExitUsage);
    return error.what();
  }
  return "(accepted)";
}

TEST(Mix, ReadsNamesAndWeights) {
  const std::vector<MixEntry> mix = parse_mix("graceful=70,rst-client=20.5,/a/b=c.toml=9.5");
  ASSERT_EQ(mix.size(), 3U);
  EXPECT_EQ(mix[0].scenario, "graceful");
  EXPECT_EQ(mix[1].weight, 20.5);
  EXPECT_EQ(mix[2].scenario, "/a/b=c.toml");
  EXPECT_EQ(parse_mix("graceful").front().weight, 1);
}

TEST(Mix, RefusesWhatIsNotAWeight) {
  for (const char* weight : {"0", "-1", "x", "", "nan", "inf", "1e999", "5 "}) {
    EXPECT_NE(refusal(std::string("graceful=") + weight).find("must be a number above 0"),
              std::string::npos)
        << weight;
  }
  EXPECT_NE(refusal("graceful=1,rst-client").find("has no weight"), std::string::npos);
  EXPECT_NE(refusal("graceful=1,graceful=2").find("twice"), std::string::npos);
  EXPECT_NE(refusal("graceful=1,").find("names no scenario"), std::string::npos);
  EXPECT_NE(refusal("=1").find("names no scenario"), std::string::npos);
  EXPECT_NE(refusal("").find("names no scenario"), std::string::npos);
}

TEST(Mix, DrawsByWeight) {
  Mix mix({4, 7, 9}, {60, 30, 10}, 42);
  std::array<int, 10> drawn{};
  for (int i = 0; i < 100'000; ++i) ++drawn[mix.draw()];
  // Five standard deviations of a binomial: a generator without bias passes for any seed.
  EXPECT_NEAR(drawn[4], 60'000, 775);
  EXPECT_NEAR(drawn[7], 30'000, 725);
  EXPECT_NEAR(drawn[9], 10'000, 475);
}

TEST(Mix, TheSameSeedDrawsTheSameConnections) {
  Mix a({0, 1}, {1, 1}, 7), b({0, 1}, {1, 1}, 7), other({0, 1}, {1, 1}, 8);
  int differing = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto drawn = a.draw();
    EXPECT_EQ(drawn, b.draw());
    differing += drawn != other.draw();
  }
  EXPECT_GT(differing, 0);
}

}  // namespace
}  // namespace ringchurn
