// Scenario files: finding them, filling in their parameters, compiling them, and refusing what can
// never happen. The language is described in workloads/README.md.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "workloads/script.h"

namespace ringchurn {

/// A scenario file's text, not yet compiled.
struct ScenarioFile {
  std::string name;  ///< file name without ".toml"
  std::string
      path;  ///< for messages: as the user typed it, or "scenarios/NAME.toml" for a built-in
  std::string text;
};

/// The built-in scenario `name`, or the file if `name` ends with ".toml".
/// Throws Error (exit code 2) for a name that does not exist or a file that cannot be read.
ScenarioFile find_scenario(std::string_view name);

/// The built-in scenarios, sorted by name.
std::vector<ScenarioFile> builtin_scenarios();

/// The parameters that a file declares, with their defaults, as text. Throws as compile() does.
std::map<std::string, std::string> scenario_params(const ScenarioFile& file);

/// Compiles a file with some of its parameters set. Throws Error (exit code 2) whose line names the
/// file, the line and the step, for TOML that does not parse, a key, step, option, outcome or
/// parameter that does not exist, and a step that can never happen where it stands.
///
/// `engine`: whose answers the steps expect.
Scenario compile(const ScenarioFile& file, const std::map<std::string, std::string>& settings = {},
                 Engine engine = Engine::ring);

}  // namespace ringchurn
