// How a step ended, in one word: ok, EOF, timeout, or the errno's name; and the errno classes that
// errors are grouped by.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringchurn {

/// How one step ended. An errno keeps its number (always below 4096, the kernel's MAX_ERRNO + 1).
enum class Outcome : std::uint16_t {
  ok = 0,
  eof = 4096,      ///< a receive met the peer's FIN where bytes were wanted
  timeout = 4097,  ///< the step's own time limit ran out before the kernel had an answer
};

/// The outcome that stands for errno number `number` (positive).
constexpr Outcome errno_outcome(int number) { return static_cast<Outcome>(number); }

/// True for an outcome that carries an errno.
constexpr bool is_errno(Outcome outcome) {
  return outcome != Outcome::ok && outcome < Outcome::eof;
}

/// "ok", "EOF", "timeout", or the errno's name ("ECONNRESET"); "errno 999" for one without a name.
std::string outcome_name(Outcome outcome);

/// The inverse of outcome_name() for what a scenario file may write; nullopt for anything else.
std::optional<Outcome> outcome_named(std::string_view name);

/// The errno class that users group by: reset, broken_pipe, not_connected, aborted, refused,
/// timed_out, unreachable, address, exhausted, cancelled, descriptor, argument; anything else is a
/// class of its own name. EOF is "eof", timeout is "timeout".
std::string outcome_class(Outcome outcome);

}  // namespace ringchurn
