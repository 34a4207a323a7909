// The result's arithmetic, on made-up reports of made-up threads: what is added up, what is divided
// by what, and which counters can be checked at all.
#include "bench/account.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "workloads/scenario_file.h"

namespace ringchurn {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;
using testing::Optional;

// Steps count from 1; the compiled client script has `socket` in front of them, at index 0.
constexpr unsigned kClientSend = 2, kClientLastReceive = 4, kServerReceive = 1;

constexpr const char* kLossy = R"(
about = """
The server closes before
it has read. Bytes are lost."""
[client]
steps = ["connect", "send 10", "recv 4", "recv -> EOF | ECONNRESET", "close"]
[server]
steps = ["accept", "recv 6", "send 4", "close"]
[kernel]
OutRsts = 1
TW = [1, 2]
PassiveOpens = 1
[delivered]
client_to_server = 6
)";

Scenario lossy() { return compile({"lossy", "lossy.toml", kLossy}); }

/// `lossy`, and the built-in `refused`, which has no server.
Plan two_scenarios() {
  Plan plan;
  plan.scenarios = {lossy(), compile(find_scenario("refused"))};
  return plan;
}

Plan one_scenario() {
  Plan plan;
  plan.scenarios = {lossy()};
  return plan;
}

ScenarioRecord record(const Ledger& ledger, std::uint64_t sent, std::uint64_t received) {
  ScenarioRecord record;
  record.ledger = ledger;
  record.sent_bytes = sent;
  record.received_bytes = received;
  return record;
}

/// A thread with both ends that played one scenario and finished `connections`.
WorkerReport worker(std::uint64_t connections) {
  WorkerReport report;
  report.client = {record({connections, connections, 0, 0}, 10 * connections, 4 * connections)};
  report.server = {record({connections, connections, 0, 0}, 4 * connections, 6 * connections)};
  report.client[0].established = connections;
  report.client_ended = connections;
  return report;
}

KernelCounters counters(const std::string& names, const std::string& values) {
  KernelCounters counters;
  counters.parse("Tcp: " + names + "\nTcp: " + values + "\n");
  return counters;
}

RunResult account(const Plan& plan, const LoadFacts& facts) {
  RunResult result;
  account(plan, std::vector<double>(plan.scenarios.size(), 0.5), facts, result);
  return result;
}

LoadFacts facts_of(std::vector<WorkerReport> workers) {
  LoadFacts facts;
  facts.workers = std::move(workers);
  facts.elapsed_s = 1;
  return facts;
}

// -- scenarios -----------------------------------------------------------------------------------

TEST(Account, SaysWhatWasPlayed) {
  const RunResult result = account(two_scenarios(), facts_of({}));
  ASSERT_EQ(result.scenarios.size(), 2U);
  EXPECT_EQ(result.scenarios[0].name, "lossy");
  EXPECT_EQ(result.scenarios[0].about, "The server closes before it has read");
  EXPECT_EQ(result.scenarios[0].weight, 0.5);
  EXPECT_TRUE(result.scenarios[0].has_server);
  EXPECT_EQ(result.scenarios[1].name, "refused");
  EXPECT_FALSE(result.scenarios[1].has_server);
}

