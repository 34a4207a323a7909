// What is going to be played: the arms that the user named, their scenarios compiled once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/atlas.h"
#include "bench/options.h"
#include "workloads/mix.h"
#include "workloads/script.h"

namespace ringchurn {

/// A scenario alone, or a mix. `scenarios` are indexes into Plan::scenarios.
struct Arm {
  std::string name;  ///< as the user wrote it
  std::vector<std::uint16_t> scenarios;
  std::vector<double> weights;
  Ways ways{};  ///< by which it is played

  Mix mix(std::uint64_t seed) const { return {scenarios, weights, seed}; }
};

/// Every scenario that any arm plays, each once, and the arms.
struct Plan {
  std::vector<Scenario> scenarios;
  std::vector<Arm> arms;
  /// What each scenario was compiled from, and with which parameters.
  std::vector<ScenarioFile> files;
  std::vector<std::map<std::string, std::string>> settings;

  /// The longest that a connection may rest without anything being wrong: pauses and time limits of
  /// its scripts added up, in nanoseconds.
  std::uint64_t longest_rest_ns() const;
};

/// Reads and compiles what `options` name, with their --set parameters. Throws Error (exit code 2)
/// for a scenario, mix or parameter that is wrong, before anything is run.
Plan make_plan(const Options& options);

/// The same for a sweep: an arm, and a scenario of its own, for every combination of
/// options.variations, the last of them varying fastest. They are named "PARAM=VALUE ...".
Plan plan_sweep(const Options& options);

/// The same for the atlas: what `options.wanted` names, each scenario once, in the catalogue's
/// order; everything if it names nothing.
std::vector<PlannedScenario> plan_atlas(const Options& options);

}  // namespace ringchurn
