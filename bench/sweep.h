// What a sweep says beyond its comparison: the figures of each point, and which points no other one
// beats.
#pragma once

#include <string>

#include "bench/plan.h"
#include "bench/result.h"
#include "bench/text.h"

namespace ringchurn {

/// The points of a comparison that plan_sweep() planned: plan.arms[i] is result.arms[i] and
/// result.run.scenarios[i].
Sweep make_sweep(const Options& options, const Plan& plan, const CompareResult& result);

/// A point's values, "16384 / 50ms", and what they are values of, "request / drain_timeout".
std::string point_label(const SweepPoint& point);
std::string point_heading(const Sweep& sweep);

/// The points as a table, and what the columns mean.
std::string sweep_table(const Sweep& sweep, const TextStyle& style);

/// Names the points on the front, in a sentence; empty if nothing was measured.
std::string front_sentence(const Sweep& sweep);

}  // namespace ringchurn
