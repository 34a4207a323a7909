// How one side of a run tells its network from another: by name, alike for those who share it.
#include "bench/context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "ring/error.h"
#include "tests/in_child.h"

namespace ringchurn {
namespace {

using testing::MatchesRegex;

TEST(Context, ANetworksNameIsOfThisBootAndTheSameForAllThreads) {
  const std::string name = network_identity();
  EXPECT_THAT(name, MatchesRegex("[0-9a-f-]+:[0-9]+"));
  std::string other;
  std::thread([&] { other = network_identity(); }).join();
  EXPECT_EQ(other, name);
}

TEST(Context, ALabIsAnotherNetworkOfTheSameMachine) {
  constexpr const char* kNoLab = "no lab here: ";
  const std::string outside = network_identity();
  const std::string inside = in_child([&] {
    try {
      enter_lab(LabKind::private_namespace);
    } catch (const Error& error) {
      return std::string(kNoLab) + error.what();
    }
    return network_identity();
  });
  if (inside.starts_with(kNoLab)) GTEST_SKIP() << inside;
  EXPECT_NE(inside, outside);
  EXPECT_EQ(inside.substr(0, inside.find(':')), outside.substr(0, outside.find(':')));
}

TEST(Context, ASideSaysWhoseItIsAndWhere) {
  Context context;
  describe_side(PlayedSide::server, "00112233aabbccdd", context);
  EXPECT_EQ(context.side, PlayedSide::server);
  EXPECT_EQ(context.run_id, "00112233aabbccdd");
  EXPECT_FALSE(context.host.empty());
  EXPECT_EQ(context.network, network_identity());
}

}  // namespace
}  // namespace ringchurn
