// The client and the server end: see end.h.
//
// An operation's token (user_data):
//
//   63     62    60 59                 32 31                        0
//   +------+-------+---------------------+---------------------------+
//   | side | kind  | generation (28 bit) | slot or acceptor          |
//   +------+-------+---------------------+---------------------------+
#include "workloads/end.h"

#include <algorithm>
#include <cerrno>

namespace ringchurn {
namespace {

enum Kind : unsigned { kStep, kLimit, kAccept, kAcceptPause, kRelease };

constexpr std::uint32_t kGenerationMask = (1U << 28) - 1;
constexpr std::size_t kBufferBytes = 64 * 1024;
/// Accepts under way at once on a listener that pauses between them.
constexpr unsigned kPausingAcceptors = 16;

constexpr sockaddr kNoAddress{AF_UNSPEC, {}};

unsigned kind_of(Ring::Token token) { return (token >> 60) & 7; }
std::uint32_t generation_of(Ring::Token token) {
  return static_cast<std::uint32_t>(token >> 32) & kGenerationMask;
}
std::uint32_t index_of(Ring::Token token) { return static_cast<std::uint32_t>(token); }

/// True for a step that waits for the peer, rather than bringing it something.
bool takes(Op op) {
  return op == Op::receive || op == Op::receive_any || op == Op::recv_eof || op == Op::wait ||
         op == Op::pause;
}

}  // namespace

End::End(Ring& ring, const Settings& settings, std::span<const Scenario> scenarios,
         std::span<const Endpoint> endpoints, Observer& observer)
    : ring_(ring),
      settings_(settings),
      scenarios_(scenarios),
      endpoints_(endpoints),
      observer_(observer),
      slots_(settings.slots),
      out_(kBufferBytes, std::byte{'x'}),
      in_(kBufferBytes) {
  gives_.reserve(settings.slots);
  takes_.reserve(settings.slots);
  resting_ = Fifo(settings.slots);
  free_.reserve(settings.slots);
  if (settings.side == Side::server) return;  // there the kernel picks the slot
  for (std::uint32_t index = settings.slots; index-- > 0;) free_.push_back(index);
}

const Script& End::script(const Slot& slot) const {
  return scenarios_[slot.connection.scenario].script(settings_.side);
}

Ring::Token End::token(unsigned kind, std::uint32_t generation, std::uint32_t index) const {
  return static_cast<Ring::Token>(settings_.side) << 63 | static_cast<Ring::Token>(kind) << 60 |
         static_cast<Ring::Token>(generation & kGenerationMask) << 32 | index;
}

bool End::belongs(const Completion& completion, Side side) {
  return completion.token >> 63 == static_cast<Ring::Token>(side);
}

// -- connections begin
// ------------------------------------------------------------------------------

void End::start(std::uint16_t scenario, Nanoseconds now) {
  const std::uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  // A socket that `disconnect` left behind is ready to connect: its script starts behind `socket`.
  slot.first_step = slot.connection.has_socket ? 1 : 0;
  begin(slot.connection, scenarios_[scenario].client, scenario, slot.first_step);
  slot.heard = slot.established = false;
  slot.started = now;
  ++open_;
  observer_.opened(scenario);
  rest(index, now);
}

void End::accept() {
  for (std::uint16_t scenario = 0; scenario < scenarios_.size(); ++scenario) {
    if (!scenarios_[scenario].has_server()) continue;
    const auto& pause = scenarios_[scenario].server.accept_pause;
    const Acceptor acceptor{scenario, pause ? &*pause : nullptr};
    acceptors_.insert(acceptors_.end(), pause ? kPausingAcceptors : 1, acceptor);
  }
  for (std::uint32_t index = 0; index < acceptors_.size(); ++index) arm(index, true);
}

void End::arm(std::uint32_t index, bool pause_first) {
  const Acceptor& acceptor = acceptors_[index];
  if (acceptor.pause && pause_first) {
    ring_.pause(acceptor.pause, token(kAcceptPause, 0, index));
  } else {
    ring_.accept(endpoints_[acceptor.scenario].listener(), !acceptor.pause,
                 token(kAccept, 0, index));
  }
}

void End::accepted(std::uint32_t index, const Completion& completion, Nanoseconds now) {
  const std::uint16_t scenario = acceptors_[index].scenario;
  const Script& script = scenarios_[scenario].server;
  if (completion.result == -ECANCELED) return;  // the run is over
  if (completion.result < 0) {
    // Not armed again: a listener that cannot accept stalls its clients, and the run says so.
    observer_.error(scenario, 0, errno_outcome(-completion.result), false);
    return;
  }
  if (!completion.more) arm(index, true);
  const auto slot_index = static_cast<std::uint32_t>(completion.result) - settings_.first_slot;
  Slot& slot = slots_[slot_index];
  begin(slot.connection, script, scenario, 0);
  slot.connection.has_socket = true;
  slot.heard = false;
  slot.established = true;
  slot.started = now;
  ++open_;
  ++established_;
  observer_.opened(scenario);
  step_done(slot_index, 0, now);
}

// -- steps are issued
// -------------------------------------------------------------------------------

bool End::rests(const Slot& slot) const {
  if (settings_.side == Side::server || slot.connection.stage == Stage::cleaning) return false;
  const unsigned step = slot.connection.step;
  return step == slot.first_step || script(slot).steps[step - 1].op == Op::connect;
}

void End::queue(std::uint32_t index) {
  const Slot& slot = slots_[index];
  const Op op = script(slot).steps[slot.connection.step].op;
  (takes(op) ? takes_ : gives_).push_back(index);
}

void End::rest(std::uint32_t index, Nanoseconds now) {
  slots_[index].resting_since = now;
  resting_.push(index);
}

void End::wake_resting(unsigned limit, Nanoseconds now) {
  for (; limit > 0 && !resting_.empty(); --limit) {
    const std::uint32_t index = resting_.pop();
    slots_[index].started += now - slots_[index].resting_since;
    queue(index);
  }
}

void End::issue(std::vector<std::uint32_t>& due, Nanoseconds now) {
  for (std::uint32_t index : due) issue(index, now);
  due.clear();
}

void End::issue(std::uint32_t index, Nanoseconds now) {
  Slot& slot = slots_[index];
  const Script& played = script(slot);
  const Step& step = played.steps[slot.connection.step];
  if (slot.connection.step == played.teardown) slot.teardown = now;
  if (step.limited) {
    ring_.limit_next(&step.time, token(kLimit, slot.connection.generation, index));
    ++slot.connection.in_flight;
  }
  ++slot.connection.in_flight;
  prepare(slot, step, settings_.first_slot + index,
          token(kStep, slot.connection.generation, index));
}

void End::prepare(const Slot& slot, const Step& step, Ring::Slot place, Ring::Token token) {
  const std::size_t wanted = std::min<std::size_t>(slot.connection.remaining, kBufferBytes);
  const Endpoint& endpoint = endpoints_[slot.connection.scenario];
  switch (step.op) {
    case Op::socket:
      return ring_.socket(place, settings_.family, token);
    case Op::connect:
      return ring_.connect(place, endpoint.destination(destination_++), endpoint.address_length(),
                           token);
    case Op::send:
      return ring_.send(place, std::span(out_).first(wanted), token);
    case Op::receive:
      return ring_.receive(place, std::span(in_).first(wanted), token);
    case Op::receive_any:
    case Op::recv_eof:
      return ring_.receive(place, in_, token);
    case Op::shutdown:
      return ring_.shutdown(place, step.detail, token);
    case Op::option:
      return ring_.set_option(place, step.option.level, step.option.name, step.option.value, token);
    case Op::disconnect:
      return ring_.connect(place, &kNoAddress, sizeof kNoAddress, token);
    case Op::wait:
      return ring_.poll(place, static_cast<unsigned>(step.detail), token);
    case Op::pause:
      return ring_.pause(&step.time, token);
    case Op::accept:  // done before the connection had a slot
    case Op::close:
      return ring_.close(place, token);
  }
}

// -- completions come back
// --------------------------------------------------------------------------

void End::complete(const Completion& completion, Nanoseconds now) {
  const std::uint32_t index = index_of(completion.token);
  switch (kind_of(completion.token)) {
    case kAccept:
      return accepted(index, completion, now);
    case kAcceptPause:
      if (completion.result == -ETIME) arm(index, false);
      return;
    case kRelease:
      --releasing_;
      return;
    default:
      break;
  }
  Slot& slot = slots_[index];
  const bool current =
      generation_of(completion.token) == (slot.connection.generation & kGenerationMask);
  // A limit may come in when its receive has ended the connection, and on the server even when the
  // kernel has given the slot to another.
  if (!current) {
    if (kind_of(completion.token) != kLimit) ++stale_;
    return;
  }
  --slot.connection.in_flight;
  if (kind_of(completion.token) == kLimit) return limit_ended(index);
  step_done(index, completion.result, now);
}

void End::step_done(std::uint32_t index, std::int32_t result, Nanoseconds now) {
  Slot& slot = slots_[index];
  const unsigned step = slot.connection.step;
  const Transition transition = advance(slot.connection, script(slot), result);
  report(slot, step, transition, now);
  if (transition.next == Transition::Next::again) {
    queue(index);
  } else if (transition.next == Transition::Next::step) {
    rests(slot) ? rest(index, now) : queue(index);
  } else {
    end(index, transition.next, now);
  }
}

void End::report(Slot& slot, unsigned step, const Transition& transition, Nanoseconds now) {
  const unsigned scenario = slot.connection.scenario;
  const Op op = script(slot).steps[step].op;
  if (transition.moved > 0) {
    op == Op::send ? observer_.sent(scenario, transition.moved)
                   : observer_.received(scenario, transition.moved);
    if (settings_.side == Side::client && op != Op::send && !slot.heard) {
      slot.heard = true;
      observer_.first_byte(scenario, now - slot.started);
    }
  }
  if (!transition.step_ended) return;
  if (transition.outcome != Outcome::ok || !transition.expected) {
    observer_.error(scenario, step, transition.outcome, transition.expected);
  }
  if (transition.outcome == Outcome::ok && op == Op::connect) {
    ++established_;
    slot.established = true;
    observer_.connected(scenario, now - slot.started);
  }
}

void End::end(std::uint32_t index, Transition::Next how, Nanoseconds now) {
  Slot& slot = slots_[index];
  slot.connection.stage = Stage::idle;
  --open_;
  ++ended_;
  if (!slot.established) ++unestablished_;
  if (how == Transition::Next::finished) {
    observer_.finished(slot.connection.scenario, now - slot.started, now - slot.teardown);
  } else {
    observer_.given_up(slot.connection.scenario);
  }
  // A slot outlives every operation in flight on it.
  if (settings_.side == Side::client && slot.connection.in_flight == 0) free_.push_back(index);
}

void End::limit_ended(std::uint32_t index) {
  const Connection& connection = slots_[index].connection;
  const bool was_last = connection.stage == Stage::idle && connection.in_flight == 0;
  if (settings_.side == Side::client && was_last) free_.push_back(index);
}

void End::release_sockets() {
  for (std::uint32_t index : free_) {
    if (!slots_[index].connection.has_socket) continue;
    slots_[index].connection.has_socket = false;
    ring_.close(settings_.first_slot + index, token(kRelease, 0, index));
    ++releasing_;
  }
}

void End::abandon() {
  for (Slot& slot : slots_) {
    if (slot.connection.stage == Stage::idle) continue;
    observer_.left_open(slot.connection.scenario);
    slot.connection.stage = Stage::idle;
  }
  open_ = 0;
}

}  // namespace ringchurn
