// `ringchurn drive`: the client's end of scenarios, against a server that somebody else wrote, and
// what became of that server.
#pragma once

#include <string>
#include <vector>

#include "bench/metrics_server.h"
#include "bench/options.h"
#include "bench/plan.h"
#include "bench/result.h"
#include "bench/target.h"

namespace ringchurn {

/// A load that may be played: the guard rails have been passed.
struct DrivePlan {
  Options options;  ///< with what follows from the target: its family, its default rate
  Plan plan;
  std::vector<Target> targets;            ///< by scenario; all on the same host
  std::vector<sockaddr_storage> sources;  ///< empty: wherever the kernel comes from
  bool has_default_rate = false;          ///< kDefaultRateElsewhere, as nobody gave one
  std::string run_id;  ///< of the `serve` on the other side; "" if it is not ours
};

/// Connections a second to a host that is not this machine, unless --rate says otherwise.
inline constexpr double kDefaultRateElsewhere = 1000;

/// Refuses scenarios whose client has nothing to do with a server elsewhere, or is not for a target
/// of that `domain`, named `where`. Throws Error (kExitUsage).
void check_drivable(const Plan& plan, int domain, const std::string& where);

/// Checks where `options` lead before anything else, and compiles what is to be played there.
/// Throws Error (kExitUsage).
DrivePlan plan_drive(const Options& options);

/// A load that nobody could answer is not worth its report: connects once, unless all scenarios
/// want to be refused, or the server is ours. Throws Error (kExitCannotRun): nobody listens there,
/// say.
void require_listener(const DrivePlan& plan);

/// What the user should know before the load begins: where it goes, and whether the ports last.
/// Lines that end in '\n', or "". Throws Error.
std::string drive_notice(const DrivePlan& plan);

/// Plays it; `metrics`, unless null, hears of every sample. Throws Error if the load could not
/// begin.
RunResult drive(const DrivePlan& plan, const Lab& lab, MetricsServer* metrics);

}  // namespace ringchurn
