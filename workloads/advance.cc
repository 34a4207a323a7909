// The state machine: see connection.h. An outcome that the step expects leads to the next step, any
// other to the close that clears up; the script is never skipped, retried or reordered.
#include <cerrno>

#include "workloads/connection.h"

namespace ringchurn {
namespace {

using Next = Transition::Next;

bool receives(Op op) { return op == Op::receive || op == Op::receive_any || op == Op::recv_eof; }

/// True while the step wants more bytes than `moved` brought.
bool goes_on(Connection& connection, const Step& step, std::uint32_t moved) {
  if (step.op == Op::receive_any) return false;
  if (step.op == Op::recv_eof) return true;
  connection.remaining -= moved;
  return connection.remaining > 0;
}

Outcome outcome_of(const Step& step, std::int32_t result) {
  if (result < 0) {
    // A pause ends by its timer; a limited receive is cancelled by its own.
    if (step.op == Op::pause && result == -ETIME) return Outcome::ok;
    if (step.limited && result == -ECANCELED) return Outcome::timeout;
    return errno_outcome(-result);
  }
  if (result == 0 && receives(step.op) && step.op != Op::recv_eof) return Outcome::eof;
  return Outcome::ok;
}

void note_socket(Connection& connection, const Step& step, Outcome outcome) {
  if (outcome != Outcome::ok) return;
  if (step.op == Op::socket) connection.has_socket = true;
  if (step.op == Op::close) connection.has_socket = false;
}

void enter(Connection& connection, const Script& script, unsigned step) {
  connection.step = static_cast<std::uint16_t>(step);
  connection.remaining = script.steps[step].bytes;
}

Next give_up(Connection& connection, const Script& script) {
  if (!connection.has_socket) return Next::given_up;
  connection.stage = Stage::cleaning;
  enter(connection, script, script.clean_up());
  return Next::step;
}

Next move_on(Connection& connection, const Script& script) {
  if (connection.step + 1U == script.length()) return Next::finished;
  enter(connection, script, connection.step + 1U);
  return Next::step;
}

}  // namespace

void begin(Connection& connection, const Script& script, std::uint16_t scenario,
           std::uint16_t first_step) {
  ++connection.generation;
  connection.scenario = scenario;
  connection.stage = Stage::playing;
  connection.in_flight = 0;
  enter(connection, script, first_step);
}

Transition advance(Connection& connection, const Script& script, std::int32_t result) {
  const Step& step = script.steps[connection.step];
  Transition transition;
  if (result > 0 && (step.op == Op::send || receives(step.op))) {
    transition.moved = static_cast<std::uint32_t>(result);
    if (goes_on(connection, step, transition.moved)) return transition;
  }
  const Outcome outcome = outcome_of(step, result);
  note_socket(connection, step, outcome);
  if (connection.stage == Stage::cleaning) {
    connection.has_socket = false;
    transition.next = Next::given_up;
    return transition;
  }
  transition.step_ended = true;
  transition.outcome = outcome;
  transition.expected = step.expect.allows(outcome);
  if (step.op == Op::close && !transition.expected)
    connection.has_socket = false;  // nothing to close
  transition.next = transition.expected ? move_on(connection, script) : give_up(connection, script);
  return transition;
}

}  // namespace ringchurn
