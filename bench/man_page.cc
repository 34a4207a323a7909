// See man_page.h. Each option stands here once, with the commands that have it; the help of a
// command lists its own.
#include "bench/man_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "bench/option_table.h"

namespace ringchurn {
namespace {

/// Without the newline at its end: an empty line would be a paragraph.
std::string_view trimmed(std::string_view text) {
  return text.substr(0, text.find_last_not_of('\n') + 1);
}

std::string commands_text() {
  std::string text;
  for (const CommandSpec& command : command_specs()) {
    text += fmt::format(".SS {}\n.B ringchurn {}\n{}\n.PP\n{}\n.PP\n.EX\n{}.EE\n",
                        roff(command.name), roff(command.name), roff(command.usage),
                        roff(trimmed(command.about)), roff(command.examples));
  }
  return text;
}

/// Flag and placeholder, of which there may be one alone.
std::string tag(const OptionSpec& spec) {
  std::string text = spec.positional ? "" : fmt::format("\\fB{}\\fR", roff(spec.flag()));
  if (*spec.value != '\0') {
    text += fmt::format("{}\\fI{}\\fR", text.empty() ? "" : " ", roff(spec.value));
  }
  return text;
}

std::string option_text(const OptionSpec& spec) {
  std::string commands;
  for (const CommandSpec& command : command_specs()) {
    if (!spec.belongs_to(command.bit)) continue;
    commands += fmt::format("{}{}", commands.empty() ? "" : ", ", command.name);
  }
  return fmt::format(".TP\n{}\n{}\n.br\nOf {}.\n", tag(spec), roff(trimmed(spec.help)),
                     roff(commands));
}

std::string options_text() {
  std::vector<std::string_view> groups;
  for (const OptionSpec& spec : option_specs()) {
    if (std::find(groups.begin(), groups.end(), spec.group) == groups.end()) {
      groups.emplace_back(spec.group);
    }
  }
  std::string text;
  for (const std::string_view group : groups) {
    text += fmt::format(".SS {}\n", roff(group));
    for (const OptionSpec& spec : option_specs()) {
      if (spec.group == group) text += option_text(spec);
    }
  }
  return text;
}

std::string exit_text() {
  std::string text;
  for (const ExitCodeSpec& spec : exit_code_specs()) {
    text += fmt::format(".TP\n.B {}\n{}\n", spec.code, roff(spec.meaning));
  }
  return text;
}

}  // namespace

std::string roff(std::string_view text) {
  std::string result;
  bool begins = true;
  for (const char c : text) {
    if (begins && (c == '.' || c == '\'')) result += "\\&";
    if (c == '\\') {
      result += "\\e";
    } else if (c == '\'') {
      result += "\\(aq";
    } else if (c == '^') {
      result += "\\(ha";
    } else if (c == '~') {
      result += "\\(ti";
    } else if (c == '-') {
      result += "\\-";
    } else {
      result += c;
    }
    begins = c == '\n';
  }
  return result;
}

std::string man_page() {
  using fmt::arg;
  return fmt::format(
      ".TH RINGCHURN 1 {date} \"ringchurn {version}\" \"User Commands\"\n"
      ".SH NAME\n"
      "ringchurn \\- benchmark of TCP connection teardown through io_uring\n"
      ".SH SYNOPSIS\n"
      ".B ringchurn\n"
      ".I COMMAND\n"
      "[options]\n"
      ".SH DESCRIPTION\n"
      "{about}\n"
      ".SH COMMANDS\n"
      "{commands}"
      ".SH OPTIONS\n"
      "{options}"
      ".SH ENVIRONMENT\n"
      "{sources}\n"
      ".TP\n"
      ".B NO_COLOR\n"
      "If it is set and not empty, there is no colour.\n"
      ".SH EXIT STATUS\n"
      "{exits}"
      ".SH SEE ALSO\n"
      ".BR io_uring (7),\n"
      ".BR tcp (7),\n"
      ".BR ss (8),\n"
      ".BR nstat (8)\n",
      arg("date", RINGCHURN_DATE), arg("version", RINGCHURN_VERSION),
      arg("about", roff(trimmed(about_program()))), arg("commands", commands_text()),
      arg("options", options_text()), arg("sources", roff(trimmed(about_sources()))),
      arg("exits", exit_text()));
}

}  // namespace ringchurn
