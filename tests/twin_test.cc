// The twin against the real kernel, in a lab: that it tells what the kernel answered, keeps time
// limits, interrupts, and leaves nothing behind whatever happens. What each scenario answers is the
// atlas's business.
#include "workloads/twin.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/trial.h"

namespace ringchurn {
namespace {

/// Why there is no lab here, or "".
std::string refusal_of_a_lab() {
  return in_lab([](const Lab&) { return ""; });
}

class TwinTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string refusal = refusal_of_a_lab(); !refusal.empty()) GTEST_SKIP() << refusal;
  }
};

Scenario compile_text(const std::string& client, const std::string& server = "",
                      const std::string& keys = "") {
  std::string text = "about = \"test\"\n" + keys + "\n[client]\nsteps = [" + client + "]\n";
  if (!server.empty()) text += "[server]\nsteps = [" + server + "]\n";
  return compile({"mine", "mine.toml", text}, {}, Engine::syscall);
}

Scenario builtin_for_system_calls(const std::string& name) {
  return compile(find_scenario(name), {}, Engine::syscall);
}

std::ptrdiff_t open_descriptors() {
  const std::filesystem::directory_iterator descriptors("/proc/self/fd");
  return std::distance(begin(descriptors), end(descriptors));
}

/// "recv EOF", with a "!" if that is not expected.
std::string said(const Scenario& scenario, const Answer& answer) {
  return scenario.script(answer.side).steps[answer.step].text + " " + outcome_name(answer.outcome) +
         (answer.expected ? "" : "!");
}

/// Plays `connections` and tells what each end answered, by step: "client socket ok, connect ok" on
/// a line; if all ends of a side said the same, it is there once. Then descriptors left open.
std::string play(const Scenario& scenario, const Endpoint& endpoint, unsigned connections) {
  std::map<std::pair<Side, unsigned>, std::map<unsigned, std::string>> ends;
  const auto before = open_descriptors();
  play_with_system_calls(scenario, endpoint, connections,
                         [&](unsigned connection, const Answer& answer) {
                           ends[{answer.side, connection}][answer.step] = said(scenario, answer);
                         });
  std::string told, last;
  for (const auto& [end, answers] : ends) {
    std::string line;
    for (const auto& [step, text] : answers) line += (line.empty() ? " " : ", ") + text;
    line = side_name(end.first) + line + "\n";
    if (line != last) told += line;
    last = line;
  }
  const auto left = open_descriptors() - before;
  return left == 0 ? told : told + std::to_string(left) + " descriptors left\n";
}

std::string play(const Scenario& scenario, unsigned connections = 1) {
  return in_lab([&](const Lab& lab) {
    const std::vector<Scenario> scenarios{scenario};
    const std::vector<Endpoint> endpoints = make_endpoints(scenarios, lab, AF_INET, 128);
    return play(scenarios[0], endpoints[0], connections);
  });
}

// -- as written -----------------------------------------------------------------------------------

class TwinOfBuiltin : public testing::TestWithParam<std::tuple<const char*, int>> {
 protected:
  void SetUp() override {
    if (const std::string refusal = refusal_of_a_lab(); !refusal.empty()) GTEST_SKIP() << refusal;
  }
};

TEST_P(TwinOfBuiltin, AnswersEveryStepAsExpected) {
  const auto [name, family] = GetParam();
  const Scenario scenario = builtin_for_system_calls(name);
  const std::string wrong = in_lab([&, family = family](const Lab& lab) -> std::string {
    if (family == AF_INET6 && lab.ipv6_destinations.empty()) return "";
    const std::vector<Scenario> scenarios{scenario};
    const std::vector<Endpoint> endpoints = make_endpoints(scenarios, lab, family, 128);
    std::string unexpected;
    std::size_t answers = 0;
    play_with_system_calls(scenario, endpoints[0], 8, [&](unsigned, const Answer& answer) {
      ++answers;
      if (!answer.expected) unexpected += said(scenario, answer) + "\n";
    });
    const bool complete = answers == 8 * (scenario.client.length() + scenario.server.length());
    return unexpected + (complete ? "" : "only " + std::to_string(answers) + " answers");
  });
  EXPECT_EQ(wrong, "");
}

