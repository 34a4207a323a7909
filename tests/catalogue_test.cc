// The built-in scenarios as a collection: what a word stands for, how they are listed, and the page
// that is made from them.
#include "bench/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/errno_pages.h"
#include "bench/plan.h"
#include "ring/error.h"
#include "tests/report_testing.h"

namespace ringchurn {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> names_of(const std::vector<ScenarioFile>& files) {
  std::vector<std::string> names;
  for (const ScenarioFile& file : files) names.push_back(file.name);
  return names;
}

std::vector<std::string> folders_of(const std::vector<ScenarioFile>& files) {
  std::vector<std::string> folders;
  for (const ScenarioFile& file : files) folders.push_back(folder_of(file));
  return folders;
}

std::string refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code, kExitUsage);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(Catalogue, EveryBuiltInScenarioHasAFolderAndAUsersFileHasNone) {
  EXPECT_THAT(folders_of(builtin_scenarios()), Each(Not("")));
  EXPECT_EQ(folder_of({"a", "scenarios/reset/a.toml", ""}), "reset");
  EXPECT_EQ(folder_of({"a", "scenarios/a.toml", ""}), "");
  EXPECT_EQ(folder_of({"a", "my/reset/a.toml", ""}), "");
}

TEST(Catalogue, AWordIsAScenarioAFolderOrAClaim) {
  EXPECT_THAT(names_of(find_scenarios("graceful")), ElementsAre("graceful"));
  EXPECT_THAT(folders_of(find_scenarios("reset")), Each("reset"));
  EXPECT_EQ(names_of(find_scenarios("reset")), names_of(find_scenarios("reset/")));
  for (const ScenarioFile& file : find_scenarios("S001-01")) {
    EXPECT_TRUE(compile(file).claims.contains("S001-01")) << file.name;
  }
}

TEST(Catalogue, AScenariosNameWinsOverItsFolders) {
  EXPECT_THAT(names_of(find_scenarios("half-close")), ElementsAre("half-close"));
  EXPECT_THAT(folders_of(find_scenarios("half-close/")), Each("half-close"));
  EXPECT_GT(find_scenarios("half-close/").size(), 1u);
}

TEST(Catalogue, AWordThatStandsForNothingIsRefusedWithWhatMayHaveBeenMeant) {
  EXPECT_THAT(refusal([] { find_scenarios("gracefull"); }), HasSubstr("did you mean 'graceful'?"));
  EXPECT_THAT(refusal([] { find_scenarios("rest/"); }), HasSubstr("did you mean 'reset/'?"));
  EXPECT_THAT(refusal([] { find_scenarios("s001-01"); }), HasSubstr("did you mean 'S001-01'?"));
  EXPECT_THAT(refusal([] { find_scenarios("/"); }), HasSubstr("unknown scenario"));
  EXPECT_THAT(refusal([] { find_scenarios("reset/graceful"); }), HasSubstr("unknown scenario"));
  EXPECT_THAT(refusal([] { find_scenarios("a\nb"); }), HasSubstr("'a?b'"));
  EXPECT_THAT(refusal([] { find_scenarios("missing.toml"); }), HasSubstr("cannot read"));
}

TEST(Catalogue, AClaimThatNoScenarioCanShowSaysWhy) {
  for (const Claim& claim : known_claims()) {
    if (claim.not_behaviour.empty()) continue;
    EXPECT_THAT(refusal([&] { find_scenarios(claim.id); }),
                HasSubstr(claim.not_behaviour.substr(0, claim.not_behaviour.size() - 1)));
  }
}

TEST(Catalogue, TheFirstSentenceIsOneLine) {
  EXPECT_EQ(first_sentence("\nA peer\nresets. Why: because."), "A peer resets.");
  EXPECT_EQ(first_sentence("TCP_NODELAY at 3.5 s.\n"), "TCP_NODELAY at 3.5 s.");
  EXPECT_EQ(first_sentence("\n"), "");
}

TEST(Catalogue, TheListFitsAndNamesEveryScenarioBelowItsFolder) {
  const std::string list = catalogue_text(builtin_scenarios(), {false, 80});
  expect_fits(list, 80);
  for (const ScenarioFile& file : builtin_scenarios()) {
    EXPECT_THAT(list, HasSubstr("\n  " + file.name + "  ")) << file.name;
    EXPECT_LE(first_sentence(compile(file).about).size(), 58u) << file.name;
  }
  EXPECT_LT(list.find("\nreset/\n"), list.find("\n  rst-client "));
}

// -- plan_atlas() ---------------------------------------------------------------------------------

Options atlas_options(std::vector<std::string> wanted) {
  Options options;
  options.command = Command::atlas;
  options.wanted = std::move(wanted);
  return options;
}

TEST(PlanAtlas, PlaysEverythingUnlessAsked) {
  EXPECT_EQ(plan_atlas(atlas_options({})).size(), builtin_scenarios().size());
}

TEST(PlanAtlas, NamesEachScenarioOnce) {
  const auto planned = plan_atlas(atlas_options({"rst-client", "reset/", "rst-client"}));
  EXPECT_EQ(planned.size(), find_scenarios("reset/").size());
  EXPECT_EQ(planned.front().file.name, "rst-client");
  EXPECT_FALSE(planned.front().syscall.has_value());
}

