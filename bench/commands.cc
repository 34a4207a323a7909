// See commands.h.
#include "bench/commands.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "bench/atlas.h"
#include "bench/catalogue.h"
#include "bench/compare.h"
#include "bench/completion.h"
#include "bench/doctor.h"
#include "bench/drive.h"
#include "bench/errno_pages.h"
#include "bench/exports/exports.h"
#include "bench/gate.h"
#include "bench/interrupt.h"
#include "bench/kernel_counters.h"
#include "bench/man_page.h"
#include "bench/merge.h"
#include "bench/metrics_server.h"
#include "bench/output_file.h"
#include "bench/plan.h"
#include "bench/progress.h"
#include "bench/read_result.h"
#include "bench/recorded.h"
#include "bench/report_atlas.h"
#include "bench/report_json.h"
#include "bench/report_story.h"
#include "bench/report_text.h"
#include "bench/run.h"
#include "bench/serve.h"
#include "bench/sweep.h"
#include "bench/text.h"
#include "bench/verdicts.h"
#include "ring/ring.h"
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
void check_counters(const Scenario& scenario, const KernelCounters& known) {
  for (const auto& [name, range] : scenario.kernel) {
    if (known[name]) continue;
    std::vector<std::string> names;
    for (const auto& entry : known.all()) names.push_back(entry.first);
    throw Error(kExitUsage, fmt::format("{}: no such counter in this kernel: '{}'{}", range.where,
                                        name, did_you_mean(name, names)));
  }
}

/// Serves Prometheus if that was asked for. In the network that the program was started in: so
/// before prepare().
std::unique_ptr<MetricsServer> serve_metrics(const Options& options) {
  if (!options.metrics_port) return nullptr;
  return std::make_unique<MetricsServer>(*options.metrics_port);
}

void require_outputs(const Options& options) {
  require_writable(options.json_path);
  require_writable(options.jsonl_path, {"the samples", "give another file"});
}

Lab prepare(const Options& options, const Plan& plan) {
  for (const Scenario& scenario : plan.scenarios) require_lab_for(scenario, options.lab);
  for (const Arm& arm : plan.arms) {
    for (const std::uint16_t index : arm.scenarios) {
      require_playable(plan.scenarios[index], arm.ways);
    }
  }
  raise_descriptor_limit();
  // Twice: in the lab's user namespace a caller may write what it may not outside, and root less.
  require_outputs(options);
  const Lab lab = enter_lab(options.lab);
  require_outputs(options);
  const KernelCounters known = KernelCounters::read();
  for (const Scenario& scenario : plan.scenarios) check_counters(scenario, known);
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

TextStyle style_of(const Options& options) { return terminal_style(!options.no_color); }

/// The text goes to standard output, unless something else does. It comes after the JSON is
/// written, which must not be lost because nobody reads the text.
void print_report(const Options& options, const std::string& text) {
  const bool is_taken =
      options.json_path == "-" || options.jsonl_path == "-" || options.command == Command::serve;
  std::FILE* stream = is_taken ? stderr : stdout;
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stream) == text.size() && std::fflush(stream) == 0;
  if (written || errno == EPIPE) return;  // `ringchurn run | head` has seen enough
  throw Error(kExitCannotRun,
              fmt::format("cannot print the report: {}; free space, or ask for --json FILE",
                          std::strerror(errno)));
}

/// What a person is told in the end. `failed` are the lines that --quiet leaves.
void tell(const Options& options, const std::string& report, const std::string& failed) {
  if (options.quiet) {
    fmt::print(stderr, "{}", failed);
  } else {
    print_report(options, report);
  }
}

ExitCode conclude(const Options& options, const RunResult& result) {
  write_result(options.json_path, run_json(result));
  tell(options, run_report(result, style_of(options)), failures(result.verdicts));
  return exit_code(result);
}

ExitCode conclude(const Options& options, const CompareResult& result) {
  write_result(options.json_path, compare_json(result));
  tell(options, compare_report(result, style_of(options)), failures(result.run.verdicts));
  return exit_code(result.run);
}

ExitCode perform_run(const Options& options) {
  const Plan plan = make_plan(options);
  const std::unique_ptr<MetricsServer> metrics = serve_metrics(options);
  Site site;
  site.lab = prepare(options, plan);
  site.metrics = metrics.get();
  RunResult result = run(options, plan, site);
  if (options.bill) {
    result.bills = measure_bills(options, plan, site.lab);
    result.interrupted = interrupted();
  }
  return conclude(options, result);
}

