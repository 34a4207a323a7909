// The one exception of the program: something that the user can mend, said in one line.
#pragma once

#include <stdexcept>
#include <string>

namespace ringchurn {

/// The process's exit codes. They are part of the interface: CI jobs decide on them.
enum ExitCode : int {
  kExitGood = 0,
  kExitCannotRun = 1,         ///< the machine refused something that the run needs
  kExitUsage = 2,             ///< wrong option, scenario file or configuration
  kExitVerdictFailed = 3,     ///< the run ended, and a verdict says not to trust it
  kExitRingUnavailable = 77,  ///< io_uring is missing, disabled or filtered here
  kExitUndecided = 98,        ///< a gate could not decide
  kExitRegression = 99,       ///< a gate failed: a regression, or a requirement that is not met
  kExitInterrupted = 130,     ///< SIGINT or SIGTERM; the partial result was written
};

/// Something is wrong that the user can mend. `what()` is one line: what was wrong, where, what to
/// do.
struct Error : std::runtime_error {
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), exit_code(code) {}
  ExitCode exit_code;
};

}  // namespace ringchurn
