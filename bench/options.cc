// The command line, the environment and the config file, turned into checked Options. This file
// says where values come from and which source wins; option_table.cc says which options there are
// and what their values must look like.
//
// CLI11 only takes the command line apart. It does not read the config file, because CLI11 2.1.2
// lets the file win over the environment and ignores unknown keys; and it does not phrase errors,
// because a user needs one line that says what to do.
#include "bench/options.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "bench/context.h"
#include "bench/option_rules.h"
#include "bench/option_table.h"
#include "workloads/suggestion.h"

namespace ringchurn {
namespace {

/// Every value that one source gives to one option.
struct Given {
  const OptionSpec* spec;
  OptionValues values;  // never empty
};

/// What one source gives.
using Layer = std::vector<Given>;

/// What the command line holds.
struct CommandLine {
  bool help = false, version = false;
  const CommandSpec* command = nullptr;
  Layer flags;
};

const OptionSpec* find_option(std::string_view name) {
  const auto specs = option_specs();
  const auto found = std::find_if(specs.begin(), specs.end(),
                                  [&](const OptionSpec& spec) { return spec.name == name; });
  return found == specs.end() ? nullptr : &*found;
}

[[noreturn]] void reject_word(const CommandSpec& command, const std::string& word) {
  const char* remedy =
      (command.bit & (kRunBit | kSweepBit)) != 0 ? "; to name a scenario, use --scenario" : "";
  fail_usage(fmt::format("{0}: unexpected '{1}'{2}; see ringchurn {0} --help", command.name, word,
                         remedy));
}

[[noreturn]] void reject_flag(const CommandSpec& command, const std::string& typed) {
  std::vector<std::string> known = {"--help"};
  for (const OptionSpec& spec : option_specs()) {
    if (spec.positional) continue;
    if (spec.belongs_to(command.bit)) known.push_back(spec.flag());
    if (spec.flag() == typed) {
      fail_usage(fmt::format("{0} has no option {1}, another command has; see ringchurn {0} --help",
                             command.name, typed));
    }
  }
  fail_usage(fmt::format("{0}: unknown option {1}{2}; see ringchurn {0} --help", command.name,
                         typed, did_you_mean(typed, known)));
}

/// What stands before the command and belongs to nothing.
[[noreturn]] void reject_top_level(const std::string& typed) {
  if (typed.starts_with("--") && find_option(typed.substr(2)) != nullptr) {
    fail_usage(fmt::format("{0} needs a command before it: ringchurn COMMAND {0} ...", typed));
  }
  const bool is_flag = typed.starts_with("-");
  std::vector<std::string> known = {"--help", "--version"};
  if (!is_flag) {
    known.clear();
    for (const CommandSpec& command : command_specs()) known.emplace_back(command.name);
  }
  fail_usage(fmt::format("unknown {} {}{}; see ringchurn --help", is_flag ? "option" : "command",
                         typed, did_you_mean(typed, known)));
}

/// Words that CLI11 could not place. A flag is told first: a stray word may be its value.
void reject_extras(const CommandSpec* command, std::vector<std::string> extras) {
  if (extras.empty()) return;
  const auto is_flag = [](const std::string& word) { return word.starts_with("-"); };
  std::stable_partition(extras.begin(), extras.end(), is_flag);
  const std::string typed = extras[0].substr(0, extras[0].find('='));
  if (command == nullptr) reject_top_level(typed);
  if (is_flag(typed)) reject_flag(*command, typed);
  reject_word(*command, extras[0]);
}

/// CLI11 would take the word after "--json=" as its value: where a script's variable is empty, an
/// arm of the comparison would become the file to be written.
void reject_empty_flags(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word.starts_with("--") && word.find('=') == word.size() - 1) {
      fail_usage(fmt::format("{} has no value; give one, or leave the option out", word));
    }
  }
}

void add_options(CLI::App& app, const CommandSpec& command) {
  for (const OptionSpec& spec : option_specs()) {
    if (!spec.belongs_to(command.bit)) continue;
    if (spec.kind == OptionKind::flag) {
      app.add_flag(spec.flag())->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
      continue;
    }
    const std::string letter = spec.letter == nullptr ? "" : fmt::format("-{},", spec.letter);
    CLI::Option* option = app.add_option(letter + spec.flag());
    option->type_name(spec.value)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    if (spec.positional) option->expected(0, CLI::detail::expected_max_vector_size);
    option->allow_extra_args(spec.positional);
  }
}

Layer flags_of(const CLI::App& app, const CommandSpec& command) {
  Layer layer;
  for (const OptionSpec& spec : option_specs()) {
    if (!spec.belongs_to(command.bit)) continue;
    Given given{&spec, {}};
    for (const std::string& text : app.get_option(spec.flag())->results()) {
      given.values.push_back({text, spec.positional ? spec.value : spec.flag()});
      // CLI11 takes whatever follows as the value, the next option too.
      if (text.starts_with("--")) reject(given.values.back(), "is an option, not a value");
    }
    if (!given.values.empty()) layer.push_back(std::move(given));
  }
  return layer;
}

