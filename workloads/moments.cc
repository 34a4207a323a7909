// Which steps take a connection down, tell of it, and let go of it: see moments.h.
#include "workloads/moments.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <vector>

namespace ringchurn {
namespace {

bool dies(const Step& step) {
  return step.act == Act::die_exit || step.act == Act::die_kill || step.act == Act::die_pending;
}

/// A TCP peer hears nothing of SHUT_RD; a unix socket's cannot send any more.
bool takes_down(const Step& step, bool is_unix) {
  if (step.op == Op::shutdown) return is_unix || step.detail != SHUT_RD;
  return step.op == Op::close || step.op == Op::disconnect || step.act == Act::destroy ||
         dies(step);
}

/// A connect that somebody may come to hear of.
bool is_connect(const Step& step) {
  const bool goes_to_a_listener =
      step.op == Op::connect &&
      (step.place == Place::server || step.place == Place::any || step.place == Place::own);
  const std::vector<Outcome> outcomes = step.expect.all();
  return goes_to_a_listener && std::any_of(outcomes.begin(), outcomes.end(), [](Outcome outcome) {
           return outcome != errno_outcome(EISCONN) && outcome != errno_outcome(EBADF);
         });
}

/// What an end has told itself is no news of the peer.
struct OwnDoing {
  bool deaf = false, mute = false, dissolved = false;

  void note(const Step& step) {
    if (step.op == Op::shutdown) {
      deaf = deaf || step.detail != SHUT_WR;
      mute = mute || step.detail != SHUT_RD;
    }
    dissolved = dissolved || step.op == Op::disconnect || step.act == Act::destroy;
  }

  bool leaves_news_to(const Step& step) const {
    if (dissolved) return false;
    if (step.op == Op::so_error) return true;
    if (sends(step.op) || step.op == Op::shutdown) return !mute;
    return (receives(step.op) || step.op == Op::wait || step.op == Op::poll) && !deaf;
  }
};

/// Marks what one end does with the socket that is number `socket` of the script, and with its
/// duplicates, from step `from` on. A started operation holds on to a socket that is closed.
void mark_end(Script& script, std::size_t from, unsigned socket, bool is_unix, std::uint8_t whose) {
  unsigned own = 1U << socket;
  bool is_down = false;
  OwnDoing doing;
  for (std::size_t i = from; i < script.length(); ++i) {
    Step& step = script.steps[i];
    if (step.act == Act::dup && (own >> step.other & 1) != 0) own |= 1U << step.socket;
    if ((own >> step.socket & 1) == 0 || step.act == Act::dup) continue;
    const bool is_first = takes_down(step, is_unix) && !is_down;
    is_down = is_down || is_first;
    const bool lets_go = step.op == Op::close || step.op == Op::disconnect || dies(step) ||
                         step.overlap != Overlap::none;
    if (is_first) step.marks |= kTakesDown;
    if (doing.leaves_news_to(step)) step.marks |= kTells;
    if (lets_go) step.marks |= kLetsGo;
    if (step.marks != 0) step.marks |= whose;
    doing.note(step);
  }
}

std::vector<std::size_t> find_all(const Script& script, bool (*is_such)(const Step&)) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < script.length(); ++i) {
    if (is_such(script.steps[i])) found.push_back(i);
  }
  return found;
}

bool accepts(const Step& step) { return step.op == Op::accept_from || step.op == Op::accept_multi; }

bool always_succeeds(const Step& step) { return step.expect.all() == std::vector{Outcome::ok}; }

/// An option with which a listener hands over connections when data comes, or not at all, instead
/// of in the order of their handshakes.
bool disturbs_the_queue(const SocketOption& option) {
  if (option.level == SOL_SOCKET) {
    return option.name == SO_ATTACH_FILTER || option.name == SO_ATTACH_BPF;
  }
  return option.level == IPPROTO_TCP &&
         (option.name == TCP_DEFER_ACCEPT || option.name == TCP_FASTOPEN);
}

/// Why the order of connects is not that of accepts, or "".
std::string disorder(const Scenario& scenario, const Step& connect) {
  if (!scenario.has_server()) return "nobody listens";
  if (!always_succeeds(connect)) return "the connect may fail";
  const auto& options = scenario.server.listener_options;
  if (std::any_of(options.begin(), options.end(), disturbs_the_queue)) {
    return "the listener need not accept in the order of the connects";
  }
  return "";
}

/// Both ends in the client's script: the one that connects, and the one that its listener accepts.
std::string mark_both_ends(Scenario& scenario, std::size_t connect) {
  Script& script = scenario.client;
  const std::vector<std::size_t> accept = find_all(script, accepts);
  if (accept.empty()) return "nobody accepts the connection";
  if (accept.size() > 1) return "the client accepts several times";
  const Step& accepted = script.steps[accept.front()];
  if (accepted.op == Op::accept_multi || !always_succeeds(accepted)) return "the accept may fail";
  if (!always_succeeds(script.steps[connect])) return "the connect may fail";
  script.steps[connect].marks |= kConnects;
  const bool is_unix = scenario.domain == AF_UNIX;
  mark_end(script, connect, script.steps[connect].socket, is_unix, 0);
  mark_end(script, accept.front() + 1, accepted.socket, is_unix, kOfPeer);
  return "";
}

std::string mark(Scenario& scenario) {
  Script& client = scenario.client;
  const std::vector<std::size_t> connects = find_all(client, is_connect);
  if (connects.empty()) return "the client connects to nobody";
  if (connects.size() > 1) return "the client connects several times";
  Step& connect = client.steps[connects.front()];
  if (connect.place == Place::own) return mark_both_ends(scenario, connects.front());
  if (connect.socket != 0) return "the client connects with a second socket";
  const bool is_unix = scenario.domain == AF_UNIX;
  connect.marks |= kConnects;
  mark_end(client, connects.front(), 0, is_unix, 0);
  if (scenario.has_server()) mark_end(scenario.server, 0, 0, is_unix, 0);
  return disorder(scenario, connect);
}

}  // namespace

void mark_moments(Scenario& scenario) { scenario.unmatched = mark(scenario); }

bool tells_of_peer(const Step& step, std::int32_t result, Outcome outcome) {
  if (step.op == Op::wait || step.op == Op::poll) {
    return result > 0 && (result & (POLLHUP | POLLRDHUP | POLLERR)) != 0;
  }
  if (receives(step.op) && (outcome == Outcome::eof || outcome == Outcome::cut_short)) return true;
  if (step.op == Op::recv_eof && outcome == Outcome::ok) return true;
  if (step.op == Op::shutdown) return outcome == errno_outcome(ENOTCONN);
  return outcome == errno_outcome(ECONNRESET) || outcome == errno_outcome(EPIPE);
}

bool has_let_go(const Step& step, Outcome outcome) {
  return step.op != Op::close || outcome == Outcome::ok;
}

}  // namespace ringchurn