ExitCode perform_drive(const Options& options) {
  const DrivePlan plan = plan_drive(options);
  const std::unique_ptr<MetricsServer> metrics = serve_metrics(options);
  const Lab lab = prepare(plan.options, plan.plan);
  require_listener(plan);
  if (!options.quiet) fmt::print(stderr, "{}", drive_notice(plan));
  return conclude(options, drive(plan, lab, metrics.get()));
}

/// Standard output is for what a drive needs to know; the report goes to standard error.
ExitCode perform_serve(const Options& options) {
  const Plan plan = make_plan(options);
  check_served(options, plan);
  const std::unique_ptr<MetricsServer> metrics = serve_metrics(options);
  const Lab lab = prepare(options, plan);
  return conclude(options, serve(options, plan, lab, metrics.get()));
}

/// The arms of a comparison share one network: what differs must be the teardown alone.
void settle_network(const Plan& plan, Lab& lab) {
  const Scenario& first = plan.scenarios.front();
  for (const Scenario& scenario : plan.scenarios) {
    if (scenario.sysctls == first.sysctls) continue;
    throw Error(kExitUsage, fmt::format("'{}' and '{}' need different settings of the network, so "
                                        "their costs cannot be compared: play each by run",
                                        first.name, scenario.name));
  }
  set_for(first, lab);
}

/// The arms, or the servers if there are any, interleaved.
CompareResult play_comparison(const Options& options, const Plan& plan) {
  const bool has_servers = !options.servers.empty();
  if (has_servers) check_drivable(plan, AF_INET, "a server");
  Lab lab = prepare(options, plan);
  settle_network(plan, lab);
  return has_servers ? compare_servers(options, plan, lab) : compare(options, plan, lab);
}

ExitCode perform_compare(const Options& options) {
  return conclude(options, play_comparison(options, make_plan(options)));
}

ExitCode perform_sweep(const Options& options) {
  const Plan plan = plan_sweep(options);
  CompareResult result = play_comparison(options, plan);
  result.sweep = make_sweep(options, plan, result);
  if (!result.sentence.empty()) result.sentence = front_sentence(*result.sweep);
  return conclude(options, result);
}

GateResult play_gate(Options options, GateMethod method) {
  std::vector<std::string>& sides = method == GateMethod::servers ? options.servers : options.arms;
  sides = {options.baselines[0], options.candidates[0]};
  const Plan plan = make_plan(options);
  return gate_comparison(options, method, plan.arms.back(), play_comparison(options, plan));
}

ExitCode exit_code(const GateResult& result) {
  if (result.interrupted) return kExitInterrupted;
  if (!trusted(result.verdicts)) return kExitVerdictFailed;
  return result.gate.verdict == GateVerdict::fine         ? kExitGood
         : result.gate.verdict == GateVerdict::regression ? kExitRegression
                                                          : kExitUndecided;
}

ExitCode perform_gate(const Options& options) {
  const GateMethod method = gate_method(options);
  require_writable(options.json_path);
  if (method == GateMethod::programs) catch_interrupts();
  const GateResult result = method == GateMethod::programs ? gate_programs(options)
                            : method == GateMethod::files  ? gate_files(options)
                                                           : play_gate(options, method);
  write_result(options.json_path, gate_json(result));
  tell(options, gate_report(result, style_of(options)), gate_failures(result));
  return exit_code(result);
}

/// What would stop every scenario alike is told before the first one, and by its own exit code.
void prepare(const Options& options, const std::vector<PlannedScenario>& planned) {
  raise_descriptor_limit();
  require_writable(options.json_path);
  const Ring probe({8, 8, 1, 0});
  const KernelCounters known = KernelCounters::read();
  for (const PlannedScenario& scenario : planned) {
    // A built-in that names what this kernel has not is a difference to be shown, not a mistake.
    if (folder_of(scenario.file).empty()) check_counters(scenario.ring, known);
  }
  catch_interrupts();
}

void require_played(const AtlasResult& result) {
  for (const AtlasEntry& entry : result.entries) {
    if (entry.ring || entry.syscall || result.interrupted) return;
  }
  throw Error(kExitCannotRun, result.entries.front().skipped);
}

/// What was never begun because of an interrupt is not asked, so that no verdict comes from half of
/// the evidence.
std::vector<ClaimResult> judge(const AtlasResult& result, bool all) {
  std::vector<AtlasEntry> entries = result.entries;
  if (result.interrupted) {
    std::erase_if(entries, [](const AtlasEntry& entry) { return !entry.ring && !entry.syscall; });
  }
  return judge_claims(entries, known_claims(), built_in_evidence(), all);
}

