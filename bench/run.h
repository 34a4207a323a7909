// One mix, played for so many connections or so long: both ends (`ringchurn run`), the client's
// alone
// (`drive`) or the server's alone (`serve`).
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "bench/lab.h"
#include "bench/metrics_server.h"
#include "bench/options.h"
#include "bench/plan.h"
#include "bench/result.h"
#include "workloads/endpoint.h"

namespace ringchurn {

/// Where the connections are, and which of their ends this program plays.
struct Site {
  Lab lab;
  std::optional<Side> only;  ///< one end; the other is elsewhere. Empty: both
  /// With one end alone: an endpoint for each scenario of the plan. Called once for each thread of
  /// the client's end; once for the server's.
  std::function<std::vector<Endpoint>()> endpoints;
  std::string target;  ///< where somebody else's server is; "" if the other end is ringchurn's, too
  std::string run_id;  ///< what the results of both ends have in common; "" if there is one result
  /// Called once, when everything is set up and the kernel's counters were read: what it lets in is
  /// counted. May throw; then nothing is played.
  std::function<void()> announce = [] {};
  MetricsServer* metrics = nullptr;  ///< hears of every sample; null: nobody does
};

/// Plays plan.arms[0] and judges it. Returns a partial result, marked, after an interruption.
/// Throws Error if the load could not begin.
RunResult run(const Options& options, const Plan& plan, const Site& site);

}  // namespace ringchurn
