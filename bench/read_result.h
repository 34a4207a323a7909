// A run's JSON result, read back: what run_json() wrote, as far as JSON has it; and the parts that
// the results of other commands are made of, for who reads those (recorded.h).
#pragma once

#include <string>

#include "bench/json_field.h"
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

/// The same of what `program` printed.
RunResult parse_result(const std::string& text, const std::string& program);

/// A result file of any command. Throws Error (kExitUsage) unless it is JSON of this
/// schema_version.
JsonField open_result(const std::string& path);

/// The account of a result that has one: of all commands but the atlas.
RunResult read_run(const JsonField& json);

/// A figure that is younger than the rest of a result: a file that an earlier version wrote has
/// none.
std::optional<double> read_younger(const JsonField& json, const char* name);

/// Of any `context`, what every command writes of where it ran.
Context read_origin(const JsonField& context);

/// One of `kernel`, one of `verdicts`.
CounterRow read_counter(const std::string& name, const JsonField& counter);
Verdict read_verdict(const JsonField& verdict);

}  // namespace ringchurn
