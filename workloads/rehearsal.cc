// A model of TCP that is just large enough to tell whether two scripts can reach their ends: bytes
// on their way, FIN, RST. Latency, windows and races are left out: they decide when a step happens,
// not whether it can. See rehearsal.h.
#include "workloads/rehearsal.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

namespace ringchurn {
namespace {

bool needs_connection(Op op) {
  return op != Op::connect && op != Op::accept && op != Op::option && op != Op::pause;
}

/// One end on paper.
struct Player {
  Side side;
  const std::vector<Step>& steps;
  std::size_t at = 0;
  bool connected = false, refused = false;
  bool shut = false;  ///< FIN is sent, or must be by now
  bool gone = false;  ///< closed or disconnected
  std::uint64_t sent = 0, received = 0;

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
    if (player.connected || player.refused)
      refuse(player, fmt::format("the second '{}' of this side", opening));
    return;
  }
  if (needs_connection(step.op) && !player.connected && !player.refused) {
    refuse(player, fmt::format("it can never happen before '{}'", opening));
  }
}

void check_success(const Player& player) {
  const Step& step = player.step();
  const bool moves = step.op == Op::send || step.op == Op::receive || step.op == Op::receive_any;
  if (step.expect.allows_error() || !moves) return;
  if (player.refused) refuse(player, "it can never succeed after a connect that must fail");
  if (step.op == Op::send && player.shut)
    refuse(player, "it can never succeed after 'shutdown wr'");
}

void check_end(const Player& player) {
  const std::vector<Step>& steps = player.steps;
  if (steps.empty()) throw ImpossibleStep(player.side, 0, "a script needs steps");
  const auto is_end = [](const Step& step) {
    return step.op == Op::close || step.op == Op::disconnect;
  };
  const auto end = std::find_if(steps.begin(), steps.end(), is_end);
  if (end == steps.end()) {
    throw ImpossibleStep(player.side, steps.back().number,
                         "the script leaves its socket open: end it with 'close' or 'disconnect'");
  }
  const bool closes_after =
      end->op == Op::disconnect && end + 2 == steps.end() && (end + 1)->op == Op::close;
  if (end + 1 != steps.end() && !closes_after) {
    throw ImpossibleStep(player.side, (end + 1)->number,
                         fmt::format("it can never happen after '{}'", end->text));
  }
  const bool has_options =
      std::any_of(steps.begin(), end, [](const Step& s) { return s.op == Op::option; });
  if (end->op == Op::disconnect && !closes_after && has_options) {
    throw ImpossibleStep(player.side, end->number,
                         "the next connection would inherit this one's socket options: put a "
                         "'close' behind it");
  }
}

// -- the two scripts against each other
// ---------------------------------------------------------------

/// True if the step can end now, given what the peer has done so far; with `time_passes`, also by
/// its own time limit.
bool can_end(const Player& player, const Player& peer, bool time_passes) {
  check_place(player);
  const Step& step = player.step();
  const std::uint64_t waiting = peer.sent - player.received;
  const bool ended = peer.shut || peer.gone || player.refused;
  switch (step.op) {
    case Op::accept:
      return peer.connected;
    case Op::receive:
      return waiting >= step.bytes || ended;
    case Op::receive_any:
      return waiting > 0 || ended;
    case Op::recv_eof:
      return ended || (step.limited && time_passes);
    case Op::wait:
      return step.detail == POLLOUT || waiting > 0 || ended;
    default:
      return true;
  }
}

void play(Player& player, const Player& peer) {
  const Step& step = player.step();
  check_success(player);
  const std::uint64_t waiting = peer.sent - player.received;
  switch (step.op) {
    case Op::connect:
    case Op::accept:
      player.connected = step.expect.allows(Outcome::ok);
      player.refused = !player.connected;
      break;
    case Op::send:
      if (step.expect.allows(Outcome::ok)) player.sent += step.bytes;
      break;
    case Op::receive:
      if (waiting < step.bytes && !step.expect.allows_error()) {
        refuse(player, fmt::format("it can never succeed: only {} bytes come from the {} by then",
                                   waiting, side_name(peer.side)));
      }
      player.received += std::min<std::uint64_t>(waiting, step.bytes);
      break;
    case Op::receive_any:
    case Op::recv_eof:
      player.received = peer.sent;
      break;
    case Op::shutdown:
      player.shut = player.shut || step.detail != SHUT_RD;
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
        const bool connects = player->step().op == Op::connect;
        if (connects && !listened_to && player->step().expect.allows(Outcome::ok)) {
          refuse(*player, "it can never succeed: the scenario has no [server]");
        }
        turns.push_back({player->side, player->step().number});
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
