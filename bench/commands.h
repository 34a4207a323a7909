// The program's commands, from checked options to an exit code.
#pragma once

#include "bench/options.h"
#include "ring/error.h"

namespace ringchurn {

/// Does what was asked, prints and writes the result, and says how it ended. Throws Error.
ExitCode perform(const Options& options);

}  // namespace ringchurn
