// The words that scripts are shown in.
#include "workloads/script.h"

namespace ringchurn {

const char* side_name(Side side) { return side == Side::client ? "client" : "server"; }

const char* op_name(Op op) {
  switch (op) {
    case Op::socket:
      return "socket";
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

}  // namespace ringchurn
