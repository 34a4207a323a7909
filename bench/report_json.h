// The result for programs: JSON as bench/result.schema.json and
// bench/atlas.schema.json describe it, and the file it goes to.
#pragma once

#include <string>
#include <string_view>

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

/// What write_result() writes, in the words of a complaint.
struct OutputKind {
  const char* what = "the JSON result";
  const char* remedy = "the report on the terminal holds the result";  ///< if the disk is full
};

/// Makes sure that write_result() will be able to write `path`, and leaves what is there untouched.
/// Throws Error (kExitUsage) if it will not. Call it where the write will happen: inside the lab,
/// in whose user namespace root may write less than outside.
void require_writable(const std::string& path, const OutputKind& kind = {});

/// Writes `text` to `path`; "-" is standard output and "" is nowhere. A file appears complete or
/// not at all: it is written as PATH.tmp-PID beside it and renamed. Links are followed; a device or
/// a pipe is written to as it is. Throws Error (kExitCannotRun).
void write_result(const std::string& path, const std::string& text, const OutputKind& kind = {});

}  // namespace ringchurn
