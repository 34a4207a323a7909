// The result for programs: JSON as bench/result.schema.json and
// bench/atlas.schema.json describe it.
#pragma once

#include <string>

#include "bench/atlas.h"
#include "bench/doctor.h"
#include "bench/result.h"

namespace ringchurn {

/// A run, or a comparison, as JSON with a newline at its end. Text that is not UTF-8 (a file's name
/// may hold any byte) is written with U+FFFD in its place. Throws std::logic_error that names the
/// field if a number is NaN or infinite: JSON has neither, and no measurement yields one.
std::string run_json(const RunResult& result);
std::string compare_json(const CompareResult& result);

/// A gate's result: with its comparison's account where there is one.
std::string gate_json(const GateResult& result);

/// The atlas, likewise; without the stories.
std::string atlas_json(const AtlasResult& result);

/// What `ringchurn doctor` found, as bench/doctor.schema.json describes it.
std::string doctor_json(const MachineFacts& facts, const std::vector<Verdict>& verdicts);

/// One sample of a series, on one line without '\n'.
std::string sample_json(const Sample& sample);

}  // namespace ringchurn
