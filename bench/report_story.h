// The story of one connection for a person at a terminal, or for a bug report.
#pragma once

#include <string>

#include "bench/atlas.h"
#include "bench/text.h"

namespace ringchurn {

/// One connection of `entry`, step by step as it happened, both ends side by side in time order,
/// with errno, times and counters; for each engine that played it. Something to paste into a bug
/// report: it begins with what it was played on.
std::string atlas_story(const AtlasEntry& entry, const Context& context, const TextStyle& style);

}  // namespace ringchurn
