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
      return "accept";
    case Op::send:
      return "send";
    case Op::receive:
    case Op::receive_any:
    case Op::recv_eof:
      return "recv";
    case Op::shutdown:
      return "shutdown";
    case Op::option:
      return "setsockopt";
    case Op::disconnect:
      return "connect(AF_UNSPEC)";
    case Op::wait:
      return "poll";
    case Op::pause:
      return "timeout";
    case Op::close:
      return "close";
  }
  return "?";
}

}  // namespace ringchurn
