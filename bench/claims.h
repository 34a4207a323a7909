// Claims about what the kernel answers, as tutorials, manuals and forums make them, and what the
// scenarios that were played say about each.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "bench/atlas.h"

namespace ringchurn {

/// A sentence that people repeat, so that it can be put to the test.
struct Claim {
  std::string id;             ///< "S001-14": what a scenario's [claims] refers to
  std::string claim;          ///< in a few words
  std::string note;           ///< what really happens, or ""
  std::string not_behaviour;  ///< why no kernel can show it, or ""
};

/// Reads claims from TOML, one table for each: [S001-14] claim = "...", and where there is more to
/// say note = "..."; not_behaviour = "..." says why it is beyond any kernel. Sorted by id. Throws
/// std::runtime_error that names the line.
std::vector<Claim> read_claims(std::string_view toml);

/// The claims that the program carries: workloads/claims.toml.
std::vector<Claim> known_claims();

/// Which scenarios bear on a claim, by its id.
using EvidenceMap = std::map<std::string, std::set<std::string>>;

/// A claim's verdict comes from the scenarios that were played and came out as expected: what they
/// say is what this kernel does. All of them say "holds": holds; all "wrong": wrong; else partly.
/// None of them, or not all of `needed` among the entries, so that the verdict would be another one
/// with the rest: not_shown.
///
/// Judges every claim that an entry bears on; with `all` the other `known` ones, too. Sorted by id.
std::vector<ClaimResult> judge_claims(const std::vector<AtlasEntry>& entries,
                                      const std::vector<Claim>& known, const EvidenceMap& needed,
                                      bool all);

}  // namespace ringchurn
