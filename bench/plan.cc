// Names become compiled scenarios: see plan.h.
#include "bench/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "bench/catalogue.h"
#include "bench/text.h"
#include "ring/error.h"
#include "workloads/scenario_file.h"
#include "workloads/suggestion.h"

namespace ringchurn {
namespace {

using Settings = std::map<std::string, std::string>;

/// Adds `file`, unless it is there already.
void add_file(std::vector<ScenarioFile>& files, const ScenarioFile& file) {
  const auto known = std::find_if(files.begin(), files.end(), [&](const ScenarioFile& other) {
    return other.name == file.name;
  });
  if (known == files.end()) {
    files.push_back(file);
  } else if (known->path != file.path) {
    throw Error(kExitUsage,
                fmt::format("'{}' and '{}' are both called '{}': rename one, results go by name",
                            known->path, file.path, file.name));
  }
}

/// Which scenario files a run needs, in the order in which they are first named.
std::vector<ScenarioFile> needed_files(const std::vector<std::vector<MixEntry>>& mixes) {
  std::vector<ScenarioFile> files;
  for (const std::vector<MixEntry>& mix : mixes) {
    for (const MixEntry& entry : mix) add_file(files, find_scenario(entry.scenario));
  }
  return files;
}

/// The settings that are meant for `file`.
Settings settings_for(const ScenarioFile& file, const std::vector<ParamSetting>& all) {
  Settings chosen;
  const Settings params = scenario_params(file);
  for (const ParamSetting& setting : all) {
    if (setting.scenario == file.name ||
        (setting.scenario.empty() && params.contains(setting.param))) {
      chosen[setting.param] = setting.value;
    }
  }
  return chosen;
}

/// Compiles with the settings, and says so if it is they that do not fit.
Scenario compile_with(const ScenarioFile& file, const Settings& settings,
                      Engine engine = Engine::ring) {
  try {
    return compile(file, settings, engine);
  } catch (const Error& error) {
    if (settings.empty()) throw;
    compile(file, {}, engine);  // wrong even without them: that is the message
    std::string sets;
    for (const auto& [name, value] : settings) {
      sets += fmt::format("{}--set {}.{}={}", sets.empty() ? "" : " ", file.name, name, value);
    }
    throw Error(kExitUsage, fmt::format("{}: {}", printable(sets), error.what()));
  }
}

/// A --set that reaches no scenario of the run would be an option that is parsed and ignored.
void check_settings(const std::vector<ScenarioFile>& files, const std::vector<ParamSetting>& all) {
  for (const ParamSetting& setting : all) {
    const bool reaches = std::any_of(files.begin(), files.end(), [&](const ScenarioFile& file) {
      return setting.scenario.empty() ? scenario_params(file).contains(setting.param)
                                      : setting.scenario == file.name;
    });
    if (reaches) continue;
    const std::string dot = setting.scenario.empty() ? "" : ".";
    throw Error(
        kExitUsage,
        fmt::format("--set {}{}{}={}: {}", setting.scenario, dot, setting.param, setting.value,
                    setting.scenario.empty() ? "no scenario of this run has such a parameter"
                                             : "this run does not play that scenario"));
  }
}

std::uint64_t rest_ns(const std::vector<Step>& steps) {
  std::uint64_t total = 0;
  for (const Step& step : steps) {
    if (step.op != Op::pause && !step.limited) continue;
    total += static_cast<std::uint64_t>(step.time.tv_sec) * 1'000'000'000 +
             static_cast<std::uint64_t>(step.time.tv_nsec);
  }
  return total;
}

/// What is varied must be there, and must not be set as well.
void check_variations(const ScenarioFile& file, const Options& options) {
  const Settings params = scenario_params(file);
  const Settings set = settings_for(file, options.settings);
  std::vector<std::string> names;
  for (const auto& [name, unused] : params) names.push_back(name);
  for (const auto& [param, unused] : options.variations) {
    if (!params.contains(param)) {
      throw Error(kExitUsage,
                  fmt::format("--vary {}: '{}' has no such parameter{}; it has {}",
                              printable(param), file.name, did_you_mean(param, names),
                              names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
    }
    if (set.contains(param)) {
      throw Error(kExitUsage,
                  fmt::format("--set and --vary both give '{}': leave one of them out", param));
    }
  }
}

/// Every combination of the values, the last parameter's varying fastest.
std::vector<Settings> combinations(const std::vector<Variation>& variations) {
  std::vector<Settings> points = {{}};
  for (const Variation& variation : variations) {
    std::vector<Settings> more;
    for (const Settings& point : points) {
      for (const std::string& value : variation.values) {
        more.push_back(point);
        more.back()[variation.param] = value;
      }
    }
    points = std::move(more);
  }
  return points;
}

/// "request=1 drain_timeout=50ms"
std::string point_name(const std::vector<Variation>& variations, const Settings& point) {
  std::string name;
  for (const Variation& variation : variations) {
    name +=
        fmt::format("{}{}={}", name.empty() ? "" : " ", variation.param, point.at(variation.param));
  }
  return name;
}

}  // namespace

std::uint64_t Plan::longest_rest_ns() const {
  std::uint64_t longest = 0;
  for (const Scenario& scenario : scenarios) {
    std::uint64_t rest = rest_ns(scenario.client.steps) + rest_ns(scenario.server.steps);
    if (const auto& pause = scenario.server.accept_pause) {
      rest += static_cast<std::uint64_t>(pause->tv_sec) * 1'000'000'000 +
              static_cast<std::uint64_t>(pause->tv_nsec);
    }
    longest = std::max(longest, rest);
  }
  return longest;
}

Plan make_plan(const Options& options) {
  std::vector<std::vector<MixEntry>> mixes;
  for (const std::string& arm : options.arms) mixes.push_back(parse_mix(split_arm(arm).played));
  const std::vector<ScenarioFile> files = needed_files(mixes);
  check_settings(files, options.settings);

  Plan plan;
  for (const ScenarioFile& file : files) {
    plan.files.push_back(file);
    plan.settings.push_back(settings_for(file, options.settings));
    plan.scenarios.push_back(compile_with(file, plan.settings.back()));
  }
  for (std::size_t i = 0; i < mixes.size(); ++i) {
    Arm arm;
    arm.name = options.arms[i];
    const ArmText text = split_arm(arm.name);
    arm.ways = text.has_ways ? parse_ways(text.ways) : options.ways;
    for (const MixEntry& entry : mixes[i]) {
      const std::string name = find_scenario(entry.scenario).name;
      const auto scenario =
          std::find_if(plan.scenarios.begin(), plan.scenarios.end(),
                       [&](const Scenario& candidate) { return candidate.name == name; });
      arm.scenarios.push_back(static_cast<std::uint16_t>(scenario - plan.scenarios.begin()));
      arm.weights.push_back(entry.weight);
    }
    plan.arms.push_back(arm);
  }
  return plan;
}

Plan plan_sweep(const Options& options) {
  const ScenarioFile file = find_scenario(options.arms.front());
  check_settings({file}, options.settings);
  check_variations(file, options);
  Plan plan;
  for (const Settings& point : combinations(options.variations)) {
    Settings settings = settings_for(file, options.settings);
    settings.insert(point.begin(), point.end());
    plan.files.push_back(file);
    plan.scenarios.push_back(compile_with(file, settings));
    plan.settings.push_back(std::move(settings));
    const std::string name = point_name(options.variations, point);
    plan.scenarios.back().name = name;
    plan.arms.push_back(
        {name, {static_cast<std::uint16_t>(plan.arms.size())}, {1.0}, options.ways});
  }
  return plan;
}

std::vector<PlannedScenario> plan_atlas(const Options& options) {
  std::vector<ScenarioFile> files;
  for (const std::string& word : options.wanted) {
    const bool is_one = !options.explain.empty();
    for (const ScenarioFile& file :
         is_one ? std::vector{find_scenario(word)} : find_scenarios(word)) {
      add_file(files, file);
    }
  }
  if (options.wanted.empty()) files = builtin_scenarios();
  check_settings(files, options.settings);

  std::vector<PlannedScenario> planned;
  for (const ScenarioFile& file : files) {
    const Settings settings = settings_for(file, options.settings);
    PlannedScenario scenario{file, compile_with(file, settings), {}};
    if (options.engine == Engine::syscall && !scenario.ring.ring_only) {
      scenario.syscall = compile_with(file, settings, Engine::syscall);
    }
    planned.push_back(std::move(scenario));
  }
  return planned;
}

}  // namespace ringchurn
