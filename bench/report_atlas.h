// The atlas for a person at a terminal: one line for each scenario, then the claims.
#pragma once

#include <string>

#include "bench/atlas.h"
#include "bench/text.h"

namespace ringchurn {

/// What came of every scenario, folder by folder: whether it was as expected, what the kernel
/// answered at the telling step, how often where that is a race. A second column where plain system
/// calls played, too. Then the claims, and a summary as the last line. Lines end with '\n' and fit
/// into style.width (60 or more).
std::string atlas_report(const AtlasResult& result, const TextStyle& style);

/// What --quiet leaves of it: each scenario that was not as expected, and how, one line each, begun
/// as an error is.
std::string atlas_failures(const AtlasResult& result);

}  // namespace ringchurn