CommandLine read_command_line(int argc, const char* const* argv) {
  reject_empty_flags(argc, argv);
  CommandLine line;
  CLI::App app;
  app.set_help_flag();  // printed by parse_options()
  app.allow_extras();   // told by reject_extras()
  app.require_subcommand(0, 1);
  app.add_flag("-h,--help", line.help);
  app.add_flag("--version", line.version);
  for (const CommandSpec& command : command_specs()) {
    CLI::App* sub = app.add_subcommand(command.name);
    sub->add_flag("-h,--help", line.help);
    add_options(*sub, command);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ArgumentMismatch& error) {  // "--seed: 1 required N missing"
    const std::string_view what = error.what();
    fail_usage(fmt::format("{} needs a value; see ringchurn COMMAND --help",
                           what.substr(0, what.find(':'))));
  } catch (const CLI::ParseError& error) {
    fail_usage(fmt::format("{}; see ringchurn COMMAND --help", error.what()));
  }
  for (const CommandSpec& command : command_specs()) {
    const CLI::App* sub = app.get_subcommand(command.name);
    if (!sub->parsed()) continue;
    line.command = &command;
    if (line.help) return line;
    line.flags = flags_of(*sub, command);
    reject_extras(&command, sub->remaining());
  }
  if (!line.help) reject_extras(nullptr, app.remaining());
  return line;
}

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> found;
  for (std::size_t at = 0; (at = text.find_first_not_of(' ', at)) != text.npos;) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    found.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return found;
}

/// RINGCHURN_CONCURRENCY and the like. An empty variable counts as unset, so that a script can pass
/// one on without asking whether it has it.
Layer read_environment(const CommandSpec& command) {
  Layer layer;
  for (const OptionSpec& spec : option_specs()) {
    if (!spec.belongs_to(command.bit)) continue;
    std::string name = fmt::format("RINGCHURN_{}", spec.name);
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
      if (c == '-') return '_';  // what a shell can set
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    const char* text = std::getenv(name.c_str());
    if (text == nullptr || *text == '\0') continue;
    if (spec.kind == OptionKind::commands) {
      fail_usage(
          fmt::format("{0}: the words of a variable are apart by spaces, and so are those of a "
                      "command: give --{1}, or {1} = [...] in the config file",
                      name, spec.name));
    }
    Given given{&spec, {}};
    if (!spec.is_list()) given.values = {{text, name}};
    if (spec.is_list()) {
      for (std::string& word : words(text)) given.values.push_back({std::move(word), name});
    }
    if (!given.values.empty()) layer.push_back(std::move(given));
  }
  return layer;
}

/// "ci.toml:3: seed"
std::string place(const std::string& path, const toml::node& node, std::string_view key) {
  return fmt::format("{}:{}: {}", path, node.source().begin.line, key);
}

OptionValues config_values(const OptionSpec& spec, const toml::node& node,
                           const std::string& path) {
  const std::string where = place(path, node, spec.name);
  if (spec.kind == OptionKind::number) {
    const auto number = node.value_exact<std::int64_t>();
    if (!number) fail_usage(where + " must be a whole number, without quotes");
    return {{fmt::format("{}", *number), where}};
  }
  if (spec.kind == OptionKind::flag) {
    const auto is_set = node.value_exact<bool>();
    if (!is_set) fail_usage(where + " must be true or false, without quotes");
    return {{*is_set ? "true" : "false", where}};
  }
  if (spec.kind == OptionKind::text) {
    const auto text = node.value_exact<std::string>();
    if (!text) fail_usage(fmt::format("{} must be a string: \"{}\"", where, spec.value));
    return {{*text, where}};
  }
  OptionValues values;
  const std::string wanted = fmt::format(" must be an array of strings: [\"{}\"]", spec.value);
  if (!node.is_array()) fail_usage(where + wanted);
  for (const toml::node& element : *node.as_array()) {
    const std::string element_where = place(path, element, spec.name);
    const auto text = element.value_exact<std::string>();
    if (!text) fail_usage(element_where + wanted);
    values.push_back({*text, element_where});
  }
  return values;
}

/// The options in one table of the config file. `commands` says whose options may stand there.
Layer read_table(const toml::table& table, const std::string& path, unsigned commands) {
  std::vector<std::string> known;
  for (const OptionSpec& spec : option_specs()) {
    if (spec.belongs_to(commands) && spec.name != std::string_view("config")) {
      known.emplace_back(spec.name);
    }
  }
  Layer layer;
  for (const auto& [key, node] : table) {
    if (std::find(known.begin(), known.end(), key.str()) == known.end()) {
      fail_usage(fmt::format("{}: unknown key{}", place(path, node, key.str()),
                             did_you_mean(key.str(), known)));
    }
    const OptionSpec* spec = find_option(key.str());
    OptionValues values = config_values(*spec, node, path);
    if (!values.empty()) layer.push_back({spec, std::move(values)});
  }
  return layer;
}

