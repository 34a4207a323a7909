// See commands.h.
#include "bench/commands.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "bench/compare.h"
#include "bench/interrupt.h"
#include "bench/kernel_counters.h"
#include "bench/plan.h"
#include "bench/progress.h"
#include "bench/report_json.h"
#include "bench/report_text.h"
#include "bench/run.h"
#include "bench/verdicts.h"
#include "workloads/scenario_file.h"
#include "workloads/suggestion.h"

namespace ringchurn {
namespace {

/// A descriptor table may be as large as RLIMIT_NOFILE: takes what may be taken.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/// A scenario that names a counter which no kernel has would be judged by nothing.
void check_counters(const Plan& plan) {
  const KernelCounters known = KernelCounters::read();
  for (const Scenario& scenario : plan.scenarios) {
    for (const auto& [name, range] : scenario.kernel) {
      if (known[name]) continue;
      std::vector<std::string> names;
      for (const auto& entry : known.all()) names.push_back(entry.first);
      throw Error(kExitUsage, fmt::format("{}: no such counter in this kernel: '{}'{}", range.where,
                                          name, did_you_mean(name, names)));
    }
  }
}

Lab prepare(const Options& options, const Plan& plan) {
  raise_descriptor_limit();
  // Twice: in the lab's user namespace a caller may write what it may not outside, and root less.
  require_writable(options.json_path);
  const Lab lab = enter_lab(options.lab);
  require_writable(options.json_path);
  check_counters(plan);
  const bool v4 = options.family == Family::ipv4;
  if ((v4 ? lab.ipv4_destinations : lab.ipv6_destinations).empty()) {
    throw Error(kExitCannotRun, "there is no IPv6 loopback address here: use --family ipv4");
  }
  catch_interrupts();
  return lab;
}

ExitCode exit_code(const RunResult& result) {
  if (result.interrupted) return kExitInterrupted;
  return trusted(result.verdicts) ? kExitGood : kExitVerdictFailed;
}

/// The text goes to standard output, unless the JSON does. It comes after the JSON is written,
/// which must not be lost because nobody reads the text.
void print_report(const Options& options, const std::string& text) {
  std::FILE* stream = options.json_path == "-" ? stderr : stdout;
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stream) == text.size() && std::fflush(stream) == 0;
  if (written || errno == EPIPE) return;  // `ringchurn run | head` has seen enough
  throw Error(kExitCannotRun,
              fmt::format("cannot print the report: {}; free space, or ask for --json FILE",
                          std::strerror(errno)));
}

ExitCode perform_run(const Options& options) {
  const Plan plan = make_plan(options);
  const RunResult result = run(options, plan, prepare(options, plan));
  write_result(options.json_path, run_json(result));
  print_report(options, run_report(result, terminal_style()));
  return exit_code(result);
}

ExitCode perform_compare(const Options& options) {
  const Plan plan = make_plan(options);
  const CompareResult result = compare(options, plan, prepare(options, plan));
  write_result(options.json_path, compare_json(result));
  print_report(options, compare_report(result, terminal_style()));
  return exit_code(result.run);
}

ExitCode perform_scenarios(const Options& options) {
  if (!options.scenario_name.empty()) {
    fmt::print("{}", find_scenario(options.scenario_name).text);
    return kExitGood;
  }
  for (const ScenarioFile& file : builtin_scenarios()) {
    std::string about = compile(file).about;
    std::replace(about.begin(), about.end(), '\n', ' ');
    fmt::print("{:<20} {}\n", file.name, shorten(about.substr(0, about.find(". ")), 59));
  }
  return kExitGood;
}

}  // namespace

ExitCode perform(const Options& options) {
  switch (options.command) {
    case Command::run:
      return perform_run(options);
    case Command::compare:
      return perform_compare(options);
    case Command::scenarios:
      return perform_scenarios(options);
  }
  return kExitUsage;
}

}  // namespace ringchurn
