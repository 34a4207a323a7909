// The words that scripts are shown in, and what is asked of them as a whole.
#include "workloads/script.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <iterator>

namespace ringchurn {

const char* side_name(Side side) { return side == Side::client ? "client" : "server"; }

const char* op_name(Op op) {
  switch (op) {
    case Op::socket:
      return "socket";
    case Op::bind:
      return "bind";
    case Op::connect:
      return "connect";
    case Op::accept:
    case Op::accept_from:
    case Op::accept_multi:
      return "accept";
    case Op::send:
    case Op::fill:
      return "send";
    case Op::write:
      return "write";
    case Op::read:
      return "read";
    case Op::receive:
    case Op::receive_until:
    case Op::receive_any:
    case Op::receive_multi:
    case Op::recv_eof:
      return "recv";
    case Op::shutdown:
      return "shutdown";
    case Op::option:
      return "setsockopt";
    case Op::get_option:
    case Op::so_error:
      return "getsockopt";
    case Op::disconnect:
      return "connect(AF_UNSPEC)";
    case Op::wait:
    case Op::poll:
      return "poll";
    case Op::pause:
      return "timeout";
    case Op::cancel:
      return "cancel";
    case Op::await:
      return "await";
    case Op::close:
      return "close";
    case Op::plain:
      return "plain";
  }
  return "?";
}

std::vector<Outcome> Expectation::all() const {
  std::vector<Outcome> outcomes;
  const auto add = [&](Outcome first, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto outcome = static_cast<Outcome>(static_cast<std::size_t>(first) + i);
      if (allows(outcome)) outcomes.push_back(outcome);
    }
  };
  add(Outcome::ok, kEof);
  add(Outcome::eof, 3);
  add(Outcome::events, kStates - kEvents);
  add(Outcome::state, kSize - kStates);
  return outcomes;
}

bool Scenario::goes_to_server() const {
  return std::any_of(client.steps.begin(), client.steps.end(), [](const Step& step) {
    return step.op == Op::connect && step.place == Place::server && step.socket == 0;
  });
}

void Scenario::come_from_sources() {
  // connect(2) picks the port then, when it knows the whole 4-tuple (ip(7), since Linux 4.2).
  constexpr int kOn = 1;
  Step no_port_yet;
  no_port_yet.op = Op::option;
  no_port_yet.text = "option IP_BIND_ADDRESS_NO_PORT 1";
  no_port_yet.option = {IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, std::vector<std::byte>(sizeof kOn)};
  std::memcpy(no_port_yet.option.value.data(), &kOn, sizeof kOn);
  no_port_yet.expect.allow(Outcome::ok);
  Step bind;
  bind.op = Op::bind;
  bind.text = "bind to a source";
  bind.expect.allow(Outcome::ok);
  client.steps.insert(client.steps.begin() + 1, {no_port_yet, bind});
  client.teardown += 2;
}

}  // namespace ringchurn
