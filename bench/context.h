// What a result is about: program, machine, lab, settings.
#pragma once

#include "bench/lab.h"
#include "bench/options.h"
#include "bench/result.h"

namespace ringchurn {

/// Everything but `elapsed_s`, which the load knows when it is over.
Context describe(const Options& options, const Lab& lab);

/// The CPUs that this process may run on, in order.
std::vector<int> usable_cpus();

/// Keeps the calling thread on one CPU.
void pin_to(int cpu);

}  // namespace ringchurn
