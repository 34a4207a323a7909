// `ringchurn compare`: arms interleaved in one process, and what the difference is, with its error.
#pragma once

#include <vector>

#include "bench/lab.h"
#include "bench/options.h"
#include "bench/plan.h"
#include "bench/result.h"

namespace ringchurn {

/// Measures plan.arms against each other for options.duration, arm 0 being the baseline. Both ends
/// of every connection live on this thread and its CPU, so that no wake-up and no second cache is
/// in the figures. Returns a partial result, marked, after an interruption. Throws Error.
CompareResult compare(const Options& options, const Plan& plan, const Lab& lab);

/// The same for servers of somebody else's: starts options.servers, each in a network of its own,
/// plays plan.arms[0] against them, and compares the CPU time that their processes take. `lab` must
/// be private. The servers are ended before it returns.
CompareResult compare_servers(const Options& options, const Plan& plan, const Lab& lab);

/// A bill for each scenario of `plan`, measured here and now, some three seconds each: a comparison
/// of the scenario alone, with both ends on the calling thread. What cannot be measured has a bill
/// that says why: the run that it belongs to is over, and keeps its result.
std::vector<Bill> measure_bills(const Options& options, const Plan& plan, const Lab& lab);

}  // namespace ringchurn
