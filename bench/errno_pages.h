// What an errno means, and when: the scenarios, turned around. The page that is committed as
// workloads/scenarios/README.md.
#pragma once

#include <string>
#include <vector>

#include "workloads/scenario_file.h"

namespace ringchurn {

/// A Markdown page about `files`, which are built-in: for every errno that some step expects the
/// situations in which it comes, with the command that plays each; then what the scenarios say
/// about common claims; then all scenarios by folder. EOF and time limits have a section, too, for
/// the scenarios that expect no errno at all. Links are relative to workloads/scenarios.
std::string errno_pages(const std::vector<ScenarioFile>& files);

}  // namespace ringchurn
