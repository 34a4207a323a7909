// Both ends of many connections on the real kernel, in a lab: every built-in scenario as written,
// and what happens to connections that meet something else.
#include "workloads/end.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <vector>

#include "tests/trial.h"

namespace ringchurn {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// What a connection costs in memory; End's own slot is asserted in workloads/end.h.
static_assert(sizeof(Connection) <= 24 && std::is_trivially_copyable_v<Connection>);

class EndTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string refusal = refusal_of_a_trial(); !refusal.empty()) GTEST_SKIP() << refusal;
  }
};

Scenario compile_text(const std::string& client, const std::string& server) {
  return compile({"mine", "mine.toml",
                  "about = \"test\"\n[client]\nsteps = [" + client + "]\n[server]\nsteps = [" +
                      server + "]\n"});
}

/// Sockets of this lab besides its `listeners`, when the last FINs and RSTs have been handled. In
/// whatever state but TIME_WAIT: "sockets: used" in sockstat.
std::int64_t sockets_left(std::int64_t listeners) {
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (true) {
    std::string word;
    std::int64_t used = -1;
    std::ifstream("/proc/self/net/sockstat") >> word >> word >> used;
    if (used == listeners || std::chrono::steady_clock::now() > deadline) return used - listeners;
    std::this_thread::sleep_for(1ms);
  }
}

std::string all_finished(std::uint64_t client, std::uint64_t server) {
  return fmt::format(
      "client {0} = {0} finished + 0 unexpected + 0 open\n"
      "server {1} = {1} finished + 0 unexpected + 0 open\n",
      client, server);
}

// -- as written ----------------------------------------------------------------------------------

class BuiltinScenario : public EndTest,
                        public testing::WithParamInterface<std::tuple<std::string, int>> {};

TEST_P(BuiltinScenario, FinishesOnBothEndsWithItsBytesDelivered) {
  constexpr std::uint64_t kConnections = 200;
  const auto& [name, family] = GetParam();
  const Scenario scenario = builtin(name);
  const std::string answer = in_lab([&scenario, family = family](const Lab& lab) -> std::string {
    if (family == AF_INET6 && lab.ipv6_destinations.empty()) return "no IPv6 here";
    Trial trial(lab, {scenario}, {.concurrency = 16}, family);
    trial.play(kConnections);
    const WorkerReport report = trial.worker().report();
    return trial.ledgers() + fmt::format("received {} and {}", report.server[0].received_bytes,
                                         report.client[0].received_bytes);
  });
  if (answer == "no IPv6 here") GTEST_SKIP() << answer;
  EXPECT_EQ(answer,
            all_finished(kConnections, scenario.has_server() ? kConnections : 0) +
                fmt::format("received {} and {}", scenario.delivered_to_server * kConnections,
                            scenario.delivered_to_client * kConnections));
}