INSTANTIATE_TEST_SUITE_P(
    Teardowns, TwinOfBuiltin,
    testing::Combine(testing::Values("graceful", "graceful-server", "half-close", "lingering-close",
                                     "simultaneous-close", "rst-client", "rst-server", "disconnect",
                                     "unread-data", "abort-before-accept", "write-after-fin",
                                     "refused"),
                     testing::Values(AF_INET, AF_INET6)));

TEST_F(TwinTest, PlaysAsManyAtOnceAsItMay) {
  const Scenario scenario =
      compile_text("'connect', 'send 100000', 'recv 50000', 'close'",
                   "'accept', 'recv 100000', 'send 50000', 'recv-eof', 'close'");
  EXPECT_EQ(play(scenario, kMostTwins),
            "client socket ok, connect ok, send 100000 ok, recv 50000 ok, close ok\n"
            "server accept ok, recv 100000 ok, send 50000 ok, recv-eof ok, close ok\n");
}

TEST_F(TwinTest, PlaysUnixSocketsAndPairs) {
  EXPECT_EQ(play(compile_text("'connect', 'send 1', 'recv -> EOF', 'close'",
                              "'accept', 'recv 1', 'close'", "socket = 'unix-seqpacket'"),
                 4),
            "client socket ok, connect ok, send 1 ok, recv EOF, close ok\n"
            "server accept ok, recv 1 ok, close ok\n");
  EXPECT_EQ(play(compile_text("'socketpair b', 'send 3', 'b: recv 3', 'close', 'b: recv -> EOF', "
                              "'b: close'",
                              "", "socket = 'unix-stream'")),
            "client socketpair b ok, send 3 ok, b: recv 3 ok, close ok, b: recv EOF, "
            "b: close ok\n");
}

TEST_F(TwinTest, OneOperationMayBeShort) {
  EXPECT_EQ(play(compile_text("'connect', 'recv 100 waitall -> short', 'recv 100 -> EOF', 'close'",
                              "'accept', 'send 5', 'close'")),
            "client socket ok, connect ok, recv 100 waitall short, recv 100 EOF, close ok\n"
            "server accept ok, send 5 ok, close ok\n");
}

TEST_F(TwinTest, LooksForATextAndTakesNoByteBehindIt) {
  EXPECT_EQ(
      play(compile_text(R"('option TCP_NODELAY 1', 'connect', 'send "a\r\n\r"', 'pause 5ms',
                                 'send "\r\n\r\n12"', 'pause 5ms', 'send "345"', 'shutdown wr',
                                 'recv-eof', 'close')",
                        R"('accept', 'recv until "\r\n\r\n" plus 3', 'recv 1',
                                 'recv until "6" -> EOF', 'close')")),
      R"(client socket ok, option TCP_NODELAY 1 ok, connect ok, send "a\r\n\r" ok, pause 5ms ok, )"
      R"(send "\r\n\r\n12" ok, pause 5ms ok, send "345" ok, shutdown wr ok, recv-eof ok, close ok)"
      "\n"
      R"(server accept ok, recv until "\r\n\r\n" plus 3 ok, recv 1 ok, )"
      R"(recv until "6" EOF, close ok)"
      "\n");
  EXPECT_EQ(play(compile_text(R"('connect', 'recv until "x" 20ms -> timeout after 20ms', 'send 1',
                                 'recv until "z" plus 20000', 'close')",
                              "'accept', 'recv 1', 'send 20000', 'send \"xyz\"', 'send 20000', "
                              "'recv-eof', 'close'")),
            "client socket ok, connect ok, recv until \"x\" 20ms timeout, send 1 ok, "
            "recv until \"z\" plus 20000 ok, close ok\n"
            "server accept ok, recv 1 ok, send 20000 ok, send \"xyz\" ok, send 20000 ok, "
            "recv-eof ok, close ok\n");
}

TEST_F(TwinTest, ConnectsToTheScriptsOwnListener) {
  EXPECT_EQ(play(compile_text("'l: listen 4', 's: accept l 5ms -> timeout', 'connect l', "
                              "'s: accept l', 'state -> ESTABLISHED', 's: close', 'l: close', "
                              "'recv -> EOF', 'state -> CLOSE_WAIT', 'close'"),
                 4),
            "client socket ok, l: listen 4 ok, s: accept l 5ms timeout, connect l ok, "
            "s: accept l ok, state ESTABLISHED, s: close ok, l: close ok, recv EOF, "
            "state CLOSE_WAIT, close ok\n");
}

