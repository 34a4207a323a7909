// The terminal report: everything is in it, it fits, and nothing is said by colour alone.
#include "bench/report_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/report_arms.h"
#include "tests/report_testing.h"
#include "tests/sample_results.h"

namespace ringchurn {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

TEST(ReportText, RunTellsTheWholeAccount) {
  const std::string report = run_report(sample_run(), {});
  expect_fits(report, 80);
  EXPECT_EQ(lines_of(report)[0], "1,000,000 connections in 31.20 s: 32,047 a second");
  EXPECT_EQ(line_with(report, "20.0%"), " rst-client 20.0% client 200,000 199,990 3 7");
  EXPECT_EQ(line_with(report, "92,160,000"),
            " unread-data client to server 92,160,000 0 92,160,000");
  EXPECT_EQ(line_with(report, "EPIPE"), " rst-client client 3 send {request} EPIPE broken_pipe 3");
  EXPECT_EQ(line_with(report, "recv-eof"),
            " rst-client server 4 recv-eof ECONNRESET reset 200,000");
  EXPECT_EQ(line_with(report, "TCPAbortOnData "), " TCPAbortOnData 199,997 200,000 NO");
  EXPECT_EQ(line_with(report, "TW "), " TW 700,003 700,000 to 700,010 yes");
  EXPECT_EQ(line_with(report, "TCPAbortOnClose"),
            " TCPAbortOnClose - 90,000 unknown: this kernel has none");
  EXPECT_EQ(line_with(report, "CPU  "), " CPU 52.31 us both ends");
  EXPECT_EQ(line_with(report, "the clients'"), " client 24.10 us the clients' threads");
  EXPECT_EQ(line_with(report, "the servers'"), " server 27.02 us the servers' threads");
  EXPECT_EQ(line_with(report, "other "), " other 1.19 us io-wq workers, the main thread");
}

TEST(ReportText, UnexpectedErrorsStandApartFromExpectedOnes) {
  RunResult run = sample_run();
  const std::string report = run_report(run, {});
  const auto unexpected = report.find("\nUNEXPECTED ERRORS\n");
  const auto expected = report.find("\nEXPECTED ERRORS");
  ASSERT_NE(unexpected, report.npos);
  EXPECT_LT(unexpected, report.find("EPIPE"));
  EXPECT_LT(report.find("EPIPE"), expected);
  EXPECT_LT(expected, report.find("ECONNRESET"));
  run.errors.pop_back();
  EXPECT_THAT(run_report(run, {}), HasSubstr("\nUNEXPECTED ERRORS\n  none\n"));
}

TEST(ReportText, LatencyIsInMicrosecondsAndAnEmptyPhaseIsADash) {
  RunResult run = sample_run();
  run.scenarios.resize(1);
  run.scenarios[0].latency = {};
  Histogram times;
  for (int i = 0; i < 10; ++i) times.record(128'000);  // its bucket reads 128,256
  times.record(5'000'000);
  run.scenarios[0].latency.connect = times;
  const std::string report = run_report(run, {});
  EXPECT_EQ(line_with(report, "graceful  connect "),
            " graceful connect 128.3 128.3 5,000 5,000 5,000 11");
  EXPECT_EQ(line_with(report, "teardown"), " teardown - - - - - 0");
}

TEST(ReportText, SaysWhyTheTwoEndsOfAScenarioAreNotKnown) {
  RunResult run = sample_run();
  EXPECT_THAT(run_report(run, {}), Not(HasSubstr("is not known of")));
  run.scenarios[0].matched.why_not = run.scenarios[2].matched.why_not = "the connect may fail";
  run.scenarios[0].latency.peer_heard = {};
  std::string report = run_report(run, {});
  std::replace(report.begin(), report.end(), '\n', ' ');
  EXPECT_THAT(squeezed(report),
              HasSubstr("is not known of " + run.scenarios[0].name + ", " + run.scenarios[2].name +
                        ", because the connect may fail."));
}

TEST(ReportText, AServerThatNobodyRunsHasNoLedger) {
  const auto lines = lines_of(run_report(sample_run(), {}));
  const auto refused = std::find_if(lines.begin(), lines.end(), [](const std::string& line) {
    return line.starts_with("  refused ");
  });
  ASSERT_NE(refused, lines.end());
  EXPECT_EQ(squeezed(*std::next(refused)), " server - - - -");
}

TEST(ReportText, TheLastLineSaysWhetherToTrustIt) {
  RunResult run = sample_run();
  EXPECT_THAT(run_report(run, {}),
              EndsWith("\n\nDo not trust these numbers. Failed: no unexpected errors.\n"));
  run.verdicts[1].ok = true;
  EXPECT_THAT(run_report(run, {}), EndsWith("\n\nNo verdict failed. Warnings: kernel agrees.\n"));
  run.verdicts[2].ok = true;
  EXPECT_THAT(run_report(run, {}), EndsWith("\n\nEvery verdict holds.\n"));
  run.interrupted = true;
  EXPECT_THAT(run_report(run, {}),
              EndsWith("\n\nInterrupted: this is the part that was done. Every verdict holds.\n"));
  run.verdicts.clear();
  EXPECT_THAT(run_report(run, {}), EndsWith("Nothing was judged.\n"));
}

TEST(ReportText, AVerdictShowsItsEvidenceAndRemedy) {
  const std::string report = run_report(sample_run(), {});
  EXPECT_THAT(report, HasSubstr("\n  ok    ledger: 1,000,000 opened ="));
  EXPECT_THAT(report,
              HasSubstr("\n  FAIL  no unexpected errors: 3 of 1,000,000 connections; see the"));
  EXPECT_THAT(report, HasSubstr("\n  WARN  kernel agrees: "));
}

TEST(ReportText, LongAndStrangeNamesFit) {
  CompareResult comparison = sample_comparison();
  const std::string name =
      "/home/somebody/scenarios/a\x1b[31m fermé 閉じる/" + std::string(90, 'x');
  comparison.run.scenarios[0].name = name;
  comparison.run.scenarios[0].client = {1'000'000'000, 1'000'000'000, 0, 0};
  comparison.run.errors[0].scenario = name;
  comparison.run.errors[0].step = "send 1 and a step that goes on and on and on";
  comparison.run.errors[0].count = 1'000'000'000;
  comparison.run.verdicts[0].evidence = name;
  comparison.run.context.command = "ringchurn compare " + name;
  comparison.arms[1].name = name;
  comparison.sentence = comparison_sentence(comparison.arms[1], comparison.arms[0]);
  for (const unsigned width : {80u, 100u}) {
    const std::string report = compare_report(comparison, {false, width});
    expect_fits(report, width);
    EXPECT_THAT(report, HasSubstr("…"));
    EXPECT_THAT(report, Not(HasSubstr("\x1b")));
  }
}

TEST(ReportText, ColourChangesNoWord) {
  for (const bool color : {false, true}) {
    const std::string run = run_report(sample_run(), {color, 80});
    const std::string compare = compare_report(sample_comparison(), {color, 80});
    EXPECT_EQ((run + compare).find('\x1b') != std::string::npos, color);
    EXPECT_EQ(plain(run), run_report(sample_run(), {}));
    EXPECT_EQ(plain(compare), compare_report(sample_comparison(), {}));
  }
}

TEST(ReportText, CompareTellsArmsControlAndSentence) {
  const std::string report = compare_report(sample_comparison(), {});
  expect_fits(report, 80);
  EXPECT_EQ(lines_of(report)[0], "graceful vs rst-client");
  EXPECT_EQ(line_with(report, "baseline"), " graceful 353,211 31.02 baseline");
  EXPECT_EQ(line_with(report, "353,104"),
            " rst-client 353,104 26.11 0.842 [0.836, 0.848] -4.91 [-5.10, -4.72]");
  EXPECT_EQ(line_with(report, "A/A control  "), " A/A control 1.001 [0.997, 1.005]");
  EXPECT_THAT(report, HasSubstr("248 blocks, slices of 20.0 ms, 19.8 s measured;"));
  EXPECT_THAT(report, EndsWith("Every verdict holds.\n"
                               "rst-client costs 15.8% (±0.6) less CPU per connection than "
                               "graceful: 26.1 us\nagainst 31.0 us\n"));
}

TEST(ReportText, CompareTellsWhatItCouldHaveSeen) {
  CompareResult comparison = sample_comparison();
  EXPECT_THAT(compare_report(comparison, {}), Not(HasSubstr("smallest difference")));
  comparison.resolution.minimum_detectable_effect = 0.00852;
  EXPECT_THAT(compare_report(comparison, {false, 200}),
              HasSubstr("such comparisons would have shown: 0.85%."));
  comparison.arms.push_back(comparison.arms[1]);
  EXPECT_THAT(compare_report(comparison, {false, 200}),
              HasSubstr("0.85%, of the arm that varies most."));
}

TEST(ReportText, CompareWithoutAnAnswerGivesNone) {
  CompareResult comparison = sample_comparison();
  comparison.arms[1].ratio = comparison.arms[1].difference_us = comparison.a_a = std::nullopt;
  comparison.sentence.clear();
  comparison.run.verdicts[0].ok = false;
  const std::string report = compare_report(comparison, {});
  EXPECT_EQ(line_with(report, "353,104"), " rst-client 353,104 26.11 - -");
  EXPECT_THAT(report, EndsWith("Do not trust these numbers. Failed: ledger.\n"));
}

TEST(ReportText, CompareHasASentenceForEachArm) {
  CompareResult comparison = sample_comparison();
  comparison.sentence = "One.\nTwo.";
  EXPECT_THAT(compare_report(comparison, {}), EndsWith("\nOne.\nTwo.\n"));
}

ArmResult arm(const char* name, double us, std::optional<Estimate> ratio) {
  return {name, 1000, us, ratio, {}, 31.04};
}

TEST(ComparisonSentence, SaysLessOrMoreWithHalfTheIntervalsWidth) {
  const ArmResult graceful = arm("graceful", 31.04, {});
  EXPECT_EQ(comparison_sentence(arm("rst-client", 26.11, Estimate{0.842, 0.836, 0.848}), graceful),
            "rst-client costs 15.8% (±0.6) less CPU per connection than graceful: 26.1 us against "
            "31.0 us");
  EXPECT_EQ(comparison_sentence(arm("half-close", 62.0, Estimate{2.0, 1.99, 2.01}), graceful),
            "half-close costs 100.0% (±1.0) more CPU per connection than graceful: 62.0 us against "
            "31.0 us");
  EXPECT_EQ(comparison_sentence(arm("b", 30.9, Estimate{0.995, 0.9945, 0.9955}), graceful),
            "b costs 0.50% (±0.05) less CPU per connection than graceful: 30.9 us against 31.0 us");
}

TEST(ComparisonSentence, TellsTheEndsOfASkewedInterval) {
  const ArmResult graceful = arm("graceful", 31.04, {});
  EXPECT_EQ(comparison_sentence(arm("rst-client", 28.4, Estimate{0.914, 0.891, 0.989}), graceful),
            "rst-client costs 8.6% (1.1 to 10.9) less CPU per connection than graceful: 28.4 us "
            "against 31.0 us");
  EXPECT_EQ(comparison_sentence(arm("half-close", 35.0, Estimate{1.128, 1.12, 1.2}), graceful),
            "half-close costs 12.8% (12.0 to 20.0) more CPU per connection than graceful: 35.0 us "
            "against 31.0 us");
}

TEST(ComparisonSentence, FindsNoDifferenceWhereTheIntervalIncludesOne) {
  const ArmResult graceful = arm("graceful", 31.04, {});
  EXPECT_EQ(comparison_sentence(arm("b", 31.1, Estimate{1.001, 0.996, 1.006}), graceful),
            "no difference found between b and graceful: +0.1% (95% interval -0.4% to +0.6%), "
            "31.1 us against 31.0 us");
  EXPECT_EQ(comparison_sentence(arm("b", 31.0, Estimate{0.9999, 0.99, 1.01}), graceful),
            "no difference found between b and graceful: 0.0% (95% interval -1.0% to +1.0%), "
            "31.0 us against 31.0 us");
  EXPECT_THAT(comparison_sentence(arm("b", 31.0, Estimate{1.01, 1.0, 1.02}), graceful),
              HasSubstr("no difference found"));
}

TEST(ComparisonSentence, FindsNoDifferenceThatSoManyArmsShowByChance) {
  ArmResult candidate = arm("b", 30.5, Estimate{0.982, 0.969, 0.995});
  candidate.p_holm = 0.049;
  const ArmResult graceful = arm("graceful", 31.04, {});
  EXPECT_THAT(comparison_sentence(candidate, graceful), HasSubstr("b costs 1.8% (±1.3) less"));
  candidate.p_holm = 0.081;
  EXPECT_EQ(comparison_sentence(candidate, graceful),
            "no difference found between b and graceful: -1.8% (95% interval -3.1% to -0.5%; among "
            "so many arms chance does that, p 0.081 by Holm), 30.5 us against 31.0 us");
}

TEST(ComparisonSentence, GivesNoAnswerWithoutARatio) {
  EXPECT_THAT(comparison_sentence(arm("b", 31.0, {}), arm("a", 31.0, {})),
              HasSubstr("no answer for b against a: too few blocks"));
}

TEST(ReportText, OneSideHasDashesForWhatTheOtherCounted) {
  const std::string client = run_report(sample_side(PlayedSide::client), {});
  expect_fits(client, 80);
  EXPECT_EQ(line_with(client, "20.0%"), " rst-client 20.0% client 200,000 199,990 3 7");
  EXPECT_EQ(line_with(client, "client to server"), " graceful client to server 700,000 - -");
  EXPECT_EQ(line_with(client, "OutRsts"), " OutRsts 300,000 - -");
  EXPECT_EQ(line_with(client, "CPU  "), " CPU 52.31 us the client's end");
  EXPECT_THAT(client, HasSubstr("LATENCY"));
  const std::string server = run_report(sample_side(PlayedSide::server), {});
  expect_fits(server, 80);
  EXPECT_EQ(line_with(server, "20.0%"), " rst-client 20.0% server 200,000 200,000 0 0");
  EXPECT_EQ(line_with(server, "  refused "), " refused server - - - -");
  EXPECT_THAT(server, Not(HasSubstr("LATENCY")));
}

TEST(ReportText, SaysWhatLatenciesCountFrom) {
  RunResult run = sample_run();
  EXPECT_THAT(run_report(run, {}), HasSubstr("Since the first step was issued"));
  run.open_loop.emplace();
  EXPECT_THAT(run_report(run, {}), HasSubstr("Since a connection was meant to begin."));
}

TEST(ReportText, AMergedResultSaysWhereItIsFrom) {
  RunResult merged = sample_run();
  merged.merged = Merged{{"drive.json", sample_side(PlayedSide::client).context},
                         {"serve.json", sample_side(PlayedSide::server).context}};
  const std::string report = run_report(merged, {});
  expect_fits(report, 80);
  EXPECT_THAT(line_with(report, "client: "), HasSubstr("client: drive.json, alpha, private lab"));
  EXPECT_THAT(line_with(report, "server: "), HasSubstr("server: serve.json, beta, private lab"));
  EXPECT_THAT(report, Not(HasSubstr("one network")));
  merged.merged->same_network = true;
  EXPECT_THAT(run_report(merged, {}), HasSubstr("Both sides were in one network namespace"));
}

}  // namespace
}  // namespace ringchurn
