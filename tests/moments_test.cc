// Which steps of a scenario take its connection down, tell of it, and let go of it; and of which
// scenarios nobody can tell which two ends belong together.
#include "workloads/moments.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <cerrno>
#include <string>

#include "workloads/scenario_file.h"

namespace ringchurn {
namespace {

Scenario compile_text(const std::string& client, const std::string& server) {
  const std::string end = server.empty() ? "" : "[server]\nsteps = [" + server + "]\n";
  return compile(
      {"mine", "mine.toml", "about = \"test\"\n[client]\nsteps = [" + client + "]\n" + end});
}

std::string letters(unsigned marks) {
  std::string text;
  if ((marks & kOfPeer) != 0) text += "peer ";
  if ((marks & kConnects) != 0) text += "connects ";
  if ((marks & kTakesDown) != 0) text += "down ";
  if ((marks & kTells) != 0) text += "tells ";
  if ((marks & kLetsGo) != 0) text += "gone ";
  return text.empty() ? text : text.substr(0, text.size() - 1);
}

/// "close: down gone; ..." of every marked step.
std::string marks(const Script& script) {
  std::string text;
  for (const Step& step : script.steps) {
    if (step.marks == 0) continue;
    text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", step.text, letters(step.marks));
  }
  return text;
}

TEST(Marks, AreThoseOfAnOrdinaryTeardown) {
  const Scenario scenario = compile(find_scenario("graceful"));
  EXPECT_EQ(marks(scenario.client),
            "connect: connects; send 1: tells; recv 1: tells; close: down gone");
  EXPECT_EQ(marks(scenario.server),
            "recv 1: tells; send 1: tells; recv-eof: tells; close: down gone");
  EXPECT_EQ(scenario.unmatched, "");
}

TEST(Marks, OnlyTheFirstTeardownStepOfAnEndTakesItDown) {
  const Scenario scenario = compile(find_scenario("half-close"));
  EXPECT_EQ(marks(scenario.client),
            "connect: connects; send 1: tells; shutdown wr: down tells; recv 1: tells; "
            "recv-eof: tells; close: gone");
}

TEST(Marks, ASocketOptionIsNoTeardownStep) {
  EXPECT_EQ(marks(compile(find_scenario("rst-client")).client),
            "connect: connects; send 1: tells; recv 1: tells; close: down gone");
}

TEST(Marks, ADisconnectTakesDownAndLetsGo) {
  EXPECT_EQ(marks(compile(find_scenario("disconnect")).client),
            "connect: connects; send 1: tells; recv 1: tells; disconnect: down gone");
}

TEST(Marks, WhatAnEndDidItselfTellsNothingOfThePeer) {
  const Scenario scenario = compile_text(
      "'connect', 'shutdown rd', 'recv -> EOF', 'send 1', 'shutdown wr', 'send 1 -> EPIPE', "
      "'so-error', 'close'",
      "'accept', 'recv 1', 'recv-eof', 'close'");
  EXPECT_EQ(marks(scenario.client),
            "connect: connects; shutdown rd: tells; send 1: tells; shutdown wr: down tells; "
            "so-error: tells; close: gone");
}

TEST(Marks, AnOperationInFlightHoldsOnToItsSocket) {
  EXPECT_EQ(marks(compile(find_scenario("pending-recv-close")).client),
            "connect l: connects; start recv: tells gone; close: down gone; "
            "s: recv 20ms: peer tells; s: send 3: peer tells; s: recv: peer tells; "
            "s: close: peer down gone");
}

TEST(Marks, AScriptThatPlaysBothEndsHasThemOfBoth) {
  const Scenario scenario = compile_text(
      "'l: listen 1', 'connect l', 's: accept l', 'close', 's: recv-eof', 's: close', "
      "'l: close'",
      "");
  EXPECT_EQ(marks(scenario.client),
            "connect l: connects; close: down gone; s: recv-eof: peer tells; "
            "s: close: peer down gone");
  EXPECT_EQ(scenario.unmatched, "");
}

TEST(Marks, TheyMoveWithTheirStepsWhenTheClientBinds) {
  Scenario scenario = compile(find_scenario("graceful"));
  const std::string before = marks(scenario.client);
  scenario.come_from_sources();
  EXPECT_EQ(marks(scenario.client), before);
}

TEST(Marks, EveryBuiltinIsMatchedOrSaysWhyNot) {
  unsigned matched = 0;
  for (const ScenarioFile& file : builtin_scenarios()) {
    const Scenario scenario = compile(file);
    EXPECT_FALSE(scenario.has_server() && !scenario.unmatched.empty())
        << scenario.name << ": " << scenario.unmatched;
    if (!scenario.unmatched.empty()) continue;
    ++matched;
    EXPECT_NE(marks(scenario.client).find("connects"), std::string::npos) << scenario.name;
    const std::string both = marks(scenario.client) + marks(scenario.server);
    EXPECT_NE(both.find("gone"), std::string::npos) << scenario.name;
  }
  EXPECT_GT(matched, 200U);
}

TEST(Marks, AConnectThatReachesNobodyIsNone) {
  EXPECT_EQ(compile_text("'connect', 'connect -> EISCONN', 'close', 'connect -> EBADF'",
                         "'accept', 'close'")
                .unmatched,
            "");
}

struct Unmatched {
  const char *client, *server, *why;
};

TEST(Marks, SomeScenariosCannotBeMatched) {
  constexpr const char* kServer = "'accept', 'close'";
  const Unmatched cases[] = {
      {"'connect -> ECONNREFUSED', 'close'", "", "nobody listens"},
      {"'connect -> ok | ETIMEDOUT', 'close'", kServer, "the connect may fail"},
      {"'connect', 'close'", "'option TCP_DEFER_ACCEPT 1', 'accept', 'close'",
       "the listener need not accept in the order of the connects"},
      {"'connect', 'close'", "'option TCP_FASTOPEN 1', 'accept', 'close'",
       "the listener need not accept in the order of the connects"},
      {"'l: listen 2', 'connect l', 's: accept l', 'disconnect', 'connect l', 't: accept l', "
       "'close', 's: close', 't: close', 'l: close'",
       "", "the client connects several times"},
      {"'l: listen 2', 'connect l', 'close', 'l: close'", "", "nobody accepts the connection"},
      {"'pipe b', 'b: close', 'write 1 -> EPIPE', 'close'", "", "the client connects to nobody"},
  };
  for (const auto& [client, server, why] : cases) {
    EXPECT_EQ(compile_text(client, server).unmatched, why) << client;
  }
}

// -- what a step's end tells ----------------------------------------------------------------------

bool tells(Op op, std::int32_t result, Outcome outcome) {
  Step step;
  step.op = op;
  return tells_of_peer(step, result, outcome);
}

TEST(News, AnEofAResetAndAHangUpTellOfThePeer) {
  EXPECT_TRUE(tells(Op::recv_eof, 0, Outcome::ok));
  EXPECT_TRUE(tells(Op::receive, 0, Outcome::eof));
  EXPECT_TRUE(tells(Op::receive, 3, Outcome::cut_short)) << "MSG_WAITALL, cut by a FIN";
  EXPECT_TRUE(tells(Op::receive_any, -ECONNRESET, errno_outcome(ECONNRESET)));
  EXPECT_TRUE(tells(Op::send, -EPIPE, errno_outcome(EPIPE)));
  EXPECT_TRUE(tells(Op::so_error, ECONNRESET, errno_outcome(ECONNRESET)));
  EXPECT_TRUE(tells(Op::shutdown, -ENOTCONN, errno_outcome(ENOTCONN)));
  EXPECT_TRUE(tells(Op::poll, POLLIN | POLLRDHUP, events_outcome(POLLIN | POLLRDHUP)));
  EXPECT_TRUE(tells(Op::wait, POLLIN | POLLHUP, Outcome::ok));
}

TEST(News, AnythingElseDoesNot) {
  EXPECT_FALSE(tells(Op::receive, 3, Outcome::ok));
  EXPECT_FALSE(tells(Op::send, 3, Outcome::cut_short));
  EXPECT_FALSE(tells(Op::shutdown, 0, Outcome::ok));
  EXPECT_FALSE(tells(Op::receive, -ETIMEDOUT, errno_outcome(ETIMEDOUT)));
  EXPECT_FALSE(tells(Op::receive, -EAGAIN, errno_outcome(EAGAIN)));
  EXPECT_FALSE(tells(Op::receive, -ENOTCONN, errno_outcome(ENOTCONN)));
  EXPECT_FALSE(tells(Op::recv_eof, -ECANCELED, Outcome::timeout));
  EXPECT_FALSE(tells(Op::poll, POLLIN, events_outcome(POLLIN)));
  EXPECT_FALSE(tells(Op::wait, -ECANCELED, errno_outcome(ECANCELED)));
}

TEST(News, OnlyACloseThatSucceedsLetsGo) {
  Step close;
  EXPECT_TRUE(has_let_go(close, Outcome::ok));
  EXPECT_FALSE(has_let_go(close, errno_outcome(EBADF)));
  Step receive;
  receive.op = Op::receive_any;
  EXPECT_TRUE(has_let_go(receive, errno_outcome(ECANCELED)));
}

}  // namespace
}  // namespace ringchurn