TEST_F(TwinTest, EveryOperationOnAClosedSocketIsEbadf) {
  EXPECT_EQ(play(compile_text("'close', 'send 1 -> EBADF', 'recv -> EBADF', 'connect -> EBADF', "
                              "'shutdown wr -> EBADF', 'linger 0 -> EBADF', 'so-error -> EBADF', "
                              "'wait readable -> EBADF', 'close -> EBADF'")),
            "client socket ok, close ok, send 1 EBADF, recv EBADF, connect EBADF, "
            "shutdown wr EBADF, linger 0 EBADF, so-error EBADF, wait readable EBADF, "
            "close EBADF\n");
}

// -- time -----------------------------------------------------------------------------------------

TEST_F(TwinTest, ATimeLimitCutsACallShort) {
  EXPECT_EQ(play(compile_text("'connect', 'recv 20ms -> timeout after 20ms', "
                              "'poll IN 20ms -> timeout after 20ms', 'send 1', 'recv 1', 'close'",
                              "'accept', 'recv 1', 'send 1', 'recv-eof', 'close'")),
            "client socket ok, connect ok, recv 20ms timeout, poll IN 20ms timeout, send 1 ok, "
            "recv 1 ok, close ok\n"
            "server accept ok, recv 1 ok, send 1 ok, recv-eof ok, close ok\n");
}

TEST_F(TwinTest, AReceiveTimeoutOfTheSocketComesBeforeTheLimit) {
  EXPECT_EQ(play(compile_text("'connect', 'option SO_RCVTIMEO 20000', "
                              "'recv 5s -> timeout ; syscall EAGAIN', 'close'",
                              "'accept', 'recv-eof', 'close'")),
            "client socket ok, connect ok, option SO_RCVTIMEO 20000 ok, recv 5s EAGAIN, close ok\n"
            "server accept ok, recv-eof ok, close ok\n");
}

TEST_F(TwinTest, AConnectThatIsCutShortGoesOnInTheKernel) {
  EXPECT_EQ(play(compile_text("'l: listen 4', 'l: deafen', 'connect l 20ms -> timeout', "
                              "'state -> SYN_SENT', 'recv dontwait -> EAGAIN', 'close', "
                              "'l: close'")),
            "client socket ok, l: listen 4 ok, l: deafen ok, connect l 20ms timeout, "
            "state SYN_SENT, recv dontwait EAGAIN, close ok, l: close ok\n");
}

TEST_F(TwinTest, TooSoonAndTooLateAreUnexpected) {
  EXPECT_EQ(play(compile_text("'pause 20ms -> ok after 20ms', 'pause 20ms -> ok within 5ms', "
                              "'close'")),
            "client socket ok, pause 20ms ok, pause 20ms ok!\n");
  EXPECT_EQ(play(compile_text("'pause 1ms -> ok after 30s', 'close'")),
            "client socket ok, pause 1ms ok!\n");
}

TEST_F(TwinTest, NoStepTakesForEver) {
  EXPECT_EQ(play(compile_text("'pause 1000s -> timeout', 'close'")),
            "client socket ok, pause 1000s timeout!\n");
}

// -- in flight ------------------------------------------------------------------------------------

TEST_F(TwinTest, CancelInterruptsWhatIsInFlightOnItsSocket) {
  EXPECT_EQ(play(compile_text("'l: listen 4', 'connect l', 's: accept l', "
                              "'start recv -> ECANCELED ; syscall EINTR', 's: cancel -> ENOENT', "
                              "'cancel', 'cancel -> ENOENT', 'await', 's: send 2', 'recv 2', "
                              "'close', 's: close', 'l: close'"),
                 8),
            "client socket ok, l: listen 4 ok, connect l ok, s: accept l ok, start recv EINTR, "
            "s: cancel ENOENT, cancel ok, cancel ENOENT, await ok, s: send 2 ok, recv 2 ok, "
            "close ok, s: close ok, l: close ok\n");
}

TEST_F(TwinTest, CancelOfAListenerInterruptsItsAccept) {
  EXPECT_EQ(play(compile_text("'l: listen 4', 's: start accept l -> ECANCELED ; syscall EINTR', "
                              "'l: cancel', 'await', 'close', 'l: close'")),
            "client socket ok, l: listen 4 ok, s: start accept l EINTR, l: cancel ok, await ok, "
            "close ok, l: close ok\n");
}

