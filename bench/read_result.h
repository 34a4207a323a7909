// A run's JSON result, read back: what run_json() wrote, as far as JSON has it.
#pragma once

#include <string>

#include "bench/result.h"

namespace ringchurn {

/// Reads the result that `ringchurn run`, `drive`, `serve` or `merge` wrote to `path`, an
/// interrupted one, too. run_json() of it is what stood in the file.
///
/// In the client's result ScenarioResult::has_server is true, whatever the server did: only the
/// server's tells. Fields that are not known are passed over, because a schema_version may gain
/// some.
///
/// Throws Error (kExitUsage) with one line for what is no such file: not JSON, a field that is
/// missing or of another type, another schema_version, the result of an atlas or a comparison.
RunResult read_result(const std::string& path);

}  // namespace ringchurn