ExitCode exit_code(const AtlasResult& result) {
  if (result.interrupted) return kExitInterrupted;
  for (const AtlasEntry& entry : result.entries) {
    if (!entry.expected()) return kExitVerdictFailed;
  }
  return kExitGood;
}

ExitCode perform_atlas(const Options& options) {
  const std::vector<PlannedScenario> planned = plan_atlas(options);
  prepare(options, planned);
  AtlasResult result = play_atlas(options, planned);
  require_played(result);
  result.claims = judge(result, options.wanted.empty());
  write_result(options.json_path, atlas_json(result));
  const TextStyle style = style_of(options);
  const bool has_story = !options.explain.empty();
  tell(options,
       has_story ? atlas_story(result.entries.front(), result.context, style)
                 : atlas_report(result, style),
       atlas_failures(result));
  return exit_code(result);
}

ExitCode perform_merge(const Options& options) {
  require_writable(options.json_path);
  const ResultFile one{options.sides[0], read_result(options.sides[0])};
  const ResultFile other{options.sides[1], read_result(options.sides[1])};
  return conclude(options, merge(one, other, options.command_line));
}

ExitCode perform_export(const Options& options) {
  constexpr OutputKind kExport = {"the export", "free space, or choose another file"};
  const std::string& path = options.output_path;
  std::error_code none;
  if (path != "-" && std::filesystem::equivalent(options.recorded, path, none)) {
    throw Error(kExitUsage, printable(fmt::format("'{}' is the result itself; choose another file "
                                                  "to write the export to",
                                                  path)));
  }
  const RecordedResult result = read_recorded(options.recorded);
  const std::string text = export_result(result, options.exported);
  require_writable(path, kExport);
  write_result(path, text, kExport);
  return kExitGood;
}

/// The list as wide as the terminal, or as it is for a program that reads it.
std::string listed(const std::vector<ScenarioFile>& files, const Options& options) {
  constexpr unsigned kWholeLines = 1000;
  TextStyle style = style_of(options);
  if (isatty(STDOUT_FILENO) != 1) style.width = kWholeLines;
  return catalogue_text(files, style);
}

ExitCode perform_scenarios(const Options& options) {
  const std::string& word = options.scenario_name;
  if (options.as_markdown && !word.empty()) {
    throw Error(kExitUsage, fmt::format("--format markdown is about all scenarios: leave '{}' out",
                                        printable(word)));
  }
  if (word.empty()) {
    const std::vector<ScenarioFile> all = builtin_scenarios();
    print_report(options, options.as_markdown ? errno_pages(all) : listed(all, options));
    return kExitGood;
  }
  const std::vector<ScenarioFile> files = find_scenarios(word);
  const bool is_one = files.size() == 1 && files.front().name == word;
  print_report(options, is_one ? files.front().text : listed(files, options));
  return kExitGood;
}

ExitCode perform_doctor(const Options& options) {
  require_writable(options.json_path);
  const MachineFacts facts = examine_machine();
  const std::vector<Verdict> verdicts = diagnose(facts);
  write_result(options.json_path, doctor_json(facts, verdicts));
  tell(options, doctor_report(facts, verdicts, style_of(options)), failures(verdicts));
  return doctor_exit_code(facts, verdicts);
}

ExitCode perform_completion(const Options& options) {
  std::vector<std::string> names;
  for (const ScenarioFile& file : builtin_scenarios()) names.push_back(file.name);
  print_report(options, completion_script(options.shell, names));
  return kExitGood;
}

ExitCode perform_man(const Options& options) {
  print_report(options, man_page());
  return kExitGood;
}

}  // namespace

ExitCode perform(const Options& options) {
  switch (options.command) {
    case Command::run:
      return perform_run(options);
    case Command::drive:
      return perform_drive(options);
    case Command::serve:
      return perform_serve(options);
    case Command::compare:
      return perform_compare(options);
    case Command::sweep:
      return perform_sweep(options);
    case Command::gate:
      return perform_gate(options);
    case Command::atlas:
      return perform_atlas(options);
    case Command::scenarios:
      return perform_scenarios(options);
    case Command::merge:
      return perform_merge(options);
    case Command::export_result:
      return perform_export(options);
    case Command::doctor:
      return perform_doctor(options);
    case Command::completion:
      return perform_completion(options);
    case Command::man:
      return perform_man(options);
  }
  return kExitUsage;
}

}  // namespace ringchurn
