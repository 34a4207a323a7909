// `ringchurn serve`: the server's end of scenarios, for clients on another machine (`drive`).
#pragma once

#include "bench/lab.h"
#include "bench/metrics_server.h"
#include "bench/options.h"
#include "bench/plan.h"
#include "bench/result.h"

namespace ringchurn {

/// Refuses what has no server's end, or none that clients elsewhere could reach. Throws Error
/// (kExitUsage).
void check_served(const Options& options, const Plan& plan);

/// Listens, one port for each scenario; prints where, as JSON, on standard output, when clients may
/// come; serves until so many connections were served, or so long, or until it is interrupted,
/// which is one of the ways to end it. `metrics`, unless null, hears of every sample. Throws Error.
RunResult serve(const Options& options, const Plan& plan, const Lab& lab, MetricsServer* metrics);

}  // namespace ringchurn
