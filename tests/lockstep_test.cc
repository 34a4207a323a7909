// Lockstep play: whose turn it is, what cannot be played so, and that what is played so is the
// scenario as written, for which the kernel's own counters stand.
#include "bench/lockstep.h"

#include <gmock/gmock.h>

#include <thread>

#include "bench/kernel_counters.h"
#include "bench/meter.h"
#include "tests/trial.h"

namespace ringchurn {
namespace {

using ::testing::HasSubstr;

/// "c1 s1 | c2 s2 ...": sides and step numbers, a bar where the part changes.
std::string told(const Scenario& scenario) {
  std::string text;
  std::optional<LifePart> part;
  for (const StoryTurn& turn : story_turns(scenario)) {
    if (part && *part != turn.part) text += "| ";
    part = turn.part;
    text += fmt::format("{}{} ", turn.side == Side::client ? 'c' : 's',
                        scenario.script(turn.side).steps[turn.step].number);
  }
  return text;
}

Scenario compiled(const std::string& client, const std::string& server) {
  return compile({"mine", "mine.toml",
                  fmt::format("about = \"Mine.\"\n[client]\nsteps = [{}]\n[server]\nsteps = [{}]\n",
                              client, server)});
}

TEST(Story, HasTurnsInAnOrderInWhichNoStepWaits) {
  EXPECT_EQ(told(builtin("graceful")), "c1 s1 | c2 s2 s3 c3 | c4 | s4 s5 ");
  EXPECT_EQ(told(builtin("rst-client")), "c1 s1 | c2 s2 s3 c3 | c4 c5 | s4 s5 ");
}

TEST(Story, CountsBytesAsExchangeWhereverTheyStand) {
  EXPECT_EQ(told(builtin("half-close")), "c1 s1 | c2 | c3 | s2 | s3 | s4 | s5 | c4 | c5 c6 ");
  const std::vector<StoryTurn> turns = story_turns(builtin("half-close"));
  EXPECT_EQ(turns[2].part, LifePart::exchange);
  EXPECT_EQ(turns[3].part, LifePart::teardown_active);   // shutdown wr
  EXPECT_EQ(turns[6].part, LifePart::exchange);          // the server's answer
  EXPECT_EQ(turns[7].part, LifePart::teardown_passive);  // its close
}

TEST(Story, CallsTheSideActiveThatBeginsTheTeardown) {
  for (const StoryTurn& turn : story_turns(builtin("lingering-close"))) {
    const bool tears = turn.part >= LifePart::teardown_active;
    const bool is_active = turn.part == LifePart::teardown_active;
    EXPECT_TRUE(!tears || is_active == (turn.side == Side::server));
  }
}

TEST(Story, NamesWhatStandsInTheWay) {
  EXPECT_EQ(lockstep_obstacle(builtin("graceful")), "");
  EXPECT_THAT(lockstep_obstacle(builtin("refused")), HasSubstr("nobody listens"));
  EXPECT_THAT(lockstep_obstacle(compiled(R"("connect", "pause 10ms", "close")",
                                         R"("accept", "recv-eof", "close")")),
              HasSubstr("the client's step 2 \"pause 10ms\""));
  EXPECT_THAT(lockstep_obstacle(compiled(R"("connect", "close")",
                                         R"("pause 10ms", "accept", "recv-eof", "close")")),
              HasSubstr("pauses before it accepts"));
}

enum class Counters { checked, unchecked };

/// Plays `scenario` in lockstep for a moment; "" or what was wrong.
std::string played(const Lab& lab, const Scenario& scenario,
                   Counters counters = Counters::checked) {
  constexpr unsigned kBatch = 16;
  constexpr Nanoseconds kMoment = 2'000'000;
  const std::vector<Scenario> scenarios{scenario};
  const std::vector<Endpoint> endpoints =
      make_endpoints(scenarios, lab, AF_INET, Worker::backlog(kBatch));
  const std::atomic<bool> stop{false};
  Lockstep lockstep(scenarios, endpoints, kBatch, stop);
  const KernelCounters before = KernelCounters::read();
  if (const std::string why = lockstep.obstacle(0); !why.empty()) return why;
  const LockstepSlice slice = lockstep.play(0, clock_ns() + kMoment);
  const WorkerReport report = lockstep.report();
  const Ledger& client = report.client[0].ledger;
  const Ledger& server = report.server[0].ledger;
  if (client.opened < kBatch || client.finished != client.opened) return "client's ledger";
  if (server.opened != report.client[0].established || server.finished != server.opened) {
    return "server's ledger";
  }
  if (slice.turns_ns.size() != story_turns(scenario).size()) return "turns";
  if (slice.connections + kBatch != client.opened) return "connections of the slice";
  if (counters == Counters::unchecked) return "";
  std::this_thread::sleep_for(kSettleTime);
  const KernelCounters moved = KernelCounters::read().since(before);
  for (const auto& [name, range] : scenario.kernel) {
    const auto count = moved[name].value_or(0);
    if (count < range.min * client.finished || count > range.max * client.finished) {
      return fmt::format("{} moved by {} in {} connections", name, count, client.finished);
    }
  }
  return "";
}

TEST(Lockstep, PlaysScenariosAsWritten) {
  if (const std::string refusal = refusal_of_a_trial(); !refusal.empty()) GTEST_SKIP() << refusal;
  for (const char* name :
       {"graceful", "rst-client", "half-close", "lingering-close", "disconnect", "unread-data"}) {
    EXPECT_EQ(in_lab([&](const Lab& lab) { return played(lab, builtin(name)); }), "") << name;
  }
}

/// Whatever has no obstacle on paper either plays or says which step waited, and its connections
/// end in any case.
TEST(Lockstep, PlaysOrdinaryScenariosOrNamesTheStepThatWaits) {
  if (const std::string refusal = refusal_of_a_trial(); !refusal.empty()) GTEST_SKIP() << refusal;
  const std::string answer = in_lab([](const Lab& lab) {
    std::string text;
    for (const Scenario& scenario : ordinary_builtins()) {
      if (!lockstep_obstacle(scenario).empty()) continue;
      const std::string why = played(lab, scenario, Counters::unchecked);
      if (!why.empty() && why.find(" waits for ") == why.npos) {
        text += fmt::format("{}: {}\n", scenario.name, why);
      }
    }
    return text;
  });
  EXPECT_EQ(answer, "");
}

TEST(Lockstep, NamesAStepThatWaitsForALaterOne) {
  if (const std::string refusal = refusal_of_a_trial(); !refusal.empty()) GTEST_SKIP() << refusal;
  // More than the sockets' buffers hold: on paper a send never waits.
  const Scenario scenario = compiled(R"("connect", "send 16000000", "close")",
                                     R"("accept", "recv 16000000", "recv-eof", "close")");
  EXPECT_THAT(in_lab([&](const Lab& lab) { return played(lab, scenario); }),
              HasSubstr("the client's step 2 \"send 16000000\" waits"));
}

}  // namespace
}  // namespace ringchurn
