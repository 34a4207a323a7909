// A scenario's two scripts as one story: whose turn it is, step after step, in an order in which no
// step has to wait for one that comes later, and which part of a connection's life each turn is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "workloads/script.h"

namespace ringchurn {

/// The parts of a connection's life.
enum class LifePart : std::uint8_t {
  establishing,      ///< up to connect and accept, the socket and options before them included
  exchange,          ///< what moves bytes, and what else comes before the side's teardown
  teardown_active,   ///< from Script::teardown on, of the side that begins to take it down
  teardown_passive,  ///< ... and of the other
};
inline constexpr std::size_t kLifeParts = 4;
/// "establishing", "exchange", "teardown, active side", "teardown, passive side".
const char* life_part_name(LifePart part);

/// One step's turn.
struct StoryTurn {
  Side side = Side::client;
  unsigned step = 0;  ///< index into the side's script
  LifePart part = LifePart::establishing;
};

/// Why the connections of `scenario` cannot be played turn by turn, all of them at the same step,
/// in words that name the step; "" if they can. That needs two ends of one socket each, and steps
/// that end by what came before them: no pauses, nothing started beside the script.
std::string lockstep_obstacle(const Scenario& scenario);

/// The turns of a scenario without an obstacle. accept comes right behind connect, because a
/// listener takes a connection as soon as it is there. Steps that no file has (the client's socket)
/// belong to the turn of the next one.
std::vector<StoryTurn> story_turns(const Scenario& scenario);

}  // namespace ringchurn
