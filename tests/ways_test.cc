// Ways to use the ring: their names, and that a connection is the same whichever way it is played.
#include "bench/ways.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ring/error.h"
#include "tests/trial.h"
#include "workloads/scenario_file.h"

namespace ringchurn {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string refusal(const std::string& text) {
  try {
    parse_ways(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code, kExitUsage);
    return error.what();
  }
  ADD_FAILURE() << text << " was taken";
  return "";
}

TEST(Ways, AreReadAndToldByTheSameNames) {
  for (const char* name :
       {"plain", "sqpoll", "accept-one", "wait-one", "wait-batch", "never-sleep"}) {
    EXPECT_EQ(ways_text(parse_ways(name)), name);
    EXPECT_NE(parse_ways(name), Ways{});
  }
  EXPECT_EQ(ways_text(parse_ways("never-sleep+sqpoll+plain")), "plain+sqpoll+never-sleep");
  EXPECT_EQ(ways_text(parse_ways("plain+shutdown-call")), "plain+shutdown-call");
  EXPECT_EQ(ways_text({}), "");
}

TEST(Ways, AreRefusedInOneLine) {
  EXPECT_THAT(refusal("sqpol"), AllOf(HasSubstr("'sqpol'"), HasSubstr("did you mean 'sqpoll'"),
                                      HasSubstr("accept-one")));
  EXPECT_THAT(refusal(""), HasSubstr("''"));
  EXPECT_THAT(refusal("plain+"), HasSubstr("''"));
  EXPECT_THAT(refusal("plain+plain"), HasSubstr("twice"));
  EXPECT_THAT(refusal("wait-one+wait-batch"), HasSubstr("waits in two ways"));
  EXPECT_THAT(refusal("shutdown-call"), HasSubstr("plain+shutdown-call"));
}

TEST(Ways, StandBehindTheNameOfAnArm) {
  const auto is = [](const std::string& text, const std::string& played, const std::string& ways) {
    const ArmText arm = split_arm(text);
    return arm.played == played && arm.ways == ways && arm.has_ways == (played != text);
  };
  EXPECT_TRUE(is("graceful", "graceful", ""));
  EXPECT_TRUE(is("graceful@plain+sqpoll", "graceful", "plain+sqpoll"));
  EXPECT_TRUE(is("graceful=7,refused=3@plain", "graceful=7,refused=3", "plain"));
  EXPECT_TRUE(is("graceful@", "graceful", ""));
  EXPECT_TRUE(is("a@b/mine.toml", "a@b/mine.toml", ""));
  EXPECT_TRUE(is("a@b/mine.toml@plain", "a@b/mine.toml", "plain"));
  EXPECT_TRUE(is("mine@home.toml=1,graceful=2", "mine@home.toml=1,graceful=2", ""));
}

TEST(Ways, LeaveOutWhatASceneIsAbout) {
  const auto why = [](const char* name, const char* ways) -> std::string {
    try {
      require_playable(builtin(name), parse_ways(ways));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(why("graceful", "plain+sqpoll"), "");
  EXPECT_EQ(why("half-close", "plain+shutdown-call"), "");
  EXPECT_EQ(why("direct-table-full", "sqpoll"), "");
  EXPECT_EQ(why("refused", "plain"), "") << "it has no server's script";
  EXPECT_THAT(why("direct-table-full", "plain"), HasSubstr("leave plain out"));
  EXPECT_THAT(why("direct-slot-beyond", "plain"), HasSubstr("'direct-slot-beyond'"));
  EXPECT_THAT(why("multishot-accept-cancelled", "plain"), HasSubstr("leave plain out"));
  EXPECT_THAT(why("linked-shutdown", "plain+shutdown-call"), HasSubstr("leave shutdown-call out"));
  EXPECT_THAT(why("batched-shutdown-close", "plain+shutdown-call"), HasSubstr("shutdown-call"));
}

TEST(Ways, TheCpuBesideIsTheNext) {
  EXPECT_EQ(cpu_beside(std::vector{3, 5, 8}, 3), 5);
  EXPECT_EQ(cpu_beside(std::vector{3, 5, 8}, 8), 3);
  EXPECT_EQ(cpu_beside(std::vector{3}, 3), 3);
  EXPECT_EQ(cpu_beside(std::vector<int>{}, 3), 3);
}

class PlayedInWays : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Each, PlayedInWays,
                         testing::Values("plain", "plain+shutdown-call", "sqpoll", "accept-one",
                                         "wait-one", "wait-batch", "never-sleep",
                                         "plain+sqpoll+accept-one+wait-batch"));

// Scenarios that shut down within a batch are not for a shutdown of one's own.
std::vector<Scenario> playable(const Ways& ways) {
  std::vector<Scenario> scenarios;
  for (Scenario& scenario : ordinary_builtins()) {
    try {
      require_playable(scenario, ways);
      scenarios.push_back(std::move(scenario));
    } catch (const Error&) {
      EXPECT_TRUE(ways.shutdown_call) << scenario.name;
    }
  }
  return scenarios;
}

TEST_P(PlayedInWays, EveryOrdinaryScenarioIsFinishedByBothEnds) {
  if (const std::string why = refusal_of_a_trial(); !why.empty()) GTEST_SKIP() << why;
  const std::string ledgers = in_lab([](const Lab& lab) {
    Worker::Settings settings;
    settings.ways = parse_ways(GetParam());
    Trial trial(lab, playable(settings.ways), settings);
    trial.play(2000);
    return trial.ledgers();
  });
  EXPECT_THAT(ledgers, testing::MatchesRegex("client 2000 = 2000 finished \\+ 0 unexpected \\+ 0 "
                                             "open\nserver ([0-9]+) = [0-9]+ finished \\+ 0 "
                                             "unexpected \\+ 0 open\n"));
}

}  // namespace
}  // namespace ringchurn