TEST(Account, AddsUpTheThreadsOfEachSide) {
  WorkerReport client, server, both;
  client.client = {record({100, 90, 7, 3}, 1'000, 400), record({5, 5, 0, 0}, 0, 0)};
  client.client[0].established = 95;
  client.client[0].latency.connect.record(1'000);
  server.server = {record({95, 91, 4, 0}, 380, 570), {}};
  both.client = {record({10, 10, 0, 0}, 100, 40), record({1, 0, 1, 0}, 0, 0)};
  both.client[0].established = 10;
  both.client[0].latency.connect.record(9'000);
  both.client[0].latency.lifetime.record(20'000);
  both.server = {record({10, 8, 1, 1}, 40, 60), {}};

  const RunResult result = account(two_scenarios(), facts_of({client, server, both}));
  const ScenarioResult& lossy = result.scenarios[0];
  EXPECT_EQ(lossy.client.opened, 110U);
  EXPECT_EQ(lossy.client.finished, 100U);
  EXPECT_EQ(lossy.client.unexpected, 7U);
  EXPECT_EQ(lossy.client.open_at_deadline, 3U);
  EXPECT_EQ(lossy.server.opened, 105U);
  EXPECT_EQ(lossy.server.finished, 99U);
  EXPECT_EQ(lossy.server.unexpected, 5U);
  EXPECT_EQ(lossy.server.open_at_deadline, 1U);
  EXPECT_EQ(lossy.established, 105U);
  EXPECT_EQ(lossy.latency.connect.count, 2U);
  EXPECT_EQ(lossy.latency.connect.max, 9'000U);
  EXPECT_EQ(lossy.latency.lifetime.count, 1U);
  EXPECT_EQ(lossy.latency.first_byte.count, 0U);
  EXPECT_EQ(result.scenarios[1].client.opened, 6U);
  EXPECT_EQ(result.scenarios[1].client.unexpected, 1U);
}

TEST(Account, LostBytesWereSentAndNeverReceived) {
  WorkerReport report;
  report.client = {record({10, 8, 2, 0}, 100, 32)};
  report.server = {record({10, 9, 1, 0}, 40, 54)};
  const ScenarioResult lossy = account(one_scenario(), facts_of({report})).scenarios[0];
  EXPECT_EQ(lossy.client_to_server.sent, 100U);
  EXPECT_EQ(lossy.client_to_server.received, 54U);
  EXPECT_EQ(lossy.client_to_server.lost, 46);
  EXPECT_EQ(lossy.server_to_client.sent, 40U);
  EXPECT_EQ(lossy.server_to_client.received, 32U);
  EXPECT_EQ(lossy.server_to_client.lost, 8);
}

TEST(Account, MoreReceivedThanSentIsANegativeLoss) {
  WorkerReport report;
  report.client = {record({1, 1, 0, 0}, 10, 5)};
  report.server = {record({1, 1, 0, 0}, 4, 6)};
  EXPECT_EQ(account(one_scenario(), facts_of({report})).scenarios[0].server_to_client.lost, -1);
}

TEST(Account, DeclaredBytesGoByWhatTheReceiverFinished) {
  WorkerReport report;
  report.client = {record({10, 8, 2, 0}, 0, 0)};
  report.server = {record({10, 9, 1, 0}, 0, 0)};
  const ScenarioResult lossy = account(one_scenario(), facts_of({report})).scenarios[0];
  EXPECT_EQ(lossy.client_to_server.declared, 9U * 6);  // [delivered]
  EXPECT_EQ(lossy.server_to_client.declared, 8U * 4);  // all that is sent
}

// -- errors --------------------------------------------------------------------------------------

TEST(Account, ErrorsNameTheirStepAsItIsWritten) {
  WorkerReport one = worker(5);
  one.client[0].outcomes[{0, errno_outcome(EMFILE)}] = {2, false};
  one.client[0].outcomes[{kClientSend, errno_outcome(EPIPE)}] = {1, false};
  one.client[0].outcomes[{kClientLastReceive, Outcome::eof}] = {3, true};
  one.server[0].outcomes[{kServerReceive, errno_outcome(ECONNRESET)}] = {4, false};
  WorkerReport other = worker(5);
  other.client[0].outcomes[{kClientLastReceive, Outcome::eof}] = {40, true};
  other.client[0].outcomes[{kClientLastReceive, errno_outcome(ECONNRESET)}] = {7, true};

  std::vector<std::string> rows;
  for (const ErrorRow& row : account(one_scenario(), facts_of({one, other})).errors) {
    EXPECT_EQ(row.scenario, "lossy");
    rows.push_back(row.side + " " + std::to_string(row.step_number) + " \"" + row.step + "\" " +
                   row.operation + " " + row.error + " " + row.errno_class +
                   (row.expected ? " expected " : " unexpected ") + std::to_string(row.count));
  }
  EXPECT_THAT(rows, ElementsAre("client 0 \"socket\" socket EMFILE exhausted unexpected 2",
                                "client 2 \"send 10\" send EPIPE broken_pipe unexpected 1",
                                "client 4 \"recv\" recv ECONNRESET reset expected 7",
                                "client 4 \"recv\" recv EOF eof expected 43",
                                "server 2 \"recv 6\" recv ECONNRESET reset unexpected 4"));
}

// -- kernel counters -----------------------------------------------------------------------------

std::optional<CounterRow> row(const RunResult& result, const std::string& name) {
  for (const CounterRow& row : result.kernel) {
    if (row.name == name) return row;
  }
  return std::nullopt;
}

TEST(Account, ACounterIsDeclaredForEachFinishedConnection) {
  WorkerReport report = worker(100);
  report.client[0].ledger = {110, 100, 6, 4};
  LoadFacts facts = facts_of({report});
  facts.kernel = counters("OutRsts TW", "100 150");
  const RunResult result = account(one_scenario(), facts);

  ASSERT_TRUE(row(result, "OutRsts"));
  EXPECT_EQ(row(result, "OutRsts")->measured, 100U);
  EXPECT_EQ(row(result, "OutRsts")->declared_min, 100U);
  EXPECT_EQ(row(result, "OutRsts")->declared_max, 100U);
  EXPECT_TRUE(row(result, "OutRsts")->agrees());
  ASSERT_TRUE(row(result, "TW"));
  EXPECT_EQ(row(result, "TW")->declared_min, 100U);
  EXPECT_EQ(row(result, "TW")->declared_max, 200U);
  EXPECT_TRUE(row(result, "TW")->agrees());
}

TEST(Account, ACounterAgreesWithinItsRangeAndNowhereElse) {
  for (const auto& [measured, agrees] :
       {std::pair{"99", false}, {"100", true}, {"200", true}, {"201", false}}) {
    LoadFacts facts = facts_of({worker(100)});
    facts.kernel = counters("TW", measured);
    EXPECT_EQ(row(account(one_scenario(), facts), "TW")->agrees(), agrees) << measured;
  }
}

TEST(Account, SeveralScenariosDeclareTogether) {
  WorkerReport report = worker(100);
  report.client.push_back(record({7, 7, 0, 0}, 0, 0));
  const RunResult result = account(two_scenarios(), facts_of({report}));
  EXPECT_EQ(row(result, "OutRsts")->declared_min, 107U);  // 1 each
  EXPECT_EQ(row(result, "TW")->declared_min, 100U);       // 1 to 2, and 0
  EXPECT_EQ(row(result, "TW")->declared_max, 200U);
}

TEST(Account, ACounterThatAScenarioDoesNotDeclareCannotBeChecked) {
  Plan plan = two_scenarios();
  plan.scenarios[1].kernel.erase("TW");
  EXPECT_FALSE(row(account(plan, facts_of({})), "TW"));
  EXPECT_TRUE(row(account(plan, facts_of({})), "OutRsts"));
  std::swap(plan.scenarios[0], plan.scenarios[1]);
  EXPECT_FALSE(row(account(plan, facts_of({})), "TW"));
  EXPECT_TRUE(row(account(plan, facts_of({})), "OutRsts"));
  plan.scenarios[0].kernel.clear();
  EXPECT_TRUE(account(plan, facts_of({})).kernel.empty());
}

TEST(Account, ACounterThatTheKernelLacksIsNotZeroAndDoesNotAgree) {
  LoadFacts facts = facts_of({worker(0)});
  facts.kernel = counters("OutRsts", "0");
  const RunResult result = account(one_scenario(), facts);
  EXPECT_TRUE(row(result, "OutRsts")->agrees());
  EXPECT_EQ(row(result, "TW")->measured, std::nullopt);
  EXPECT_FALSE(row(result, "TW")->agrees());
}

TEST(Account, OnlyDelayedAcksOfAPairExcuseResetsThatNobodySent) {
  LoadFacts facts = facts_of({worker(100)});
  facts.kernel = counters("OutRsts DelayedACKs", "103 3");
  EXPECT_EQ(row(account(one_scenario(), facts), "OutRsts")->allowed_extra, 0U) << "one thread";
  facts.client_cpu_ns = facts.server_cpu_ns = 1;
  const RunResult pair = account(one_scenario(), facts);
  EXPECT_EQ(row(pair, "OutRsts")->declared_min, 100U);
  EXPECT_EQ(row(pair, "OutRsts")->declared_max, 100U) << "what is declared stays as it is";
  EXPECT_EQ(row(pair, "OutRsts")->allowed_extra, 3U);
  EXPECT_TRUE(row(pair, "OutRsts")->used_extra());
  EXPECT_EQ(row(pair, "PassiveOpens")->allowed_extra, 0U) << "of no other counter";
  facts.kernel = counters("OutRsts", "103");
  EXPECT_FALSE(row(account(one_scenario(), facts), "OutRsts")->agrees());
}

// -- cost ----------------------------------------------------------------------------------------

/// 1,000 connections in 2 s on two groups of threads, 50 us of CPU each.
LoadFacts costly() {
  LoadFacts facts = facts_of({worker(600), worker(400)});
  facts.workers[0].ring_enters = 120;
  facts.workers[1].ring_enters = 130;
  facts.elapsed_s = 2;
  facts.process_cpu_ns = 50'000'000;
  facts.user_share = 0.04;
  facts.kernel = counters("OutSegs TW", "5500 900");
  return facts;
}

TEST(Account, CostIsPerConnectionThatTheClientEnded) {
  const Cost cost = account(one_scenario(), costly()).cost;
  EXPECT_EQ(cost.connections, 1'000U);
  EXPECT_DOUBLE_EQ(cost.connections_per_second, 500);
  EXPECT_DOUBLE_EQ(cost.cpu_us_per_connection, 50);
  EXPECT_DOUBLE_EQ(cost.user_share, 0.04);
  EXPECT_DOUBLE_EQ(cost.segments_per_connection, 5.5);
  EXPECT_DOUBLE_EQ(cost.time_wait_per_connection, 0.9);
  EXPECT_DOUBLE_EQ(cost.syscalls_per_connection, 0.25);
}

TEST(Account, WhatWasNotCountedIsNoCost) {
  LoadFacts facts = costly();
  EXPECT_EQ(account(one_scenario(), facts).cost.wake_ups_per_connection, std::nullopt);
  EXPECT_EQ(account(one_scenario(), facts).cost.pure_acks_per_connection, std::nullopt);
  facts.wake_ups = 30;
  EXPECT_EQ(account(one_scenario(), facts).cost.wake_ups_per_connection, 0.03);
}

TEST(Account, APairsCpuTimeIsDividedByThread) {
  LoadFacts facts = costly();
  facts.client_cpu_ns = 22'000'000;
  facts.server_cpu_ns = 25'000'000;
  const Cost cost = account(one_scenario(), facts).cost;
  EXPECT_THAT(cost.client_us, Optional(DoubleEq(22)));
  EXPECT_THAT(cost.server_us, Optional(DoubleEq(25)));
  EXPECT_DOUBLE_EQ(cost.worker_us, 3);
}

TEST(Account, ASingleThreadsCpuTimeIsNotDivided) {
  const Cost cost = account(one_scenario(), costly()).cost;
  EXPECT_EQ(cost.client_us, std::nullopt);
  EXPECT_EQ(cost.server_us, std::nullopt);
}

TEST(Account, ThreadsThatSeemToExceedTheProcessLeaveNothingForOthers) {
  LoadFacts facts = costly();  // their clocks are read a little later than the process's
  facts.client_cpu_ns = 30'000'000;
  facts.server_cpu_ns = 20'000'100;
  EXPECT_EQ(account(one_scenario(), facts).cost.worker_us, 0);
}

TEST(Account, WhatKsoftirqdDidIsUnknownOrBesideTheProcess) {
  LoadFacts facts = costly();
  EXPECT_EQ(account(one_scenario(), facts).cost.ksoftirqd_us, std::nullopt);
  facts.ksoftirqd_ns = 1'000'000;
  const Cost cost = account(one_scenario(), facts).cost;
  EXPECT_THAT(cost.ksoftirqd_us, Optional(DoubleEq(1)));
  EXPECT_DOUBLE_EQ(cost.cpu_us_per_connection, 50);
}

TEST(Account, NoConnectionCostsNothing) {
  LoadFacts facts = costly();
  facts.workers.clear();
  const Cost cost = account(one_scenario(), facts).cost;
  EXPECT_EQ(cost.connections, 0U);
  EXPECT_EQ(cost.cpu_us_per_connection, 0);  // and neither infinite nor NaN
  EXPECT_EQ(cost.syscalls_per_connection, 0);
}

// -- one side ------------------------------------------------------------------------------------

/// 100 connections of `lossy` as the threads of one side saw them, 90 of them finished there.
RunResult account_of(PlayedSide side) {
  WorkerReport report = worker(100);
  const bool is_client = side == PlayedSide::client;
  (is_client ? report.server : report.client).clear();
  (is_client ? report.client : report.server)[0].ledger = {100, 90, 8, 2};
  report.client_ended = is_client ? 98 : 0;
  LoadFacts facts = facts_of({report});
  facts.process_cpu_ns = 980'000;
  (is_client ? facts.client_cpu_ns : facts.server_cpu_ns) = 490'000;
  facts.kernel = counters("OutRsts OutSegs DelayedACKs", "80 600 7");
  RunResult result;
  result.context.side = side;
  account(one_scenario(), {1}, facts, result);
  return result;
}

TEST(Account, OneSideDeclaresWhatItReceivesAndCannotKnowWhatWasLost) {
  const ScenarioResult client = account_of(PlayedSide::client).scenarios[0];
  EXPECT_EQ(client.client_to_server.sent, 1'000U);
  EXPECT_EQ(client.client_to_server.declared, std::nullopt);
  EXPECT_EQ(client.client_to_server.lost, 0);
  EXPECT_EQ(client.server_to_client.declared, 360U);
  const ScenarioResult server = account_of(PlayedSide::server).scenarios[0];
  EXPECT_EQ(server.client_to_server.declared, 540U);
  EXPECT_EQ(server.client_to_server.lost, 0);
  EXPECT_EQ(server.server_to_client.declared, std::nullopt);
}

TEST(Account, OneSidesCountersAreMeasuredAndNotDeclared) {
  const RunResult client = account_of(PlayedSide::client);
  for (const CounterRow& counted : client.kernel) EXPECT_FALSE(counted.is_declared);
  for (const char* name : {"OutRsts", "TW", "PassiveOpens", "OutSegs", "DelayedACKs", "RetransSegs",
                           "TCPTimeWaitOverflow", "ListenOverflows", "ListenDrops"}) {
    EXPECT_TRUE(row(client, name)) << name;
  }
  EXPECT_EQ(row(client, "OutRsts")->measured, 80U);
  EXPECT_EQ(row(client, "TW")->measured, std::nullopt);
  EXPECT_EQ(client.scenarios[0].declared.kernel.at("TW").max, 2U);
  EXPECT_EQ(client.scenarios[0].declared.client_to_server, 6U);
}

TEST(Account, OneSidesCostIsPerConnectionThatEndedThere) {
  const Cost client = account_of(PlayedSide::client).cost;
  EXPECT_EQ(client.connections, 98U);
  EXPECT_DOUBLE_EQ(client.cpu_us_per_connection, 10);
  EXPECT_THAT(client.client_us, Optional(DoubleEq(5)));
  EXPECT_EQ(client.server_us, std::nullopt);
  EXPECT_DOUBLE_EQ(client.worker_us, 5);
  const Cost server = account_of(PlayedSide::server).cost;
  EXPECT_EQ(server.connections, 98U);
  EXPECT_THAT(server.server_us, Optional(DoubleEq(5)));
  EXPECT_EQ(server.client_us, std::nullopt);
}

TEST(Account, AUnixSocketMovesNoCounterThatAnotherScenarioNames) {
  Plan plan = one_scenario();
  plan.scenarios.push_back(compile(find_scenario("unix-eof")));
  const RunResult result = account(plan, facts_of({}));
  EXPECT_EQ(result.scenarios[1].declared.kernel.at("TW").max, 0U);
  EXPECT_TRUE(row(result, "TW"));
}

}  // namespace
}  // namespace ringchurn
