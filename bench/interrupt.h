// Ctrl-C: the run stops opening connections, ends those that are under way, and reports what it
// knows.
#pragma once

#include <atomic>

namespace ringchurn {

/// Set by SIGINT or SIGTERM once catch_interrupts() was called. A second signal ends the program at
/// once, as if nobody had caught the first.
const std::atomic<bool>& interrupted();

/// Starts catching. Call it before the first thread.
void catch_interrupts();

}  // namespace ringchurn
