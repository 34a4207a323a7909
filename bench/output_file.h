// Where results and exports go: a file, a device, a pipe or standard output.
#pragma once

#include <string>

namespace ringchurn {

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
