// One connection's life in a slot, and the pure function that moves it on.
#pragma once

#include <cstdint>

#include "workloads/script.h"

namespace ringchurn {

enum class Stage : std::uint8_t {
  idle,      ///< the slot is free
  playing,   ///< the script is under way
  cleaning,  ///< an unexpected outcome ended it; its sockets are being closed
};

/// Everything that a connection is. Plain data; 24 bytes.
struct Connection {
  std::uint32_t generation =
      0;  ///< counts the lives of this slot; a completion of an earlier life is stale
  /// Bytes that the current step still has to move. How many those are of a receive_until is known
  /// to who sees the bytes: until the text has come, End sets this before each advance() to what
  /// has come now and the least that is to come behind it.
  std::uint32_t remaining = 0;
  std::uint32_t moved = 0;      ///< ... and has moved
  std::uint16_t in_flight = 0;  ///< operations that the kernel holds
  std::uint16_t scenario = 0;   ///< index into the run's scenarios
  std::uint16_t step = 0;       ///< index into the script
  Stage stage = Stage::idle;
  std::uint8_t sockets = 0;  ///< the script's sockets that are there: a bit each, by Step::socket

  bool has_socket() const { return (sockets & 1) != 0; }
};

/// What one completion meant.
struct Transition {
  enum class Next : std::uint8_t {
    again,     ///< the step goes on: issue it again
    nothing,   ///< a started operation ended; the script is where it was
    step,      ///< the step ended: issue the one that `connection.step` now names
    finished,  ///< the script ended, as written
    clean_up,  ///< an unexpected outcome: cancel what is in flight, then close what is left
    given_up,  ///< the script ended by an unexpected outcome, and everything is closed
  };
  Next next = Next::again;
  bool step_ended = false;  ///< `outcome` and `expected` are those of a step of the script
  bool expected = false;
  Outcome outcome = Outcome::ok;
  std::uint32_t moved = 0;  ///< application bytes that this completion sent or received
  std::uint32_t total = 0;  ///< ... and that the step has, so far
};

/// Puts a connection at the start of `script`, or at `first_step`.
void begin(Connection& connection, const Script& script, std::uint16_t scenario,
           std::uint16_t first_step);

/// Leaves a started step (Step::overlap) behind: its operation is in flight, the script goes on.
void overlap(Connection& connection, const Script& script);

/// Takes the result of an operation that step number `index` of the script issued (as the system
/// call's, errors as -errno; so_error and Act::state: the value) and moves the connection on.
/// `took_ns`: how long the operation was under way, where the step limits that. No ring, no clock,
/// no allocation: its answer depends on nothing but its arguments. The caller has already taken the
/// operation out of `in_flight`.
Transition advance(Connection& connection, const Script& script, unsigned index,
                   std::int32_t result, std::uint64_t took_ns = 0);

/// The socket that a connection in Stage::cleaning closes next.
std::uint8_t socket_to_close(const Connection& connection);

}  // namespace ringchurn