TEST(PlanAtlas, TheSecondEngineHasExpectationsOfItsOwn) {
  Options options = atlas_options({});
  options.engine = Engine::syscall;
  for (const PlannedScenario& planned : plan_atlas(options)) {
    EXPECT_EQ(planned.syscall.has_value(), !planned.ring.ring_only) << planned.file.name;
  }
}

TEST(PlanAtlas, ExplainsOneScenarioAndNoFolder) {
  Options options = atlas_options({"half-close"});
  options.explain = "half-close";
  EXPECT_EQ(plan_atlas(options).size(), 1u);
  options.wanted = {options.explain = "reset/"};
  EXPECT_THAT(refusal([&] { plan_atlas(options); }), HasSubstr("unknown scenario 'reset/'"));
}

TEST(PlanAtlas, ParametersReachTheScenariosThatHaveThem) {
  Options options = atlas_options({"lingering-close", "graceful"});
  options.settings = {{"", "drain_timeout", "77ms"}};
  const std::vector<PlannedScenario> planned = plan_atlas(options);
  EXPECT_TRUE(std::any_of(planned[0].ring.server.steps.begin(), planned[0].ring.server.steps.end(),
                          [](const Step& step) { return step.time.tv_nsec == 77'000'000; }));
  options.settings = {{"", "nope", "1"}};
  EXPECT_THAT(refusal([&] { plan_atlas(options); }), HasSubstr("no scenario of this run"));
}

// -- the page -------------------------------------------------------------------------------------

const ScenarioFile kReset = {"my-reset", "scenarios/reset/my-reset.toml", R"(
about = "A peer resets. And why."
[client]
steps = ["connect", "wait readable", "recv -> ECONNRESET", "recv -> EOF", "send 1 -> EPIPE",
         "send 1 -> EPIPE", "close"]
[server]
steps = ["accept", "linger 0", "close"]
[delivered]
client_to_server = 0
)"};
const ScenarioFile kEngines = {"my-cancel", "scenarios/other/my-cancel.toml", R"(
about = "What is cancelled."
[client]
steps = ["connect", "start recv -> ECANCELED ; syscall EINTR", "cancel", "await", "close"]
[server]
steps = ["accept", "recv-eof", "close"]
)"};
const ScenarioFile kRace = {"my-race", "scenarios/other/my-race.toml", R"(
about = "One | or the other."
[client]
steps = ["connect", "recv-eof", "send 1 -> ok | EPIPE", "close"]
[server]
steps = ["accept", "close"]
[delivered]
client_to_server = 0
)"};

TEST(ErrnoPages, TellEverySituationOfAnErrnoAndHowToSeeIt) {
  const std::string page = errno_pages({kReset});
  EXPECT_THAT(page, HasSubstr("\n## What does ECONNRESET mean, and when?\n\n\"Connection reset by "
                              "peer\".\n"));
  EXPECT_THAT(page, HasSubstr("| [ECONNRESET](#what-does-econnreset-mean-and-when) | recv | 1 |"));
  EXPECT_THAT(page, HasSubstr("\n| recv | [A peer resets.](reset/my-reset.toml) | client step 3 | "
                              "`ringchurn atlas my-reset` |\n"));
  EXPECT_THAT(page, HasSubstr("\n| send | [A peer resets.](reset/my-reset.toml) | client steps 5, "
                              "6 | `ringchurn atlas my-reset` |\n"));
  EXPECT_THAT(page, HasSubstr("\n### reset\n"));
  EXPECT_THAT(page, HasSubstr("](../README.md)"));
}

TEST(ErrnoPages, EofHasASectionWhereNothingWorseIsTold) {
  EXPECT_THAT(errno_pages({kReset}), Not(HasSubstr("What does EOF mean")));
}

TEST(ErrnoPages, SayWhoseAnswerItIsWhereTheEnginesDiffer) {
  const std::string page = errno_pages({kEngines});
  EXPECT_THAT(page, HasSubstr("client step 2 (io_uring; plain call: EINTR)"));
  EXPECT_THAT(page, HasSubstr("client step 2 (plain call; io_uring: ECANCELED)"));
}

// The page answers each claim as an atlas does in which everything comes out as expected.
TEST(ErrnoPages, GiveEveryClaimAVerdictAndTheScenariosThatShowIt) {
  const std::string page = errno_pages(builtin_scenarios());
  EXPECT_THAT(page, Not(HasSubstr("| not shown |")));
  for (const Claim& claim : known_claims()) {
    const std::size_t at = page.find("\n| " + claim.id + " |");
    ASSERT_NE(at, page.npos) << claim.id;
    const std::string row = page.substr(at + 1, page.find('\n', at + 1) - at - 1);
    EXPECT_EQ(row.find("| n/a |") != row.npos, !claim.not_behaviour.empty()) << row;
    EXPECT_EQ(row.ends_with("|  |"), !claim.not_behaviour.empty()) << row;
  }
}

TEST(ErrnoPages, SayWhatElseARaceMayAnswerAndEscapeWhatIsMarkup) {
  EXPECT_THAT(errno_pages({kRace}),
              HasSubstr("| send | [One \\| or the other.](other/my-race.toml) | client step 3 (or "
                        "ok) |"));
}

}  // namespace
}  // namespace ringchurn
