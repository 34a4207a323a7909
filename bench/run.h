// `ringchurn run`: one mix, played for so many connections or so long.
#pragma once

#include "bench/lab.h"
#include "bench/options.h"
#include "bench/plan.h"
#include "bench/result.h"

namespace ringchurn {

/// Plays plan.arms[0] and judges it. Returns a partial result, marked, after an interruption.
/// Throws Error if the load could not begin.
RunResult run(const Options& options, const Plan& plan, const Lab& lab);

}  // namespace ringchurn
