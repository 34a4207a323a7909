// Claims: how they are read, that the built-in ones and the scenarios know each other, and that a
// verdict follows from the evidence that was seen and from nothing else.
#include "bench/claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/catalogue.h"
#include "tests/sample_atlas.h"

namespace ringchurn {
namespace {

using enum ClaimResult::Verdict;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Claims, AreReadByIdWithWhatIsKnownOfThem) {
  const std::vector<Claim> claims = read_claims(
      "[S2]\nclaim = \"b\"\nnot_behaviour = \"why\"\n[S1]\nclaim = \"a\"\nnote = \"n\"\n");
  ASSERT_EQ(claims.size(), 2u);
  EXPECT_EQ(claims[0].id, "S1");
  EXPECT_EQ(claims[0].claim, "a");
  EXPECT_EQ(claims[0].note, "n");
  EXPECT_EQ(claims[0].not_behaviour, "");
  EXPECT_EQ(claims[1].id, "S2");
  EXPECT_EQ(claims[1].not_behaviour, "why");
}

TEST(Claims, AMistakeNamesItsLine) {
  const std::pair<const char*, const char*> bad[] = {
      {"[S1]\n\nclaim = 5\n", "line 3: claim must be a text"},
      {"[S1]\nclaim = \"\"\n", "line 2: claim must be a text"},
      {"[S1]\nclaim = \"a\"\nverdict = \"holds\"\n", "line 3: unknown key 'verdict'"},
      {"\n[S1]\nnote = \"a\"\n", "line 2: 'S1' needs claim"},
      {"S1 = 5\n", "line 1: 'S1' must be a table"},
      {"[S1\n", "line 1: "}};
  for (const auto& [text, message] : bad) {
    try {
      read_claims(text);
      ADD_FAILURE() << text;
    } catch (const std::runtime_error& error) {
      EXPECT_THAT(error.what(), HasSubstr(message));
    }
  }
}

TEST(Claims, EveryBuiltInClaimIsShownByAScenarioOrSaysWhyNoneCan) {
  EvidenceMap evidence = built_in_evidence();
  const std::vector<Claim> claims = known_claims();
  ASSERT_FALSE(claims.empty());
  for (const Claim& claim : claims) {
    EXPECT_EQ(evidence[claim.id].empty(), !claim.not_behaviour.empty()) << claim.id;
    evidence.erase(claim.id);
  }
  for (const auto& [id, scenarios] : evidence) {
    ADD_FAILURE() << *scenarios.begin() << " speaks of " << id << ", which nobody claims";
  }
}

AtlasEntry says(const char* name, const char* claim, Evidence evidence) {
  AtlasEntry entry = sample_entry("reset", name, sample_performance({}));
  entry.claims = {{claim, evidence}};
  return entry;
}

AtlasEntry surprised(AtlasEntry entry) {
  entry.ring->expected = false;
  return entry;
}

AtlasEntry skipped(AtlasEntry entry) {
  entry.ring.reset();
  entry.skipped = "why";
  return entry;
}

ClaimResult judged(const std::vector<AtlasEntry>& entries, const EvidenceMap& needed = {}) {
  const auto results = judge_claims(entries, {{"S1", "a", "n", ""}}, needed, false);
  EXPECT_EQ(results.size(), 1u);
  return results.at(0);
}

TEST(JudgeClaims, EvidenceThatAgreesDecidesAndMixedEvidenceIsPartly) {
  const AtlasEntry holding = says("a", "S1", Evidence::holds);
  const AtlasEntry against = says("b", "S1", Evidence::wrong);
  const AtlasEntry halfway = says("c", "S1", Evidence::partly);
  EXPECT_EQ(judged({holding, holding}).verdict, holds);
  EXPECT_EQ(judged({against}).verdict, wrong);
  EXPECT_EQ(judged({holding, against}).verdict, partly);
  EXPECT_EQ(judged({halfway}).verdict, partly);
  EXPECT_EQ(judged({holding, halfway}).verdict, partly);
  EXPECT_THAT(judged({holding, against}).shown_by, ElementsAre("a", "b"));
  EXPECT_EQ(judged({holding}).claim, "a");
  EXPECT_EQ(judged({holding}).note, "n");
}

TEST(JudgeClaims, WhatCameOutOtherwiseOrWasSkippedShowsNothing) {
  const AtlasEntry holding = says("a", "S1", Evidence::holds);
  const AtlasEntry against = says("b", "S1", Evidence::wrong);
  EXPECT_EQ(judged({surprised(holding)}).verdict, not_shown);
  EXPECT_EQ(judged({skipped(holding)}).verdict, not_shown);
  EXPECT_THAT(judged({surprised(holding)}).shown_by, IsEmpty());
  EXPECT_EQ(judged({holding, skipped(against)}).verdict, holds);
  EXPECT_EQ(judged({holding, surprised(against)}).verdict, not_shown);
  EXPECT_THAT(judged({holding, surprised(against)}).shown_by, ElementsAre("a"));
}

TEST(JudgeClaims, AUsersOwnFileDecidesNothing) {
  AtlasEntry own = says("mine", "S1", Evidence::wrong);
  own.folder.clear();
  EXPECT_EQ(judged({says("a", "S1", Evidence::holds), own}).verdict, holds);
}

TEST(JudgeClaims, BothEnginesMustShowWhatTheyPlayed) {
  AtlasEntry both = says("a", "S1", Evidence::holds);
  both.syscall = both.ring;
  EXPECT_EQ(judged({both}).verdict, holds);
  both.syscall->expected = false;
  EXPECT_EQ(judged({both}).verdict, not_shown);
}

TEST(JudgeClaims, WithoutAllThatBearsOnItThereIsNoVerdict) {
  const AtlasEntry holding = says("a", "S1", Evidence::holds);
  EXPECT_EQ(judged({holding}, {{"S1", {"a"}}}).verdict, holds);
  EXPECT_EQ(judged({holding}, {{"S1", {"a", "b"}}}).verdict, not_shown);
  EXPECT_THAT(judged({holding}, {{"S1", {"a", "b"}}}).shown_by, ElementsAre("a"));
  EXPECT_EQ(judged({holding}, {{"S2", {"b"}}}).verdict, holds);
}

TEST(JudgeClaims, AllMeansThatClaimsNobodyBearsOnAreToldToo) {
  const std::vector<Claim> known = {{"S1", "a", "", ""}, {"S3", "c", "", "beyond"}};
  const std::vector<AtlasEntry> entries = {says("x", "S2", Evidence::holds)};
  const auto few = judge_claims(entries, known, {}, false);
  ASSERT_EQ(few.size(), 1u);
  EXPECT_EQ(few[0].id, "S2");
  const auto all = judge_claims(entries, known, {}, true);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].verdict, not_shown);
  EXPECT_EQ(all[1].verdict, holds);
  EXPECT_EQ(all[2].verdict, not_applicable);
  EXPECT_EQ(all[2].note, "beyond");
}

}  // namespace
}  // namespace ringchurn
