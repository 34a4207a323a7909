// What a gate requires of a result, whatever it is compared with: "errors.unexpected == 0".
#pragma once

#include <optional>
#include <string>

#include "bench/options.h"
#include "bench/result.h"

namespace ringchurn {

/// Reads "METRIC RELATION VALUE". Relations are == != < <= > >=. Metrics are
///
///   errors.unexpected, errors.expected       outcomes other than ok, by what the scenarios expect
///   errors.CLASS, errors.ERRNO               the same by errno class (reset) or errno (ECONNRESET)
///   latency.PHASE.QUANTILE                   of the scenario that is worst; phases are those of
///   latency.SCENARIO.PHASE.QUANTILE          bench/phase.h; quantiles p50, p90,
///                                            p99, p999, p9999, max; values have a unit: ns, us,
///                                            ms, s
///   cost.FIELD, pace.FIELD                   as in the JSON result
///   kernel.COUNTER                           what it moved by: kernel.OutRsts
///   connections.FIELD                        opened, finished, unexpected, open_at_deadline at the
///                                            client, over all scenarios
///
/// Throws Error (kExitUsage) for what is none of these.
Requirement parse_requirement(const std::string& text);

/// The metric's value in `result`, in the unit of Requirement::value. Empty if it was not measured:
/// then no requirement is met.
std::optional<double> metric_value(const std::string& metric, const RunResult& result);

/// Whether `value` is what the requirement asks for.
bool is_met(const Requirement& requirement, std::optional<double> value);

/// What it was held against, with its unit: "61.3 us", "0", "not measured".
std::string measured_text(const RequirementResult& result);

}  // namespace ringchurn
