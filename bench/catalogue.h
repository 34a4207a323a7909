// The built-in scenarios as a collection: by name, by folder, by the claims that they bear on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/claims.h"
#include "bench/text.h"
#include "workloads/scenario_file.h"

namespace ringchurn {

/// The folder of a built-in scenario ("reset"), or "" for a user's own file.
std::string folder_of(const ScenarioFile& file);

/// The scenarios that a word stands for: the scenario of that name, a FILE.toml, all of a folder,
/// or all that bear on a claim. A scenario's name wins over a folder's; "reset/" can only be a
/// folder. Throws Error (exit code 2) for anything else, with what may have been meant.
std::vector<ScenarioFile> find_scenarios(const std::string& word);

/// Which built-in scenarios bear on which claims.
EvidenceMap built_in_evidence();

/// What a scenario is about, in one line: the first sentence of its file.
std::string first_sentence(const std::string& about);

/// Folders with their scenarios, and what each is about. Fits into style.width.
std::string catalogue_text(const std::vector<ScenarioFile>& files, const TextStyle& style);

}  // namespace ringchurn
