// How a step ended, in one word: ok, EOF, timeout, the errno's name, the events that a poll
// reported or the TCP state that was asked for; and the errno classes that errors are grouped by.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringchurn {

/// How one step ended. An errno keeps its number (always below 4096, the kernel's MAX_ERRNO + 1).
enum class Outcome : std::uint16_t {
  ok = 0,
  eof = 4096,        ///< a receive met the peer's FIN where bytes were wanted
  timeout = 4097,    ///< the step's own time limit ran out before the kernel had an answer
  cut_short = 4098,  ///< one send, or a receive with MSG_WAITALL, moved fewer bytes than asked
  events = 4160,     ///< 64 to 128 of them: poll(2) ended with a set of events
  state = 4300,      ///< 16 of them: a TCP state (TCP_ESTABLISHED, ...), 0 for "no socket"
};

/// The outcome that stands for errno number `number` (positive).
constexpr Outcome errno_outcome(int number) { return static_cast<Outcome>(number); }

/// True for an outcome that carries an errno.
constexpr bool is_errno(Outcome outcome) {
  return outcome != Outcome::ok && outcome < Outcome::eof;
}

/// True for an answer that is worth counting: an errno, EOF, timeout or short. Events and states
/// are what was asked for.
constexpr bool is_error(Outcome outcome) {
  return outcome != Outcome::ok && outcome <= Outcome::cut_short;
}

/// The outcome of a poll(2) that reported `events` (POLLIN, POLLPRI, POLLOUT, POLLERR, POLLHUP,
/// POLLNVAL, POLLRDHUP; others are left out).
Outcome events_outcome(unsigned events);

/// The outcome that stands for the TCP state `number` (TCP_ESTABLISHED, ... in netinet/tcp.h), or
/// for no socket at all (0).
constexpr Outcome state_outcome(int number) {
  return static_cast<Outcome>(static_cast<int>(Outcome::state) + number);
}

/// "ok", "EOF", "timeout", "short", or the errno's name ("ECONNRESET"); "errno 999" for one without
/// a name; "IN+RDHUP" for events; "CLOSE_WAIT" or "none" for a state.
std::string outcome_name(Outcome outcome);

/// The inverse of outcome_name() for what a scenario file may write; nullopt for anything else.
std::optional<Outcome> outcome_named(std::string_view name);

/// The errno class that users group by: reset, broken_pipe, not_connected, aborted, refused,
/// timed_out, unreachable, address, exhausted, cancelled, descriptor, argument; anything else is a
/// class of its own name. EOF is "eof", timeout is "timeout".
std::string outcome_class(Outcome outcome);

}  // namespace ringchurn
