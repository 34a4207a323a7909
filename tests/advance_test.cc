// The state machine without a kernel: every built-in scenario, both sides, every step, every errno.
// Whatever comes back, the connection ends exactly once, its ledger closes and its socket is gone.
#include <gtest/gtest.h>
#include <poll.h>

#include <bit>
#include <cerrno>
#include <optional>
#include <vector>

#include "bench/result.h"
#include "workloads/connection.h"
#include "workloads/scenario_file.h"

namespace ringchurn {
namespace {

using Next = Transition::Next;

/// What the kernel would say for `step` to end as `outcome`, given what the step still has to move.
std::int32_t result_for(const Step& step, Outcome outcome, const Connection& connection) {
  if (outcome == Outcome::eof) return 0;
  if (outcome == Outcome::timeout) return -ECANCELED;
  if (outcome == Outcome::cut_short) return 1;
  if (step.op == Op::poll && outcome >= Outcome::events) {
    std::int32_t events = 0;
    for (const int bit : {POLLIN, POLLPRI, POLLOUT, POLLRDHUP, POLLERR, POLLHUP, POLLNVAL}) {
      const auto alone = static_cast<int>(events_outcome(static_cast<unsigned>(bit)));
      const int set = alone - static_cast<int>(Outcome::events);
      if ((static_cast<int>(outcome) - static_cast<int>(Outcome::events)) & set) events |= bit;
    }
    return events;
  }
  if (step.act == Act::state || step.act == Act::peer_state) {
    return static_cast<std::int32_t>(outcome) - static_cast<std::int32_t>(Outcome::state);
  }
  if (step.op == Op::so_error) return static_cast<std::int32_t>(outcome);
  if (is_errno(outcome)) return -static_cast<std::int32_t>(outcome);
  switch (step.op) {
    case Op::send:
    case Op::receive:
    case Op::receive_until:
      return static_cast<std::int32_t>(connection.remaining > 0 ? connection.remaining
                                                                : step.bytes);
    case Op::receive_any:
    case Op::read:
    case Op::write:
    case Op::wait:
      return 1;
    case Op::fill:
      return -EAGAIN;
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
  unsigned clean_ups = 0;     ///< closes after an unexpected outcome
  unsigned sockets_then = 0;  ///< ... and how many sockets there were
  std::uint8_t sockets = 0;
  unsigned completions = 0;
};

/// What End does, without a ring: operations that were started end when they are waited for.
class OnPaper {
 public:
  OnPaper(const Script& script, Side side, unsigned at, std::optional<std::int32_t> injected)
      : script_(script), at_(at), injected_(injected) {
    begin(connection_, script, 0, 0);
    connection_.sockets = side == Side::server ? 1 : 0;
    ++life_.ledger.opened;
  }

  Life play() {
    issue();
    while (life_.completions++ < 1000 && life_.ledger.finished + life_.ledger.unexpected == 0) {
      const bool waits = script_.steps[connection_.step].op == Op::await;
      if (waits && in_flight_.empty()) {
        complete(connection_.step);
      } else {
        // The script's own operation is the last one that was issued, unless it waits.
        const bool first = waits || (connection_.stage == Stage::cleaning && !cleaning_close());
        const unsigned number = first ? in_flight_.front() : in_flight_.back();
        in_flight_.erase(first ? in_flight_.begin() : in_flight_.end() - 1);
        --connection_.in_flight;
        complete(number);
      }
    }
    life_.sockets = connection_.sockets;
    return life_;
  }

 private:
  bool cleaning_close() const {
    return !in_flight_.empty() && in_flight_.back() == script_.clean_up();
  }

  void issue() {
    while (script_.steps[connection_.step].op != Op::await) {
      const unsigned number = connection_.step;
      if (number == script_.clean_up()) ++life_.clean_ups;
      in_flight_.push_back(number);
      ++connection_.in_flight;
      if (script_.steps[number].overlap == Overlap::none) return;
      overlap(connection_, script_);
    }
  }

  std::int32_t result(unsigned number) const {
    const Step& step = script_.steps[number];
    if (connection_.stage == Stage::cleaning && number != script_.clean_up()) return -ECANCELED;
    if (number == at_ && injected_) return *injected_;
    return result_for(step, step.expect.all().front(), connection_);
  }

  void complete(unsigned number) {
    const Step& step = script_.steps[number];
    const Transition transition =
        advance(connection_, script_, number, result(number), step.at_least_ns);
    if (transition.step_ended && !transition.expected) ++life_.unexpected_errors;
    switch (transition.next) {
      case Next::finished:
        ++life_.ledger.finished;
        return;
      case Next::given_up:
        ++life_.ledger.unexpected;
        return;
      case Next::clean_up:
        life_.sockets_then = static_cast<unsigned>(std::popcount(connection_.sockets));
        [[fallthrough]];
      case Next::nothing:
        if (connection_.stage == Stage::playing || connection_.in_flight > 0) return;
        if (connection_.sockets == 0) {
          ++life_.ledger.unexpected;
        } else {
          issue();
        }
        return;
      case Next::again:
      case Next::step:
        issue();
    }
  }

  const Script& script_;
  unsigned at_;
  std::optional<std::int32_t> injected_;
  Connection connection_;
  std::vector<unsigned> in_flight_;
  Life life_;
};

Life live(const Script& script, Side side, unsigned at, std::optional<std::int32_t> injected) {
  return OnPaper(script, side, at, injected).play();
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
    EXPECT_EQ(life.sockets != 0, script.steps[script.length() - 1].op == Op::disconnect);
  });
}

TEST(Advance, TheLedgerClosesWhateverErrnoComesBackAtWhateverStep) {
  for_each_script([](const Script& script, Side side) {
    for (unsigned at = 0; at < script.length(); ++at) {
      for (int error = 1; error < 134; ++error) {
        SCOPED_TRACE("step " + script.steps[at].text + ", " + outcome_name(errno_outcome(error)));
        const Life life = live(script, side, at, -error);
        const Step& step = script.steps[at];
        if (step.op == Op::await) continue;
        const bool timer =
            (step.op == Op::pause && error == ETIME) || (step.op == Op::fill && error == EAGAIN);
        const bool limit = step.limited && error == ECANCELED;
        const Outcome outcome = timer   ? Outcome::ok
                                : limit ? Outcome::timeout
                                        : errno_outcome(error);
        const bool expected = step.expect.allows(outcome);
        EXPECT_TRUE(life.ledger.closes());
        EXPECT_EQ(life.ledger.finished, expected ? 1U : 0U);
        EXPECT_EQ(life.unexpected_errors, expected ? 0U : 1U);
        if (!expected) {
          EXPECT_EQ(life.sockets, 0);
        }
      }
    }
  });
}

TEST(Advance, AnUnexpectedOutcomeIsFollowedByOneCloseForEachSocketAndNothingElse) {
  for_each_script([](const Script& script, Side side) {
    for (unsigned at = 0; at < script.length(); ++at) {
      const Step& step = script.steps[at];
      if (step.expect.allows(errno_outcome(EIO)) || step.op == Op::await) continue;
      SCOPED_TRACE("step " + step.text);
      const Life life = live(script, side, at, -EIO);
      EXPECT_LE(life.clean_ups, life.sockets_then) << "a close may have been under way";
      EXPECT_EQ(life.sockets, 0);
      EXPECT_EQ(life.unexpected_errors, 1U);
    }
  });
}

TEST(Advance, AReceiveThatMeetsTheFinIsUnexpectedUnlessItSaysEof) {
  for_each_script([](const Script& script, Side side) {
    for (unsigned at = 0; at < script.length(); ++at) {
      const Step& step = script.steps[at];
      const bool wants_bytes =
          step.op == Op::receive || step.op == Op::receive_until || step.op == Op::receive_any;
      if (!wants_bytes) continue;
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
  connection.sockets = 1;
  Transition transition = advance(connection, script, 2, 4);
  EXPECT_EQ(transition.next, Next::again);
  EXPECT_EQ(transition.moved, 4U);
  EXPECT_EQ(connection.remaining, 6U);
  transition = advance(connection, script, 2, 6);
  EXPECT_EQ(transition.next, Next::step);
  EXPECT_EQ(transition.moved, 6U);
  EXPECT_EQ(transition.total, 10U);
  EXPECT_TRUE(transition.expected);
}

TEST(Advance, AReceiveUntilEndsWhenNoByteIsLeftToCome) {
  const Script script = script_of(R"('connect', 'recv until "bcd" plus 5', 'close')",
                                  R"('accept', 'send "abcd"', 'send 5', 'close')");
  Connection connection;
  begin(connection, script, 0, 2);
  EXPECT_EQ(connection.remaining, 8U) << "the least that may come";
  connection.remaining = 3 + 6;  // as End says when "abc" came
  EXPECT_EQ(advance(connection, script, 2, 3).next, Next::again);
  connection.remaining = 6 + 0;
  const Transition transition = advance(connection, script, 2, 6);
  EXPECT_EQ(transition.next, Next::step);
  EXPECT_EQ(transition.total, 9U);
  begin(connection, script, 0, 2);
  EXPECT_EQ(advance(connection, script, 2, 0).outcome, Outcome::eof);
}

TEST(Advance, RecvEofDiscardsUntilTheFin) {
  const Script script =
      script_of("\"connect\", \"recv-eof\", \"close\"", "\"accept\", \"send 9\", \"close\"");
  Connection connection;
  begin(connection, script, 0, 2);
  EXPECT_EQ(advance(connection, script, 2, 5).next, Next::again);
  EXPECT_EQ(advance(connection, script, 2, 4).moved, 4U);
  EXPECT_EQ(advance(connection, script, 2, 0).next, Next::step);
}

TEST(Advance, ALimitThatRunsOutIsATimeout) {
  const Script script = script_of("\"connect\", \"recv-eof 10ms -> timeout\", \"close\"",
                                  "\"accept\", \"pause 1s\", \"close\"");
  Connection connection;
  begin(connection, script, 0, 2);
  const Transition transition = advance(connection, script, 2, -ECANCELED);
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
