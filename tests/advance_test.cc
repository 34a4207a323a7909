// The state machine without a kernel: every built-in scenario, both sides, every step, every errno.
// Whatever comes back, the connection ends exactly once, its ledger closes and its socket is gone.
#include <gtest/gtest.h>

#include <cerrno>

#include "bench/result.h"
#include "workloads/connection.h"
#include "workloads/scenario_file.h"

namespace ringchurn {
namespace {

using Next = Transition::Next;

/// A result with which the kernel would end `step` as its expectation wants it.
std::int32_t expected_result(const Step& step, const Connection& connection) {
  if (!step.expect.allows(Outcome::ok)) {
    for (int error = 1; error < 134; ++error) {
      if (step.expect.allows(errno_outcome(error))) return -error;
    }
  }
  switch (step.op) {
    case Op::send:
    case Op::receive:
      return static_cast<std::int32_t>(connection.remaining);
    case Op::receive_any:
    case Op::wait:
      return 1;
    case Op::pause:
      return -ETIME;
    default:
      return 0;
  }
}

/// One connection on paper: plays to its end, with `injected` in the place of step `at`'s result.
struct Life {
  Ledger ledger;
  unsigned unexpected_errors = 0;
  unsigned closes = 0;
  bool has_socket = false;
  unsigned completions = 0;
};

Life live(const Script& script, Side side, unsigned at, std::optional<std::int32_t> injected) {
  Life life;
  Connection connection;
  begin(connection, script, 0, 0);
  connection.has_socket = side == Side::server;
  ++life.ledger.opened;
  for (; life.completions < 1000; ++life.completions) {
    const Step& step = script.steps[connection.step];
    const bool here = connection.step == at && connection.stage == Stage::playing;
    const std::int32_t result = here && injected ? *injected : expected_result(step, connection);
    if (step.op == Op::close) ++life.closes;
    const Transition transition = advance(connection, script, result);
    if (transition.step_ended && !transition.expected) ++life.unexpected_errors;
    if (transition.next == Next::finished) ++life.ledger.finished;
    if (transition.next == Next::given_up) ++life.ledger.unexpected;
    if (transition.next == Next::finished || transition.next == Next::given_up) break;
  }
  life.has_socket = connection.has_socket;
  return life;
}

/// Calls `check(scenario, side, script)` for both sides of every built-in scenario.
template <typename Check>
void for_each_script(Check check) {
  for (const ScenarioFile& file : builtin_scenarios()) {
    const Scenario scenario = compile(file);
    for (Side side : {Side::client, Side::server}) {
      if (scenario.script(side).steps.empty()) continue;
      SCOPED_TRACE(scenario.name + ", " + side_name(side));
      check(scenario.script(side), side);
    }
  }
}

TEST(Advance, EveryScriptFinishesWhenTheKernelAnswersAsWritten) {
  for_each_script([](const Script& script, Side side) {
    const Life life = live(script, side, 0, std::nullopt);
    EXPECT_EQ(life.ledger.finished, 1U);
    EXPECT_EQ(life.unexpected_errors, 0U);
    EXPECT_EQ(life.has_socket, script.steps[script.length() - 1].op == Op::disconnect);
  });
}

TEST(Advance, TheLedgerClosesWhateverErrnoComesBackAtWhateverStep) {
  for_each_script([](const Script& script, Side side) {
    for (unsigned at = 0; at < script.length(); ++at) {
      for (int error = 1; error < 134; ++error) {
        SCOPED_TRACE("step " + script.steps[at].text + ", " + outcome_name(errno_outcome(error)));
        const Life life = live(script, side, at, -error);
        const Step& step = script.steps[at];
        const bool timer = step.op == Op::pause && error == ETIME;
        const bool limit = step.limited && error == ECANCELED;
        const Outcome outcome = timer   ? Outcome::ok
                                : limit ? Outcome::timeout
                                        : errno_outcome(error);
        const bool expected = step.expect.allows(outcome);
        EXPECT_TRUE(life.ledger.closes());
        EXPECT_EQ(life.ledger.finished, expected ? 1U : 0U);
        EXPECT_EQ(life.unexpected_errors, expected ? 0U : 1U);
        if (!expected) {
          EXPECT_FALSE(life.has_socket);
        }
      }
    }
  });
}

TEST(Advance, AnUnexpectedOutcomeIsFollowedByOneCloseAndNothingElse) {
  for_each_script([](const Script& script, Side side) {
    for (unsigned at = 0; at < script.length(); ++at) {
      const Step& step = script.steps[at];
      if (step.expect.allows(errno_outcome(EIO)) || step.op == Op::socket) continue;
      const Life life = live(script, side, at, -EIO);
      EXPECT_EQ(life.completions, step.op == Op::close ? at : at + 1);
      EXPECT_EQ(life.closes, 1U);
    }
  });
}

TEST(Advance, AReceiveThatMeetsTheFinIsUnexpectedUnlessItSaysEof) {
  for_each_script([](const Script& script, Side side) {
    for (unsigned at = 0; at < script.length(); ++at) {
      const Step& step = script.steps[at];
      if (step.op != Op::receive && step.op != Op::receive_any) continue;
      const Life life = live(script, side, at, 0);
      EXPECT_EQ(life.ledger.unexpected, step.expect.allows(Outcome::eof) ? 0U : 1U);
    }
  });
}

Script script_of(const std::string& client, const std::string& server) {
  return compile({"test", "test.toml",
                  "about = \"test\"\n[client]\nsteps = [" + client + "]\n[server]\nsteps = [" +
                      server + "]\n"})
      .client;
}

TEST(Advance, AShortSendIsSentOnUntilEverythingIsTaken) {
  const Script script =
      script_of("\"connect\", \"send 10\", \"close\"", "\"accept\", \"recv 10\", \"close\"");
  Connection connection;
  begin(connection, script, 0, 2);
  connection.has_socket = true;
  Transition transition = advance(connection, script, 4);
  EXPECT_EQ(transition.next, Next::again);
  EXPECT_EQ(transition.moved, 4U);
  EXPECT_EQ(connection.remaining, 6U);
  transition = advance(connection, script, 6);
  EXPECT_EQ(transition.next, Next::step);
  EXPECT_EQ(transition.moved, 6U);
  EXPECT_TRUE(transition.expected);
}

TEST(Advance, RecvEofDiscardsUntilTheFin) {
  const Script script =
      script_of("\"connect\", \"recv-eof\", \"close\"", "\"accept\", \"send 9\", \"close\"");
  Connection connection;
  begin(connection, script, 0, 2);
  EXPECT_EQ(advance(connection, script, 5).next, Next::again);
  EXPECT_EQ(advance(connection, script, 4).moved, 4U);
  EXPECT_EQ(advance(connection, script, 0).next, Next::step);
}

TEST(Advance, ALimitThatRunsOutIsATimeout) {
  const Script script = script_of("\"connect\", \"recv-eof 10ms -> timeout\", \"close\"",
                                  "\"accept\", \"pause 1s\", \"close\"");
  Connection connection;
  begin(connection, script, 0, 2);
  const Transition transition = advance(connection, script, -ECANCELED);
  EXPECT_EQ(transition.outcome, Outcome::timeout);
  EXPECT_TRUE(transition.expected);
}

TEST(Advance, EachLifeOfASlotHasItsOwnGeneration) {
  const Script script = script_of("\"connect\", \"close\"", "\"accept\", \"close\"");
  Connection connection;
  begin(connection, script, 0, 0);
  const std::uint32_t first = connection.generation;
  begin(connection, script, 0, 0);
  EXPECT_NE(connection.generation, first);
}

}  // namespace
}  // namespace ringchurn
