// How a connection goes down, as each of its two ends sees it: when the first step that takes it
// down was issued and had ended, when the other end's end was heard of, and when the socket was let
// go. Which steps those are is marked once, when a scenario is compiled (Step::marks).
#pragma once

#include <cstdint>

#include "workloads/script.h"

namespace ringchurn {

/// Nanoseconds of whatever clock the caller uses; only differences matter.
using Nanoseconds = std::uint64_t;

/// One end of one connection. 0: it did not happen at this end.
struct Moments {
  /// Counts the scenario's connections at this end, from 1: at the client in the order in which
  /// their connects were issued, at the server in the order in which they were accepted. 0: none.
  std::uint64_t ordinal = 0;
  Nanoseconds issued = 0;  ///< shutdown (of sending), disconnect, close, destroy, or die: the first
  Nanoseconds completed = 0;  ///< ... and when that one had ended
  Nanoseconds heard = 0;      ///< a completion first told of the peer's FIN or RST
  Nanoseconds gone = 0;       ///< the last descriptor of the socket was closed, or disconnected
};

/// Sets the marks of both scripts' steps, and Scenario::unmatched. Where the two ends cannot be
/// matched, the client's own steps are marked as far as it connects once.
void mark_moments(Scenario& scenario);

/// True if a step that is marked kTells, and ended so, tells its end that the peer has sent FIN or
/// RST. `result` is the system call's.
bool tells_of_peer(const Step& step, std::int32_t result, Outcome outcome);

/// True if a step that is marked kLetsGo, and ended so, has let go of its socket.
bool has_let_go(const Step& step, Outcome outcome);

}  // namespace ringchurn