TEST_F(TwinTest, ACloseDoesNotWakeAReceiveInFlight) {
  EXPECT_EQ(play(compile_text("'l: listen 4', 'connect l', 's: accept l', 'start recv 16', "
                              "'close', 's: recv 20ms -> timeout', 's: send 3', 'await', "
                              "'s: recv -> EOF', 's: close', 'l: close'"),
                 8),
            "client socket ok, l: listen 4 ok, connect l ok, s: accept l ok, start recv 16 ok, "
            "close ok, s: recv 20ms timeout, s: send 3 ok, await ok, s: recv EOF, s: close ok, "
            "l: close ok\n");
}

TEST_F(TwinTest, TheScriptGoesOnBehindAStartedStepAndAwaitsItAtTheEnd) {
  // The peer answers what comes after the start.
  EXPECT_EQ(play(compile_text("'connect', 'start recv 1', 'send 1', 'await', 'close'",
                              "'accept', 'recv 1', 'send 1', 'recv-eof', 'close'")),
            "client socket ok, connect ok, start recv 1 ok, send 1 ok, await ok, close ok\n"
            "server accept ok, recv 1 ok, send 1 ok, recv-eof ok, close ok\n");
  EXPECT_EQ(play(compile_text("'connect', 'shutdown wr', 'start recv', 'close'",
                              "'accept', 'recv-eof', 'pause 20ms', 'send 1', 'close'")),
            "client socket ok, connect ok, shutdown wr ok, start recv ok, close ok, await ok\n"
            "server accept ok, recv-eof ok, pause 20ms ok, send 1 ok, close ok\n");
}

// -- otherwise than written -----------------------------------------------------------------------

TEST_F(TwinTest, AnUnexpectedOutcomeIsTheLastAnswerOfItsEnd) {
  EXPECT_EQ(play(compile_text("'connect', 'start recv', 'send 1 -> EPIPE', 'close'",
                              "'accept', 'recv 1', 'recv-eof', 'close'"),
                 8),
            "client socket ok, connect ok, send 1 ok!\n"
            "server accept ok, recv 1 ok, recv-eof ok, close ok\n");
}

TEST_F(TwinTest, SoIsThatOfAStartedStepAndTheOthersAreInterrupted) {
  EXPECT_EQ(
      play(compile_text("'connect', 'start poll RDHUP', 'start recv 1 -> ECONNRESET', 'await', "
                        "'close'",
                        "'accept', 'send 1', 'recv-eof', 'close'")),
      "client socket ok, connect ok, start recv 1 ok!\n"
      "server accept ok, send 1 ok, recv-eof ok, close ok\n");
}

TEST_F(TwinTest, AServerThatCannotAcceptSaysSoAndEnds) {
  EXPECT_EQ(in_lab([](const Lab& lab) {
              // Where nobody listens.
              const std::vector<Scenario> refused{builtin("refused")};
              const std::vector<Endpoint> endpoints = make_endpoints(refused, lab, AF_INET, 8);
              return play(builtin_for_system_calls("graceful"), endpoints[0], 4);
            }),
            "client socket ok, connect ECONNREFUSED!\n"
            "server accept EINVAL!\n");
}

TEST_F(TwinTest, WhatTheCallbackThrowsComesBack) {
  EXPECT_EQ(in_lab([](const Lab& lab) -> std::string {
              const std::vector<Scenario> scenarios{builtin_for_system_calls("graceful")};
              const std::vector<Endpoint> endpoints = make_endpoints(scenarios, lab, AF_INET, 8);
              try {
                play_with_system_calls(scenarios[0], endpoints[0], 4,
                                       [](unsigned, const Answer& answer) {
                                         if (answer.step == 2) throw std::runtime_error("enough");
                                       });
              } catch (const std::runtime_error& error) {
                return error.what();
              }
              return "nothing was thrown";
            }),
            "enough");
}

TEST_F(TwinTest, TheSignalThatItUsesMeansWhatItMeantBefore) {
  EXPECT_EQ(in_lab([](const Lab& lab) -> std::string {
              signal(SIGUSR1, SIG_IGN);
              const std::vector<Scenario> scenarios{builtin_for_system_calls("refused")};
              const std::vector<Endpoint> endpoints = make_endpoints(scenarios, lab, AF_INET, 8);
              play(scenarios[0], endpoints[0], 1);
              return signal(SIGUSR1, SIG_DFL) == SIG_IGN ? "" : "it was changed";
            }),
            "");
}

}  // namespace
}  // namespace ringchurn
