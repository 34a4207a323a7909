// Four ways to a ratio, one way to a verdict: see gate.h.
#include "bench/gate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <set>

#include "bench/context.h"
#include "bench/interrupt.h"
#include "bench/program.h"
#include "bench/read_result.h"
#include "bench/requirement.h"
#include "bench/schedule.h"
#include "bench/statistics.h"
#include "bench/text.h"
#include "bench/verdicts.h"
#include "ring/error.h"
#include "workloads/random.h"

namespace ringchurn {
namespace {

[[noreturn]] void fail_usage(const std::string& what) { throw Error(kExitUsage, printable(what)); }

GateMethod method_of(const std::string& text, bool plays_against) {
  const bool is_word = text.find(' ') == text.npos;
  const std::string played = split_arm(text).played;
  std::error_code ignored;
  if (text.ends_with(".json") && (is_word || std::filesystem::exists(text, ignored))) {
    return GateMethod::files;
  }
  const bool is_mix = is_word && text.find('=') != text.npos;
  const bool is_command = text.find_first_of(" /") != text.npos && !is_mix;
  if (is_command && plays_against) return GateMethod::servers;
  if (is_command && !played.ends_with(".toml")) return GateMethod::programs;
  return GateMethod::in_process;
}

const char* method_name(GateMethod method) {
  switch (method) {
    case GateMethod::in_process:
      return "in-process";
    case GateMethod::servers:
      return "servers";
    case GateMethod::programs:
      return "programs";
    case GateMethod::files:
      return "files";
  }
  return "";
}

Gate begin(const Options& options, GateMethod method) {
  Gate gate;
  gate.method = method_name(method);
  gate.baseline = fmt::format("{}", fmt::join(options.baselines, ", "));
  gate.candidate = fmt::format("{}", fmt::join(options.candidates, ", "));
  gate.margin = options.margin;
  return gate;
}

// -- requirements ---------------------------------------------------------------------------------

/// Whether `value` is further from what is asked for than `worst`.
bool is_worse(const Requirement& requirement, double value, double worst) {
  using Relation = Requirement::Relation;
  const bool wants_more =
      requirement.relation == Relation::more || requirement.relation == Relation::at_least;
  if (requirement.relation == Relation::equal) {
    return std::abs(value - requirement.value) > std::abs(worst - requirement.value);
  }
  if (requirement.relation == Relation::unequal) return value == requirement.value;
  return wants_more ? value < worst : value > worst;
}

/// Each requirement by the worst of the candidate's results; one that does not know it is worse
/// than any.
void judge_requirements(const Options& options, const std::vector<RunResult>& results, Gate& gate) {
  for (const Requirement& requirement : options.requirements) {
    RequirementResult row{requirement.text, std::nullopt, !results.empty()};
    bool is_known = true;
    for (const RunResult& result : results) {
      const std::optional<double> value = metric_value(requirement.metric, result);
      row.ok = row.ok && is_met(requirement, value);
      is_known = is_known && value;
      if (value && (!row.value || is_worse(requirement, *value, *row.value))) row.value = value;
    }
    if (!is_known) row.value.reset();
    gate.requirements.push_back(row);
  }
}

// -- the verdict ----------------------------------------------------------------------------------

std::string percent(double ratio) { return signed_percent(100 * (ratio - 1), 1); }

/// Whole commands stand above the sentence.
std::string both_names(const Gate& gate) {
  constexpr std::size_t kShort = 32;
  if (gate.candidate.size() > kShort || gate.baseline.size() > kShort) {
    return "the candidate against the baseline";
  }
  return fmt::format("{} against {}", gate.candidate, gate.baseline);
}

std::string in_words(const Gate& gate) {
  std::string text;
  if (gate.ratio) {
    text = fmt::format("{}: {} CPU per connection (95% interval {} to {})", both_names(gate),
                       percent(gate.ratio->value), percent(gate.ratio->ci_low),
                       percent(gate.ratio->ci_high));
    const std::string margin = fmt::format("the margin of {:g}%", 100 * gate.margin);
    const GateVerdict by_interval = gate_verdict(gate.ratio, gate.margin);
    text += by_interval == GateVerdict::fine         ? ", all of it below " + margin
            : by_interval == GateVerdict::regression ? ", all of it above " + margin
                                                     : ", which includes " + margin;
  } else if (!gate.baseline.empty()) {
    text = both_names(gate) + ": too little was measured";
  } else {
    text = gate.candidate;
  }
  std::vector<std::string> unmet;
  for (const RequirementResult& row : gate.requirements) {
    if (!row.ok) unmet.push_back(row.text);
  }
  if (!unmet.empty()) {
    text += fmt::format("; {} of {} requirements not met: {}", unmet.size(),
                        gate.requirements.size(), fmt::join(unmet, ", "));
  } else if (!gate.requirements.empty()) {
    text += fmt::format(
        "; {} met", gate.requirements.size() == 1 ? "the requirement is" : "all requirements are");
  }
  return text;
}

/// From ratio and requirements to the verdict, unless the numbers are not to be trusted.
void conclude(GateResult& result) {
  Gate& gate = result.gate;
  const bool all_met = std::all_of(gate.requirements.begin(), gate.requirements.end(),
                                   [](const RequirementResult& row) { return row.ok; });
  gate.verdict = gate.baseline.empty() ? GateVerdict::fine : gate_verdict(gate.ratio, gate.margin);
  if (!all_met) gate.verdict = GateVerdict::regression;
  std::string doubt;
  if (!trusted(result.verdicts)) doubt = "; a verdict failed, so that nothing is decided";
  if (result.interrupted) doubt = "; interrupted";
  if (!doubt.empty()) gate.verdict = GateVerdict::undecided;
  result.gate.sentence =
      fmt::format("{}: {}{}", gate_verdict_name(gate.verdict), in_words(gate), doubt);
}

// -- comparisons ----------------------------------------------------------------------------------

/// What a comparison knows of one of its arms alone.
void require_separable(const Options& options) {
  static const std::set<std::string> kOfAnArm = {"cost.cpu_us_per_connection",
                                                 "cost.segments_per_connection",
                                                 "cost.time_wait_per_connection"};
  for (const Requirement& requirement : options.requirements) {
    const std::string& metric = requirement.metric;
    const bool is_known = metric.starts_with("errors.") || metric.starts_with("latency.") ||
                          metric.starts_with("connections.") || kOfAnArm.contains(metric);
    if (is_known) continue;
    fail_usage(
        fmt::format("--require {}: {} is counted for both sides together where they are "
                    "played in turn; gate commands or results",
                    requirement.text, metric));
  }
}

/// The candidate's part of the account. What both sides play is counted for both.
RunResult candidate_part(const CompareResult& comparison, const Arm& candidate) {
  RunResult part;
  part.context = comparison.run.context;
  std::set<std::string> names;
  for (const std::uint16_t index : candidate.scenarios) {
    part.scenarios.push_back(comparison.run.scenarios[index]);
    names.insert(part.scenarios.back().name);
  }
  for (const ErrorRow& row : comparison.run.errors) {
    if (names.contains(row.scenario)) part.errors.push_back(row);
  }
  const ArmResult& arm = comparison.arms.back();
  part.cost.cpu_us_per_connection = arm.cpu_us_per_connection;
  part.cost.segments_per_connection = arm.segments_per_connection.value_or(0);
  part.cost.time_wait_per_connection = arm.time_wait_per_connection.value_or(0);
  return part;
}

/// Commands and results have had their settings: more of them would be passed over in silence.
void require_no_settings(const Options& options, GateMethod method) {
  std::set<std::string> known = {"baseline", "candidate", "margin",   "require",
                                 "json",     "quiet",     "no-color", "config"};
  if (method == GateMethod::programs) known.insert({"duration", "seed"});
  for (const std::string& name : options.typed) {
    if (known.contains(name)) continue;
    fail_usage(fmt::format("--{} says nothing about {}: leave it out", name,
                           method == GateMethod::files ? "results that are measured already"
                                                       : "commands that know what they play"));
  }
}

// -- programs -------------------------------------------------------------------------------------

RunResult run_once(const std::string& command) {
  const ProgramRun run = run_program(command);
  if (run.exit_code == kExitGood) return parse_result(run.output, command);
  if (interrupted()) throw Error(kExitInterrupted, "interrupted");
  // Its own words may begin with its name.
  throw Error(run.exit_code == kExitVerdictFailed ? kExitVerdictFailed : kExitCannotRun,
              fmt::format("'{}' ended with exit code {}: {}", printable(command), run.exit_code,
                          run.last_words.empty() ? "it said nothing" : run.last_words));
}

/// Costs of one side, run by run.
struct Runs {
  std::vector<RunResult> results;
  std::vector<BlockCost> costs;

