// A scenario, compiled: what each end does, step by step, what may come back, and what the kernel's
// counters must move by. Read-only while a load runs; shared by every connection that plays it.
#pragma once

#include <linux/time_types.h>

#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "workloads/outcome.h"

namespace ringchurn {

enum class Side : std::uint8_t { client, server };
const char* side_name(Side side);

/// One step's turn in the story that both scripts tell together.
struct Turn {
  Side side;
  unsigned step_number;  ///< Step::number
};

/// What a step does. Each is one operation of the ring, repeated while bytes are outstanding.
enum class Op : std::uint8_t {
  socket,       ///< a new socket; put in front of every client script
  connect,      ///< connect(2) to the scenario's listener
  accept,       ///< accept(2); the server's script belongs to a connection from here on
  send,         ///< send(2) until `bytes` are taken by the kernel
  receive,      ///< recv(2) until `bytes` came
  receive_any,  ///< one recv(2) of whatever is there
  recv_eof,     ///< recv(2), discarding, until the peer's FIN
  shutdown,     ///< shutdown(2); io_uring runs it on an io-wq worker
  option,       ///< setsockopt(2)
  disconnect,   ///< connect(2) with AF_UNSPEC: RST; the socket can connect again
  wait,         ///< poll(2)
  pause,        ///< a timer
  close,        ///< close(2)
};
const char* op_name(Op op);

/// The outcomes that a step may have.
class Expectation {
 public:
  void allow(Outcome outcome) { allowed_.set(index(outcome)); }
  bool allows(Outcome outcome) const { return allowed_.test(index(outcome)); }
  bool allows_error() const { return allowed_.any() && (allowed_ >> 1).any(); }

 private:
  // ok at 0, errnos by number, EOF and timeout behind them; an errno without a place is never
  // allowed.
  static constexpr std::size_t kEof = 200, kTimeout = 201, kElse = 202;
  static std::size_t index(Outcome outcome) {
    if (outcome == Outcome::eof) return kEof;
    if (outcome == Outcome::timeout) return kTimeout;
    const auto number = static_cast<std::size_t>(outcome);
    return number < kEof ? number : kElse;
  }
  std::bitset<203> allowed_;
};

/// A socket option with its value, as setsockopt(2) takes them.
struct SocketOption {
  int level = 0;
  int name = 0;
  std::vector<std::byte> value;
};

struct Step {
  Op op = Op::close;
  unsigned number = 0;      ///< place in the file's list, from 1; 0: put there by the compiler
  std::string text;         ///< as written, parameters filled in, without the expectation
  std::uint32_t bytes = 0;  ///< send, receive
  int detail = 0;           ///< shutdown: SHUT_*; wait: poll events
  SocketOption option;
  bool limited = false;      ///< recv_eof with a time limit: `time`
  __kernel_timespec time{};  ///< pause; recv_eof's limit, anew for each receive
  Expectation expect;
};

/// One end's compiled script. A client's may end with `disconnect`, which leaves its socket to the
/// next connection. The last entry of `steps` is not part of the script: it is the close that
/// clears up after an unexpected outcome.
struct Script {
  std::vector<Step> steps;
  std::vector<SocketOption>
      listener_options;  ///< server: steps before accept; accepted sockets inherit them
  std::optional<__kernel_timespec> accept_pause;  ///< server: `pause` before accept
  unsigned teardown = 0;  ///< index of the first step that takes the connection down

  unsigned length() const { return steps.empty() ? 0 : static_cast<unsigned>(steps.size() - 1); }
  unsigned clean_up() const { return length(); }
};

/// What a kernel counter moves by per connection: exactly `min`, or from `min` to `max` where the
/// kernel's answer is a race.
struct CounterRange {
  std::uint64_t min = 0, max = 0;
  std::string where;  ///< file and line, for messages
};

struct Scenario {
  std::string name;   ///< file name without ".toml"
  std::string about;  ///< why it exists, in sentences
  Script client;
  Script server;  ///< empty when nobody listens
  /// An order in which one thread could play both ends without ever waiting for the other.
  std::vector<Turn> story;
  std::map<std::string, CounterRange> kernel;  ///< per finished connection, both ends together
  std::uint64_t delivered_to_server = 0;  ///< application bytes received per finished connection
  std::uint64_t delivered_to_client = 0;

  bool has_server() const { return !server.steps.empty(); }
  const Script& script(Side side) const { return side == Side::client ? client : server; }
};

}  // namespace ringchurn
