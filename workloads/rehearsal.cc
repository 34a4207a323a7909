// A model of TCP that is just large enough to tell whether two scripts can reach their ends: bytes
// on their way, FIN, RST. Latency, windows and races are left out: they decide when a step happens,
// not whether it can. See rehearsal.h.
#include "workloads/rehearsal.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <span>

namespace ringchurn {
namespace {

/// True for steps that make no sense on a socket that never connected, unless an error is wanted.
bool needs_connection(Op op) {
  return op == Op::send || op == Op::receive || op == Op::receive_until || op == Op::receive_any ||
         op == Op::recv_eof || op == Op::receive_multi || op == Op::fill || op == Op::write ||
         op == Op::wait || op == Op::disconnect;
}

/// True for a step that the model knows nothing about: on another socket, or left in flight.
bool is_beyond_the_model(const Step& step) {
  return step.socket != 0 || step.overlap != Overlap::none;
}

bool makes_sockets(const Step& step) {
  return step.op == Op::accept_from || step.act == Act::listen || step.act == Act::pair ||
         step.act == Act::pipe || step.act == Act::dup || step.act == Act::file ||
         (step.op == Op::socket && step.number > 0);
}

/// True for a step behind which its socket is gone.
bool closes(const Step& step) {
  const bool dies =
      step.act == Act::die_exit || step.act == Act::die_kill || step.act == Act::die_pending;
  return (step.op == Op::close || dies) && step.expect.allows(Outcome::ok);
}

/// One end on paper.
struct Player {
  Side side;
  const std::vector<Step>& steps;
  std::size_t at = 0;
  bool connected = false, refused = false;
  bool shut = false;              ///< FIN is sent, or must be by now
  bool gone = false;              ///< closed or disconnected
  bool beyond_the_model = false;  ///< played something that this model does not know
  std::uint64_t sent = 0, received = 0;
  std::vector<const Step*> sends{};  ///< which made up `sent`

