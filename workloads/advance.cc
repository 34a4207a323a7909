// The state machine: see connection.h. An outcome that the step expects leads to the next step, any
// other to the closes that clear up; the script is never skipped, retried or reordered.
#include <bit>
#include <cerrno>

#include "workloads/connection.h"

namespace ringchurn {
namespace {

using Next = Transition::Next;

/// True while the step wants more bytes than `moved` brought. What is started, and what must not
/// wait, is one operation.
bool goes_on(Connection& connection, const Step& step, std::uint32_t moved) {
  if (step.op == Op::recv_eof || step.op == Op::fill || step.op == Op::receive_multi) return true;
  if (step.op == Op::receive_any || step.op == Op::read || step.op == Op::write ||
      step.is_one_operation()) {
    return false;
  }
  connection.remaining -= moved;
  return connection.remaining > 0;
}

Outcome failure(const Step& step, int error) {
  // A pause ends by its timer, a fill by a full queue; a limited operation is cancelled by its own.
  if (step.op == Op::pause && error == ETIME) return Outcome::ok;
  if (step.op == Op::fill && error == EAGAIN) return Outcome::ok;
  if (step.limited && error == ECANCELED) return Outcome::timeout;
  return errno_outcome(error);
}

Outcome outcome_of(const Step& step, std::int32_t result) {
  if (result < 0) return failure(step, -result);
  if (step.op == Op::so_error) return errno_outcome(result);
  if (step.op == Op::poll) return events_outcome(static_cast<unsigned>(result));
  if (step.act == Act::state || step.act == Act::peer_state) return state_outcome(result);
  if (result == 0 && receives(step.op) && step.op != Op::recv_eof) return Outcome::eof;
  const bool wants_all = step.op == Op::send || (step.detail & MSG_WAITALL) != 0;
  if (wants_all && step.is_one_operation() && static_cast<std::uint32_t>(result) < step.bytes) {
    return Outcome::cut_short;
  }
  return Outcome::ok;
}

bool in_time(const Step& step, std::uint64_t took_ns) {
  return took_ns >= step.at_least_ns && (step.at_most_ns == 0 || took_ns <= step.at_most_ns);
}

std::uint8_t bit(unsigned socket) { return static_cast<std::uint8_t>(1U << socket); }

/// The sockets that the step makes when it ends `ok`.
std::uint8_t made_by(const Step& step) {
  switch (step.act) {
    case Act::pair:
    case Act::pipe:
      return bit(step.socket) | bit(step.other);
    case Act::listen:
    case Act::dup:
    case Act::file:
      return bit(step.socket);
    default:
      return step.op == Op::socket || step.op == Op::accept_from ? bit(step.socket)
                                                                 : std::uint8_t{0};
  }
}

bool takes_socket_away(const Step& step) {
  return step.op == Op::close || step.act == Act::die_exit || step.act == Act::die_kill ||
         step.act == Act::die_pending;
}

void note_sockets(Connection& connection, const Step& step, Outcome outcome) {
  // A close that fails had nothing to close.
  if (takes_socket_away(step) && (outcome == Outcome::ok || step.op == Op::close)) {
    connection.sockets &= static_cast<std::uint8_t>(~bit(step.socket));
  }
  if (outcome == Outcome::ok) connection.sockets |= made_by(step);
}

void enter(Connection& connection, const Script& script, unsigned step) {
  connection.step = static_cast<std::uint16_t>(step);
  connection.remaining = script.steps[step].bytes;
  connection.moved = 0;
}

Next move_on(Connection& connection, const Script& script) {
  if (connection.step + 1U == script.length()) return Next::finished;
  enter(connection, script, connection.step + 1U);
  return Next::step;
}

/// One close of the clean-up is done; `socket` is gone.
Next go_on_cleaning(Connection& connection) {
  connection.sockets &= static_cast<std::uint8_t>(~bit(socket_to_close(connection)));
  return connection.sockets == 0 ? Next::given_up : Next::step;
}

Next give_up(Connection& connection, const Script& script) {
  connection.stage = Stage::cleaning;
  enter(connection, script, script.clean_up());
  return connection.sockets == 0 && connection.in_flight == 0 ? Next::given_up : Next::clean_up;
}

}  // namespace

std::uint8_t socket_to_close(const Connection& connection) {
  return static_cast<std::uint8_t>(std::countr_zero(connection.sockets));
}

void begin(Connection& connection, const Script& script, std::uint16_t scenario,
           std::uint16_t first_step) {
  ++connection.generation;
  connection.scenario = scenario;
  connection.stage = Stage::playing;
  connection.in_flight = 0;
  enter(connection, script, first_step);
}

void overlap(Connection& connection, const Script& script) {
  enter(connection, script, connection.step + 1U);
}

Transition advance(Connection& connection, const Script& script, unsigned index,
                   std::int32_t result, std::uint64_t took_ns) {
  const Step& step = script.steps[index];
  Transition transition;
  if (result > 0 && (sends(step.op) || receives(step.op))) {
    transition.moved = static_cast<std::uint32_t>(result);
    transition.total = transition.moved;
    if (step.overlap == Overlap::none) transition.total = connection.moved += transition.moved;
    if (connection.stage == Stage::playing && goes_on(connection, step, transition.moved)) {
      return transition;
    }
  }
  const Outcome outcome = outcome_of(step, result);
  const bool cleans = index == script.clean_up();
  if (connection.stage == Stage::cleaning) {
    if (!cleans) note_sockets(connection, step, outcome);
    transition.next = cleans ? go_on_cleaning(connection) : Next::nothing;
    return transition;
  }
  note_sockets(connection, step, outcome);
  transition.step_ended = true;
  transition.outcome = outcome;
  transition.expected = step.expect.allows(outcome) && in_time(step, took_ns);
  if (!transition.expected) {
    transition.next = give_up(connection, script);
  } else {
    transition.next = step.overlap == Overlap::none ? move_on(connection, script) : Next::nothing;
  }
  return transition;
}

}  // namespace ringchurn
