// `ringchurn gate`: is a candidate dearer than a baseline by more than a margin? Fine, regression
// or undecided, from an interval, so that noise alone hardly ever fails a build.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/options.h"
#include "bench/plan.h"
#include "bench/result.h"

namespace ringchurn {

/// What baseline and candidate are.
enum class GateMethod {
  in_process,  ///< scenarios or mixes: arms of a comparison
  servers,     ///< commands that listen, while this program plays options.arms against them
  programs,    ///< commands that print a result of ringchurn, run in turn
  files,       ///< results that were measured before
};

/// By how they are written: RESULT.json is a file; a command has a space or a slash in it, unless
/// it ends in .toml or is a mix, and with --scenario or --mix it is a server; all else is a
/// scenario. Throws Error (kExitUsage) if the two differ in kind, or if there are too many of them.
GateMethod gate_method(const Options& options);

/// Fine: the whole interval lies below 1 + margin. Regression: above it. Else, and without one,
/// undecided.
GateVerdict gate_verdict(const std::optional<Estimate>& ratio, double margin);

/// The ratio of costs of results that were measured apart, with a 95% interval for it. With two or
/// more on each side, by Welch's t on their logarithms. A single one does not say how runs differ:
/// then every side is taken to vary by kRunToRunDeviation.
std::optional<Estimate> ratio_of_runs(const std::vector<double>& candidate,
                                      const std::vector<double>& baseline);

/// By which share the CPU cost per connection of equal runs differs from one to another: a standard
/// deviation, as measured within a few minutes (bench/README.md has the command) on an idle virtual
/// machine of two CPUs.
inline constexpr double kRunToRunDeviation = 0.1;

/// Decides by a comparison of two arms or servers, `candidate` being what the second one plays.
GateResult gate_comparison(const Options& options, GateMethod method, const Arm& candidate,
                           CompareResult comparison);

/// Runs both commands in turn, in pairs of random order, for options.duration and until there are
/// enough pairs. Without a baseline, the candidate once. Throws Error if one fails.
GateResult gate_programs(const Options& options);

/// Throws Error (kExitUsage) if the results are not of equal conditions.
GateResult gate_files(const Options& options);

}  // namespace ringchurn
