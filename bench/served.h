// The file that `ringchurn serve` prints and `ringchurn drive --from-serve` reads: where each
// scenario is served, and the scenarios themselves, so that both machines play the same scripts
// whatever files they have.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "bench/plan.h"
#include "workloads/scenario_file.h"

namespace ringchurn {

/// One scenario of the mix, and where its server end listens.
struct ServedScenario {
  ScenarioFile file;                            ///< as the server's side read it, text included
  std::map<std::string, std::string> settings;  ///< its parameters, as compile() takes them
  double weight = 1;                            ///< in the mix; above 0
  /// AF_INET, AF_INET6: numeric. AF_UNIX: a path, or "@NAME" for an abstract name (unix(7)).
  std::string address;
  std::uint16_t port = 0;  ///< 1 to 65535; 0 for AF_UNIX, which has none
};

/// What `serve` offers.
struct ServedRun {
  std::string version;  ///< ringchurn's, on the server's side
  std::string run_id;   ///< new_run_id(): what the results of both sides have in common
  std::string host;     ///< where the server's side listens, as its user named it
  int domain = 0;       ///< AF_INET, AF_INET6 or AF_UNIX, of every address
  std::vector<ServedScenario> scenarios;  ///< at least one; names differ
};

/// 16 hex digits that no other run has. Throws Error (kExitCannotRun) if the kernel has no random
/// numbers.
std::string new_run_id();

/// `run` as JSON with a newline at its end; write_result() puts it where it belongs.
std::string served_json(const ServedRun& run);

/// Reads it back. Throws Error (kExitUsage) with one line for a file that cannot be read, is not
/// such a file, is of another format, or holds an address, port or scenario that cannot be played;
/// what compile() has to say of a scenario is told with the scenario's own path.
ServedRun read_served(const std::string& path);

/// The scenarios, compiled, in the order of `run`, and one arm that plays them all by weight.
/// Throws as compile().
Plan served_plan(const ServedRun& run);

}  // namespace ringchurn
