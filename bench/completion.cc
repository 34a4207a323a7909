// One generator for each shell: see completion.h. The frames are constant; what depends on the
// tables is put into them.
#include "bench/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace ringchurn {
namespace {

template <typename Words>
std::string joined(const Words& words, std::string_view separator) {
  return fmt::format("{}", fmt::join(words, separator));
}

/// The names of the commands that have an option.
std::vector<std::string_view> commands_with(const OptionSpec& spec) {
  std::vector<std::string_view> names;
  for (const CommandSpec& command : command_specs()) {
    if (spec.belongs_to(command.bit)) names.emplace_back(command.name);
  }
  return names;
}

/// The help in one line, without the defaults that end it.
std::string brief(const OptionSpec& spec) {
  std::string text = spec.help;
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text.substr(0, text.find(" (default"));
}

/// `text` with a backslash in front of each character that is in `special`.
std::string escaped(std::string_view text, std::string_view special) {
  std::string result;
  for (const char c : text) {
    if (special.find(c) != special.npos) result += '\\';
    result += c;
  }
  return result;
}

/// In single quotes, as sh and zsh understand it.
std::string shell_quoted(std::string_view text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + '\'';
}

// -- bash -----------------------------------------------------------------------------------------

constexpr const char* kBash = R"(# Completion for bash, printed by: ringchurn completion bash
_ringchurn() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
  local words='' files='' first=''
  local scenarios={scenarios}
  # Words end at '=', too (COMP_WORDBREAKS).
  [[ $current == '=' ]] && current=''
  [[ $before == '=' ]] && before=${{COMP_WORDS[COMP_CWORD - 2]}}
  if ((COMP_CWORD == 1)); then
    before=''
    words={commands}
  fi
  case ${{COMP_WORDS[1]}}:$before in
    *:) ;;
{values}    *)
      case ${{COMP_WORDS[1]}} in
{options}      esac
      ;;
  esac
  # A mix: NAME=WEIGHT,NAME...
  if [[ $current == *,* ]]; then
    first=${{current%,*}},
    current=${{current##*,}}
    words=$scenarios
    files=''
  fi
  COMPREPLY=($(compgen -P "$first" -W "$words" -- "$current"))
  if [[ $files ]]; then
    mapfile -t -O "${{#COMPREPLY[@]}}" COMPREPLY < <(compgen -f -- "$current")
    compopt -o filenames 2>/dev/null
  fi
}}
complete -F _ringchurn ringchurn
)";

/// What is offered for a value: assignments.
std::string bash_offer(const OptionSpec& spec) {
  const ValueHint hint = value_hint(spec);
  std::string text;
  if (!hint.choices.empty())
    text = fmt::format("words={}", shell_quoted(joined(hint.choices, " ")));
  if (spec.names_scenarios) text = "words=$scenarios";
  if (hint.is_file) text += fmt::format("{}files=1", text.empty() ? "" : " ");
  return text;
}

/// COMMAND:--OPTION, as bash's case has it. Commands may have options of one name that differ.
std::string bash_pattern(const OptionSpec& spec) {
  const auto specs = option_specs();
  const bool is_only = std::count_if(specs.begin(), specs.end(), [&](const OptionSpec& other) {
                         return other.flag() == spec.flag();
                       }) == 1;
  if (is_only) return "*:" + spec.flag();
  std::vector<std::string> patterns;
  for (const std::string_view command : commands_with(spec)) {
    patterns.push_back(fmt::format("{}:{}", command, spec.flag()));
  }
  return joined(patterns, " | ");
}

std::string bash_values() {
  std::string text, without_offer;
  for (const OptionSpec& spec : option_specs()) {
    if (spec.positional || spec.kind == OptionKind::flag) continue;
    const std::string offer = bash_offer(spec);
    if (!offer.empty()) text += fmt::format("    {}) {} ;;\n", bash_pattern(spec), offer);
    if (offer.empty()) without_offer += (without_offer.empty() ? "" : " | ") + bash_pattern(spec);
  }
  return text + fmt::format("    {}) ;;\n", without_offer);
}

std::string bash_options(const CommandSpec& command) {
  std::string flags, words;
  for (const OptionSpec& spec : option_specs()) {
    if (!spec.belongs_to(command.bit)) continue;
    if (spec.positional) words = bash_offer(spec);
    if (!spec.positional) flags += spec.flag() + ' ';
  }
  std::string text = fmt::format("        {})\n", command.name);
  if (!words.empty()) text += fmt::format("          {}\n", words);
  return text + fmt::format(
                    "          [[ $current == -* ]] && files='' words='{}--help'\n"
                    "          ;;\n",
                    flags);
}

std::string bash(const std::vector<std::string>& scenarios) {
  std::string commands, options;
  for (const CommandSpec& command : command_specs()) {
    commands += fmt::format("{} ", command.name);
    options += bash_options(command);
  }
  using fmt::arg;
  return fmt::format(kBash, arg("scenarios", shell_quoted(joined(scenarios, " "))),
                     arg("commands", shell_quoted(commands + "--help --version")),
                     arg("values", bash_values()), arg("options", options));
}

// -- zsh ------------------------------------------------------------------------------------------

constexpr const char* kZsh = R"(#compdef ringchurn
# Completion for zsh, printed by: ringchurn completion zsh
_ringchurn_scenarios() {{
  local -a scenarios=({scenarios})
  compset -P '*,' # a mix: NAME=WEIGHT,NAME...
  _alternative 'scenarios:scenario:compadd -a scenarios' 'files:file:_files'
}}
_ringchurn() {{
  local curcontext=$curcontext state line
  local -a commands=(
{commands}  )
  _arguments -C '(- *)'{{-h,--help}}'[explain]' '(- *)--version[print the version]' \
    ': :->command' '*:: :->arguments'
  case $state in
    command) _describe command commands ;;
    arguments)
      case $words[1] in
{options}      esac
      ;;
  esac
}}
if [[ $funcstack[1] == _ringchurn ]]; then
  _ringchurn "$@"
