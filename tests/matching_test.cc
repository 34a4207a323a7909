// Which end belongs to which, and what follows: on made-up logs, and on the real kernel, where
// every connection is known by its four-tuple.
#include "bench/matching.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "bench/moment_log.h"
#include "bench/side_network.h"
#include "tests/trial.h"
#include "workloads/four_tuple.h"

namespace {

/// Of the socket whose state this thread last asked for.
thread_local ringchurn::FourTuple last_asked;

}  // namespace

// In front of the C library's: a step 'state' asks for TCP_INFO, and while it does, its connection
// has a descriptor by which it can be known.
extern "C" int getsockopt(int fd, int level, int name, void* value, socklen_t* length) noexcept {
  if (level == IPPROTO_TCP && name == TCP_INFO) ringchurn::four_tuple_of(fd, last_asked);
  return static_cast<int>(::syscall(SYS_getsockopt, fd, level, name, value, length));
}

namespace ringchurn {
namespace {

// -- the log --------------------------------------------------------------------------------------

Scenario graceful() { return builtin("graceful"); }

Moments moments(std::uint64_t ordinal, Nanoseconds gone = 1) { return {ordinal, 1, 1, 0, gone}; }

TEST(MomentLog, KeepsTheLastConnections) {
  const std::vector<Scenario> scenarios = {graceful()};
  MomentLog log(scenarios, Side::client);
  const std::uint64_t last = MomentLog::kMost + 3;
  for (std::uint64_t i = 1; i <= last; ++i) log.write(0, Side::client, moments(i));
  EXPECT_EQ(log.all(0, Side::client).size(), MomentLog::kMost);
  EXPECT_EQ(log.find(0, Side::client, 3), nullptr);
  ASSERT_NE(log.find(0, Side::client, 4), nullptr);
  EXPECT_EQ(log.find(0, Side::client, 4)->ordinal, 4U);
  EXPECT_NE(log.find(0, Side::client, last), nullptr);
  EXPECT_EQ(log.find(0, Side::client, last + 1), nullptr);
}

TEST(MomentLog, AnEarlierConnectionThatEndsLateTakesNobodysPlace) {
  const std::vector<Scenario> scenarios = {graceful()};
  MomentLog log(scenarios, Side::server);
  log.write(0, Side::server, moments(7 + MomentLog::kMost));
  log.write(0, Side::server, moments(7));
  EXPECT_EQ(log.find(0, Side::server, 7), nullptr);
  EXPECT_NE(log.find(0, Side::server, 7 + MomentLog::kMost), nullptr);
}

TEST(MomentLog, ForgetsAWarmUp) {
  const std::vector<Scenario> scenarios = {graceful()};
  MomentLog log(scenarios, Side::client);
  log.write(0, Side::client, moments(1, 99));
  log.write(0, Side::client, moments(2, 100));
  log.forget_before(100);
  EXPECT_EQ(log.find(0, Side::client, 1), nullptr);
  EXPECT_NE(log.find(0, Side::client, 2), nullptr);
  EXPECT_EQ(log.all(0, Side::client).size(), 1U);
}

TEST(MomentLog, ManyScenariosShareItsRoom) {
  const std::vector<Scenario> few(4, graceful()), many(100, graceful());
  const auto room = [](const std::vector<Scenario>& scenarios) {
    MomentLog log(scenarios, Side::client);
    for (std::uint64_t i = 1; i <= MomentLog::kMost; ++i) {
      log.write(0, Side::client, moments(i));
    }
    return log.all(0, Side::client).size();
  };
  EXPECT_EQ(room(few), MomentLog::kMost);
  EXPECT_EQ(room(many), 2048U) << "the largest power of two below 2^18 / 100";
}

// -- made-up connections --------------------------------------------------------------------------

/// Two threads that serve each other, and their connections.
struct Threads {
  explicit Threads(std::vector<Scenario> played = {graceful()})
      : scenarios(std::move(played)),
        client(std::make_shared<MomentLog>(scenarios, Side::client)),
        server(std::make_shared<MomentLog>(scenarios, Side::server)) {}

