// What the options of a command line mean together.
#pragma once

#include "bench/options.h"

namespace ringchurn {

/// Gives the options that nobody gave the values that follow from the others, and drops those that
/// an overridden one leaves without a meaning. Throws Error (exit code 2) with one line where
/// options contradict each other, or one is missing.
void settle(Options& options);

}  // namespace ringchurn
