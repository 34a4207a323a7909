// The atlas for people: the telling step, one line for each scenario, the claims, and the story.
#include "bench/report_atlas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/atlas_words.h"
#include "bench/report_story.h"
#include "tests/report_testing.h"
#include "tests/sample_atlas.h"

namespace ringchurn {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// Played by the ring alone.
AtlasResult ring_only() {
  AtlasResult atlas = sample_atlas();
  for (AtlasEntry& entry : atlas.entries) entry.syscall.reset();
  return atlas;
}

TEST(TellingStep, AnErrnoTellsMoreThanEofAndThatMoreThanAState) {
  EXPECT_EQ(telling_step(sample_reset()).step->number, 2u);
  EXPECT_EQ(telling_step(sample_race()).step->number, 6u);
  AtlasEntry entry = sample_reset();
  entry.ring->steps[2].declared = entry.ring->steps[2].answers[0].outcome = "CLOSE_WAIT";
  EXPECT_EQ(telling_step(entry).step->number, 3u);
  EXPECT_EQ(telling_step(sample_graceful()).step, nullptr);
}

TEST(TellingStep, OfSeveralTheOneWithTheMostAnswersOrTheLast) {
  AtlasEntry entry = sample_race();
  StepAnswers step = entry.ring->steps[0];
  step.number = 8;
  step.answers = {{"ok", 20, true}};
  entry.ring->steps.push_back(step);
  EXPECT_EQ(telling_step(entry).step->number, 6u);
  entry.ring->steps.back().answers = {{"ok", 19, true}, {"EPIPE", 1, true}};
  EXPECT_EQ(telling_step(entry).step->number, 8u);
}

TEST(TellingStep, WhatNothingExpectsComesFirst) {
  AtlasEntry entry = sample_surprise();
  EXPECT_EQ(telling_step(entry).step->number, 3u);
  entry = sample_difference();
  EXPECT_EQ(telling_step(entry).step->number, 2u) << "a difference between the engines";
  EXPECT_EQ(telling_step(entry).other->answers[0].outcome, "EINTR");
  entry.syscall->steps[2].answers[0].expected = false;
  EXPECT_EQ(telling_step(entry).step->number, 4u) << "an unexpected answer of either engine";
}

TEST(TellingStep, TheLuckOfARaceIsNoDifference) {
  AtlasEntry entry = sample_race();
  entry.syscall = entry.ring;
  entry.syscall->steps[0].answers = {{"EPIPE", 20, true}};
  EXPECT_THAT(details(entry), IsEmpty());
}

TEST(AtlasWords, SayWhichStepAndCounterAreNotAsExpected) {
  EXPECT_THAT(complaints(*sample_surprise().ring),
              ElementsAre("client 3 send 1: expected EPIPE, got ENOTCONN in 19 of 20",
                          "client 4 close: expected ok, got ok too early or too late in 20 of 20",
                          "OutRsts: expected 20, measured 19",
                          "Imaginary: expected 0 to 20, measured no such counter here"));
  EXPECT_THAT(complaints(*sample_reset().ring), IsEmpty());
  Performance failed = sample_performance({});
  failed.expected = false;
  failed.finished = 18;
  EXPECT_THAT(complaints(failed), ElementsAre("18 of 20 connections ended as written"));
  failed.failure = "its process was ended by Killed";
  EXPECT_THAT(complaints(failed), ElementsAre("its process was ended by Killed"));
}

TEST(ReportAtlas, EachScenarioHasALineBelowItsFolder) {
  const std::string report = atlas_report(ring_only(), {});
  expect_fits(report, 80);
  EXPECT_EQ(lines_of(report)[0], "What this kernel answers: 6 scenarios, 20 connections each");
  EXPECT_EQ(line_with(report, "recv-after-reset "),
            " ok recv-after-reset ECONNRESET client 2 recv");
  EXPECT_EQ(line_with(report, "race-send-close "),
            " ok race-send-close EPIPE 13, ECONNRESET 7 client 6 send 1");
  EXPECT_EQ(line_with(report, "graceful"), " ok graceful ok");
  EXPECT_EQ(line_with(report, " send-after-shutdown "),
            " UNEXPECTED send-after-shutdown ENOTCONN 19, EPIPE 1 client 3 send 1");
  EXPECT_EQ(line_with(report, "process-killed"), " skipped process-killed-linger-zero -");
  EXPECT_LT(report.find("\nreset/\n"), report.find("  recv-after-reset "));
  EXPECT_LT(report.find("  recv-after-reset "), report.find("\nteardown/\n"));
  EXPECT_THAT(report, Not(HasSubstr("system calls")));
}

TEST(ReportAtlas, BelowItStandsWhatIsNotAsExpected) {
  const std::string report = atlas_report(ring_only(), {});
  EXPECT_THAT(report,
              HasSubstr("\n      client 3 send 1: expected EPIPE, got ENOTCONN in 19 of 20\n"));
  EXPECT_THAT(report, HasSubstr("\n      skipped: no user namespace may be made here: set\n"
                                "      kernel.unprivileged_userns_clone to 1\n"));
  EXPECT_THAT(report, HasSubstr("\nStep by step: ringchurn atlas --explain send-after-shutdown\n"));
}

TEST(ReportAtlas, TheEnginesStandSideBySide) {
  for (const unsigned width : {80u, 100u}) {
    const std::string report = atlas_report(sample_atlas(), {false, width});
    expect_fits(report, width);
    EXPECT_THAT(line_with(report, "options/"), HasSubstr("io_uring system calls"));
    EXPECT_THAT(line_with(report, " cancel "), HasSubstr("ECANCELED EINTR client 2"));
    EXPECT_THAT(report, HasSubstr("\n      client 4 poll IN: IN+RDHUP by io_uring, IN by system "
                                  "calls\n"));
  }
  AtlasResult atlas = sample_atlas();
  atlas.entries[0].syscall = atlas.entries[0].ring;
  EXPECT_THAT(line_with(atlas_report(atlas, {}), " cancel "), HasSubstr("EAGAIN same client 3"));
  atlas.entries[0].syscall->expected = false;
  atlas.entries[0].syscall->failure = "it broke";
  EXPECT_THAT(atlas_report(atlas, {}), HasSubstr("\n      system calls: it broke\n"));
}

TEST(ReportAtlas, AClaimHasItsVerdictInWordsAndWhoShowsIt) {
  const std::string report = atlas_report(ring_only(), {});
  EXPECT_EQ(line_with(report, "S000-02 "),
            " S000-02 does not hold every call on a broken connection says ENOTCONN");
  EXPECT_EQ(line_with(report, "S000-05 "), " S000-05 only if a received RST shows as ECONNRESET");
  EXPECT_THAT(report, HasSubstr("\n           in CLOSE_WAIT it is EPIPE to send\n"
                                "           by recv-after-reset, race-send-close\n"));
  EXPECT_EQ(line_with(report, "S000-10 "), " S000-10 holds close never says ENOTCONN");
  EXPECT_THAT(line_with(report, "S002-04 "), HasSubstr(" n/a "));
  EXPECT_THAT(line_with(report, "S000-08 "), HasSubstr(" not shown "));
  EXPECT_THAT(report, HasSubstr("\n           see above: send-after-shutdown\n"));
}

TEST(ReportAtlas, OfManyClaimsThoseThatHoldAreShort) {
  AtlasResult atlas = ring_only();
  const ClaimResult claim = {
      "S9", "it is so", "but not here", ClaimResult::Verdict::holds, {"a", "b", "c", "d", "e"}};
  atlas.claims = {claim};
  EXPECT_THAT(atlas_report(atlas, {}), HasSubstr("\n           but not here\n           by a, b, "
                                                 "c, d, e\n"));
  atlas.claims.assign(20, claim);
  EXPECT_THAT(atlas_report(atlas, {}), Not(HasSubstr("but not here")));
  EXPECT_THAT(atlas_report(atlas, {}), HasSubstr("\n           by a, b, c and 2 more\n"));
}

TEST(ReportAtlas, AClaimWithPartOfItsEvidenceHasNoVerdict) {
  AtlasResult atlas = ring_only();
  atlas.claims = {
      {"S000-05", "a received RST", "", ClaimResult::Verdict::not_shown, {"recv-after-reset"}}};
  const std::string report = atlas_report(atlas, {});
  EXPECT_THAT(report, HasSubstr("\nPart of the evidence on S000-05: 'ringchurn atlas S000-05' "));
  EXPECT_THAT(report, Not(HasSubstr("CLAIMS")));
}

TEST(ReportAtlas, TheLastLineSumsUp) {
  AtlasResult atlas = ring_only();
  EXPECT_THAT(atlas_report(atlas, {false, 120}),
              EndsWith("\n6 scenarios: 4 as expected, 1 NOT as expected, 1 skipped; claims: 1 "
                       "holds, 1 only if, 1 does not hold, 1 n/a, 1 not\nshown (38.2 s)\n"));
  atlas.claims.clear();
  atlas.entries.resize(4);
  EXPECT_THAT(atlas_report(atlas, {}), EndsWith("\n4 scenarios, all as expected (38.2 s)\n"));
  atlas.entries.resize(1);
  EXPECT_THAT(atlas_report(atlas, {}), EndsWith("\n1 scenario, as expected (38.2 s)\n"));
  EXPECT_THAT(atlas_report(atlas, {}), Not(HasSubstr("--explain")));
  atlas.interrupted = true;
  EXPECT_THAT(atlas_report(atlas, {}), HasSubstr("\nInterrupted: 1 scenario"));
}

TEST(ReportAtlas, AnInterruptedOneTellsWhatWasPlayed) {
  AtlasResult atlas = ring_only();
  atlas.interrupted = true;
  const std::string report = atlas_report(atlas, {});
  EXPECT_THAT(report, Not(HasSubstr("process-killed")));
  EXPECT_THAT(report, Not(HasSubstr("S000-08")));
  EXPECT_THAT(report, HasSubstr("\nInterrupted: 6 scenarios: 4 as expected, 1 NOT as expected, 1 "
                                "not played;\nclaims: 1 holds"));
}

TEST(ReportAtlas, LongAndStrangeNamesFit) {
  AtlasResult atlas = sample_atlas();
  const std::string name = "a\x1b[31m fermé 閉じる" + std::string(90, 'x');
  atlas.context.command = "ringchurn atlas " + name + ".toml";
  atlas.entries[2].name = name;
  atlas.entries[2].folder = "";
  atlas.entries[2].ring->steps[0].text = name;
  atlas.entries[5].ring->failure = name;
  atlas.claims[0].id = atlas.claims[0].claim = name;
  for (const unsigned width : {60u, 80u, 100u}) {
    const std::string report = atlas_report(atlas, {false, width});
    expect_fits(report, width);
    expect_fits(atlas_story(atlas.entries[2], atlas.context, {false, width}), width);
    EXPECT_THAT(report, Not(HasSubstr("\x1b")));
    EXPECT_THAT(report, HasSubstr("\nfiles of your own"));
  }
}

TEST(ReportAtlas, ColourChangesNoWord) {
  const AtlasResult atlas = sample_atlas();
  const std::string report = atlas_report(atlas, {true, 80});
  EXPECT_THAT(report, HasSubstr("\x1b"));
  EXPECT_EQ(plain(report), atlas_report(atlas, {}));
  const std::string story = atlas_story(sample_reset(), atlas.context, {true, 80});
  EXPECT_EQ(plain(story), atlas_story(sample_reset(), atlas.context, {}));
}

// -- the story ------------------------------------------------------------------------------------

TEST(ReportStory, BothEndsStandSideBySideInTimeOrder) {
  const std::string story = atlas_story(sample_reset(), sample_context(), {});
  expect_fits(story, 80);
  EXPECT_EQ(lines_of(story)[0], "reset/recv-after-reset");
  EXPECT_THAT(story,
              HasSubstr("\n  What happens, in a sentence. And why, in another one that is "));
  EXPECT_THAT(story, HasSubstr("Linux 6.18.0 x86_64"));
  EXPECT_EQ(line_with(story, "at, ms"), " at, ms client server");
  EXPECT_THAT(story, HasSubstr("\n      0.104  1 connect -> ok, 92us\n"
                               "      0.131                                    1 accept -> ok\n"));
  EXPECT_EQ(line_with(story, "(104)"), " 1.240 2 recv -> ECONNRESET (104),");
  EXPECT_EQ(line_with(story, "3 recv"), " 1.250 3 recv -> EOF, 10us");
  EXPECT_EQ(line_with(story, "OutRsts"), " OutRsts 20 20 yes");
  EXPECT_EQ(line_with(story, "TCPAbortOnClose"), " TCPAbortOnClose 1 -");
  EXPECT_THAT(story, HasSubstr("evidence on claims: S000-02 does not hold, S000-05 holds"));
}

TEST(ReportStory, OneEndAloneHasTheWholeWidth) {
  AtlasEntry entry = sample_reset();
  std::erase_if(entry.ring->story,
                [](const Moment& moment) { return moment.side == Side::server; });
  entry.ring->story[1].text = "t: start recv 4096 peek";
  entry.ring->story[1].result = 17;
  entry.ring->story[1].took_us = 2'345'678;
  const std::string story = atlas_story(entry, sample_context(), {});
  EXPECT_EQ(line_with(story, "at, ms"), " at, ms client");
  EXPECT_EQ(line_with(story, "t: start"),
            " 0.104 1 t: start recv 4096 peek -> ok, 17 bytes, 2.35s");
}

TEST(ReportStory, WhatNothingExpectedIsSaidWhereItHappened) {
  AtlasEntry entry = sample_surprise();
  entry.ring->story = {{Side::client, 3, "send 1", "EPIPE", "ENOTCONN", -107, false, 5, 3},
                       {Side::client, 4, "close", "ok", "ok", 0, false, 9, 2}};
  entry.ring->steps.push_back(sample_step(Side::server, 2, "recv", "ok", {}));
  const std::string story = atlas_story(entry, sample_context(), {});
  EXPECT_THAT(story, HasSubstr("3 send 1 -> ENOTCONN (107), 3us; expected EPIPE\n"));
  EXPECT_THAT(story, HasSubstr("4 close -> ok, 2us; too early or too late\n"));
  EXPECT_THAT(story, HasSubstr("\n  never reached: server 2 recv\n"));
  EXPECT_THAT(story, HasSubstr("\n  ! OutRsts: expected 20, measured 19\n"));
  EXPECT_THAT(story, HasSubstr("by io_uring, NOT as expected"));
}

TEST(ReportStory, EachEngineTellsItsOwn) {
  const std::string story = atlas_story(sample_difference(), sample_context(), {});
  EXPECT_LT(story.find("\nby io_uring, as expected\n"),
            story.find("\nby plain system calls, as expected\n"));
  EXPECT_THAT(atlas_story(sample_skipped(), sample_context(), {}),
              HasSubstr("\n  skipped: no user namespace"));
}

}  // namespace
}  // namespace ringchurn
