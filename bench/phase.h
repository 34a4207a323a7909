// The phases of a connection that are timed, in the order in which they end: one list for every
// report, export and reader.
#pragma once

#include <array>

#include "bench/result.h"

namespace ringchurn {

struct Phase {
  const char* name;   ///< in JSON, options and exports
  const char* title;  ///< in text
  Percentiles LatencySummary::*times;
  bool is_matched;  ///< known of connections whose two ends were matched; younger than the rest
};

inline constexpr std::array<Phase, 7> kPhases = {{
    {"connect", "connect", &LatencySummary::connect, false},
    {"first_byte", "first byte", &LatencySummary::first_byte, false},
    {"teardown_step", "teardown step", &LatencySummary::teardown_step, true},
    {"peer_heard", "peer heard", &LatencySummary::peer_heard, true},
    {"gone", "gone", &LatencySummary::gone, true},
    {"teardown", "teardown", &LatencySummary::teardown, false},
    {"lifetime", "lifetime", &LatencySummary::lifetime, false},
}};

}  // namespace ringchurn