  void add(Moments ours, Moments theirs) {
    ours.ordinal = theirs.ordinal = ++connections;
    client->write(0, Side::client, ours);
    server->write(0, Side::server, theirs);
  }

  /// As their workers report it.
  void report_to(LoadFacts& facts, unsigned group = 1) const {
    WorkerReport ours, theirs;
    ours.group = theirs.group = group;
    ours.client_moments = client;
    theirs.server_moments = server;
    ours.client.resize(scenarios.size());
    theirs.server.resize(scenarios.size());
    ours.client[0].ledger.opened = ours.client[0].established = connections;
    theirs.server[0].ledger.opened = connections;
    facts.workers.push_back(ours);
    facts.workers.push_back(theirs);
  }

  LoadFacts facts() const {
    LoadFacts facts;
    report_to(facts);
    return facts;
  }

  std::vector<Scenario> scenarios;
  std::shared_ptr<MomentLog> client, server;
  std::uint64_t connections = 0;
};

Teardowns match(const Threads& threads, const LoadFacts& facts) {
  return match_ends(threads.scenarios, facts).front();
}

/// "step 30, heard 20, gone 50", of the only connection.
std::string told(const Teardowns& teardowns) {
  const auto longest = [](const Histogram& times) {
    return times.max() ? std::to_string(*times.max()) : "-";
  };
  return fmt::format("step {}, heard {}, gone {}", longest(teardowns.step),
                     longest(teardowns.heard), longest(teardowns.gone));
}

TEST(Matching, TheActiveSideIsTheOneThatIssuedFirst) {
  const Moments first{0, 100, 130, 0, 140}, second{0, 125, 150, 120, 160};
  Threads client_first, server_first;
  client_first.add(first, second);
  server_first.add(second, first);
  EXPECT_EQ(told(match(client_first, client_first.facts())), "step 30, heard 20, gone 60");
  EXPECT_EQ(told(match(server_first, server_first.facts())), "step 30, heard 20, gone 60");
  EXPECT_EQ(match(client_first, client_first.facts()).matched.connections, 1U);
}

TEST(Matching, WhereBothIssueAtOnceNobodyNeedHear) {
  Threads threads;
  threads.add({0, 100, 110, 0, 111}, {0, 100, 120, 0, 121});
  EXPECT_EQ(told(match(threads, threads.facts())), "step 10, heard -, gone 21");
}

TEST(Matching, AnEndThatTookNothingDownIsPassive) {
  Threads threads;
  threads.add({0, 0, 0, 150, 160}, {0, 100, 110, 0, 120});
  EXPECT_EQ(told(match(threads, threads.facts())), "step 10, heard 50, gone 60");
}

TEST(Matching, WhatWasHeardBeforeTheTeardownIsNotItsNews) {
  Threads threads;
  threads.add({0, 200, 210, 150, 220}, {0, 300, 310, 150, 320});
  EXPECT_EQ(told(match(threads, threads.facts())), "step 10, heard -, gone 120");
}

TEST(Matching, AnEndThatWasGivenUpHasNoPair) {
  Threads threads;
  threads.add({0, 100, 130, 0, 140}, {0, 125, 150, 120, 160});
  threads.client->write(0, Side::client, moments(++threads.connections));
  EXPECT_EQ(match(threads, threads.facts()).matched.connections, 1U);
}

TEST(Matching, GroupsHaveOrdersOfTheirOwn) {
  Threads one, other;
  one.add({0, 100, 110, 0, 110}, {0, 120, 130, 115, 130});
  other.add({0, 200, 240, 0, 240}, {0, 220, 230, 215, 230});
  other.add({0, 300, 310, 0, 310}, {0, 320, 330, 315, 330});
  LoadFacts facts;
  one.report_to(facts, 1);
  other.report_to(facts, 2);
  const Teardowns teardowns = match(one, facts);
  EXPECT_EQ(teardowns.matched.connections, 3U);
  EXPECT_EQ(teardowns.matched.why_not, "");
  EXPECT_EQ(told(teardowns), "step 40, heard 15, gone 40");
}

// -- where the order cannot be trusted ------------------------------------------------------------

class UntrustedOrder : public testing::Test {
 protected:
  // Of the others, the client had heard before it issued its step, if only at the same look at the
  // clock: that step is no active side's.
  UntrustedOrder() {
    threads_.add({0, 100, 130, 0, 140}, {0, 125, 150, 120, 160});
    threads_.add({0, 225, 250, 220, 260}, {0, 200, 210, 0, 240});
    threads_.add({0, 225, 260, 225, 260}, {0, 200, 210, 0, 240});
    facts_ = threads_.facts();
  }

