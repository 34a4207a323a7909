// Every verdict passes on a sound result, and fails, alone and with a remedy, on the one fault that
// it is there for.
#include "bench/verdicts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace ringchurn {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

KernelCounters counters(const std::string& names, const std::string& values) {
  KernelCounters counters;
  counters.parse("TcpExt: " + names + "\nTcpExt: " + values + "\n");
  return counters;
}

struct Judged {
  RunResult run;
  LoadFacts facts;
};

/// A result that nothing is wrong with: 1,000 connections, 10 of them aborted.
Judged sound() {
  Judged sound;
  sound.run.context.lab = "private";
  sound.run.context.elapsed_s = 1;
  sound.run.context.cpus = 2;
  ScenarioResult graceful;
  graceful.name = "graceful";
  graceful.established = 990;
  graceful.client = graceful.server = {990, 990, 0, 0};
  graceful.client_to_server = {990, 990, 0, 990};
  graceful.server_to_client = {990, 990, 0, 990};
  ScenarioResult aborted = graceful;
  aborted.name = "unread-data";
  aborted.established = 10;
  aborted.client = aborted.server = {10, 10, 0, 0};
  aborted.client_to_server = {10'240, 0, 10'240, 0};
  aborted.server_to_client = {};
  sound.run.scenarios = {graceful, aborted};
  sound.run.errors = {
      {"unread-data", "client", "recv", 3, "recv", "ECONNRESET", "reset", true, 10}};
  sound.run.kernel = {{"OutRsts", 10, 10, 10}, {"TW", 995, 990, 1'000}};
  sound.run.cost.cpu_us_per_connection = 50;
  sound.run.cost.ksoftirqd_us = 1;  // 2%: tolerable
  sound.facts.workers.resize(2);
  sound.facts.steal_ns = 20'000'000;  // 1% of both CPUs: tolerable
  sound.facts.kernel =
      counters("TCPTimeWaitOverflow ListenOverflows ListenDrops RetransSegs", "0 0 0 0");
  return sound;
}

TEST(Verdicts, ASoundResultIsTrustedAndNeedsNoRemedy) {
  const Judged judged = sound();
  const std::vector<Verdict> verdicts = judge(judged.run, judged.facts);
  std::set<std::string> names;
  for (const Verdict& verdict : verdicts) {
    EXPECT_TRUE(verdict.ok) << verdict.name << ": " << verdict.evidence;
    EXPECT_THAT(verdict.evidence, Not(IsEmpty())) << verdict.name;
    EXPECT_THAT(verdict.remedy, IsEmpty()) << verdict.name;
    names.insert(verdict.name);
  }
  EXPECT_EQ(names.size(), verdicts.size()) << "a name says which";
  EXPECT_TRUE(trusted(verdicts));
}

/// One fault, the only verdict that may notice it, and what it must say.
struct Fault {
  const char* name;
  std::function<void(Judged&)> apply;
  const char* verdict;
  bool advisory;
  const char* evidence;
  const char* remedy;
};

constexpr bool kFails = false, kAdvises = true;

std::vector<Fault> faults_of_the_account() {
  return std::vector<Fault>{
      {"AClientsConnectionIsMissing", [](Judged& j) { j.run.scenarios[0].client.finished = 989; },
       "ledger closes", kFails, "graceful client: 990 opened, but 989 finished", "report"},
      {"AServersConnectionIsCountedTwice",
       [](Judged& j) { j.run.scenarios[1].server.unexpected = 1; }, "ledger closes", kFails,
       "unread-data server: 10 opened, but 10 finished + 1 unexpected + 0 open", "report"},
      {"TheServerSawFewer",
       [](Judged& j) {
         j.run.scenarios[0].server = {989, 989, 0, 0};
       },
       "both ends agree", kFails, "graceful: the client established 990, the server accepted 989",
       "ListenOverflows"},
      {"TheServerSawMore",
       [](Judged& j) {
         j.run.scenarios[1].server = {11, 11, 0, 0};
       },
       "both ends agree", kFails, "unread-data: the client established 10, the server accepted 11",
       "ListenOverflows"},
      {"TheServerSawFewerBecauseOfAnInterruption",
       [](Judged& j) {
         j.run.interrupted = true;
         j.run.scenarios[0].server = {989, 989, 0, 0};
       },
       "both ends agree", kFails, "989", "interrupted"},
      {"AByteTooFew", [](Judged& j) { j.run.scenarios[0].server_to_client.received = 989; },
       "bytes as declared", kFails, "graceful, server to client: 989 bytes received, 990 declared",
       "[delivered]"},
      {"AByteTooMany", [](Judged& j) { j.run.scenarios[1].client_to_server.received = 1; },
       "bytes as declared", kFails, "unread-data, client to server: 1 bytes received, 0 declared",
       "[delivered]"},
      {"AnUnexpectedError",
       [](Judged& j) {
         j.run.errors.push_back(
             {"graceful", "server", "recv-eof", 4, "recv", "ECONNRESET", "reset", false, 3});
       },
       "no unexpected errors", kFails,
       "3 unexpected, 10 expected; first: graceful server step 4 \"recv-eof\" answered ECONNRESET",
       "correct the scenario"},
      {"NoPortIsLeft",
       [](Judged& j) {
         j.run.errors.push_back(
             {"graceful", "client", "connect", 1, "connect", "EADDRNOTAVAIL", "address", false, 1});
       },
       "no unexpected errors", kFails, "EADDRNOTAVAIL", "client ports ran out"},
      {"AClientIsLeftOpen",
       [](Judged& j) {
         j.run.scenarios[0].client = {990, 989, 0, 1};
       },
       "nothing left open", kFails, "1 connections", "a step waits for what its peer never does"},
      {"AServerIsLeftOpen",
       [](Judged& j) {
         j.run.scenarios[1].server = {10, 8, 0, 2};
       },
       "nothing left open", kFails, "2 connections", "a step waits for what its peer never does"},
      {"LeftOpenWithoutAPort",
       [](Judged& j) {
         j.run.port_limited = 5;
         j.run.scenarios[0].client = {990, 989, 0, 1};
       },
       "nothing left open", kFails, "1 connections", "or for a free client port"},
      {"LeftOpenByAnInterruption",
       [](Judged& j) {
         j.run.interrupted = true;
         j.run.scenarios[0].client = {990, 989, 0, 1};
       },
       "nothing left open", kFails, "1 connections", "interrupted"},
  };
}

std::vector<Fault> faults_of_the_machine() {
  return std::vector<Fault>{
      {"ACounterDisagrees", [](Judged& j) { j.run.kernel[0].measured = 9; }, "kernel agrees",
       kFails, "OutRsts moved by 9, declared 10", "[kernel] is wrong"},
      {"ACounterLeavesItsRange", [](Judged& j) { j.run.kernel[1].measured = 1'001; },
       "kernel agrees", kFails, "TW moved by 1,001", "[kernel] is wrong"},
      {"ACounterIsMissing", [](Judged& j) { j.run.kernel[1].measured.reset(); }, "kernel agrees",
       kFails, "this kernel has no counter 'TW'", "[kernel]"},
      {"NoCounterIsDeclared", [](Judged& j) { j.run.kernel.clear(); }, "kernel agrees", kAdvises,
       "no kernel counter is declared", "declare them"},
      {"OthersUseTheHostToo",
       [](Judged& j) {
         j.run.context.lab = "host";
         j.run.kernel[0].measured = 11;
       },
       "kernel agrees", kAdvises, "OutRsts moved by 11, declared 10", "use the private lab"},
      {"TheTimeWaitTableIsFull",
       [](Judged& j) { j.facts.kernel = counters("TCPTimeWaitOverflow", "5"); }, "TIME_WAIT table",
       kFails, "TCPTimeWaitOverflow moved by 5", "net.ipv4.tcp_max_tw_buckets"},
      {"TheHostsTimeWaitTableIsFull",
       [](Judged& j) {
         j.run.context.lab = "host";
         j.facts.kernel = counters("TCPTimeWaitOverflow", "5");
       },
       "TIME_WAIT table", kAdvises, "TCPTimeWaitOverflow moved by 5", "use the private lab"},
      {"TheAcceptQueueOverflows",
       [](Judged& j) { j.facts.kernel = counters("ListenOverflows", "1"); }, "accept queue", kFails,
       "ListenOverflows moved by 1", "net.core.somaxconn"},
      {"SynsAreDropped", [](Judged& j) { j.facts.kernel = counters("ListenDrops", "1"); },
       "listen drops", kFails, "ListenDrops moved by 1", "net.ipv4.tcp_max_syn_backlog"},
      {"ARingOverflows", [](Judged& j) { j.facts.workers[1].ring_overflowed = true; },
       "completion queues", kFails, "1 of 2 rings overflowed, 0 stale", "report"},
      {"ACompletionIsStale", [](Judged& j) { j.facts.workers[0].stale_completions = 3; },
       "completion queues", kFails, "0 of 2 rings overflowed, 3 stale", "report"},
      {"SegmentsAreSentTwice", [](Judged& j) { j.facts.kernel = counters("RetransSegs", "2"); },
       "no retransmissions", kAdvises, "RetransSegs moved by 2",
       "OutSegs leaves retransmissions out"},
      {"AcksAreOvertaken",
       [](Judged& j) {
         j.run.kernel[0].measured = 12;
         j.run.kernel[0].allowed_extra = 3;
       },
       "kernel agrees", kAdvises, "OutRsts moved by 2 more than declared, DelayedACKs by 3",
       "--layout single"},
      {"MoreAcksThanCanHaveBeenOvertaken",
       [](Judged& j) {
         j.run.kernel[0].measured = 14;
         j.run.kernel[0].allowed_extra = 3;
       },
       "kernel agrees", kFails, "OutRsts moved by 14, declared 10", "[kernel] is wrong"},
      {"TheHypervisorTakesTheCpu",
       [](Judged& j) {
         j.run.context.elapsed_s = 10;
         j.run.context.cpus = 2;
         j.facts.steal_ns = 220'000'000;
       },
       "CPU is ours", kAdvises, "1.1%", "neighbours"},
      {"ThreadsShareACpu",
       [](Judged& j) {
         j.run.context.cpus = 2;
         j.run.context.threads = 2;
         j.run.context.server_threads = 1;
       },
       "CPU for each thread", kAdvises, "3 threads, pinned in turn to 2 CPUs", "fewer --threads"},
      {"KsoftirqdDoesTheWork", [](Judged& j) { j.run.cost.ksoftirqd_us = 1.05; },
       "CPU bill is whole", kAdvises, "2.1%", "understated"},
      {"SoftirqsAreOnNobodysBill", [](Judged& j) { j.facts.irq_time_accounting = true; },
       "CPU bill is whole", kAdvises, "CONFIG_IRQ_TIME_ACCOUNTING", "not in the CPU figures"},
  };
}

class FaultyResult : public testing::TestWithParam<Fault> {};

TEST_P(FaultyResult, FailsTheVerdictThatIsThereForIt) {
  const Fault& fault = GetParam();
  Judged judged = sound();
  fault.apply(judged);
  const std::vector<Verdict> verdicts = judge(judged.run, judged.facts);
  unsigned failed = 0;
  for (const Verdict& verdict : verdicts) {
    if (verdict.name != fault.verdict) {
      EXPECT_TRUE(verdict.ok) << verdict.name << ": " << verdict.evidence;
      continue;
    }
    ++failed;
    EXPECT_FALSE(verdict.ok);
    EXPECT_EQ(verdict.advisory, fault.advisory);
    EXPECT_THAT(verdict.evidence, HasSubstr(fault.evidence));
    EXPECT_THAT(verdict.remedy, HasSubstr(fault.remedy));
  }
  EXPECT_EQ(failed, 1U);
  EXPECT_EQ(trusted(verdicts), fault.advisory);
}

const auto kNameOfFault = [](const auto& test) { return test.param.name; };
INSTANTIATE_TEST_SUITE_P(Account, FaultyResult, testing::ValuesIn(faults_of_the_account()),
                         kNameOfFault);
INSTANTIATE_TEST_SUITE_P(Machine, FaultyResult, testing::ValuesIn(faults_of_the_machine()),
                         kNameOfFault);

// -- what is no fault ----------------------------------------------------------------------------

TEST(Verdicts, AWideLayoutWithEnoughCpusSaysSo) {
  Judged judged = sound();
  judged.run.context.cpus = 3;
  judged.run.context.threads = 1;
  judged.run.context.server_threads = 2;
  const std::vector<Verdict> verdicts = judge(judged.run, judged.facts);
  EXPECT_EQ(verdicts.back().name, "CPU for each thread");
  EXPECT_TRUE(verdicts.back().ok);
  EXPECT_EQ(verdicts.back().evidence, "3 threads, pinned to one each of 3 CPUs");
}

void expect_trusted(const Judged& judged) {
  for (const Verdict& verdict : judge(judged.run, judged.facts)) {
    EXPECT_TRUE(verdict.ok) << verdict.name << ": " << verdict.evidence;
  }
}

TEST(Verdicts, BytesThatNobodyDeclaredMayBeAny) {
  Judged judged = sound();
  judged.run.scenarios[0].client_to_server.declared.reset();
  judged.run.scenarios[0].client_to_server.received = 5;
  expect_trusted(judged);
}

TEST(Verdicts, WhereNothingIsDeclaredNoBytesAreAsDeclared) {
  Judged judged = sound();
  for (ScenarioResult& scenario : judged.run.scenarios) {
    scenario.client_to_server.declared.reset();
    scenario.server_to_client.declared.reset();
  }
  for (const Verdict& verdict : judge(judged.run, judged.facts)) {
    EXPECT_NE(verdict.name, "bytes as declared");
  }
}

TEST(Verdicts, ExpectedErrorsAreData) {
  Judged judged = sound();
  judged.run.errors[0].count = 1'000'000;
  expect_trusted(judged);
}

TEST(Verdicts, ACountersRangeIncludesItsEnds) {
  for (const std::uint64_t measured : {990U, 1'000U}) {
    Judged judged = sound();
    judged.run.kernel[1].measured = measured;
    expect_trusted(judged);
  }
}

// What unfinished connections leave behind is in no scenario: the errors fail the run, not the
// kernel.
TEST(Verdicts, ADisagreementOfTheKernelAdvisesWhereConnectionsDidNotFinish) {
  for (const bool at_client : {true, false}) {
    Judged judged = sound();
    ScenarioResult& aborted = judged.run.scenarios[1];
    (at_client ? aborted.client : aborted.server) = {10, 9, 1, 0};
    judged.run.kernel[0].measured = 9;
    for (const Verdict& verdict : judge(judged.run, judged.facts)) {
      EXPECT_EQ(verdict.ok, verdict.name != "kernel agrees") << verdict.name;
      EXPECT_TRUE(verdict.ok || verdict.advisory);
    }
  }
}

TEST(Verdicts, ARangeIsToldAsARange) {
  Judged judged = sound();
  judged.run.kernel[1].measured = 5;
  for (const Verdict& verdict : judge(judged.run, judged.facts)) {
    if (verdict.ok) continue;
    EXPECT_EQ(verdict.evidence, "TW moved by 5, declared 990 to 1,000");
  }
}

TEST(Verdicts, StealTimeThatIsUnknownIsNotHeldAgainstTheResult) {
  Judged judged = sound();
  judged.facts.steal_ns.reset();
  expect_trusted(judged);
}

TEST(Verdicts, AnOlderKernelMayLackTheOverflowCounters) {
  Judged judged = sound();
  judged.facts.kernel = {};
  expect_trusted(judged);
}

TEST(Verdicts, WhatCannotBeSeenOfKsoftirqdIsSaidAndNotHeldAgainstTheResult) {
  Judged judged = sound();
  judged.run.cost.ksoftirqd_us.reset();
  expect_trusted(judged);
  EXPECT_THAT(judge(judged.run, judged.facts).back().evidence, HasSubstr("cannot be seen"));
}

TEST(Verdicts, NoConnectionAtAllIsJudgedWithoutADivisionByZero) {
  Judged judged = sound();
  judged.run.cost.cpu_us_per_connection = 0;
  expect_trusted(judged);
}

// -- comparisons ---------------------------------------------------------------------------------

CompareResult sound_comparison() {
  CompareResult result;
  result.arms.resize(2);
  result.arms[0].name = "graceful";
  result.arms[1].name = "rst-client";
  result.a_a = Estimate{1.001, 0.997, 1.005};
  result.blocks = 250;
  return result;
}

const Verdict& control(const std::vector<Verdict>& verdicts) { return verdicts.at(0); }
const Verdict& outliers(const std::vector<Verdict>& verdicts) { return verdicts.at(1); }

TEST(ComparisonVerdicts, ASoundComparisonPasses) {
  const std::vector<Verdict> verdicts = judge_comparison(sound_comparison());
  ASSERT_EQ(verdicts.size(), 2U);
  EXPECT_EQ(control(verdicts).name, "A/A control");
  EXPECT_EQ(outliers(verdicts).name, "outliers");
  for (const Verdict& verdict : verdicts) {
    EXPECT_TRUE(verdict.ok) << verdict.name;
    EXPECT_THAT(verdict.remedy, IsEmpty());
  }
  EXPECT_THAT(control(verdicts).evidence, HasSubstr("graceful against itself: 1.001"));
}

TEST(ComparisonVerdicts, AControlThatDiffersFromItselfAdvises) {
  for (const Estimate& estimate : {Estimate{1.01, 1.004, 1.016}, Estimate{0.99, 0.984, 0.996}}) {
    CompareResult result = sound_comparison();
    result.a_a = estimate;
    const std::vector<Verdict> verdicts = judge_comparison(result);
    EXPECT_FALSE(control(verdicts).ok);
    EXPECT_TRUE(control(verdicts).advisory);
    EXPECT_THAT(control(verdicts).remedy, HasSubstr("once in 20 runs"));
    EXPECT_TRUE(trusted(verdicts));
  }
}

TEST(ComparisonVerdicts, AControlThatChanceDoesNotExplainVoidsTheAnswer) {
  CompareResult result = sound_comparison();
  result.a_a = Estimate{1.03, 1.02, 1.04};
  result.a_a_p_value = 0.0011;
  EXPECT_TRUE(trusted(judge_comparison(result)));
  result.a_a_p_value = 0.001;
  const std::vector<Verdict> verdicts = judge_comparison(result);
  EXPECT_FALSE(trusted(verdicts));
  EXPECT_THAT(control(verdicts).evidence, HasSubstr("1.020 to 1.040, p 0.001"));
  EXPECT_THAT(control(verdicts).remedy, HasSubstr("once in 1,000 runs"));
}

TEST(ComparisonVerdicts, MuchStealVoidsAComparisonAndNotARun) {
  Judged judged = sound();
  judged.run.context.elapsed_s = 10;
  judged.run.context.cpus = 2;
  for (const auto& [steal_ns, is_void] : {std::pair{990'000'000U, false}, {1'010'000'000U, true}}) {
    judged.facts.steal_ns = steal_ns;
    EXPECT_TRUE(trusted(judge(judged.run, judged.facts)));
    const std::vector<Verdict> verdicts = judge(judged.run, judged.facts, Judgement::comparison);
    EXPECT_EQ(trusted(verdicts), !is_void);
    const auto steal = std::find_if(verdicts.begin(), verdicts.end(), [](const Verdict& verdict) {
      return verdict.name == "CPU is ours";
    });
    ASSERT_NE(steal, verdicts.end());
    EXPECT_FALSE(steal->ok);
    EXPECT_THAT(steal->remedy, HasSubstr(is_void ? "machine of your own" : "neighbours"));
  }
}

CompareResult sought(double half_width, bool reached) {
  CompareResult result = sound_comparison();
  result.measured_s = 10;
  result.resolution = {.half_width = half_width,
                       .minimum_detectable_effect = 0.02,
                       .asked = 0.005,
                       .reached = reached,
                       .max_time_s = 10,
                       .looks = {{8, 1, 0.02}, {83, 10, half_width}}};
  return result;
}

TEST(ComparisonVerdicts, AResolutionIsReachedOrTheTimeThatItWouldTakeIsTold) {
  const Verdict reached = judge_comparison(sought(0.0049, true)).back();
  EXPECT_EQ(reached.name, "resolution");
  EXPECT_TRUE(reached.ok);
  EXPECT_EQ(reached.evidence, "±0.5% asked, ±0.49% after 10.0 s and 2 looks");
  EXPECT_THAT(reached.remedy, IsEmpty());
  const Verdict missed = judge_comparison(sought(0.01, false)).back();
  EXPECT_FALSE(missed.ok);
  EXPECT_TRUE(missed.advisory) << "the answer has its interval all the same";
  EXPECT_THAT(missed.remedy, HasSubstr("some 44 s"));  // four times as long, and a tenth
}

TEST(ComparisonVerdicts, AResolutionThatWasCutShortSaysWhy) {
  CompareResult result = sought(0.01, false);
  result.run.interrupted = true;
  EXPECT_THAT(judge_comparison(result).back().remedy, HasSubstr("interrupted"));
  result = sought(0.01, false);
  result.resolution.half_width.reset();
  EXPECT_THAT(judge_comparison(result).back().evidence, HasSubstr("too few for an interval"));
}

TEST(ComparisonVerdicts, AnIntervalThatEndsAtOneIncludesIt) {
  CompareResult result = sound_comparison();
  result.a_a = Estimate{1.003, 1, 1.006};
  EXPECT_TRUE(control(judge_comparison(result)).ok);
}

TEST(ComparisonVerdicts, TooFewBlocksForAnIntervalSayMeasureLonger) {
  CompareResult result = sound_comparison();
  result.a_a.reset();
  result.blocks = 5;
  const std::vector<Verdict> verdicts = judge_comparison(result);
  EXPECT_FALSE(control(verdicts).ok);
  EXPECT_THAT(control(verdicts).evidence, HasSubstr("5 blocks are too few"));
  EXPECT_THAT(control(verdicts).remedy, HasSubstr("measure longer"));
}

TEST(ComparisonVerdicts, OutliersThatAllFallToOneArmAdvise) {
  for (const unsigned dearer : {0U, 8U}) {
    CompareResult result = sound_comparison();
    result.arms[1].blocks_left_out = 8;
    result.arms[1].left_out_dearer = dearer;
    const std::vector<Verdict> verdicts = judge_comparison(result);
    EXPECT_FALSE(outliers(verdicts).ok);
    EXPECT_TRUE(outliers(verdicts).advisory);
    EXPECT_THAT(outliers(verdicts).evidence, HasSubstr("8 of 250 blocks left out"));
    EXPECT_THAT(outliers(verdicts).remedy, HasSubstr("rst-client"));
  }
}

TEST(ComparisonVerdicts, FewOrSharedOutliersAreTheMachines) {
  for (const auto& [left_out, dearer] : {std::pair{7U, 7U}, {7U, 0U}, {8U, 7U}, {20U, 1U}}) {
    CompareResult result = sound_comparison();
    result.arms[1].blocks_left_out = left_out;
    result.arms[1].left_out_dearer = dearer;
    EXPECT_TRUE(outliers(judge_comparison(result)).ok) << left_out << ", " << dearer;
  }
}

// -- trusted -------------------------------------------------------------------------------------

TEST(Trusted, OnlyAFailureThatIsNoAdviceSaysNo) {
  const Verdict good{.name = "good", .ok = true};
  const Verdict advice{.name = "advice", .ok = false, .advisory = true};
  const Verdict bad{.name = "bad", .ok = false};
  EXPECT_TRUE(trusted({}));
  EXPECT_TRUE(trusted({good, advice}));
  EXPECT_FALSE(trusted({good, bad}));
  EXPECT_FALSE(trusted({bad, good, advice}));
}

// -- one side, and two merged --------------------------------------------------------------------

TEST(Verdicts, OneSideIsNotAskedWhatTakesBoth) {
  for (const PlayedSide side : {PlayedSide::client, PlayedSide::server}) {
    Judged judged = sound();
    judged.run.context.side = side;
    for (ScenarioResult& scenario : judged.run.scenarios) {
      (side == PlayedSide::client ? scenario.server : scenario.client) = {};
    }
    for (const Verdict& verdict : judge(judged.run, judged.facts)) {
      EXPECT_TRUE(verdict.ok) << verdict.name;
      EXPECT_NE(verdict.name, "both ends agree");
      EXPECT_NE(verdict.name, "kernel agrees");
      if (verdict.name == "ledger closes") {
        EXPECT_THAT(verdict.evidence, testing::StartsWith(side_name(side)));
      }
    }
  }
}

TEST(Verdicts, TheKernelAdvisesOnAMergedResult) {
  Judged judged = sound();
  judged.run.merged.emplace();
  judged.run.kernel[0].measured = 11;
  unsigned disagreements = 0;
  for (const Verdict& verdict :
       judge_account(judged.run, counters("TCPTimeWaitOverflow ListenDrops", "5 1"))) {
    if (verdict.ok) continue;
    ++disagreements;
    EXPECT_TRUE(verdict.advisory) << verdict.name;
    if (verdict.name != "kernel agrees") continue;
    EXPECT_THAT(verdict.remedy, HasSubstr("either machine"));
  }
  EXPECT_EQ(disagreements, 3U);
}

}  // namespace
}  // namespace ringchurn