else
  compdef _ringchurn ringchurn
fi
)";

/// ":PLACEHOLDER:ACTION" of _arguments.
std::string zsh_value(const OptionSpec& spec) {
  const ValueHint hint = value_hint(spec);
  std::string action = " ";
  if (!hint.choices.empty()) action = fmt::format("({})", joined(hint.choices, " "));
  if (hint.is_file) action = "_files";
  if (spec.names_scenarios) action = "_ringchurn_scenarios";
  std::string message = spec.value;
  std::replace(message.begin(), message.end(), ':', ' ');
  return fmt::format(":{}:{}", message, action);
}

std::string zsh_argument(const OptionSpec& spec) {
  const char* repeated = spec.is_list() ? "*" : "";
  if (spec.positional) return shell_quoted(repeated + zsh_value(spec));
  const bool is_flag = spec.kind == OptionKind::flag;
  return shell_quoted(fmt::format("{}{}{}[{}]{}", repeated, spec.flag(), is_flag ? "" : "=",
                                  escaped(brief(spec), "[]"), is_flag ? "" : zsh_value(spec)));
}

std::string zsh(const std::vector<std::string>& scenarios) {
  std::string commands, options;
  for (const CommandSpec& command : command_specs()) {
    commands +=
        fmt::format("    {}\n", shell_quoted(fmt::format("{}:{}", command.name, command.brief)));
    options += fmt::format("        {})\n          _arguments '(- *)'{{-h,--help}}'[explain]'",
                           command.name);
    for (const OptionSpec& spec : option_specs()) {
      if (spec.belongs_to(command.bit)) options += " \\\n            " + zsh_argument(spec);
    }
    options += "\n          ;;\n";
  }
  using fmt::arg;
  return fmt::format(kZsh, arg("scenarios", joined(scenarios, " ")), arg("commands", commands),
                     arg("options", options));
}

// -- fish -----------------------------------------------------------------------------------------

/// fish knows \' within single quotes.
std::string fish_quoted(std::string_view text) { return '\'' + escaped(text, "\\'") + '\''; }

std::string fish_option(const OptionSpec& spec) {
  const ValueHint hint = value_hint(spec);
  const bool takes_files = hint.is_file || spec.names_scenarios;
  if (spec.positional && !takes_files && hint.choices.empty()) return "";
  std::string line = fmt::format("complete -c ringchurn -n '__fish_seen_subcommand_from {}'",
                                 joined(commands_with(spec), " "));
  if (!spec.positional) line += fmt::format(" -l {} -d {}", spec.name, fish_quoted(brief(spec)));
  if (!spec.positional && spec.kind != OptionKind::flag) line += takes_files ? " -rF" : " -x";
  if (spec.positional && takes_files) line += " -F";
  if (!hint.choices.empty()) line += fmt::format(" -a {}", shell_quoted(joined(hint.choices, " ")));
  if (spec.names_scenarios) line += " -a '(__ringchurn_scenarios)'";
  return line + '\n';
}

std::string fish(const std::vector<std::string>& scenarios) {
  std::string text = fmt::format(
      "# Completion for fish, printed by: ringchurn completion fish\n"
      "function __ringchurn_scenarios\n"
      "    # Of a mix, NAME=WEIGHT,NAME..., what stands before the last name is kept.\n"
      "    set -l token (commandline -ct | string replace -r '^--[a-z-]+=' '')\n"
      "    set -l kept (string replace -r '[^,]*$' '' -- $token)\n"
      "    printf \"$kept%s\\n\" {}\n"
      "end\n"
      "complete -c ringchurn -f\n"
      "complete -c ringchurn -s h -l help -d explain\n"
      "complete -c ringchurn -n __fish_use_subcommand -l version -d 'print the version'\n",
      joined(scenarios, " "));
  for (const CommandSpec& command : command_specs()) {
    text += fmt::format("complete -c ringchurn -n __fish_use_subcommand -a {} -d {}\n",
                        command.name, fish_quoted(command.brief));
  }
  for (const OptionSpec& spec : option_specs()) text += fish_option(spec);
  return text;
}

}  // namespace

ValueHint value_hint(const OptionSpec& spec) {
  std::string_view value = spec.value;
  ValueHint hint;
  hint.is_file =
      spec.names_scenarios || value.find("FILE") != value.npos || value.ends_with(".json");
  const auto is_choice = [](unsigned char c) { return std::islower(c) || std::isdigit(c); };
  if (value.empty() || !std::all_of(value.begin(), value.end(), [&](char c) {
        return c == '|' || c == '-' || is_choice(static_cast<unsigned char>(c));
      })) {
    return hint;
  }
  while (!value.empty()) {
    const std::size_t end = std::min(value.find('|'), value.size());
    hint.choices.push_back(value.substr(0, end));
    value.remove_prefix(std::min(end + 1, value.size()));
  }
  return hint;
}

std::string completion_script(Shell shell, const std::vector<std::string>& scenarios) {
  switch (shell) {
    case Shell::bash:
      return bash(scenarios);
    case Shell::zsh:
      return zsh(scenarios);
    case Shell::fish:
      return fish(scenarios);
  }
  return {};
}

}  // namespace ringchurn
