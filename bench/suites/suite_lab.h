// The lab that the benchmark suites run in, and the benchmarks that are registered once it is
// entered.
#pragma once

#include "bench/lab.h"

namespace ringchurn {

/// Entered by main() before anything else.
const Lab& suite_lab();

/// One benchmark for each built-in teardown.
void register_teardowns();

}  // namespace ringchurn