  void expect_unmatched(const std::string& why) const {
    const Teardowns teardowns = match(threads_, facts_);
    EXPECT_EQ(teardowns.matched.why_not, why);
    EXPECT_EQ(teardowns.matched.connections, 0U);
    EXPECT_EQ(told(teardowns), "step 30, heard -, gone -");
    EXPECT_EQ(teardowns.step.count(), 1U) << "the client's own, where it was first";
  }

  Threads threads_;
  LoadFacts facts_;
};

TEST_F(UntrustedOrder, AConnectThatFailed) {
  facts_.workers[0].client[0].ledger.opened = 1'003;
  expect_unmatched("1,000 of 1,003 connections were never established");
}

TEST_F(UntrustedOrder, AConnectionThatNobodyAccepted) {
  facts_.workers[1].server[0].ledger.opened = 1;
  expect_unmatched("3 connections were established, but 1 accepted");
}

TEST_F(UntrustedOrder, AHandshakeThatWasRepeated) {
  for (const char* counter : {"TCPSynRetrans", "ListenOverflows", "ListenDrops"}) {
    facts_.kernel = KernelCounters({{counter, 1}});
    expect_unmatched(fmt::format("handshakes were repeated: {} moved by 1", counter));
  }
}

TEST_F(UntrustedOrder, AListenerThatSeveralThreadsShare) {
  facts_.workers.push_back(facts_.workers[1]);
  expect_unmatched("several threads share the listeners");
}

TEST_F(UntrustedOrder, AServerElsewhere) {
  facts_.workers.pop_back();
  expect_unmatched("the ends were two processes");
}

TEST_F(UntrustedOrder, MoreInFlightThanAreKept) {
  facts_.workers[0].client_moments = nullptr;
  facts_.workers[1].server_moments = nullptr;
  const Teardowns teardowns = match(threads_, facts_);
  EXPECT_EQ(teardowns.matched.why_not, "more than 65,536 connections were in flight at once");
  EXPECT_EQ(told(teardowns), "step -, heard -, gone -");
}

TEST_F(UntrustedOrder, AScenarioThatForbidsIt) {
  threads_.scenarios[0].unmatched = "the connect may fail";
  expect_unmatched("the connect may fail");
}

// -- on the real kernel ---------------------------------------------------------------------------

/// What the steps of both ends answered, by four-tuple. One end's thread writes one side.
class Witnesses {
 public:
  explicit Witnesses(const std::vector<Scenario>& scenarios) : scenarios_(scenarios) {}

  void hear(const Answer& answer) {
    const auto side = static_cast<std::size_t>(answer.side);
    const Step& step = scenarios_[answer.scenario].script(answer.side).steps[answer.step];
    if (step.act == Act::state) {
      const FourTuple tuple = answer.side == Side::client ? last_asked : last_asked.reversed();
      auto& lives = seen_[side][key(tuple)];  // a port may come back
      lives.emplace_back();
      current_[side][answer.connection] = {key(tuple), lives.size() - 1};
      return;
    }
    const auto at = current_[side].find(answer.connection);
    if (at == current_[side].end()) return;
    Moments& own = seen_[side][at->second.first][at->second.second];
    if (step.op == Op::close) {
      own.issued = answer.issued;
      own.completed = own.gone = answer.ended;
    } else if (answer.outcome == Outcome::eof || answer.outcome == errno_outcome(ECONNRESET) ||
               step.op == Op::recv_eof) {
      own.heard = answer.ended;
    }
  }

