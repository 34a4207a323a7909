// Rows of commands, and the help that is printed from them and the options.
#include <fmt/format.h>

#include "bench/option_table.h"
#include "ring/error.h"

namespace ringchurn {
namespace {

constexpr CommandSpec kCommands[] = {
    {"run", Command::run, kRunBit, "play a scenario or a mix, and account for every connection",
     "Opens and tears down connections, counts what every step returned, and checks\n"
     "the account against the kernel's counters.",
     "[--mix NAME=WEIGHT,... | --scenario NAME|FILE] [options]",
     "  ringchurn run --mix graceful=70,rst-client=20,half-close=10\n"
     "  ringchurn run --scenario unread-data --connections 100000 --json result.json\n"
     "  ringchurn run --scenario lingering-close --set drain_timeout=200ms\n"
     "  ringchurn run --scenario my-teardown.toml --threads 4 --concurrency 4096\n"},
    {"drive", Command::drive, kDriveBit,
     "play the client's side against your own server; did it survive?",
     "Plays the client's side of scenarios against somebody else's server, accounts\n"
     "for every connection, and says whether the server survived.",
     "TARGET [--mix NAME=WEIGHT,...] [options]",
     "  ringchurn drive 127.0.0.1:80 --scenario http-close\n"
     "  ringchurn drive [::1]:8080 --mix http-close=9,http-abort-mid-response=1\n"
     "  ringchurn drive unix:/run/web.sock --rate 5000 --arrivals poisson\n"
     "  ringchurn drive 10.0.0.7:80 --authorized-target 10.0.0.7 --duration 30s\n"},
    {"serve", Command::serve, kServeBit, "play the server's side, for a drive from another machine",
     "Plays the server's side of scenarios, one port for each, and prints what a\n"
     "drive on another machine needs to know.",
     "[--mix NAME=WEIGHT,... | --scenario NAME|FILE] [options]",
     "  ringchurn serve --scenario lingering-close > served.json\n"
     "  ringchurn serve --mix graceful=9,unread-data=1 --listen 10.0.0.7 --json s.json\n"},
    {"compare", Command::compare, kCompareBit,
     "what one teardown costs against another, with its error",
     "Plays the arms in interleaved slices, both ends on one thread, and says with a\n"
     "95% confidence interval what each costs in CPU against the first.",
     "[ARM ARM ...] [options]",
     "  ringchurn compare\n"
     "  ringchurn compare graceful rst-client disconnect --duration 60s\n"
     "  ringchurn compare graceful graceful=90,rst-client=10 --json result.json\n"
     "  ringchurn compare --server 'nginx -c a.conf' --server 'nginx -c b.conf' \\\n"
     "      --scenario http-abort-mid-response\n"},
    {"sweep", Command::sweep, kSweepBit, "what a scenario's parameter costs, and which values pay",
     "Compares one scenario with itself, its parameters varied, and says which values\n"
     "no other one beats in CPU, teardown time, TIME_WAIT, lost bytes and errors.",
     "--scenario NAME|FILE --vary PARAM=VALUE,... [options]",
     "  ringchurn sweep --scenario lingering-close --vary request=1,1024,65536\n"
     "  ringchurn sweep --scenario my-teardown.toml --vary drain_timeout=5ms,50ms \\\n"
     "      --vary backlog=1,16 --duration 60s --json sweep.json\n"},
    {"gate", Command::gate, kGateBit, "fine, regression or undecided, for CI to act on",
     "Says whether a candidate costs more CPU per connection than a baseline: fine if\n"
     "the 95% interval of the ratio lies below the margin, regression if above it.\n"
     "Both sides are of one kind: scenarios or mixes, played interleaved by this\n"
     "program; servers, if --scenario or --mix says what is played against them;\n"
     "other commands, which print a result of ringchurn (--json -) and are run in\n"
     "turn; or results on file, which were measured under equal conditions.",
     "[--baseline WHAT] --candidate WHAT [options]",
     "  ringchurn gate --baseline graceful --candidate mine.toml --margin 3%\n"
     "  ringchurn gate --baseline 'nginx -c a.conf' --candidate 'nginx -c b.conf' \\\n"
     "      --scenario http-close\n"
     "  ringchurn gate --baseline 'old/ringchurn run --duration 1s --json -' \\\n"
     "      --candidate 'new/ringchurn run --duration 1s --json -'\n"
     "  ringchurn gate --baseline a1.json --baseline a2.json --candidate b1.json \\\n"
     "      --candidate b2.json --require 'latency.teardown.p99 < 5ms'\n"
     "  ringchurn gate --candidate b.json --require 'errors.unexpected == 0'\n"},
    {"atlas", Command::atlas, kAtlasBit,
     "what this kernel answers in every scenario, and which claims hold",
     "Plays every scenario some times, each in a network of its own, and says what\n"
     "this kernel answers, whether that was expected, and which common claims hold.",
     "[NAME|FOLDER|CLAIM|FILE ...] [options]",
     "  ringchurn atlas\n"
     "  ringchurn atlas reset/ S001-14 my-teardown.toml --json result.json\n"
     "  ringchurn atlas --engine syscall\n"
     "  ringchurn atlas --explain recv-after-reset\n"},
    {"scenarios", Command::scenarios, kScenariosBit, "list the built-in scenarios, or print one",
     "Lists the built-in scenarios by folder, or those of one folder, or prints a\n"
     "scenario's file.",
     "[NAME|FOLDER] [options]",
     "  ringchurn scenarios\n"
     "  ringchurn scenarios reset/\n"
     "  ringchurn scenarios half-close > my-teardown.toml\n"},
    {"merge", Command::merge, kMergeBit, "one result from those of two machines",
     "Joins the results of the client's and the server's machine: one account of every\n"
     "connection, checked against the counters of both kernels.",
     "DRIVE.json SERVE.json [--json FILE]",
     "  ringchurn merge drive.json serve.json\n"
     "  ringchurn merge drive.json serve.json --json both.json\n"},
    {"export", Command::export_result, kExportBit, "a result in the format of another program",
     "Writes a result of any command in the format of another program, for CI,\n"
     "dashboards and spreadsheets.",
     "RESULT.json [--format NAME] [-o FILE]",
     "  ringchurn export result.json --format markdown >> \"$GITHUB_STEP_SUMMARY\"\n"
     "  ringchurn export result.json --format junit -o ringchurn.xml\n"
     "  ringchurn export compare.json --format google-benchmark --rows blocks\n"
     "  ringchurn export run.json --format hgrm --histogram graceful/teardown\n"},
    {"doctor", Command::doctor, kDoctorBit,
     "whether this machine can measure, and what stands in its way",
     "Tries io_uring and the private network, and looks at limits, settings, CPUs and\n"
     "other load: what was found, what follows from it, and what to do. It takes about\n"
     "a second.",
     "[--json FILE]",
     "  ringchurn doctor\n"
     "  sudo -u nobody ringchurn doctor\n"},
    {"completion", Command::completion, kCompletionBit, "completion for a shell",
     "Prints a script that completes commands, options and their values. An installed\n"
     "ringchurn has it where the shells look.",
     "[bash|zsh|fish]",
     "  source <(ringchurn completion bash)\n"
     "  ringchurn completion zsh > ~/.zfunc/_ringchurn\n"
     "  ringchurn completion fish > ~/.config/fish/completions/ringchurn.fish\n"},
    {"man", Command::man, kManBit, "the manual page",
     "Prints the manual page, made from the same tables as this help.", "| man -l -",
     "  ringchurn man | man -l -\n"},
};

constexpr std::string_view kPrecedence =
    "Each option is also an environment variable (RINGCHURN_CONCURRENCY=128) and a\n"
    "key of the config file, at its top or in the table of its command.\n"
    "A flag wins over the environment, the environment over the file; of a list, the\n"
    "whole list. RINGCHURN_SET, RINGCHURN_ARMS (for ARM ...) and RINGCHURN_ONLY (for\n"
    "the NAMEs of atlas) hold words separated by spaces.\n";

constexpr ExitCodeSpec kExitCodes[] = {
    {kExitGood, "good"},
    {kExitCannotRun, "could not run"},
    {kExitUsage, "wrong usage or configuration"},
    {kExitVerdictFailed, "a verdict failed, or the atlas met an answer that nothing expects"},
    {kExitRingUnavailable, "io_uring is not available here"},
    {kExitUndecided, "a gate could not decide"},
    {kExitRegression, "a gate found a regression, or a requirement that is not met"},
    {kExitInterrupted, "interrupted; the partial result was written"},
};

constexpr std::string_view kAbout =
    "ringchurn opens and tears down TCP connections by the thousand through io_uring,\n"
    "counts every error by errno, and proves its numbers against the kernel's.\n";

std::string exit_codes() {
  std::string text = "Exit codes:\n";
  for (const ExitCodeSpec& spec : kExitCodes) {
    text += fmt::format("  {:>3}  {}\n", spec.code, spec.meaning);
  }
  return text;
}

std::string option_help(const OptionSpec& spec) {
  constexpr std::size_t kHelpColumn = 27;
  const bool repeats = spec.positional && spec.is_list();
  std::string text = repeats           ? fmt::format("  {} {} ...", spec.value, spec.value)
                     : spec.positional ? fmt::format("  {}", spec.value)
                     : spec.kind == OptionKind::flag ? fmt::format("  --{}", spec.name)
                     : spec.letter != nullptr
                         ? fmt::format("  -{}, --{} {}", spec.letter, spec.name, spec.value)
                         : fmt::format("  --{} {}", spec.name, spec.value);
  if (text.size() + 2 > kHelpColumn) text += '\n' + std::string(kHelpColumn, ' ');
  text.append(text.size() < kHelpColumn ? kHelpColumn - text.size() : 0, ' ');
  for (const char* c = spec.help; *c != '\0'; ++c) {
    text += *c;
    if (*c == '\n') text.append(kHelpColumn, ' ');
  }
  return text + '\n';
}

}  // namespace

std::span<const CommandSpec> command_specs() { return kCommands; }

std::span<const ExitCodeSpec> exit_code_specs() { return kExitCodes; }

std::string_view about_program() { return kAbout; }

std::string_view about_sources() { return kPrecedence; }

std::string command_help(const CommandSpec& command) {
  std::string text =
      fmt::format("{}\n\nUsage: ringchurn {} {}\n", command.about, command.name, command.usage);
  std::string_view group;
  for (const OptionSpec& spec : option_specs()) {
    if (!spec.belongs_to(command.bit)) continue;
    if (group != spec.group) text += fmt::format("\n{}:\n", group = spec.group);
    text += option_help(spec);
  }
  if ((command.bit & kConfigured) != 0) text += fmt::format("\n{}", kPrecedence);
  return text + fmt::format("\nExamples:\n{}\n{}", command.examples, exit_codes());
}

std::string program_help() {
  std::string commands;
  for (const CommandSpec& command : kCommands) {
    commands += fmt::format("  {:<10}  {}\n", command.name, command.brief);
  }
  return fmt::format(
      "{}"
      "\n"
      "Usage: ringchurn COMMAND [options]\n"
      "\n"
      "Commands:\n"
      "{}"
      "\n"
      "ringchurn COMMAND --help explains its options. ringchurn --version prints the\n"
      "version, how it was built, and what it runs on.\n"
      "\n"
      "Examples:\n"
      "  ringchurn compare graceful rst-client\n"
      "  ringchurn run --mix graceful=70,rst-client=20,half-close=10 --duration 10s\n"
      "\n"
      "{}",
      kAbout, commands, exit_codes());
}

}  // namespace ringchurn
