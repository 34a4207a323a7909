// The table of options: names, placeholders, checks and help in one row each. The command line, the
// environment and the config file (options.cc) all read it, so a new option is a new row here.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/options.h"

namespace ringchurn {

/// One value as text, and the words that tell the user where it was given ("--seed",
/// "RINGCHURN_SEED", "ci.toml:3: seed").
struct OptionValue {
  std::string text, where;
};

using OptionValues = std::vector<OptionValue>;

/// What the config file must hold for an option. On the command line a list is an option that may
/// be repeated; in the environment it is words separated by spaces, so that a list of what has
/// spaces in it (`commands`) has no variable: to set one is a mistake. A flag stands for true, and
/// takes true or false in the environment and in the file.
enum class OptionKind { number, text, list, commands, flag };

/// Commands as a set: CommandSpec::bit values, added.
enum CommandBit : unsigned {
  kRunBit = 1,
  kCompareBit = 2,
  kAtlasBit = 4,
  kScenariosBit = 8,
  kDriveBit = 16,
  kServeBit = 32,
  kMergeBit = 64,
  kSweepBit = 128,
  kGateBit = 256,
  kExportBit = 512,
  kDoctorBit = 1024,
  kCompletionBit = 2048,
  kManBit = 4096,
};

/// The commands that compare by interleaved slices.
inline constexpr unsigned kComparisons = kCompareBit | kSweepBit | kGateBit;

/// The commands that read a config file.
inline constexpr unsigned kConfigured = kRunBit | kDriveBit | kServeBit | kComparisons | kAtlasBit;

/// One option.
struct OptionSpec {
  const char* name;   ///< "seed": --seed, RINGCHURN_SEED and the config key seed
  const char* value;  ///< its placeholder in the help; "" for a flag
  unsigned commands;  ///< CommandBit of every command that has it
  OptionKind kind;
  const char* slot;  ///< options of one slot exclude each other
  /// Checks the values (one, unless a list) and stores them. Throws Error that names the source.
  void (*apply)(Options&, const OptionValues&);
  const char* group;             ///< its heading in the help
  const char* help;              ///< "\n" where a line of the help ends
  bool positional = false;       ///< words without a name on the command line
  bool names_scenarios = false;  ///< a value names scenarios, or files of them
  const char* letter = nullptr;  ///< "o": -o says the same

  bool belongs_to(unsigned command_bits) const { return (commands & command_bits) != 0; }
  /// How the command line names it.
  std::string flag() const { return positional ? name : "--" + std::string(name); }
  bool is_list() const { return kind == OptionKind::list || kind == OptionKind::commands; }
};

/// One command.
struct CommandSpec {
  const char* name;
  Command command;
  CommandBit bit;
  const char* brief;  ///< its line in the program's help
  const char* about;
  const char* usage;
  const char* examples;
};

/// Every option and every command, in the help's order.
std::span<const OptionSpec> option_specs();
std::span<const CommandSpec> command_specs();

/// What an exit code tells.
struct ExitCodeSpec {
  int code;
  const char* meaning;
};

/// Every exit code, in rising order.
std::span<const ExitCodeSpec> exit_code_specs();

/// What the program is; and where the options of a command with a config file come from, and which
/// source wins. Paragraphs whose lines end with '\n'.
std::string_view about_program();
std::string_view about_sources();

/// What `ringchurn --help` and `ringchurn COMMAND --help` print: at most 80 columns.
std::string program_help();
std::string command_help(const CommandSpec& command);

/// Throws Error with exit code 2. Control characters become '?', so that it stays one line.
[[noreturn]] void fail_usage(std::string message);

/// Throws the usage error "WHERE: 'TEXT' WHY".
[[noreturn]] void reject(const OptionValue& value, std::string_view why);

/// The value's text; a usage error that asks for `wanted` if it is empty.
const std::string& not_empty(const OptionValue& value, std::string_view wanted);

}  // namespace ringchurn