  bool done() const { return at == steps.size(); }
  const Step& step() const { return steps[at]; }
};

[[noreturn]] void refuse(const Player& player, const std::string& why) {
  throw ImpossibleStep(player.side, player.step().number, why);
}

// -- the order of steps in one script
// ---------------------------------------------------------------

void check_place(const Player& player) {
  const Step& step = player.step();
  const char* opening = player.side == Side::client ? "connect" : "accept";
  if (step.op == Op::connect && player.side == Side::server)
    refuse(player, "only the client connects");
  if (step.op == Op::accept && player.side == Side::client)
    refuse(player, "only the server accepts");
  if (step.op == Op::disconnect && player.side == Side::server) {
    refuse(player, "only the client disconnects; a server resets with 'linger 0' and 'close'");
  }
  if (step.op == Op::connect || step.op == Op::accept) {
    if (player.connected && !player.gone && !step.expect.allows_error())
      refuse(player, fmt::format("the second '{}' of this side", opening));
    return;
  }
  const bool early = player.side == Side::server && !player.connected;
  if (early && step.op != Op::option && step.op != Op::pause) {
    refuse(player, "it can never happen before 'accept'");
  }
  const bool connected = player.connected || player.refused || player.beyond_the_model;
  if (needs_connection(step.op) && !connected && !step.expect.allows_error()) {
    refuse(player, fmt::format("it can never happen before '{}'", opening));
  }
}

void check_success(const Player& player) {
  const Step& step = player.step();
  const bool moves = step.op == Op::send || step.op == Op::receive ||
                     step.op == Op::receive_until || step.op == Op::receive_any;
  if (step.expect.allows_error() || !moves || player.beyond_the_model) return;
  if (player.refused) refuse(player, "it can never succeed after a connect that must fail");
  if (step.op == Op::send && player.shut)
    refuse(player, "it can never succeed after 'shutdown wr'");
}

/// The sockets that a script which plays as written leaves behind, as bits.
unsigned sockets_left(const Player& player) {
  unsigned left = 1;
  for (const Step& step : player.steps) {
    const unsigned own = 1U << step.socket;
    if (makes_sockets(step) && (left & own) != 0 && step.socket != 0) {
      throw ImpossibleStep(player.side, step.number,
                           "the socket of that name is there already: close it before");
    }
    const bool pair = step.act == Act::pair || step.act == Act::pipe;
    if (makes_sockets(step) && step.expect.allows(Outcome::ok)) left |= own;
    if (pair) left |= 1U << step.other;
    if (closes(step)) left &= ~own;
    if (step.op == Op::disconnect && step.socket == 0 && &step == &player.steps.back()) left &= ~1U;
  }
  return left;
}

/// A server's slot is the kernel's to fill again as soon as it is empty; a client's is its own.
void check_server_end(const Player& player) {
  const std::vector<Step>& steps = player.steps;
  const auto is_end = [](const Step& step) { return step.socket == 0 && closes(step); };
  bool in_flight = false;
  for (const Step& step : steps) {
    if (step.overlap != Overlap::none) in_flight = true;
    if (step.op == Op::await) in_flight = false;
    if (in_flight && is_end(step)) {
      throw ImpossibleStep(player.side, step.number,
                           "a started step is in flight: await it before");
    }
  }
  const auto end = std::find_if(steps.begin(), steps.end(), is_end);
  if (end == steps.end() || end + 1 == steps.end()) return;
  throw ImpossibleStep(player.side, (end + 1)->number,
                       fmt::format("it can never happen after '{}'", end->text));
}

/// Behind its close, a socket answers nothing but EBADF.
void check_after_close(const Player& player) {
  bool closed = false;
  for (const Step& step : player.steps) {
    const bool acts = step.op != Op::pause && step.op != Op::await && step.op != Op::cancel &&
                      step.op != Op::plain && !makes_sockets(step);
    const bool refused =
        step.expect.allows(errno_outcome(EBADF)) || step.expect.allows(events_outcome(POLLNVAL));
    if (closed && step.socket == 0 && acts && !refused) {
      throw ImpossibleStep(player.side, step.number, "it can never happen after 'close'");
    }
    closed = closed || (step.socket == 0 && step.op == Op::close && closes(step));
  }
}

void check_disconnect(const Player& player) {
  const std::vector<Step>& steps = player.steps;
  bool dissolved = false;
  for (const Step& step : steps) {
    if (step.socket != 0) continue;
    if (dissolved && needs_connection(step.op) && !step.expect.allows_error()) {
      throw ImpossibleStep(player.side, step.number, "it can never happen after 'disconnect'");
    }
    if (step.op == Op::connect) dissolved = false;
    if (step.op == Op::disconnect) dissolved = true;
  }
  const bool has_options =
      std::any_of(steps.begin(), steps.end(), [](const Step& s) { return s.op == Op::option; });
  if (steps.back().op == Op::disconnect && has_options) {
    throw ImpossibleStep(player.side, steps.back().number,
                         "the next connection would inherit this one's socket options: put a "
                         "'close' behind it");
  }
}

void check_end(const Player& player) {
  if (player.steps.empty()) throw ImpossibleStep(player.side, 0, "a script needs steps");
  check_disconnect(player);
  if (const unsigned left = sockets_left(player); left != 0) {
    throw ImpossibleStep(
        player.side, player.steps.back().number,
        (left & 1) != 0 ? "the script leaves its socket open: end it with 'close' or 'disconnect'"
                        : "the script leaves a socket open that it named: close every one of them");
  }
  player.side == Side::server ? check_server_end(player) : check_after_close(player);
}

// -- the two scripts against each other
// ---------------------------------------------------------------

/// Where a landmark's text ends in what `sender` has sent, from byte `from` on.
std::optional<std::uint64_t> end_of_text(const Landmark& until, const Player& sender,
                                         std::uint64_t from) {
  Landmark::Position position;
  std::uint64_t at = 0;
  for (const Step* send : sender.sends) {
    const std::uint64_t end = at + send->bytes;
    const std::uint64_t begin = std::clamp(from, at, end);
    // As many fillers as the text has bytes match as much of it as any more would.
    const std::uint64_t fillers = std::min<std::uint64_t>(end - begin, until.text_bytes());
    const std::vector<std::byte> filled(send->payload.empty() ? fillers : 0, kFiller);
    const auto payload = std::as_bytes(std::span(send->payload));
    const std::size_t passed = until.pass_text(
        payload.empty() ? std::span(filled) : payload.subspan(begin - at), position);
    if (until.has_text_before(position)) return begin + passed;
    at = end;
  }
  return std::nullopt;
}

/// Where a receive_until stops, if its peer has sent that much.
std::optional<std::uint64_t> landmark_of(const Player& player, const Player& peer) {
  const Landmark& until = player.step().until;
  const auto text_end = end_of_text(until, peer, player.received);
  if (!text_end || peer.sent - *text_end < until.bytes_behind()) return std::nullopt;
  return *text_end + until.bytes_behind();
}

/// True if the step can end now, given what the peer has done so far; with `time_passes`, also by
/// its own time limit.
bool can_end(const Player& player, const Player& peer, bool time_passes) {
  const Step& step = player.step();
  if (is_beyond_the_model(step)) return true;
  check_place(player);
  if (time_passes && (step.limited || step.expect.allows_error())) return true;
  const std::uint64_t waiting = peer.sent - player.received;
  const bool ended = peer.shut || peer.gone || player.refused || player.gone ||
                     player.beyond_the_model || peer.beyond_the_model;
  switch (step.op) {
    case Op::accept:
      return peer.connected;
    case Op::receive:
      return waiting >= step.bytes || ended;
    case Op::receive_until:
      return landmark_of(player, peer) || ended;
    case Op::receive_any:
      return waiting > 0 || ended;
    case Op::recv_eof:
      return ended;
    case Op::wait:
    case Op::poll:
      return (step.detail & POLLOUT) != 0 || waiting > 0 || ended || player.beyond_the_model;
    default:
      return true;
  }
}

/// True if the step must come to `ok`, for all that the model knows.
bool must_succeed(const Player& player, const Player& peer) {
  return !player.step().expect.allows_error() && !player.beyond_the_model && !peer.beyond_the_model;
}

void receive(Player& player, const Player& peer) {
  const std::uint64_t waiting = peer.sent - player.received;
  if (waiting < player.step().bytes && must_succeed(player, peer)) {
    refuse(player, fmt::format("it can never succeed: only {} bytes come from the {} by then",
                               waiting, side_name(peer.side)));
  }
  player.received += std::min<std::uint64_t>(waiting, player.step().bytes);
}

void receive_until(Player& player, const Player& peer) {
  const auto landmark = landmark_of(player, peer);
  if (!landmark && must_succeed(player, peer)) {
    const auto text_end = end_of_text(player.step().until, peer, player.received);
    refuse(player, text_end ? fmt::format("it can never succeed: only {} bytes come behind that "
                                          "text from the {} by then",
                                          peer.sent - *text_end, side_name(peer.side))
                            : fmt::format("it can never succeed: that text does not come from the "
                                          "{} by then",
                                          side_name(peer.side)));
  }
  player.received = landmark.value_or(peer.sent);
}

void play(Player& player, const Player& peer) {
  const Step& step = player.step();
  if (is_beyond_the_model(step) || step.place != Place::server) {
    player.beyond_the_model = true;
    if (step.op == Op::connect && step.socket == 0) {
      player.connected = player.connected || step.expect.allows(Outcome::ok);
    }
    ++player.at;
    return;
  }
  check_success(player);
  switch (step.op) {
    case Op::connect:
    case Op::accept:
      player.connected = player.connected || step.expect.allows(Outcome::ok);
      player.refused = !player.connected;
      player.gone = player.shut = false;
      break;
    case Op::fill:
    case Op::write:
    case Op::plain:
    case Op::receive_multi:
    case Op::read:
      player.beyond_the_model = true;
      break;
    case Op::send:
      if (!step.expect.allows(Outcome::ok)) break;
      player.sent += step.bytes;
      player.sends.push_back(&step);
      break;
    case Op::receive:
      receive(player, peer);
      break;
    case Op::receive_until:
      receive_until(player, peer);
      break;
    case Op::receive_any:
    case Op::recv_eof:
      player.received = peer.sent;
      break;
    case Op::shutdown:
      player.shut = player.shut || step.detail == SHUT_WR || step.detail == SHUT_RDWR;
      break;
    case Op::disconnect:
    case Op::close:
      player.gone = true;
      break;
    default:
      break;
  }
  ++player.at;
}

[[noreturn]] void explain_deadlock(const Player& stuck, const Player& peer) {
  refuse(stuck, peer.done()
                    ? fmt::format("it can never happen: the {} does nothing that would end it",
                                  side_name(peer.side))
                    : fmt::format("it can never happen: it waits for the {}, which waits at "
                                  "step {} \"{}\"",
                                  side_name(peer.side), peer.step().number, peer.step().text));
}

}  // namespace

std::vector<Turn> rehearse(const std::vector<Step>& client_steps,
                           const std::vector<Step>& server_steps) {
  std::vector<Turn> turns;
  Player client{Side::client, client_steps};
  Player server{Side::server, server_steps};
  const bool listened_to = !server_steps.empty();
  check_end(client);
  if (listened_to) check_end(server);
  bool time_passes = false;  // only when nothing else moves
  while (!client.done() || !server.done()) {
    bool moved = false;
    for (auto [player, peer] : {std::pair{&client, &server}, std::pair{&server, &client}}) {
      while (!player->done() && can_end(*player, *peer, time_passes)) {
        const Step& step = player->step();
        const bool connects = step.op == Op::connect && !is_beyond_the_model(step) &&
                              step.place == Place::server && !player->beyond_the_model;
        if (connects && !listened_to && step.expect.allows(Outcome::ok)) {
          refuse(*player, "it can never succeed: the scenario has no [server]");
        }
        turns.push_back({player->side, step.number});
        play(*player, *peer);
        moved = true;
      }
    }
    if (!moved && time_passes) {
      client.done() ? explain_deadlock(server, client) : explain_deadlock(client, server);
    }
    time_passes = !moved;
  }
  return turns;
}

}  // namespace ringchurn