std::vector<std::string> builtin_names() {
  std::vector<std::string> names;
  for (const Scenario& scenario : ordinary_builtins()) names.push_back(scenario.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(EndTest, BuiltinScenario,
                         testing::Combine(testing::ValuesIn(builtin_names()),
                                          testing::Values(AF_INET, AF_INET6)),
                         [](const auto& test) {
                           std::string name = std::get<0>(test.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name + (std::get<1>(test.param) == AF_INET ? "_ipv4" : "_ipv6");
                         });

// Sockets that `disconnect` leaves behind go on with any scenario's connections.
TEST_F(EndTest, AMixSharesSlotsAndSocketsAndLeavesNone) {
  EXPECT_EQ(in_lab([](const Lab& lab) -> std::string {
              Trial trial(lab,
                          {builtin("disconnect"), builtin("graceful"), builtin("rst-client"),
                           builtin("unread-data")},
                          {.concurrency = 16});
              trial.play(2'000);
              return trial.ledgers() + fmt::format("{} left", sockets_left(4));
            }),
            all_finished(2'000, 2'000) + "0 left");
}

// Made visible by what the loader forbids: a socket option that outlives its connection. In the one
// slot, a plain close sends RST if it closes the socket that a disconnect left, and FIN otherwise.
TEST_F(EndTest, TheSocketThatDisconnectLeavesIsTheNextConnections) {
  constexpr unsigned kConnections = 40;
  const char* server = "'accept', 'recv -> EOF | ECONNRESET', 'close'";
  Scenario leaves = compile_text("'connect', 'linger 0', 'disconnect', 'close'", server);
  leaves.client.steps.erase(leaves.client.steps.end() - 2);  // the close, not the clean-up
  const Scenario closes = compile_text("'connect', 'close'", server);
  Mix mix = Trial::even_mix(2);
  unsigned fins = 0, resets = 0;
  for (unsigned i = 0, before = 1; i < kConnections; ++i) {
    const unsigned scenario = mix.draw();
    if (scenario == 1) ++(before == 0 ? resets : fins);
    before = scenario;
  }
  EXPECT_EQ(in_lab([&](const Lab& lab) {
              Trial trial(lab, {leaves, closes}, {.concurrency = 1});
              trial.play(kConnections);
              auto outcomes = trial.worker().report().server[1].outcomes;
              return trial.ledgers() + fmt::format("{} FIN, {} RST",
                                                   outcomes[{1, Outcome::eof}].count,
                                                   outcomes[{1, errno_outcome(ECONNRESET)}].count);
            }),
            all_finished(kConnections, kConnections) + fmt::format("{} FIN, {} RST", fins, resets));
}

TEST_F(EndTest, ALimitThatEndsAfterItsReceiveDisturbsNoLaterConnection) {
  EXPECT_EQ(in_lab([](const Lab& lab) {
              const Scenario in_time =
                  compile_text("'connect', 'recv-eof 100s', 'close'", "'accept', 'close'");
              const Scenario too_late =
                  compile_text("'connect', 'send 1', 'recv-eof 1ms -> timeout', 'close'",
                               "'accept', 'recv 1', 'recv-eof 100s', 'close'");
              Trial trial(lab, {in_time, too_late}, {.concurrency = 8});
              trial.play(1'000);
              return trial.ledgers();
            }),
            all_finished(1'000, 1'000));
}

TEST_F(EndTest, AllOrdinaryBuiltinsTogetherFinish) {
  const std::string answer = in_lab([](const Lab& lab) {
    Trial trial(lab, ordinary_builtins(), {.concurrency = 64});
    trial.play(3'000);
    return trial.ledgers();
  });
  EXPECT_THAT(answer, StartsWith("client 3000 = 3000 finished + 0 unexpected + 0 open\n"));
  EXPECT_THAT(answer, EndsWith(" finished + 0 unexpected + 0 open\n")) << "the server's";
}

TEST_F(EndTest, MoreInFlightThanOneTurnHandles) {
  EXPECT_EQ(in_lab([](const Lab& lab) {
              Trial trial(lab, {builtin("graceful")}, {.concurrency = 2'000});
              trial.play(6'000);
              return trial.ledgers();
            }),
            all_finished(6'000, 6'000));
}

TEST_F(EndTest, BytesBeyondOneBufferArriveWhole) {
  EXPECT_EQ(in_lab([](const Lab& lab) {
              const auto large = compile(find_scenario("graceful"),
                                         {{"request", "1000000"}, {"response", "300001"}});
              Trial trial(lab, {large}, {.concurrency = 4});
              trial.play(20);
              const WorkerReport report = trial.worker().report();
              return trial.ledgers() + fmt::format("{} {} {} {}", report.client[0].sent_bytes,
                                                   report.server[0].received_bytes,
                                                   report.server[0].sent_bytes,
                                                   report.client[0].received_bytes);
            }),
            all_finished(20, 20) + "20000000 20000000 6000020 6000020");
}

TEST_F(EndTest, ATeardownCountsFromTheFirstPieceOfItsReceive) {
  EXPECT_EQ(in_lab([](const Lab& lab) {
              Trial trial(lab,
                          {compile_text("'connect', 'recv-eof', 'close'",
                                        "'accept', 'send 1', 'pause 20ms', 'send 1', 'close'")},
                          {.concurrency = 4});
              trial.play(8);
              const WorkerReport report = trial.worker().report();
              const auto longest = report.client[0].latency.teardown.max().value_or(0);
              return trial.ledgers() + (longest > 10'000'000 ? "" : std::to_string(longest));
            }),
            all_finished(8, 8));
}

/// Plays 200 connections of `scenario` and tells the ledgers, and what the ends received.
std::string bytes_of_200(const Scenario& scenario) {
  return in_lab([&scenario](const Lab& lab) {
    Trial trial(lab, {scenario}, {.concurrency = 16});
    trial.play(200);
    const WorkerReport report = trial.worker().report();
    return trial.ledgers() +
           fmt::format("{} {}", report.server[0].received_bytes, report.client[0].received_bytes);
  });
}

TEST_F(EndTest, ATextIsFoundOverManySends) {
  // TCP_NODELAY, and pauses in which the server takes what has come: a byte at a time.
  EXPECT_EQ(
      bytes_of_200(compile_text(
          R"('option TCP_NODELAY 1', 'connect', 'send "a\r\n\r"', 'pause 1ms', 'send "\r"',
                   'pause 1ms', 'send "\n"', 'pause 1ms', 'send "\r"', 'send "\n123"', 'pause 1ms',
                   'send "45"', 'recv 1', 'close')",
          R"('accept', 'recv until "\r\n\r\n" plus 4', 'recv 1', 'send 1', 'recv-eof', 'close')")),
      all_finished(200, 200) + "2600 200");
}

TEST_F(EndTest, WhatIsBehindALandmarkStaysForTheNextStep) {
  EXPECT_EQ(bytes_of_200(compile_text(
                R"('connect', 'send "GET /1\r\n\r\nGET /2\r\n\r\nbody"', 'recv-eof', 'close')",
                R"('accept', 'recv until "\r\n\r\n"', 'recv until "/2"', 'recv 4',
                   'recv until "d" plus 1', 'recv dontwait -> EAGAIN', 'close')")),
            all_finished(200, 200) + "4800 0");
}

TEST_F(EndTest, ALandmarkMayBeManyBuffersAway) {
  const std::string last = "'recv until \"last\" plus 300001'";
  EXPECT_EQ(bytes_of_200(compile_text("'connect', 'send 20000', 'send \"lalast\"', 'send 300001', "
                                      "'recv-eof', 'close'",
                                      "'accept', " + last + ", 'close'")),
            all_finished(200, 200) + "64001400 0");
}

TEST_F(EndTest, ALongTextIsSentFromWhereTheKernelStopped) {
  // Each line is another one: an offset that is wrong anywhere shows.
  std::string text, found;
  for (int line = 0; text.size() < 65'000; ++line) {
    text += fmt::format("{}.", line * 7919);
    if (line % 100 == 99 || text.size() >= 65'000)
      found += fmt::format("'recv until \".{}.\"', ", line * 7919);
  }
  EXPECT_EQ(bytes_of_200(compile_text(
                "'option SO_SNDBUF 4096', 'connect', 'send \"" + text + "\"', 'recv-eof', 'close'",
                "'option SO_RCVBUF 4096', 'accept', " + found + "'close'")),
            all_finished(200, 200) + fmt::format("{} 0", text.size() * 200));
}

TEST_F(EndTest, AStreamThatEndsOrRestsBeforeALandmarkSaysSo) {
  EXPECT_EQ(bytes_of_200(compile_text(
                R"('connect', 'send "\r\n\r"', 'recv until "x" 20ms -> timeout', 'shutdown wr',
                   'recv until "x" -> ECONNRESET', 'close')",
                R"('accept', 'recv until "\r\n\r\n" -> EOF', 'linger 0', 'close')")),
            all_finished(200, 200) + "600 0");
}

TEST_F(EndTest, AWorkerPlaysOneLoadAfterAnother) {
  EXPECT_EQ(in_lab([](const Lab& lab) {
              Trial trial(lab, {builtin("graceful")}, {.concurrency = 8});
              trial.play(0);
              for (int i = 0; i < 3; ++i) trial.play(50);
              return trial.ledgers();
            }),
            all_finished(150, 150));
}

TEST_F(EndTest, EndsOnTwoThreadsServeEachOther) {
  EXPECT_EQ(in_lab([](const Lab& lab) {
              const std::vector<Scenario> scenarios = ordinary_builtins();
              Worker::Settings settings{.ends = Worker::Ends::server, .concurrency = 64};
              const auto endpoints = Trial::make_endpoints(lab, scenarios, settings, AF_INET);
              Link link;
              const std::atomic<bool> never{false};
              WorkerReport served;
              std::thread server([&, settings] {
                Worker worker(settings, scenarios, endpoints, link, never);
                worker.serve();
                served = worker.report();
              });
              settings.ends = Worker::Ends::client;
              Worker client(settings, scenarios, endpoints, link, never);
              Mix mix = Trial::even_mix(scenarios.size());
              client.play(mix, {3'000, 0});
              server.join();
              const WorkerReport report = client.report();
              std::string wrong;
              for (std::size_t i = 0; i < scenarios.size(); ++i) {
                const Ledger &ours = report.client[i].ledger, &theirs = served.server[i].ledger;
                const bool finished =
                    ours.opened > 0 && ours.finished == ours.opened &&
                    theirs.finished == theirs.opened &&
                    theirs.opened == (scenarios[i].has_server() ? ours.opened : 0);
                if (!finished) wrong += scenarios[i].name + " ";
              }
              if (report.stale_completions + served.stale_completions > 0) wrong += "stale ";
              if (link.abandoned) wrong += "abandoned";
              return wrong;
            }),
            "");
}

// -- not as written ------------------------------------------------------------------------------

/// Plays 200 connections of `scenario` and tells the ledgers, and how many of their sockets are
/// left.
std::string play_200(const Scenario& scenario) {
  return in_lab([&scenario](const Lab& lab) {
    Trial trial(lab, {scenario}, {.concurrency = 8});
    trial.play(200);
    return trial.ledgers() + fmt::format("{} left", sockets_left(1));
  });
}

TEST_F(EndTest, AnUnexpectedOutcomeAtTheClientIsCountedOnceAndItsSocketClosed) {
  EXPECT_EQ(play_200(compile_text("'connect', 'recv -> ECONNRESET', 'send 1', 'close'",
                                  "'accept', 'close'")),
            "client 200 = 0 finished + 200 unexpected + 0 open, 200 x \"recv\" EOF\n"
            "server 200 = 200 finished + 0 unexpected + 0 open\n"
            "0 left");
}

TEST_F(EndTest, AnUnexpectedOutcomeAtTheServerIsCountedOnceAndItsSocketClosed) {
  EXPECT_EQ(play_200(compile_text("'connect', 'close'",
                                  "'accept', 'recv -> ECONNRESET', 'send 1 -> EPIPE', 'close'")),
            "client 200 = 200 finished + 0 unexpected + 0 open\n"
            "server 200 = 0 finished + 200 unexpected + 0 open, 200 x \"recv\" EOF\n"
            "0 left");
}

TEST_F(EndTest, AnUnexpectedOutcomeAtBothEndsIsCountedAtEach) {
  EXPECT_EQ(play_200(compile_text("'connect', 'linger 0', 'recv 1 -> EPIPE', 'close'",
                                  "'accept', 'send 1', 'recv-eof', 'close'")),
            "client 200 = 0 finished + 200 unexpected + 0 open, 200 x \"recv 1\" ok\n"
            "server 200 = 0 finished + 200 unexpected + 0 open, 200 x \"recv-eof\" ECONNRESET\n"
            "0 left");
}

TEST_F(EndTest, SuccessThatWasNotExpectedIsUnexpectedToo) {
  EXPECT_EQ(play_200(compile_text("'connect', 'send 1 -> EPIPE', 'close'",
                                  "'accept', 'recv-eof', 'close'")),
            "client 200 = 0 finished + 200 unexpected + 0 open, 200 x \"send 1\" ok\n"
            "server 200 = 200 finished + 0 unexpected + 0 open\n"
            "0 left");
}

TEST_F(EndTest, AConnectThatIsRefusedUnexpectedlyIsNoConnectionForTheServer) {
  EXPECT_EQ(in_lab([](const Lab& lab) {
              // Listeners of a scenario to which nobody listens.
              Trial trial({builtin("graceful")},
                          Trial::make_endpoints(lab, {builtin("refused")}, {}, AF_INET));
              trial.play(200);
              return trial.ledgers() + fmt::format("{} left", sockets_left(1));
            }),
            "client 200 = 0 finished + 200 unexpected + 0 open, 200 x \"connect\" ECONNREFUSED\n"
            "server 0 = 0 finished + 0 unexpected + 0 open, 1 x \"accept\" EINVAL\n"
            "0 left");
}

// -- the end of patience -------------------------------------------------------------------------

Scenario stuck() {
  return compile_text("'connect', 'pause 3000s', 'close'", "'accept', 'recv-eof', 'close'");
}

/// The client's ledger, and whether the server's closes.
std::string ledger_of_client(const Trial& trial, std::size_t scenario = 0) {
  const WorkerReport report = trial.worker().report();
  const Ledger& client = report.client[scenario].ledger;
  return fmt::format(
      "{} = {} + {} + {}{}", client.opened, client.finished, client.unexpected,
      client.open_at_deadline,
      report.server[scenario].ledger.closes() ? "" : ", the server's does not close");
}

TEST_F(EndTest, WhatNeverEndsIsLeftOpen) {
  EXPECT_EQ(in_lab([](const Lab& lab) {
              Trial trial(lab, {stuck()}, {.concurrency = 8, .stall_limit = 200'000'000});
              trial.play(200);
              return ledger_of_client(trial) + (trial.link().abandoned ? ", abandoned" : "");
            }),
            "8 = 0 + 0 + 8, abandoned");
}

TEST_F(EndTest, WhatEndsBesideItIsNotLeftOpen) {
  EXPECT_EQ(in_lab([](const Lab& lab) {
              Trial trial(lab, {builtin("graceful"), stuck()},
                          {.concurrency = 8, .stall_limit = 200'000'000});
              trial.play(2'000);
              const WorkerReport report = trial.worker().report();
              const Ledger& graceful = report.client[0].ledger;
              const bool all = graceful.opened > 0 && graceful.finished == graceful.opened;
              return ledger_of_client(trial, 1) + (all ? "" : ", graceful ones are left, too");
            }),
            "8 = 0 + 0 + 8");
}

TEST_F(EndTest, WhatMovesSlowlyIsNoStall) {
  EXPECT_EQ(in_lab([](const Lab& lab) {
              const Scenario slow = compile_text("'connect', 'pause 100ms', 'close'",
                                                 "'accept', 'recv-eof', 'close'");
              Trial trial(lab, {slow}, {.concurrency = 1, .stall_limit = 1'000'000'000});
              trial.play(12);
              return trial.ledgers();
            }),
            all_finished(12, 12));
}

TEST_F(EndTest, NothingBeginsAfterAStop) {
  EXPECT_EQ(in_lab([](const Lab& lab) {
              Trial trial(lab, {builtin("graceful")});
              trial.stop() = true;
              trial.play(200);
              return ledger_of_client(trial);
            }),
            "0 = 0 + 0 + 0");
}

TEST_F(EndTest, AStopLetsConnectionsUnderWayFinish) {
  EXPECT_EQ(in_lab([](const Lab& lab) -> std::string {
              Trial trial(lab, {builtin("graceful")});
              std::thread stopper([&trial] {
                while (trial.link().client_ended < 1'000) std::this_thread::yield();
                trial.stop() = true;
              });
              trial.play({std::nullopt, UINT64_MAX});
              stopper.join();
              const Ledger client = trial.worker().report().client[0].ledger;
              const Ledger server = trial.worker().report().server[0].ledger;
              return client.opened >= 1'000 && client.finished == client.opened &&
                             server.finished == client.opened
                         ? ""
                         : trial.ledgers();
            }),
            "");
}

TEST_F(EndTest, AStopDoesNotWaitForWhatNeverEnds) {
  EXPECT_EQ(in_lab([](const Lab& lab) {
              // With this limit alone the play would outlive the child's alarm.
              Trial trial(lab, {stuck()}, {.concurrency = 8, .stall_limit = 3'600'000'000'000});
              std::thread stopper([&trial] {
                while (trial.link().in_flight < 8) std::this_thread::yield();
                trial.stop() = true;
              });
              trial.play(200);
              stopper.join();
              return ledger_of_client(trial);
            }),
            "8 = 0 + 0 + 8");
}

TEST_F(EndTest, ALoadByTimeEndsWithEveryConnection) {
  const std::string answer = in_lab([](const Lab& lab) {
    Trial trial(lab, {builtin("rst-server")});
    trial.play({std::nullopt, clock_ns() + 20'000'000});
    return trial.ledgers();
  });
  EXPECT_THAT(answer, HasSubstr(" finished + 0 unexpected + 0 open\nserver "));
  EXPECT_THAT(answer, EndsWith(" finished + 0 unexpected + 0 open\n"));
}

}  // namespace
}  // namespace ringchurn
