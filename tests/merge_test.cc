// Two sides made one: what is joined, what is taken from one of them, and what is not of one run.
#include "bench/merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "bench/account.h"
#include "bench/read_result.h"
#include "bench/report_json.h"
#include "bench/verdicts.h"
#include "ring/error.h"
#include "tests/sample_results.h"
#include "workloads/scenario_file.h"

namespace ringchurn {
namespace {

using testing::AllOf;
using testing::DoubleEq;
using testing::HasSubstr;
using testing::Optional;
using testing::StartsWith;

constexpr auto kClient = PlayedSide::client;
constexpr auto kServer = PlayedSide::server;

CounterRow counted(const char* name, std::optional<std::uint64_t> measured) {
  return {.name = name, .measured = measured, .is_declared = false};
}

/// One side of 1,000 graceful connections that nothing is wrong with.
RunResult side(PlayedSide side) {
  RunResult result;
  result.context = sample_side(side).context;
  result.context.elapsed_s = side == kClient ? 2 : 60;
  ScenarioResult scenario;
  scenario.name = "graceful";
  scenario.weight = 1;
  scenario.declared = {{{"OutRsts", {0, 0, ""}}, {"TW", {1, 1, ""}}}, 2, 3};
  Ledger& ledger = side == kClient ? scenario.client : scenario.server;
  ledger = {1'000, 1'000, 0, 0};
  if (side == kClient) {
    scenario.established = 1'000;
    scenario.client_to_server.sent = 2'000;
    scenario.server_to_client = {0, 3'000, 0, 3'000};
    scenario.latency.connect = sample_histogram(1'000);
  } else {
    scenario.client_to_server = {0, 2'000, 0, 2'000};
    scenario.server_to_client.sent = 3'000;
  }
  result.scenarios = {scenario};
  result.errors = {{"graceful", side_name(side), "recv", 4, "recv", "EOF", "eof", true, 1'000}};
  result.kernel = {counted("DelayedACKs", 0), counted("OutRsts", 0), counted("OutSegs", 5'000),
                   counted("TW", side == kClient ? 1'000 : 0), counted("ListenDrops", 0)};
  result.cost.connections = 1'000;
  result.cost.connections_per_second = side == kClient ? 500 : 16;
  result.cost.cpu_us_per_connection = side == kClient ? 30 : 20;
  (side == kClient ? result.cost.client_us : result.cost.server_us) = side == kClient ? 29 : 18;
  result.cost.worker_us = side == kClient ? 1 : 2;
  result.cost.user_share = side == kClient ? 0.5 : 0;
  result.cost.ksoftirqd_us = 1;
  result.cost.syscalls_per_connection = 0.5;
  result.cost.pure_acks_per_connection = side == kClient ? 3 : 4;
  result.cost.wake_ups_per_connection = 0.25;
  result.verdicts = {{"ledger closes", false, false, "what a side said of this is judged anew", ""},
                     {"completion queues", true, false, "0 of 1 rings overflowed", ""}};
  return result;
}

RunResult merged(const RunResult& client, const RunResult& server) {
  return merge({"drive.json", client}, {"serve.json", server}, "ringchurn merge");
}

RunResult merged() { return merged(side(kClient), side(kServer)); }

const Verdict& verdict(const RunResult& result, const std::string& name) {
  for (const Verdict& candidate : result.verdicts) {
    if (candidate.name == name) return candidate;
  }
  throw std::out_of_range("no verdict " + name);
}

const CounterRow& row(const RunResult& result, const std::string& name) {
  for (const CounterRow& candidate : result.kernel) {
    if (candidate.name == name) return candidate;
  }
  throw std::out_of_range("no counter " + name);
}

TEST(Merge, JoinsTheAccountOfBothSides) {
  const RunResult result = merged();
  EXPECT_EQ(result.context.side, PlayedSide::both);
  EXPECT_EQ(result.context.command, "ringchurn merge");
  EXPECT_EQ(result.context.elapsed_s, 2);
  const ScenarioResult& graceful = result.scenarios.at(0);
  EXPECT_EQ(graceful.client.finished, 1'000U);
  EXPECT_EQ(graceful.server.finished, 1'000U);
  EXPECT_EQ(graceful.client_to_server.lost, 0);
  EXPECT_EQ(graceful.client_to_server.declared, 2'000U);
  EXPECT_EQ(graceful.server_to_client.sent, 3'000U);
  EXPECT_EQ(graceful.server_to_client.received, 3'000U);
  EXPECT_EQ(graceful.latency.connect.count, 1'001U);
  ASSERT_EQ(result.errors.size(), 2U);
  EXPECT_EQ(result.errors[0].side, "client");
  EXPECT_EQ(result.errors[1].side, "server");
}

TEST(Merge, ASoundRunIsTrusted) {
  for (const Verdict& each : merged().verdicts) EXPECT_TRUE(each.ok) << each.name;
}

TEST(Merge, EitherOrderWillDo) {
  const RunResult result =
      merge({"serve.json", side(kServer)}, {"drive.json", side(kClient)}, "ringchurn merge");
  EXPECT_EQ(result.merged->client.file, "drive.json");
  EXPECT_EQ(result.merged->server.file, "serve.json");
  EXPECT_EQ(result.merged->server.context.host, "beta");
  EXPECT_EQ(result.scenarios[0].established, 1'000U);
}

TEST(Merge, EachSideKeepsItsSeries) {
  RunResult client = side(kClient);
  client.series = sample_series();
  const RunResult result = merged(client, side(kServer));
  EXPECT_FALSE(result.series);  // nobody took samples of both
  ASSERT_TRUE(result.merged->client.series);
  EXPECT_EQ(result.merged->client.series->samples.size(), 4u);
  EXPECT_FALSE(result.merged->server.series);
}

TEST(Merge, LostBytesWereSentByOneAndNotReceivedByTheOther) {
  RunResult server = side(kServer);
  server.scenarios[0].client_to_server.received = 1'900;
  const RunResult result = merged(side(kClient), server);
  EXPECT_EQ(result.scenarios[0].client_to_server.lost, 100);
  EXPECT_FALSE(verdict(result, "bytes as declared").ok);
}

TEST(Merge, ConnectionsThatTheServerNeverSawAreNoticed) {
  RunResult server = side(kServer);
  server.scenarios[0].server = {999, 999, 0, 0};
  const Verdict agree = verdict(merged(side(kClient), server), "both ends agree");
  EXPECT_FALSE(agree.ok);
  EXPECT_FALSE(agree.advisory);
}

TEST(Merge, CostIsThatOfBothSidesPerConnectionOfTheClient) {
  RunResult server = side(kServer);
  server.cost.connections = 2'000;  // at the server; 20 us each
  const Cost cost = merged(side(kClient), server).cost;
  EXPECT_EQ(cost.connections, 1'000U);
  EXPECT_DOUBLE_EQ(cost.connections_per_second, 500);
  EXPECT_DOUBLE_EQ(cost.cpu_us_per_connection, 70);
  EXPECT_THAT(cost.client_us, Optional(DoubleEq(29)));
  EXPECT_THAT(cost.server_us, Optional(DoubleEq(36)));
  EXPECT_DOUBLE_EQ(cost.worker_us, 5);
  EXPECT_DOUBLE_EQ(cost.user_share, 15.0 / 70);
  EXPECT_THAT(cost.ksoftirqd_us, Optional(DoubleEq(3)));
  EXPECT_DOUBLE_EQ(cost.syscalls_per_connection, 1.5);
  EXPECT_THAT(cost.pure_acks_per_connection, Optional(DoubleEq(11)));
  EXPECT_THAT(cost.wake_ups_per_connection, Optional(DoubleEq(0.75)));
  EXPECT_DOUBLE_EQ(cost.segments_per_connection, 10);
  EXPECT_DOUBLE_EQ(cost.time_wait_per_connection, 1);
}

TEST(Merge, AClientThatEndedNothingCostsNothing) {
  RunResult client = side(kClient);
  client.cost = {};
  EXPECT_EQ(merged(client, side(kServer)).cost.cpu_us_per_connection, 0);
}

TEST(Merge, CountersOfTwoNetworksAreAddedUp) {
  RunResult server = side(kServer);
  server.kernel[3].measured = 5;
  const RunResult result = merged(side(kClient), server);
  EXPECT_EQ(row(result, "TW").measured, 1'005U);
  EXPECT_EQ(row(result, "TW").declared_min, 1'000U);
  const Verdict agrees = verdict(result, "kernel agrees");
  EXPECT_FALSE(agrees.ok);
  EXPECT_TRUE(agrees.advisory) << "other programs may have counted";
  EXPECT_TRUE(trusted(result.verdicts));
}

TEST(Merge, CountersOfOneNetworkAreNot) {
  RunResult client = side(kClient), server = side(kServer);
  client.context.network = server.context.network;
  server.kernel[2].measured = 10'000;
  server.kernel[3].measured = 1'000;
  const RunResult result = merged(client, server);
  EXPECT_TRUE(result.merged->same_network);
  EXPECT_EQ(row(result, "TW").measured, 1'000U);
  EXPECT_DOUBLE_EQ(result.cost.segments_per_connection, 10);
}

TEST(Merge, NetworksThatAreNotKnownAreTwo) {
  RunResult client = side(kClient), server = side(kServer);
  client.context.network = server.context.network = "";
  EXPECT_FALSE(merged(client, server).merged->same_network);
}

TEST(Merge, OneMachinesKsoftirqdCountsOnce) {
  RunResult client = side(kClient), server = side(kServer);
  client.context.network = "boot:1";
  server.context.network = "boot:2";
  EXPECT_THAT(merged(client, server).cost.ksoftirqd_us, Optional(DoubleEq(1)));
}

TEST(Merge, ASumWithAnUnknownPartIsUnknown) {
  RunResult server = side(kServer);
  server.kernel[3].measured.reset();
  EXPECT_EQ(row(merged(side(kClient), server), "TW").measured, std::nullopt);
}

TEST(Merge, WhatOneKernelCountedIsHeldAgainstTheResultEvenIfTheOtherHasNoSuchCounter) {
  RunResult client = side(kClient), server = side(kServer);
  client.kernel.pop_back();
  server.kernel.back().measured = 1;
  EXPECT_FALSE(verdict(merged(client, server), "listen drops").ok);
}

TEST(Merge, DelayedAcksOfEitherSideExcuseResetsThatNobodySent) {
  RunResult client = side(kClient), server = side(kServer);
  client.kernel[0].measured = 2;
  server.kernel[0].measured = 1;
  server.kernel[1].measured = 3;
  const RunResult result = merged(client, server);
  EXPECT_EQ(row(result, "OutRsts").allowed_extra, 3U);
  EXPECT_TRUE(row(result, "OutRsts").agrees());
}

TEST(Merge, WhatOnlyTheSidesCouldJudgeIsTakenFromThem) {
  RunResult client = side(kClient), server = side(kServer);
  client.verdicts.push_back({"load completed", true, false, "1,000 of 1,000", ""});
  server.verdicts[1] = {"completion queues", false, false, "1 of 1 rings overflowed", "report it"};
  server.verdicts.push_back({"accepting", false, true, "slow", "mend it"});
  const RunResult result = merged(client, server);
  EXPECT_EQ(result.verdicts.front().name, "load completed");
  const Verdict& queues = verdict(result, "completion queues");
  EXPECT_FALSE(queues.ok);
  EXPECT_FALSE(queues.advisory);
  EXPECT_EQ(queues.evidence, "client: 0 of 1 rings overflowed; server: 1 of 1 rings overflowed");
  EXPECT_EQ(queues.remedy, "report it");
  EXPECT_EQ(verdict(result, "accepting").evidence, "server: slow");
  EXPECT_TRUE(verdict(result, "ledger closes").ok);
}

TEST(Merge, AWarningOfOneSideIsAWarning) {
  RunResult client = side(kClient), server = side(kServer);
  client.verdicts.push_back({"CPU is ours", true, true, "0%", ""});
  server.verdicts.push_back({"CPU is ours", false, true, "5%", "measure again"});
  const Verdict ours = verdict(merged(client, server), "CPU is ours");
  EXPECT_FALSE(ours.ok);
  EXPECT_TRUE(ours.advisory);
}

TEST(Merge, IsInterruptedIfEitherSideWas) {
  RunResult server = side(kServer);
  server.interrupted = true;
  EXPECT_TRUE(merged(side(kClient), server).interrupted);
}

TEST(Merge, IsOnTheHostIfEitherSideWas) {
  RunResult server = side(kServer);
  server.context.lab = "host";
  EXPECT_EQ(merged(side(kClient), server).context.lab, "host");
}

TEST(Merge, TellsHowEachSideUsedItsRing) {
  RunResult client = side(kClient), server = side(kServer);
  client.context.ways = "plain";
  EXPECT_EQ(merged(client, server).context.ways, "plain (client), default (server)");
  server.context.ways = "plain";
  EXPECT_EQ(merged(client, server).context.ways, "plain");
}

TEST(Merge, WhetherSomebodyListensIsForTheServerToSay) {
  RunResult server = side(kServer);
  server.scenarios[0].has_server = false;
  EXPECT_FALSE(merged(side(kClient), server).scenarios[0].has_server);
}

// -- from one load's facts ------------------------------------------------------------------------

ScenarioRecord record(const Ledger& ledger, std::uint64_t sent, std::uint64_t received) {
  ScenarioRecord record;
  record.ledger = ledger;
  record.established = ledger.opened;
  record.sent_bytes = sent;
  record.received_bytes = received;
  record.outcomes[{3, Outcome::eof}] = {ledger.finished, true};
  return record;
}

/// A client's and a server's thread that played two scenarios; the counters are both sides'.
LoadFacts facts_of(PlayedSide side) {
  LoadFacts facts;
  facts.elapsed_s = 2;
  facts.user_share = 0.25;
  facts.ksoftirqd_ns = 1'000'000;
  facts.wake_ups = side == kClient ? 10 : side == kServer ? 20 : 30;
  if (side != kServer) {
    facts.workers.emplace_back().client = {record({100, 97, 2, 1}, 110, 90),
                                           record({50, 50, 0, 0}, 50, 50)};
    facts.workers.back().client[0].latency.connect.record(1'234'567);
    facts.workers.back().client_ended = 149;
    facts.workers.back().ring_enters = 100;
    facts.client_cpu_ns = 1'490'000;
    facts.process_cpu_ns += 1'510'000;
  }
  if (side != kClient) {
    facts.workers.emplace_back().server = {record({100, 98, 1, 1}, 95, 105),
                                           record({50, 50, 0, 0}, 50, 50)};
    facts.workers.back().ring_enters = 30;
    facts.server_cpu_ns = 1'192'000;
    facts.process_cpu_ns += 1'203'000;
  }
  const char* values = side == kClient   ? "100 40 0 600 5 150 200"
                       : side == kServer ? "50 7 150 700 2 0 150"
                                         : "150 47 150 1300 7 150 350";
  facts.kernel.parse(std::string("Tcp: TW OutRsts PassiveOpens OutSegs DelayedACKs ActiveOpens "
                                 "TCPOrigDataSent\nTcp: ") +
                     values + "\n");
  return facts;
}

RunResult accounted(PlayedSide side) {
  Plan plan;
  plan.scenarios = {compile(find_scenario("graceful")), compile(find_scenario("rst-client"))};
  RunResult result;
  result.context = side == PlayedSide::both ? sample_context() : sample_side(side).context;
  const LoadFacts facts = facts_of(side);
  account(plan, {0.7, 0.3}, facts, result);
  result.verdicts = judge(result, facts);
  return result;
}

RunResult through_json(const RunResult& result) {
  const std::string path =
      testing::TempDir() + "merge_test." + std::to_string(::getpid()) + ".json";
  std::ofstream(path) << run_json(result);
  RunResult read = read_result(path);
  ::unlink(path.c_str());
  return read;
}

TEST(Merge, TheSidesOfALoadGiveTheSameAccountAsTheWhole) {
  using nlohmann::json;
  const json whole = json::parse(run_json(accounted(PlayedSide::both)));
  const json parts = json::parse(
      run_json(merged(through_json(accounted(kClient)), through_json(accounted(kServer)))));
  EXPECT_EQ(parts["scenarios"], whole["scenarios"]);
  EXPECT_EQ(parts["kernel"], whole["kernel"]);
  EXPECT_THAT(parts["errors"], testing::UnorderedElementsAreArray(whole["errors"]));
  for (const auto& [name, value] : whole["cost"].items()) {
    if (name == "ksoftirqd_us") continue;                 // of two machines here
    if (name == "memory_bytes_per_connection") continue;  // each machine's for its own end
    EXPECT_NEAR(parts["cost"][name].get<double>(), value.get<double>(), 1e-9) << name;
  }
  for (std::size_t i = 0; i < 6; ++i) {  // those about the account
    const json &one = parts["verdicts"][i], &other = whole["verdicts"][i];
    EXPECT_EQ(one["name"], other["name"]);
    EXPECT_EQ(one["ok"], other["ok"]);
    EXPECT_EQ(one["evidence"], other["evidence"]);
  }
}

struct NoPair {
  const char* name;
  std::function<void(RunResult& client, RunResult& server)> spoil;
  const char* message;
};

class MergeRefuses : public testing::TestWithParam<NoPair> {};

TEST_P(MergeRefuses, WhatIsNotTwoSidesOfOneRun) {
  RunResult client = side(kClient), server = side(kServer);
  GetParam().spoil(client, server);
  try {
    merged(client, server);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code, kExitUsage);
    EXPECT_THAT(error.what(), AllOf(StartsWith("'"), HasSubstr(GetParam().message)));
    EXPECT_EQ(std::string(error.what()).find_first_of("\n\x1b"), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Files, MergeRefuses,
    testing::Values(
        NoPair{"BothSides", [](RunResult& c, RunResult&) { c.context.side = PlayedSide::both; },
               "'drive.json' has both sides already"},
        NoPair{"TwoClients", [](RunResult& c, RunResult& s) { s = c; },
               "are both of the client's side"},
        NoPair{"TwoServers", [](RunResult& c, RunResult& s) { c = s; },
               "are both of the server's side"},
        NoPair{"OtherRun", [](RunResult&, RunResult& s) { s.context.run_id = "\x1b\n"; },
               "give two results of one run"},
        NoPair{"NoRun",
               [](RunResult& c, RunResult& s) { c.context.run_id = s.context.run_id = ""; },
               "give two results of one run"},
        NoPair{"OtherScenario", [](RunResult&, RunResult& s) { s.scenarios[0].name = "x"; },
               "not of the same scenarios"},
        NoPair{"OneMoreScenario",
               [](RunResult&, RunResult& s) { s.scenarios.push_back(s.scenarios[0]); },
               "not of the same scenarios"},
        NoPair{"OtherDeclaration",
               [](RunResult&, RunResult& s) { s.scenarios[0].declared.kernel["TW"].max = 2; },
               "not of the same scenarios"}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace ringchurn