toml::table parse_config(const OptionValue& config) {
  const std::string& path = not_empty(config, "a file name");
  std::ifstream file(path);
  std::error_code ignored;
  if (!file || std::filesystem::is_directory(path, ignored)) {
    reject(config, "cannot be read; check the path and its permissions");
  }
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  try {
    return toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    fail_usage(fmt::format("{}:{}: {}; mend the TOML", path, error.source().begin.line,
                           error.description()));
  }
}

/// "[run], [drive], ..."
std::string known_tables() {
  std::string names;
  for (const CommandSpec& command : command_specs()) {
    if ((command.bit & kConfigured) == 0) continue;
    names += fmt::format("{}[{}]", names.empty() ? "" : ", ", command.name);
  }
  return names;
}

/// The layers of `command`: its own table, then the top of the file. The whole file is checked,
/// even what the command does not use or another source overrides: a file is right or it is not.
std::vector<Layer> read_config(const OptionValue& config, const CommandSpec& command) {
  toml::table top = parse_config(config);
  std::vector<Layer> layers, others;
  for (const CommandSpec& owner : command_specs()) {
    const toml::table* table = top[owner.name].as_table();
    if ((owner.bit & kConfigured) == 0 || table == nullptr) continue;
    Layer layer = read_table(*table, config.text, owner.bit);
    (&owner == &command ? layers : others).push_back(std::move(layer));
    top.erase(owner.name);
  }
  for (const auto& [name, node] : top) {
    if (node.is_table()) {
      fail_usage(fmt::format("{}: unknown table; known are {}",
                             place(config.text, node, name.str()), known_tables()));
    }
  }
  layers.push_back(read_table(top, config.text, kConfigured));
  others.insert(others.end(), layers.begin(), layers.end());
  for (const Layer& layer : others) {
    for (const Given& given : layer) {
      Options scratch;
      given.spec->apply(scratch, given.values);
    }
  }
  return layers;
}

/// The layers of every source, the strongest first.
std::vector<Layer> read_layers(const CommandLine& line) {
  std::vector<Layer> layers = {line.flags, read_environment(*line.command)};
  for (std::size_t i = 0; i < 2; ++i) {
    for (const Given& given : layers[i]) {
      if (given.spec->name != std::string_view("config")) continue;
      const auto config = read_config(given.values[0], *line.command);
      layers.insert(layers.end(), config.begin(), config.end());
      return layers;
    }
  }
  return layers;
}

/// Applies the layers: the first that fills a slot keeps it.
void apply_layers(Options& options, const std::vector<Layer>& layers, unsigned command_bit) {
  std::set<std::string_view> taken;
  for (const Layer& layer : layers) {
    std::map<std::string_view, const Given*> here;
    for (const Given& given : layer) {
      const OptionSpec& spec = *given.spec;
      const std::string& where = given.values[0].where;
      if (!spec.belongs_to(command_bit) || taken.contains(spec.slot)) continue;
      const auto [other, is_first] = here.emplace(spec.slot, &given);
      if (!is_first) {
        fail_usage(fmt::format("{} and {} exclude each other; give one of them",
                               other->second->values[0].where, where));
      }
      if (!spec.is_list() && given.values.size() > 1) {
        fail_usage(fmt::format("{} is given {} times; give it once", where, given.values.size()));
      }
      spec.apply(options, given.values);
    }
    for (const auto& [slot, given] : here) taken.insert(slot);
  }
}

/// The command line as a shell would read it back.
std::string quoted(int argc, const char* const* argv) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=,:+@%";
  std::string text;
  for (int i = 0; i < argc; ++i) {
    const std::string_view word = argv[i];
    const bool is_plain = !word.empty() && word.find_first_not_of(kPlain) == word.npos;
    if (i > 0) text += ' ';
    if (!is_plain) text += '\'';
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    if (!is_plain) text += '\'';
  }
  return text;
}

}  // namespace

std::optional<Options> parse_options(int argc, const char* const* argv) {
  const CommandLine line = read_command_line(argc, argv);
  if (line.help) {
    fmt::print("{}", line.command == nullptr ? program_help() : command_help(*line.command));
    return std::nullopt;
  }
  if (line.version) {
    fmt::print("{}", version_text());
    return std::nullopt;
  }
  if (line.command == nullptr) {
    fmt::print(stderr, "{}\n", program_help());
    fail_usage("no command; give one of those above");
  }
  Options options;
  options.command = line.command->command;
  options.command_line = quoted(argc, argv);
  for (const Given& given : line.flags) options.typed.emplace_back(given.spec->name);
  if ((line.command->bit & kComparisons) != 0) {
    options.concurrency = kCompareConcurrency;
  }
  if (options.command == Command::serve) options.concurrency = kServeConcurrency;
  apply_layers(options, read_layers(line), line.command->bit);
  settle(options);
  return options;
}

}  // namespace ringchurn
