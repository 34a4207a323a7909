// Two results of one side each, made one result of both: what `ringchurn merge` does.
#pragma once

#include <string>

#include "bench/result.h"

namespace ringchurn {

/// A result, and the file that it was read from.
struct ResultFile {
  std::string path;
  RunResult result;
};

/// Joins the client's and the server's result of one run, whichever comes first, and judges what
/// they say together. `command` is the command line as typed.
///
/// Latencies, elapsed time and the number of connections are the client's. CPU, system calls and
/// the kernel's counters are of both; but in one network namespace both counted the same packets,
/// so there the server's figures stand, whose time has the client's in it. What one side alone
/// could judge (its rings, its machine) is taken from its verdicts.
///
/// Throws Error (kExitUsage), one line, unless they are two sides of one run.
RunResult merge(const ResultFile& one, const ResultFile& other, const std::string& command);

}  // namespace ringchurn