  void add(RunResult result) {
    const auto count = static_cast<double>(result.cost.connections);
    costs.push_back({result.cost.cpu_us_per_connection * count, count});
    results.push_back(std::move(result));
  }
};

/// CPU us per connection of all runs together; empty without any.
std::optional<double> mean_cost(const std::vector<BlockCost>& costs) {
  double cost = 0, count = 0;
  for (const BlockCost& run : costs) {
    cost += run.cost;
    count += run.count;
  }
  return count > 0 ? std::optional(cost / count) : std::nullopt;
}

/// Pairs of runs in random, mirrored order, until there are enough and the time is over. After an
/// interrupt, those pairs that are whole.
void run_in_turn(const Options& options, Runs& baseline, Runs& candidate) {
  const auto until = std::chrono::steady_clock::now() + options.duration;
  Random random(options.seed);
  try {
    while (candidate.costs.size() < kMinBlocks || std::chrono::steady_clock::now() < until) {
      for (const std::uint8_t side : mirrored_block(2, random)) {
        Runs& runs = side == 0 ? baseline : candidate;
        runs.add(run_once(side == 0 ? options.baselines[0] : options.candidates[0]));
      }
    }
  } catch (const Error& error) {
    if (error.exit_code != kExitInterrupted) throw;
  }
  const std::size_t pairs = std::min(baseline.costs.size(), candidate.costs.size());
  baseline.costs.resize(pairs);
  candidate.costs.resize(pairs);
}

// -- results that were measured apart -------------------------------------------------------------

/// What must be equal if two results are to be compared, in words.
std::vector<std::pair<const char*, std::string>> conditions(const RunResult& result) {
  const Context& context = result.context;
  std::string scenarios;
  for (const ScenarioResult& scenario : result.scenarios) {
    scenarios += fmt::format("{}{} {:.3g}%", scenarios.empty() ? "" : ", ", scenario.name,
                             100 * scenario.weight);
  }
  return {{"kernel", context.kernel},
          {"CPU", context.cpu_model},
          {"number of CPUs", fmt::format("{}", context.cpus)},
          {"lab", context.lab},
          {"CPU that processes what is received", context.received_by},
          {"layout", context.layout},
          {"ways to use the ring", context.ways.empty() ? "the default" : context.ways},
          {"family", context.family},
          {"congestion control", context.congestion_control},
          {"threads", fmt::format("{}", context.threads)},
          {"server threads", fmt::format("{}", context.server_threads.value_or(0))},
          {"concurrency", fmt::format("{}", context.concurrency)},
          {"side", side_name(context.side)},
          {"target", context.target},
          {"pace", result.open_loop ? fmt::format("{} a second", result.open_loop->asked_per_s)
                                    : "closed loop"},
          {"scenarios", scenarios}};
}

void require_equal(const std::string& one, const RunResult& its, const std::string& other,
                   const RunResult& others) {
  const auto ours = conditions(its), theirs = conditions(others);
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (ours[i].second == theirs[i].second) continue;
    fail_usage(
        fmt::format("'{}' and '{}' differ in {} ({} and {}), so their costs cannot be "
                    "compared: measure both alike, or gate two commands now",
                    one, other, ours[i].first, ours[i].second, theirs[i].second));
  }
}

void require_sound(const std::string& path, const RunResult& result) {
  for (const Verdict& verdict : result.verdicts) {
    if (verdict.ok || verdict.advisory) continue;
    fail_usage(fmt::format("'{}' failed its verdict '{}': measure it again", path, verdict.name));
  }
  if (result.interrupted) fail_usage(fmt::format("'{}' was interrupted: measure it again", path));
  if (result.cost.connections == 0 || result.cost.cpu_us_per_connection <= 0) {
    fail_usage(fmt::format("'{}' has no connection to tell the cost of: measure it again", path));
  }
}

std::vector<RunResult> read_all(const std::vector<std::string>& paths) {
  std::vector<RunResult> results;
  for (const std::string& path : paths) {
    results.push_back(read_result(path));
    require_sound(path, results.back());
    require_equal(paths.front(), results.front(), path, results.back());
  }
  return results;
}

std::vector<double> costs_of(const std::vector<RunResult>& results) {
  std::vector<double> costs;
  for (const RunResult& result : results) costs.push_back(result.cost.cpu_us_per_connection);
  return costs;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Mean and variance of the mean of the logarithms.
struct LogMean {
  explicit LogMean(const std::vector<double>& values) : count(static_cast<double>(values.size())) {
    std::vector<double> logs;
    for (const double value : values) logs.push_back(std::log(value));
    value_ = mean(logs);
    double squares = 0;
    for (const double log : logs) squares += (log - value_) * (log - value_);
    if (count > 1) variance = squares / (count - 1) / count;
  }
  double count, value_ = 0, variance = 0;
};

/// Half the width of the interval of a difference of two means (Welch 1947, with Satterthwaite's
/// degrees of freedom rounded down).
double welch_reach(const LogMean& one, const LogMean& other) {
  const double variance = one.variance + other.variance;
  if (variance == 0) return 0;
  const double degrees = variance * variance /
                         (one.variance * one.variance / (one.count - 1) +
                          other.variance * other.variance / (other.count - 1));
  return student_t_quantile(0.975, std::max(1, static_cast<int>(degrees))) * std::sqrt(variance);
}

}  // namespace

const char* gate_verdict_name(GateVerdict verdict) {
  return verdict == GateVerdict::fine         ? "fine"
         : verdict == GateVerdict::regression ? "regression"
                                              : "undecided";
}

GateMethod gate_method(const Options& options) {
  const bool plays_against = !options.arms.empty();
  const GateMethod method = method_of(options.candidates.front(), plays_against);
  for (const auto* side : {&options.baselines, &options.candidates}) {
    for (const std::string& text : *side) {
      if (method_of(text, plays_against) == method) continue;
      fail_usage(
          fmt::format("'{}' and '{}' are of two kinds: give two scenarios or mixes, two "
                      "commands, or results (RESULT.json)",
                      text, options.candidates.front()));
    }
    if (method != GateMethod::files && side->size() > 1) {
      fail_usage(fmt::format("'{}' and '{}' are on one side: only results may be several",
                             side->front(), side->back()));
    }
  }
  if (plays_against && method != GateMethod::servers) {
    fail_usage("--scenario and --mix are played against servers: leave them out, or give commands");
  }
  if (method == GateMethod::servers && options.lab != LabKind::private_namespace) {
    fail_usage("each server has a network of its own: leave --lab out");
  }
  const bool needs_both = method == GateMethod::in_process || method == GateMethod::servers;
  if (needs_both && options.baselines.empty()) {
    fail_usage(fmt::format("'{}' is compared while it is played: give --baseline",
                           options.candidates.front()));
  }
  if (needs_both) {
    require_separable(options);
  } else {
    require_no_settings(options, method);
  }
  return method;
}

GateVerdict gate_verdict(const std::optional<Estimate>& ratio, double margin) {
  if (!ratio) return GateVerdict::undecided;
  if (ratio->ci_high < 1 + margin) return GateVerdict::fine;
  if (ratio->ci_low > 1 + margin) return GateVerdict::regression;
  return GateVerdict::undecided;
}

std::optional<Estimate> ratio_of_runs(const std::vector<double>& candidate,
                                      const std::vector<double>& baseline) {
  if (candidate.empty() || baseline.empty()) return std::nullopt;
  const LogMean ours(candidate), theirs(baseline);
  constexpr double kNormal = 1.959964;  // two-sided 95%
  const bool is_known = candidate.size() > 1 && baseline.size() > 1;
  const double reach =
      is_known ? welch_reach(ours, theirs)
               : kNormal * kRunToRunDeviation * std::sqrt(1 / ours.count + 1 / theirs.count);
  const double difference = ours.value_ - theirs.value_;
  return Estimate{std::exp(difference), std::exp(difference - reach), std::exp(difference + reach)};
}

GateResult gate_comparison(const Options& options, GateMethod method, const Arm& candidate,
                           CompareResult comparison) {
  GateResult result;
  result.gate = begin(options, method);
  result.context = comparison.run.context;
  result.verdicts = comparison.run.verdicts;
  result.interrupted = comparison.run.interrupted;
  result.gate.ratio = comparison.arms.back().ratio;
  result.gate.pairs = comparison.blocks;
  result.gate.baseline_value = comparison.arms.front().cpu_us_per_connection;
  result.gate.candidate_value = comparison.arms.back().cpu_us_per_connection;
  judge_requirements(options, {candidate_part(comparison, candidate)}, result.gate);
  result.comparison = std::move(comparison);
  conclude(result);
  return result;
}

GateResult gate_programs(const Options& options) {
  GateResult result;
  result.gate = begin(options, GateMethod::programs);
  Runs baseline, candidate;
  if (options.baselines.empty()) {
    candidate.add(run_once(options.candidates[0]));
  } else {
    run_in_turn(options, baseline, candidate);
    result.gate.pairs = static_cast<unsigned>(baseline.costs.size());
  }
  result.interrupted = interrupted();
  if (const auto found = compare_costs(candidate.costs, baseline.costs, {.seed = options.seed})) {
    result.gate.ratio = {found->ratio.value, found->ratio.low, found->ratio.high};
  }
  result.gate.baseline_value = mean_cost(baseline.costs);
  result.gate.candidate_value = mean_cost(candidate.costs);
  judge_requirements(options, candidate.results, result.gate);
  if (!candidate.results.empty()) result.context = candidate.results.front().context;
  result.context.command = options.command_line;
  conclude(result);
  return result;
}

GateResult gate_files(const Options& options) {
  GateResult result;
  result.gate = begin(options, GateMethod::files);
  const std::vector<RunResult> candidates = read_all(options.candidates);
  const std::vector<RunResult> baselines = read_all(options.baselines);
  result.context = candidates.front().context;
  result.context.command = options.command_line;
  result.gate.candidate_value = mean(costs_of(candidates));
  if (!baselines.empty()) {
    require_equal(options.baselines.front(), baselines.front(), options.candidates.front(),
                  candidates.front());
    result.gate.baseline_value = mean(costs_of(baselines));
    result.gate.ratio = ratio_of_runs(costs_of(candidates), costs_of(baselines));
    result.gate.pairs = static_cast<unsigned>(std::min(candidates.size(), baselines.size()));
  }
  judge_requirements(options, candidates, result.gate);
  conclude(result);
  return result;
}

}  // namespace ringchurn
