// Completion and manual page: everything that the tables have is in them. What shells and man(1)
// make of it is tests/package.py's.
#include "bench/completion.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "bench/man_page.h"

namespace ringchurn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

OptionSpec with(const char* value, bool names_scenarios = false) {
  return {"x", value, 0, OptionKind::text, "x", nullptr, "", "", false, names_scenarios};
}

TEST(Completion, APlaceholderSaysWhatAValueMayBe) {
  EXPECT_THAT(value_hint(with("pair|single")).choices, ElementsAre("pair", "single"));
  EXPECT_THAT(value_hint(with("ipv4|ipv6")).choices, ElementsAre("ipv4", "ipv6"));
  for (const char* any : {"", "N", "HOST:PORT", "NAME=WEIGHT,...", "NAME|FILE"}) {
    EXPECT_THAT(value_hint(with(any)).choices, IsEmpty()) << any;
  }
  EXPECT_TRUE(value_hint(with("FILE")).is_file);
  EXPECT_TRUE(value_hint(with("RESULT.json")).is_file);
  EXPECT_TRUE(value_hint(with("NAME", true)).is_file);
  EXPECT_FALSE(value_hint(with("NAME")).is_file);
}

TEST(Completion, EveryCommandOptionChoiceAndScenarioIsInEachScript) {
  for (const Shell shell : {Shell::bash, Shell::zsh, Shell::fish}) {
    const std::string script = completion_script(shell, {"a-scenario", "b-scenario"});
    EXPECT_THAT(script, HasSubstr("a-scenario b-scenario"));
    for (const CommandSpec& command : command_specs()) EXPECT_THAT(script, HasSubstr(command.name));
    for (const OptionSpec& spec : option_specs()) {
      const std::string flag =
          shell == Shell::fish ? fmt::format("-l {} ", spec.name) : spec.flag();
      if (!spec.positional) {
        EXPECT_THAT(script, HasSubstr(flag));
      }
      const auto choices = value_hint(spec).choices;
      EXPECT_THAT(script, HasSubstr(fmt::format("{}", fmt::join(choices, " ")))) << spec.name;
    }
  }
}

TEST(CommandTable, EveryCommandHasABitAndANameOfItsOwn) {
  std::set<unsigned> bits;
  std::set<std::string_view> names;
  for (const CommandSpec& command : command_specs()) {
    EXPECT_TRUE(bits.insert(command.bit).second) << command.name;
    EXPECT_TRUE(names.insert(command.name).second) << command.name;
  }
}

TEST(ManPage, RoffPrintsTextAsItIs) {
  EXPECT_EQ(roff("a-b \\c"), "a\\-b \\ec");
  EXPECT_EQ(roff(".x\n'y"), "\\&.x\n\\&\\(aqy");
  EXPECT_EQ(roff("10^12 ~"), "10\\(ha12 \\(ti");
}

TEST(ManPage, EveryCommandOptionAndExitCodeIsOnIt) {
  const std::string page = man_page();
  for (const CommandSpec& command : command_specs()) {
    EXPECT_THAT(page, HasSubstr(fmt::format(".SS {}\n", command.name)));
  }
  for (const OptionSpec& spec : option_specs()) {
    const std::string value = fmt::format("\\fI{}\\fR\n", roff(spec.value));
    const std::string flag = fmt::format("\\fB{}\\fR", roff(spec.flag()));
    const bool is_flag = spec.kind == OptionKind::flag;
    EXPECT_THAT(page, HasSubstr(spec.positional ? value : flag + (is_flag ? "\n" : " " + value)));
  }
  for (const ExitCodeSpec& spec : exit_code_specs()) {
    EXPECT_THAT(page, HasSubstr(fmt::format(".B {}\n{}\n", spec.code, roff(spec.meaning))));
  }
}

}  // namespace
}  // namespace ringchurn