  /// What match_ends() should say.
  Teardowns expected() const {
    Teardowns all;
    for (const auto& [tuple, ours] : seen_[0]) {
      const auto& theirs = seen_[1].at(tuple);
      for (std::size_t i = 0; i < ours.size(); ++i) add(ours[i], theirs.at(i), all);
    }
    return all;
  }

 private:
  using Key = std::pair<std::string, std::string>;

  static Key key(const FourTuple& tuple) {
    const auto text = [](const sockaddr_storage& address) {
      return std::string(reinterpret_cast<const char*>(&address), length_of(address));
    };
    return {text(tuple.local), text(tuple.remote)};
  }

  static void add(const Moments& ours, const Moments& theirs, Teardowns& to) {
    const bool ours_first = ours.issued <= theirs.issued;
    const Moments& active = ours_first ? ours : theirs;
    const Moments& passive = ours_first ? theirs : ours;
    ++to.matched.connections;
    to.step.record(active.completed - active.issued);
    to.heard.record(passive.heard - active.issued);
    to.gone.record(std::max(ours.gone, theirs.gone) - active.issued);
  }

  const std::vector<Scenario>& scenarios_;
  std::map<Key, std::vector<Moments>> seen_[2];
  std::map<unsigned, std::pair<Key, std::size_t>> current_[2];
};

enum class Threading { single, pair, busy_pair, veth_pair };

/// The listeners, which with a veth pair are at its other end.
std::vector<Endpoint> endpoints_in(const Lab& lab, const std::optional<SideNetwork>& beyond,
                                   const std::vector<Scenario>& scenarios,
                                   const Worker::Settings& settings) {
  std::optional<SideNetwork::Visit> visit;
  if (beyond) visit.emplace(*beyond);
  return Trial::make_endpoints(beyond ? beyond->lab() : lab, scenarios, settings, AF_INET);
}

/// Plays `connections` of `scenarios` and tells what the workers report.
LoadFacts play(const Lab& lab, const std::vector<Scenario>& scenarios, Threading threading,
               std::uint64_t connections, const std::function<void(const Answer&)>* witness) {
  Worker::Settings settings{.concurrency = 64, .witness = witness, .moments = MomentLog::kRoom};
  std::optional<SideNetwork> beyond;
  if (lab.kind == LabKind::veth) beyond.emplace(SideNetwork::BeyondVeth{});
  const std::vector<Endpoint> endpoints = endpoints_in(lab, beyond, scenarios, settings);
  Link link;
  std::atomic<bool> never{false}, over{false};
  Mix mix = Trial::even_mix(scenarios.size());
  LoadFacts facts;
  if (threading == Threading::single) {
    Worker both(settings, scenarios, endpoints, link, never);
    both.play(mix, {connections, 0});
    facts.workers = {both.report()};
    return facts;
  }
  std::vector<std::thread> burners(threading == Threading::busy_pair ? 3 : 0);
  for (std::thread& burner : burners) {
    burner = std::thread([&over] {
      while (!over) continue;
    });
  }
  facts.workers.resize(2);
  std::thread server([&, settings]() mutable {
    settings.ends = Worker::Ends::server;
    Worker worker(settings, scenarios, endpoints, link, never);
    worker.serve();
    facts.workers[1] = worker.report();
  });
  settings.ends = Worker::Ends::client;
  Worker client(settings, scenarios, endpoints, link, never);
  client.play(mix, {connections, 0});
  server.join();
  over = true;
  for (std::thread& burner : burners) burner.join();
  facts.workers[0] = client.report();
  return facts;
}

Scenario compile_text(const std::string& client, const std::string& server) {
  return compile({"mine", "mine.toml",
                  "about = \"test\"\n[client]\nsteps = [" + client + "]\n[server]\nsteps = [" +
                      server + "]\n"});
}

std::string difference(const char* name, const Histogram& got, const Histogram& expected) {
  if (got == expected) return "";
  return fmt::format("{}: {} of {}, by four-tuple {} of {}; ", name, got.quantile(0.5).value_or(0),
                     got.count(), expected.quantile(0.5).value_or(0), expected.count());
}

struct FourTupleCase {
  std::string name, client, server;
};

class EachEndMeetsItsOwn : public testing::TestWithParam<std::tuple<FourTupleCase, Threading>> {
 protected:
  void SetUp() override {
    if (const std::string refusal = refusal_of_a_trial(); !refusal.empty()) GTEST_SKIP() << refusal;
  }
};

TEST_P(EachEndMeetsItsOwn, ByFourTuple) {
  constexpr std::uint64_t kConnections = 3'000;
  const auto& [shape, threading] = GetParam();
  const std::vector<Scenario> scenarios = {compile_text(shape.client, shape.server)};
  ASSERT_EQ(scenarios[0].unmatched, "");
  const LabKind kind =
      threading == Threading::veth_pair ? LabKind::veth : LabKind::private_namespace;
  const std::string answer = in_child([&, threading = threading]() -> std::string {
    const Lab lab = enter_lab(kind);
    Witnesses witnesses(scenarios);
    const std::function<void(const Answer&)> hear = [&](const Answer& each) {
      witnesses.hear(each);
    };
    const LoadFacts facts = play(lab, scenarios, threading, kConnections, &hear);
    const Teardowns got = match_ends(scenarios, facts).front();
    const Teardowns expected = witnesses.expected();
    return fmt::format("{}{} matched, {} by four-tuple{}{}{}", got.matched.why_not,
                       got.matched.connections, expected.matched.connections,
                       difference("; step", got.step, expected.step),
                       difference("; heard", got.heard, expected.heard),
                       difference("; gone", got.gone, expected.gone));
  });
  EXPECT_EQ(answer, "3000 matched, 3000 by four-tuple");
}

const std::string kAnyState = "'state -> ESTABLISHED | CLOSE_WAIT | CLOSE'";

const FourTupleCase kFourTupleCases[] = {
    {"client_first", "'connect', 'state -> ESTABLISHED', 'send 1', 'recv 1', 'close'",
     "'accept', " + kAnyState + ", 'recv 1', 'send 1', 'recv-eof', 'close'"},
    {"server_first",
     "'connect', 'state -> ESTABLISHED', 'send 1', 'recv 1', 'recv -> ECONNRESET', 'close'",
     "'accept', " + kAnyState + ", 'recv 1', 'send 1', 'linger 0', 'close'"},
    {"abort_before_a_pausing_accept", "'connect', 'state -> ESTABLISHED', 'linger 0', 'close'",
     "'pause 1ms', 'accept', " + kAnyState + ", 'recv -> ECONNRESET', 'close'"}};

std::string name_of(const testing::TestParamInfo<std::tuple<FourTupleCase, Threading>>& test) {
  constexpr const char* kNames[] = {"single", "pair", "busy_pair", "veth_pair"};
  const auto& [shape, threading] = test.param;
  return fmt::format("{}_{}", shape.name, kNames[static_cast<int>(threading)]);
}

INSTANTIATE_TEST_SUITE_P(Matching, EachEndMeetsItsOwn,
                         testing::Combine(testing::ValuesIn(kFourTupleCases),
                                          testing::Values(Threading::single, Threading::pair,
                                                          Threading::busy_pair,
                                                          Threading::veth_pair)),
                         name_of);

class MatchedBuiltins : public testing::TestWithParam<Threading> {
 protected:
  void SetUp() override {
    if (const std::string refusal = refusal_of_a_trial(); !refusal.empty()) GTEST_SKIP() << refusal;
  }
};

/// What cannot be of any connection whose ends belong together, or "".
std::string impossible(const Moments& client, const Moments& server) {
  const Moments& active = client.issued <= server.issued ? client : server;
  const Moments& passive = client.issued <= server.issued ? server : client;
  if (active.completed < active.issued) return "ended before it was issued";
  if (passive.heard != 0 && passive.heard <= active.issued) return "heard before it was issued";
  if (std::max(client.gone, server.gone) < active.completed)
    return "gone before its step had ended";
  if (std::max(client.gone, server.gone) < passive.heard) return "gone before the peer heard";
  return "";
}

/// One line for each scenario: its name, connections and samples, and what cannot be.
std::string samples(const std::vector<Scenario>& scenarios, const LoadFacts& facts) {
  std::string text;
  const std::vector<Teardowns> all = match_ends(scenarios, facts);
  for (unsigned i = 0; i < scenarios.size(); ++i) {
    const auto count = [finished = facts.workers[0].client[i].ledger.finished](std::uint64_t n) {
      return n == finished && n > 0 ? "all" : n == 0 ? "none" : "some";
    };
    const Teardowns& teardowns = all[i];
    text += fmt::format("{}: {} matched, step {}, heard {}, gone {}", scenarios[i].name,
                        count(teardowns.matched.connections), count(teardowns.step.count()),
                        count(teardowns.heard.count()), count(teardowns.gone.count()));
    const MomentLog& clients = *facts.workers[0].client_moments;
    const MomentLog& servers =
        scenarios[i].has_server() ? *facts.workers.back().server_moments : clients;
    for (const Moments& ours : clients.all(i, Side::client)) {
      const Moments* theirs = servers.find(i, Side::server, ours.ordinal);
      const std::string wrong = theirs ? impossible(ours, *theirs) : "";
      if (wrong.empty()) continue;
      text += ", " + wrong;
      break;
    }
    text += '\n';
  }
  return text;
}

TEST_P(MatchedBuiltins, HaveASampleOfEachFinishedConnection) {
  std::vector<Scenario> scenarios;
  for (const char* name :
       {"graceful", "graceful-server", "rst-client", "rst-server", "half-close", "lingering-close",
        "unread-data", "disconnect", "simultaneous-close", "refused", "pending-recv-fin"}) {
    scenarios.push_back(builtin(name));
  }
  EXPECT_EQ(in_lab([&](const Lab& lab) {
              return samples(scenarios, play(lab, scenarios, GetParam(), 4'000, nullptr));
            }),
            "graceful: all matched, step all, heard all, gone all\n"
            "graceful-server: all matched, step all, heard all, gone all\n"
            "rst-client: all matched, step all, heard all, gone all\n"
            "rst-server: all matched, step all, heard all, gone all\n"
            "half-close: all matched, step all, heard all, gone all\n"
            "lingering-close: all matched, step all, heard all, gone all\n"
            "unread-data: all matched, step all, heard all, gone all\n"
            "disconnect: all matched, step all, heard all, gone all\n"
            "simultaneous-close: all matched, step all, heard none, gone all\n"
            "refused: none matched, step none, heard none, gone none\n"
            "pending-recv-fin: all matched, step all, heard all, gone all\n");
}

TEST_P(MatchedBuiltins, AnsweredInTheOrderInWhichTheyHappened) {
  const std::vector<Scenario> scenarios = ordinary_builtins();
  const std::string answer = in_lab([&](const Lab& lab) {
    return samples(scenarios, play(lab, scenarios, GetParam(), 3'000, nullptr));
  });
  EXPECT_EQ(answer.find(" before "), std::string::npos) << answer;
  EXPECT_EQ(answer.find("some matched"), std::string::npos) << answer;
}

INSTANTIATE_TEST_SUITE_P(Matching, MatchedBuiltins,
                         testing::Values(Threading::single, Threading::pair), [](const auto& test) {
                           return test.param == Threading::single ? "single" : "pair";
                         });

}  // namespace
}  // namespace ringchurn
