// The verdict on a server follows from what was seen, and says it in numbers.
#include "bench/survival.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ringchurn {
namespace {

using testing::Contains;
using testing::HasSubstr;

constexpr std::uint64_t kMiB = 1024 * 1024;

/// A server of one process that a load of 5,000 connections, 64 at once, did nothing to.
SurvivalFacts healthy() {
  ServerSample sample;
  sample.totals = {.processes = 1, .threads = 4, .rss_bytes = 10 * kMiB, .cpu_ns = 1, .fds = 18};
  sample.sockets = ServerSockets{};
  sample.accept_queue = AcceptQueue{.listeners = 1, .queue = 0, .limit = 128, .drops = 0};
  sample.reset_sockets = 0;
  SurvivalFacts facts;
  facts.server = WatchedServer{.before = sample, .worst = {}, .after = {sample, 5}};
  facts.probe = {.error = 0, .is_taken = true, .elapsed_s = 0.0002};
  facts.connections = 5000;
  facts.in_flight = 64;
  facts.server->add(sample);
  return facts;
}

struct Case {
  const char* name;
  Survival expected;
  const char* evidence;  ///< part of it
  std::function<void(SurvivalFacts&, ServerSample& after)> happened;
};

std::string name_of(const testing::TestParamInfo<Case>& info) { return info.param.name; }

class Judgement : public testing::TestWithParam<Case> {};

TEST_P(Judgement, FollowsFromTheFacts) {
  SurvivalFacts facts = healthy();
  GetParam().happened(facts, facts.server->after.sample);
  const SurvivalVerdict verdict = judge_survival(facts);
  EXPECT_EQ(survival_name(verdict.survival), survival_name(GetParam().expected));
  EXPECT_THAT(verdict.evidence, HasSubstr(GetParam().evidence));
}

void die(SurvivalFacts& facts, ServerSample& after) {
  after = {};
  after.totals.fds = 0;
  after.accept_queue = AcceptQueue{};
  facts.probe = {.error = ECONNREFUSED, .is_taken = std::nullopt, .elapsed_s = 0};
}

const std::vector<Case> kCases = {
    {"Nothing", Survival::survived,
     "descriptors 18 before, 18 after; threads 4 before, 4 after; processes 1 before, 1 after; a "
     "probe was accepted after 0.2 ms",
     [](auto&, auto&) {}},
    {"FewerThanBefore", Survival::survived, "descriptors 18 before, 3 after",
     [](auto&, auto& after) { after.totals.fds = 3; }},

    {"ProcessGone", Survival::died, "no process is left of 1; a probe is refused (ECONNREFUSED)",
     die},
    {"ProcessReplaced", Survival::died, "no process is left of 1; others serve the address by now",
     [](auto& facts, auto& after) {
       die(facts, after);
       facts.probe = {.error = 0, .is_taken = true};
     }},
    {"ListenerGone", Survival::died,
     "nobody listens any more: a probe is refused (ECONNREFUSED); 1 process is alive",
     [](auto& facts, auto& after) {
       after.accept_queue = AcceptQueue{};
       facts.probe = {.error = ECONNREFUSED};
     }},
    {"RefusedAndNoListenerKnown", Survival::died, "nobody listens any more",
     [](auto& facts, auto& after) {
       after.accept_queue.reset();
       facts.probe = {.error = ECONNREFUSED};
     }},
    {"UnixFileGone", Survival::died, "(ENOENT)",
     [](auto& facts, auto& after) {
       after.accept_queue = AcceptQueue{};
       facts.probe = {.error = ENOENT};
     }},
    {"RemoteRefuses", Survival::died, "a probe is refused (ECONNREFUSED)",
     [](auto& facts, auto&) {
       facts.server.reset();
       facts.probe = {.error = ECONNREFUSED};
     }},

    {"ProbeNotTaken", Survival::stopped_accepting,
     "a probe was not accepted within 1.0 s; 9 connections wait in the accept queue, whose limit "
     "is "
     "128",
     [](auto& facts, auto& after) {
       facts.probe = {.error = 0, .is_taken = false, .elapsed_s = 1};
       after.accept_queue->queue = 9;
     }},
    {"ProbeNotAnswered", Survival::stopped_accepting,
     "a probe got no answer within 1.0 s; 129 connections wait in the accept queue",
     [](auto& facts, auto& after) {
       facts.probe = {.error = ETIMEDOUT, .is_taken = std::nullopt, .elapsed_s = 1};
       after.accept_queue->queue = 129;
     }},
    {"QueueDoesNotDrain", Survival::stopped_accepting,
     "the accept queue does not drain within 5.0 s; 1 connection waits",
     [](auto& facts, auto& after) {
       facts.probe.is_taken = std::nullopt;
       after.accept_queue->queue = 1;
     }},
    {"RefusedByAFirewall", Survival::stopped_accepting,
     "a probe is refused (ECONNREFUSED), though a listener is there",
     [](auto& facts, auto&) { facts.probe = {.error = ECONNREFUSED}; }},
    {"ScriptUnfinished", Survival::stopped_accepting,
     "a connection that played a script did not come to its end",
     [](auto& facts, auto&) { facts.script_finished = false; }},
    {"RemoteScriptUnfinished", Survival::stopped_accepting, "did not come to its end",
     [](auto& facts, auto&) {
       facts.server.reset();
       facts.script_finished = false;
     }},
    {"ScriptFinishedLate", Survival::survived, "a script played afterwards came to its end",
     [](auto& facts, auto&) {
       facts.probe.is_taken = false;
       facts.script_finished = true;
     }},
    {"TakenWhileOthersWait", Survival::survived, "a probe was accepted",
     [](auto&, auto& after) { after.accept_queue->queue = 3; }},

    {"Descriptors", Survival::leaked,
     "leaked 1,204 descriptors: 18 before, 1,222 after 5.0 s of rest; 1,204 sockets in CLOSE_WAIT",
     [](auto&, auto& after) {
       after.totals.fds = 1222;
       after.sockets->close_wait = 1204;
     }},
    {"CloseWaitUnderTheAllowance", Survival::survived, "sockets in CLOSE_WAIT 0 before, 5 after",
     [](auto&, auto& after) { after.sockets->close_wait = 5; }},
    {"CloseWaitOverTheAllowance", Survival::leaked, "leaked 6 sockets in CLOSE_WAIT: 0 before",
     [](auto&, auto& after) { after.sockets->close_wait = 6; }},
    {"CloseWaitOfAShortLoad", Survival::leaked, "leaked 3 sockets in CLOSE_WAIT",
     [](auto& facts, auto& after) {
       facts.connections = 10;
       after.sockets->close_wait = 3;
     }},
    {"CloseWaitOfLongAgo", Survival::survived, "sockets in CLOSE_WAIT 900 before, 900 after",
     [](auto& facts, auto& after) {
       facts.server->before.sockets->close_wait = after.sockets->close_wait = 900;
     }},
    {"HalfClosed", Survival::leaked, "leaked 40 half-closed sockets in FIN_WAIT2",
     [](auto&, auto& after) { after.sockets->fin_wait2 = 40; }},
    {"ResetAndKept", Survival::leaked, "leaked 50 sockets that were reset and never closed",
     [](auto&, auto& after) {
       after.totals.fds = 18 + 50;  // a cache might
       after.reset_sockets = 50;
     }},
    {"OrphansOfTheKernel", Survival::survived, "a probe was accepted",
     [](auto&, auto& after) { after.sockets->fin_wait2_orphans = 5000; }},
    {"ClientsThatVanished", Survival::survived, "a probe was accepted",
     [](auto&, auto& after) { after.sockets->established = 60; }},
    {"CacheOfDescriptors", Survival::survived, "descriptors 18 before, 87 after",
     [](auto&, auto& after) { after.totals.fds = 18 + 64 + 5; }},
    {"MoreThanACache", Survival::leaked, "leaked 70 descriptors",
     [](auto&, auto& after) { after.totals.fds = 18 + 64 + 6; }},
    {"PoolOfThreads", Survival::survived, "threads 4 before, 68 after",
     [](auto&, auto& after) { after.totals.threads = 68; }},
    {"Threads", Survival::leaked, "leaked 5,000 threads: 4 before, 5,004 after",
     [](auto&, auto& after) { after.totals.threads = 5004; }},
    {"PoolOfProcesses", Survival::survived, "processes 1 before, 5 after",
     [](auto&, auto& after) {
       after.totals.processes = 5;
       after.totals.fds = 18 * 5 + 64;
       after.totals.threads = 4 * 5 + 64;
     }},
    {"Processes", Survival::leaked, "leaked 70 processes: 1 before, 71 after",
     [](auto&, auto& after) {
       after.totals.processes = 71;
       after.totals.fds = 18 * 71;
       after.totals.threads = 4 * 71;
     }},
    {"Memory", Survival::survived, "a probe was accepted",
     [](auto&, auto& after) { after.totals.rss_bytes = 1024 * kMiB; }},
    {"DescriptorsUnknown", Survival::survived, "threads 4 before",
     [](auto& facts, auto& after) {
       facts.server->before.totals.fds.reset();
       after.totals.fds = 9999;
     }},

    {"RemoteAnswers", Survival::survived,
     "a probe connected; whether it was accepted cannot be seen",
     [](auto& facts, auto&) {
       facts.server.reset();
       facts.probe.is_taken.reset();
     }},
    {"RemoteDoesNotAnswer", Survival::stopped_accepting, "a probe got no answer within 1.0 s",
     [](auto& facts, auto&) {
       facts.server.reset();
       facts.probe = {.error = ETIMEDOUT, .is_taken = std::nullopt, .elapsed_s = 1};
     }},
    {"NoPortForTheProbe", Survival::unknown, "a probe failed with EADDRNOTAVAIL",
     [](auto& facts, auto&) {
       facts.server.reset();
       facts.probe = {.error = EADDRNOTAVAIL};
     }},
    {"NoPortForTheProbeOfALocalServer", Survival::survived, "a probe failed with EADDRNOTAVAIL",
     [](auto& facts, auto&) { facts.probe = {.error = EADDRNOTAVAIL}; }},
};

INSTANTIATE_TEST_SUITE_P(Survival, Judgement, testing::ValuesIn(kCases), name_of);

std::vector<std::string> remarks(const SurvivalFacts& facts) {
  return judge_survival(facts).remarks;
}

TEST(SurvivalRemarks, AreNoneWhereNothingHappened) {
  EXPECT_THAT(remarks(healthy()), testing::IsEmpty());
}

TEST(SurvivalRemarks, TellWhatIsNotJudged) {
  SurvivalFacts facts = healthy();
  ServerSample& after = facts.server->after.sample;
  ServerSample stopped = after;
  stopped.totals.stopped = 1;
  stopped.accept_queue->queue = 129;
  facts.server->add(stopped);
  facts.longest_silence_s = 3;
  after.accept_queue->drops = 1007;
  after.totals.ended = 2;
  after.totals.rss_bytes += 5 * kMiB;
  after.totals.threads += 60;
  after.sockets->fin_wait2_orphans = 12;
  after.sockets->established = 1;
  EXPECT_THAT(
      remarks(facts),
      testing::ElementsAre(
          "no connection ended for 3.0 s", "it was stopped (state T) in 1 of 2 samples",
          "2 processes of it ended meanwhile",
          "its accept queue was full (129 waiting, limit 128); its listener dropped 1,007 packets",
          "its memory (RSS) grew by 5.0 MiB, from 10.0 MiB; allocators keep memory, so this is not "
          "judged",
          "its threads grew by 60, from 4: no more than a cache or a pool keeps",
          "12 sockets that it closed in FIN_WAIT2, which the kernel drops after "
          "net.ipv4.tcp_fin_timeout",
          "1 socket more in ESTABLISHED: the client vanished without FIN or RST, or is not this "
          "program"));
}

TEST(SurvivalRemarks, DoNotBlameAQueueThatWasNotSeenFull) {
  SurvivalFacts facts = healthy();
  facts.server->after.sample.accept_queue->drops = 1;
  EXPECT_THAT(remarks(facts),
              testing::ElementsAre("its listener dropped 1 packet: the accept queue "
                                   "was full between two samples, or accepting is "
                                   "deferred"));
}

TEST(SurvivalRemarks, TellWhatCannotBeSeen) {
  SurvivalFacts facts = healthy();
  facts.server->after.sample.reset_sockets.reset();
  EXPECT_THAT(remarks(facts), Contains(HasSubstr("not looked at")));
  facts.server->after.sample.totals.fds.reset();
  EXPECT_THAT(remarks(facts), Contains(HasSubstr("descriptors may not be counted")));
  facts.server->after.sample.sockets.reset();
  facts.server->after.sample.accept_queue.reset();
  EXPECT_THAT(remarks(facts), Contains(HasSubstr("another network namespace")));
  facts.server.reset();
  EXPECT_THAT(remarks(facts), Contains(HasSubstr("leaks are not judged")));
}

TEST(SurvivalRemarks, TellALeakBesideAWorseVerdict) {
  SurvivalFacts facts = healthy();
  facts.probe.is_taken = false;
  facts.server->after.sample.sockets->close_wait = 900;
  const SurvivalVerdict verdict = judge_survival(facts);
  EXPECT_EQ(verdict.survival, Survival::stopped_accepting);
  EXPECT_THAT(verdict.remarks, Contains(HasSubstr("it also leaked 900 sockets in CLOSE_WAIT")));
}

TEST(SurvivalRemarks, OfADeadServerSayNothingOfWhatItHad) {
  SurvivalFacts facts = healthy();
  die(facts, facts.server->after.sample);
  facts.server->after.sample.totals.ended = 1;
  EXPECT_THAT(remarks(facts), testing::IsEmpty());
}

TEST(WatchedServer, KeepsTheMaximumOfEachField) {
  WatchedServer server;
  ServerSample one, other;
  one.totals = {.processes = 3, .threads = 1};
  one.sockets = ServerSockets{.established = 5, .close_wait = 1};
  other.totals = {.processes = 1, .threads = 9, .fds = 7};
  other.sockets = ServerSockets{.established = 2, .close_wait = 4};
  other.accept_queue = AcceptQueue{.listeners = 1, .queue = 2, .limit = 3};
  server.add(one);
  server.add(other);
  EXPECT_EQ(server.samples, 2U);
  EXPECT_EQ(server.worst.totals.processes, 3U);
  EXPECT_EQ(server.worst.totals.threads, 9U);
  EXPECT_EQ(server.worst.totals.fds, 7U) << "unknown is not more than known";
  EXPECT_EQ(server.worst.sockets->established, 5U);
  EXPECT_EQ(server.worst.sockets->close_wait, 4U);
  EXPECT_EQ(server.worst.accept_queue->queue, 2U);
  EXPECT_EQ(server.worst.accept_queue->drops, std::nullopt);
}

TEST(SurvivalText, FitsTheWidthAndHasTheVerdictFirst) {
  SurvivalFacts facts = healthy();
  facts.server->after.sample.sockets->close_wait = 900;
  facts.longest_silence_s = 3;
  const std::string text = survival_text(judge_survival(facts), {.color = false, .width = 60});
  EXPECT_EQ(text,
            "Server: leaked\n"
            "  leaked 900 sockets in CLOSE_WAIT: 0 before, 900 after 5.0\n"
            "  s of rest\n"
            "  no connection ended for 3.0 s\n");
  EXPECT_THAT(survival_text(judge_survival(facts), {.color = true, .width = 60}),
              HasSubstr("\x1b[31mleaked\x1b[0m"));
}

TEST(SurvivalJson, HasNullForWhatIsNotKnown) {
  SurvivalFacts facts = healthy();
  facts.server->after.sample.totals.fds.reset();
  facts.server->after.sample.sockets.reset();
  auto json = survival_json(facts, judge_survival(facts));
  EXPECT_EQ(json["survival"], "survived");
  EXPECT_EQ(json["probe"]["error"], nullptr);
  EXPECT_EQ(json["probe"]["is_taken"], true);
  EXPECT_EQ(json["script_finished"], nullptr);
  EXPECT_EQ(json["server"]["before"]["fds"], 18);
  EXPECT_EQ(json["server"]["before"]["sockets"]["reset"], 0);
  EXPECT_EQ(json["server"]["after"]["fds"], nullptr);
  EXPECT_EQ(json["server"]["after"]["sockets"], nullptr);
  EXPECT_EQ(json["server"]["worst"]["accept_queue"]["limit"], 128);
  facts.server.reset();
  facts.probe = {.error = ECONNREFUSED};
  json = survival_json(facts, judge_survival(facts));
  EXPECT_EQ(json["survival"], "died");
  EXPECT_EQ(json["probe"]["error"], "ECONNREFUSED");
  EXPECT_EQ(json["server"], nullptr);
}

}  // namespace
}  // namespace ringchurn
