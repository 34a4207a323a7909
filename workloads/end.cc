// The client and the server end: see end.h.
//
// An operation's token (user_data):
//
//   63  62     61    59 58                 32 31     24 23               0
//   +---+------+-------+---------------------+---------+------------------+
//   | 0 | side | kind  | generation (27 bit) | step    | slot or acceptor |
//   +---+------+-------+---------------------+---------+------------------+
#include "workloads/end.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "ring/error.h"

namespace ringchurn {
namespace {

constexpr std::uint32_t kGenerationMask = (1U << 27) - 1;
/// Accepts under way at once on a listener that pauses between them.
constexpr unsigned kPausingAcceptors = 16;

unsigned kind_of(Ring::Token token) { return (token >> 59) & 7; }
std::uint32_t generation_of(Ring::Token token) {
  return static_cast<std::uint32_t>(token >> 32) & kGenerationMask;
}
unsigned step_of(Ring::Token token) { return static_cast<unsigned>(token >> 24) & 0xff; }
std::uint32_t index_of(Ring::Token token) { return static_cast<std::uint32_t>(token) & 0xffffff; }

/// True for a step that waits for the peer, rather than bringing it something.
bool takes(Op op) {
  return receives(op) || op == Op::wait || op == Op::poll || op == Op::accept_from ||
         op == Op::accept_multi || op == Op::pause;
}

bool needs_belongings(const Step& step) {
  return step.op == Op::plain || step.op == Op::so_error || step.op == Op::get_option ||
         step.op == Op::receive_until || step.socket != 0 || step.overlap != Overlap::none;
}

/// True if a script of that side has such a step.
bool any_step(std::span<const Scenario> scenarios, Side side, bool (*is_such)(const Step&)) {
  return std::any_of(scenarios.begin(), scenarios.end(), [&](const Scenario& scenario) {
    const std::vector<Step>& steps = scenario.script(side).steps;
    return std::any_of(steps.begin(), steps.end(), is_such);
  });
}

/// Between two looks for a free port. TIME_WAIT gives one back after a second at the earliest.
constexpr __kernel_timespec kPortPatience{0, 100'000'000};

bool looks_for_text(const Step& step) { return step.op == Op::receive_until; }

constexpr unsigned kMostBufferGroups = 65536;  // io_uring_sqe::buf_group has 16 bits

bool receives_multishot(const Step& step) { return step.op == Op::receive_multi; }

bool is_of_peer(const Step& step) { return (step.marks & kOfPeer) != 0; }

/// A send that is one operation takes all its bytes from one buffer.
std::size_t largest_send(std::span<const Scenario> scenarios, Side side) {
  std::size_t largest = 0;
  for (const Scenario& scenario : scenarios) {
    for (const Step& step : scenario.script(side).steps) {
      if (step.op == Op::send && step.is_one_operation() && step.payload.empty()) {
        largest = std::max<std::size_t>(largest, step.bytes);
      }
    }
  }
  return largest;
}

}  // namespace

unsigned End::sockets_per_connection(std::span<const Scenario> scenarios, Side side) {
  std::size_t most = 1;
  for (const Scenario& scenario : scenarios) {
    most = std::max(most, scenario.script(side).sockets.size());
  }
  return static_cast<unsigned>(most);
}

End::End(Ring& ring, const Settings& settings, std::span<const Scenario> scenarios,
         std::span<const Endpoint> endpoints, Observer& observer)
    : ring_(ring),
      settings_(settings),
      scenarios_(scenarios),
      endpoints_(endpoints),
      observer_(observer),
      slots_(settings.slots),
      belongings_(any_step(scenarios, settings.side, needs_belongings) ? settings.slots : 0),
      out_(std::max(kBufferBytes, largest_send(scenarios, settings.side)), kFiller),
      in_(kBufferBytes) {
  if (any_step(scenarios, Side::client, receives_multishot) &&
      settings.slots * sockets_per_connection(scenarios, settings.side) > kMostBufferGroups) {
    throw Error(kExitUsage, fmt::format("recv-multishot needs a buffer group for each socket, and "
                                        "io_uring has {}: ask for a lower --concurrency",
                                        kMostBufferGroups));
  }
  gives_.reserve(settings.slots);
  takes_.reserve(settings.slots);
  resting_ = Fifo(settings.slots);
  free_.reserve(settings.slots);
  std::size_t longest = 0;
  for (const Scenario& scenario : scenarios) {
    longest = std::max(longest, scenario.script(settings.side).steps.size());
  }
  const bool looks = any_step(scenarios, settings.side, looks_for_text);
  for (Belongings& own : belongings_) {
    own.issued.resize(longest);
    if (looks) own.window.resize(kWindowBytes);
  }
  if (settings.keeps_moments) {
    if (any_step(scenarios, settings.side, is_of_peer)) moments_per_slot_ = 2;
    moments_.resize(settings.slots * moments_per_slot_);
    begun_.resize(scenarios.size());
  }
  if (settings.side == Side::server) return;  // there the kernel picks the slot
  for (std::uint32_t index = settings.slots; index-- > 0;) free_.push_back(index);
}

const Script& End::script(const Slot& slot) const {
  return scenarios_[slot.connection.scenario].script(settings_.side);
}

Ring::Token End::token(unsigned kind, std::uint32_t generation, unsigned step,
                       std::uint32_t index) const {
  return static_cast<Ring::Token>(settings_.side) << 62 | static_cast<Ring::Token>(kind) << 59 |
         static_cast<Ring::Token>(generation & kGenerationMask) << 32 |
         static_cast<Ring::Token>(step) << 24 | index;
}

Ring::Slot End::place(std::uint32_t index, unsigned socket) const {
  return settings_.first_slot + socket * settings_.slots + index;
}

bool End::belongs(const Completion& completion, Side side) {
  return completion.token >> 62 == static_cast<Ring::Token>(side);
}

// -- connections begin
// ------------------------------------------------------------------------------

void End::start(std::uint16_t scenario, Nanoseconds now, Nanoseconds meant) {
  const std::uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  // A socket that `disconnect` left behind is ready to connect: its script starts behind `socket`.
  slot.first_step = can_take_over(slot, scenario) ? 1 : 0;
  begin(slot.connection, scenarios_[scenario].client, scenario, slot.first_step);
  slot.heard = slot.established = false;
  slot.started = meant;
  begin_moments(index);
  if (!belongings_.empty()) belongings_[index].destination = destination_++;
  ++open_;
  observer_.opened(scenario);
  settings_.rests ? rest(index, now) : queue(index);
}

/// What disconnect left is as good as new for a connect, but has its kind, and ECONNRESET in it: a
/// script that asks for either gets a socket of its own, which closes what is in the slot.
bool End::can_take_over(const Slot& slot, std::uint16_t scenario) const {
  if (!slot.connection.has_socket()) return false;
  const Endpoint& old = endpoints_[slot.connection.scenario];
  const Endpoint& endpoint = endpoints_[scenario];
  const std::vector<Step>& steps = scenarios_[scenario].client.steps;
  const bool connects = steps[1].op == Op::connect && steps[1].place == Place::server &&
                        steps[1].overlap == Overlap::none && scenarios_[scenario].has_server();
  return connects && old.domain() == endpoint.domain() && old.type() == endpoint.type();
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

void End::stop_accepting() {
  accepting_ = false;
  for (std::uint32_t index = 0; index < acceptors_.size(); ++index) {
    ring_.cancel_token(token(kAccept, 0, 0, index), token(kIgnored, 0, 0, index));
  }
}

void End::arm(std::uint32_t index, bool pause_first) {
  if (!accepting_) return;
  const Acceptor& acceptor = acceptors_[index];
  if (acceptor.pause && pause_first) {
    ring_.pause(acceptor.pause, token(kAcceptPause, 0, 0, index));
  } else {
    const bool goes_on = !acceptor.pause && !settings_.accepts_singly;
    ring_.accept(endpoints_[acceptor.scenario].listener(), goes_on, token(kAccept, 0, 0, index));
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
  slot.connection.sockets = 1;
  slot.heard = false;
  slot.established = true;
  slot.started = slot.since = now;
  begin_moments(slot_index);
  ++open_;
  ++established_;
  observer_.opened(scenario);
  step_done(slot_index, 0, 0, now);
}

// -- steps are issued
// -------------------------------------------------------------------------------

bool End::rests(const Slot& slot) const {
  if (!settings_.rests || settings_.side == Side::server) return false;
  if (slot.connection.stage == Stage::cleaning) return false;
  const unsigned step = slot.connection.step;
  if (step == slot.first_step) return true;
  if (slot.connection.in_flight > 0) return false;
  const Step& before = script(slot).steps[step - 1];
  return before.op == Op::connect && before.overlap == Overlap::none && before.socket == 0;
}

void End::queue(std::uint32_t index) {
  Slot& slot = slots_[index];
  if (std::exchange(slot.queued, true)) return;
  const Op op = script(slot).steps[slot.connection.step].op;
  (takes(op) ? takes_ : gives_).push_back(index);
}

void End::rest(std::uint32_t index, Nanoseconds now) {
  slots_[index].since = now;
  resting_.push(index);
}

void End::wake_resting(unsigned limit, Nanoseconds now) {
  for (; limit > 0 && !resting_.empty(); --limit) {
    const std::uint32_t index = resting_.pop();
    slots_[index].started += now - slots_[index].since;
    queue(index);
  }
}

void End::issue(std::vector<std::uint32_t>& due, Nanoseconds now) {
  // By index: a step may end at once and put its successor at the end.
  for (std::size_t i = 0; i < due.size(); ++i) issue(due[i], now);
  due.clear();
}

unsigned End::issue_up_to(unsigned last, Nanoseconds now) {
  issue_up_to(last, gives_, now);
  issue_up_to(last, takes_, now);
  return static_cast<unsigned>(std::count_if(slots_.begin(), slots_.end(), [&](const Slot& slot) {
    return slot.connection.stage == Stage::playing && slot.connection.step <= last;
  }));
}

void End::issue_up_to(unsigned last, std::vector<std::uint32_t>& due, Nanoseconds now) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < due.size(); ++i) {  // by index, as in issue()
    const std::uint32_t index = due[i];
    if (slots_[index].connection.step > last) {
      due[kept++] = index;
    } else {
      issue(index, now);
    }
  }
  due.resize(kept);
}

void End::issue(std::uint32_t index, Nanoseconds now) {
  Slot& slot = slots_[index];
  Connection& connection = slot.connection;
  slot.queued = false;
  // What is still in flight comes first: settle() goes on.
  if (connection.stage == Stage::cleaning && connection.in_flight > 0) return;
  const Script& played = script(slot);
  while (true) {
    const unsigned number = connection.step;
    const Step& step = played.steps[number];
    // A receive of several pieces is issued for each of them.
    if (number == played.teardown && connection.moved == 0) slot.teardown = now;
    if (step.marks != 0) note_issue(index, step, now);
    slot.since = now;
    if (step.op == Op::await) return settle(index, now);
    if (step.limited) {
      ring_.limit_next(&step.time, token(kLimit, connection.generation, 0, index));
      ++connection.in_flight;
    }
    if (step.overlap > Overlap::start) ring_.link_next(step.overlap == Overlap::hardlink);
    ++connection.in_flight;
    prepare(index, step, token(kStep, connection.generation, number, index));
    if (step.overlap == Overlap::none) return;
    belongings_[index].issued[number] = now;
    overlap(connection, played);
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
    case kIgnored:
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
  if (!completion.more) --slot.connection.in_flight;
  if (kind_of(completion.token) == kPortPause) {
    return slot.connection.stage == Stage::playing ? queue(index) : settle(index, now);
  }
  if (finds_no_port(completion, index)) return;
  if (ended_early(completion, index) || turned_away(completion, index)) return;
  if (kind_of(completion.token) != kStep || completion.notification) return settle(index, now);
  const unsigned number = step_of(completion.token);
  const Step& step = script(slot).steps[number];
  if (step.op == Op::plain && slot.connection.stage == Stage::playing) {
    return installed(index, number, completion.result, now);
  }
  if (step.op == Op::receive_until && received(index, number, completion.result)) return;
  step_done(index, number, answer(index, step, completion.result), now);
}

Nanoseconds End::issued(std::uint32_t index, unsigned number) const {
  const bool alone = script(slots_[index]).steps[number].overlap == Overlap::none;
  return alone ? slots_[index].since : belongings_[index].issued[number];
}

/// A getsockopt's result is the length of what it wrote; a cancel's how many it found, if it went
/// by the socket. What a receive_until looked at, and will not take any more, was not received.
std::int32_t End::answer(std::uint32_t index, const Step& step, std::int32_t result) const {
  const bool by_socket = (slots_[index].connection.sockets >> step.socket & 1) != 0;
  if (step.op == Op::cancel && by_socket && result == 0) return -ENOENT;
  const bool looked = step.op == Op::receive_until && belongings_[index].looks;
  if (step.op == Op::get_option || looked) return std::min(result, 0);
  if (step.op != Op::so_error || result < 0) return result;
  std::int32_t value = 0;
  std::memcpy(&value, belongings_[index].value.data(), sizeof value);
  return value;
}

// -- what a completion leads to
// -------------------------------------------------------------------

/// A multishot receive ends with the bytes in hand when there is no room for its completion: it is
/// issued again, to the buffers that are left.
bool End::ended_early(const Completion& completion, std::uint32_t index) {
  Slot& slot = slots_[index];
  if (completion.more || completion.result <= 0 || kind_of(completion.token) != kStep) return false;
  const Step& step = script(slot).steps[step_of(completion.token)];
  if (step.op != Op::receive_multi || slot.connection.stage != Stage::playing) return false;
  ++slot.connection.in_flight;
  const Ring::Slot at = place(index, step.socket);
  ring_.receive_multishot(at, static_cast<std::uint16_t>(at), completion.token);
  return true;
}

/// Who comes to a multishot accept of a script has a slot of the kernel's choice, and no business.
bool End::turned_away(const Completion& completion, std::uint32_t index) {
  if (!completion.more || completion.result < 0 || kind_of(completion.token) != kStep) return false;
  if (script(slots_[index]).steps[step_of(completion.token)].op != Op::accept_multi) return false;
  ring_.close(static_cast<Ring::Slot>(completion.result), token(kIgnored, 0, 0, index));
  return true;
}

/// Somebody else's port space may be used up by connections in TIME_WAIT, this run's or others':
/// the connection waits for a port, and is counted when it has one.
bool End::finds_no_port(const Completion& completion, std::uint32_t index) {
  if (!settings_.peer_is_elsewhere || completion.result != -EADDRNOTAVAIL) return false;
  Slot& slot = slots_[index];
  const Step& step = script(slot).steps[step_of(completion.token)];
  const bool connects = step.op == Op::connect && step.place == Place::server;
  if (!connects || kind_of(completion.token) != kStep || step.overlap != Overlap::none ||
      slot.connection.stage != Stage::playing) {
    return false;
  }
  observer_.port_limited(slot.connection.scenario);
  ++slot.connection.in_flight;
  ring_.pause(&kPortPatience, token(kPortPause, slot.connection.generation, 0, index));
  return true;
}

void End::step_done(std::uint32_t index, unsigned number, std::int32_t result, Nanoseconds now) {
  Slot& slot = slots_[index];
  const unsigned current = slot.connection.step;
  const Transition transition =
      advance(slot.connection, script(slot), number, result, now - issued(index, number));
  report(index, number, result, transition, now);
  switch (transition.next) {
    case Transition::Next::again:
      return script(slot).steps[number].op == Op::receive_multi ? void() : queue(index);
    case Transition::Next::nothing:
      return settle(index, now);
    case Transition::Next::step:
      // What only waits is never due: it ends when what it waits for does.
      if (script(slot).steps[slot.connection.step].op == Op::await) return settle(index, now);
      return rests(slot) ? rest(index, now) : queue(index);
    case Transition::Next::clean_up:
      return clean_up(index, current);
    case Transition::Next::finished:
    case Transition::Next::given_up:
      return end(index, transition.next, now);
  }
}

/// Everything that may be in flight is cancelled; when it is gone, settle() goes on.
void End::clean_up(std::uint32_t index, unsigned last_step) {
  Connection& connection = slots_[index].connection;
  if (connection.in_flight == 0) return queue(index);
  for (unsigned number = 0; number <= last_step; ++number) {
    const bool may_be =
        number == last_step || script(slots_[index]).steps[number].overlap != Overlap::none;
    if (!may_be) continue;
    ++connection.in_flight;
    ring_.cancel_token(token(kStep, connection.generation, number, index),
                       token(kCancel, connection.generation, 0, index));
  }
}

/// An operation beside the script's own is gone: whoever waits for that goes on.
void End::settle(std::uint32_t index, Nanoseconds now) {
  Slot& slot = slots_[index];
  Connection& connection = slot.connection;
  if (connection.in_flight > 0) return;
  switch (connection.stage) {
    case Stage::idle:
      if (settings_.side == Side::client) free_.push_back(index);
      return;
    case Stage::cleaning:
      return connection.sockets == 0 ? end(index, Transition::Next::given_up, now) : queue(index);
    case Stage::playing:
      if (script(slot).steps[connection.step].op == Op::await) {
        step_done(index, connection.step, 0, now);
      }
  }
}

void End::report(std::uint32_t index, unsigned number, std::int32_t result,
                 const Transition& transition, Nanoseconds now) {
  Slot& slot = slots_[index];
  const unsigned scenario = slot.connection.scenario;
  const Step& step = script(slot).steps[number];
  // What the sockets of one end tell each other is none of the traffic between the ends.
  const bool has_peer = settings_.peer_is_elsewhere || scenarios_[scenario].has_server();
  if (transition.moved > 0 && step.socket == 0 && has_peer) {
    const bool sent = sends(step.op);
    sent ? observer_.sent(scenario, transition.moved)
         : observer_.received(scenario, transition.moved);
    if (settings_.side == Side::client && !sent && !slot.heard) {
      slot.heard = true;
      observer_.first_byte(scenario, now - slot.started);
    }
  }
  if (!transition.step_ended) return;
  const auto bytes = static_cast<std::int32_t>(transition.total);
  if (settings_.witness) {
    (*settings_.witness)({settings_.side, scenario, index, number,
                          result > 0 ? std::max(result, bytes) : result, transition.outcome,
                          transition.expected, issued(index, number), now});
  }
  if (is_error(transition.outcome) || !transition.expected) {
    observer_.error(scenario, number, transition.outcome, transition.expected);
  }
  if (step.marks != 0) note_end(index, step, result, transition.outcome, now);
  const bool to_server = step.op == Op::connect && step.socket == 0 &&
                         (step.place == Place::server || step.place == Place::any);
  if (transition.outcome == Outcome::ok && to_server && !slot.established) {
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
    tell_moments(index);
    observer_.finished(slot.connection.scenario, now - slot.started, now - slot.teardown);
  } else {
    observer_.given_up(slot.connection.scenario);
  }
  // A slot outlives every operation in flight on it.
  if (settings_.side == Side::client && slot.connection.in_flight == 0) free_.push_back(index);
}

// -- how connections go down
// ----------------------------------------------------------------------

Moments& End::moments(std::uint32_t index, const Step& step) {
  return moments_[index * moments_per_slot_ + (is_of_peer(step) ? 1 : 0)];
}

/// What was accepted is in order from here on; a client's turn comes when it connects.
void End::begin_moments(std::uint32_t index) {
  if (moments_.empty()) return;
  for (std::size_t i = 0; i < moments_per_slot_; ++i) moments_[index * moments_per_slot_ + i] = {};
  if (settings_.side == Side::client) return;
  moments_[index * moments_per_slot_].ordinal = ++begun_[slots_[index].connection.scenario];
}

void End::note_issue(std::uint32_t index, const Step& step, Nanoseconds now) {
  if (moments_.empty()) return;
  Moments& own = moments(index, step);
  if ((step.marks & kConnects) != 0) own.ordinal = ++begun_[slots_[index].connection.scenario];
  if ((step.marks & kTakesDown) != 0) own.issued = now;
}

void End::note_end(std::uint32_t index, const Step& step, std::int32_t result, Outcome outcome,
                   Nanoseconds now) {
  if (moments_.empty()) return;
  Moments& own = moments(index, step);
  if ((step.marks & kConnects) != 0 && outcome != Outcome::ok) own.ordinal = 0;
  if ((step.marks & kTakesDown) != 0) own.completed = now;
  if ((step.marks & kTells) != 0 && own.heard == 0 && tells_of_peer(step, result, outcome)) {
    own.heard = now;
  }
  if ((step.marks & kLetsGo) != 0 && has_let_go(step, outcome)) own.gone = now;
}

void End::tell_moments(std::uint32_t index) {
  if (moments_.empty()) return;
  const Slot& slot = slots_[index];
  const Moments& own = moments_[index * moments_per_slot_];
  if (own.ordinal == 0) return;
  observer_.went_down(slot.connection.scenario, settings_.side, own);
  if (moments_per_slot_ == 1 || scenarios_[slot.connection.scenario].has_server()) return;
  Moments& peer = moments_[index * moments_per_slot_ + 1];
  peer.ordinal = own.ordinal;
  observer_.went_down(slot.connection.scenario, Side::server, peer);
}

void End::release_sockets() {
  for (std::uint32_t index : free_) {
    if (!slots_[index].connection.has_socket()) continue;
    slots_[index].connection.sockets = 0;
    ring_.close(settings_.first_slot + index, token(kRelease, 0, 0, index));
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
