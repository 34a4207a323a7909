// Which server's end belongs to which client's end, and how long a teardown took them both. The
// ends tell each other nothing: each has numbered its connections, and the n-th connect of one
// thread is the n-th connection that its own listener hands over. Where that need not be so,
// nothing is matched. bench/README.md says why it holds; matching_test.cc holds it against
// four-tuples.
#pragma once

#include <span>
#include <vector>

#include "bench/account.h"
#include "bench/histogram.h"
#include "bench/result.h"
#include "workloads/script.h"

namespace ringchurn {

/// How the connections of one scenario went down, counted from the moment when the first teardown
/// step of either end was issued.
struct Teardowns {
  Histogram step;   ///< ... to that step's completion
  Histogram heard;  ///< ... to the completion that told the other end of it
  Histogram gone;   ///< ... to the last close of both
  Matched matched;
};

/// By scenario, from what the threads' logs still hold: the last MomentLog::kMost
/// connections of each at most. Without a match, only the clients' own teardown steps are known:
/// those that they issued before they heard of the server's end.
std::vector<Teardowns> match_ends(std::span<const Scenario> scenarios, const LoadFacts& facts);

}  // namespace ringchurn
