// A scenario, compiled: what each end does, step by step, what may come back, and what the kernel's
// counters must move by. Read-only while a load runs; shared by every connection that plays it.
#pragma once

#include <linux/time_types.h>
#include <sys/socket.h>

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "workloads/landmark.h"
#include "workloads/outcome.h"

namespace ringchurn {

enum class Side : std::uint8_t { client, server };
const char* side_name(Side side);

/// What plays a script. The expectations of a file are those of the ring, except where it says what
/// the plain system calls answer instead.
enum class Engine : std::uint8_t { ring, syscall };

/// One step's turn in the story that both scripts tell together.
struct Turn {
  Side side;
  unsigned step_number;  ///< Step::number
};

/// What a step does. Each is one operation of the ring, repeated while bytes are outstanding.
enum class Op : std::uint8_t {
  socket,         ///< a new socket; put in front of every client script
  bind,           ///< bind(2) to one of the endpoint's sources, at a port that connect picks
  connect,        ///< connect(2), to where `place` says
  accept,         ///< accept(2); the server's script belongs to a connection from here on
  accept_from,    ///< accept(2) from `other`, a listener of this script's own; `detail`: an
                  ///< AcceptSlot
  accept_multi,   ///< a multishot accept(2) from `other`; who comes is closed at once
  send,           ///< send(2) until `bytes` are taken by the kernel
  write,          ///< write(2), which may raise SIGPIPE
  read,           ///< one read(2) of whatever is there
  fill,           ///< send(2) without waiting, until EAGAIN
  receive,        ///< recv(2) until `bytes` came
  receive_until,  ///< recv(2) up to the landmark `until`, and no byte behind it
  receive_any,    ///< one recv(2) of whatever is there
  receive_multi,  ///< a multishot recv(2) into `bytes` buffers, until it ends
  recv_eof,       ///< recv(2), discarding, until the peer's FIN
  shutdown,       ///< shutdown(2); io_uring runs it on an io-wq worker
  option,         ///< setsockopt(2)
  get_option,     ///< getsockopt(2); only whether it worked
  so_error,       ///< getsockopt(2) of SO_ERROR, whose value is the outcome
  disconnect,     ///< connect(2) with AF_UNSPEC: RST; the socket can connect again
  wait,           ///< poll(2); `ok` whatever came
  poll,           ///< poll(2); the events that came are the outcome
  pause,          ///< a timer
  cancel,         ///< cancels what is in flight on the socket
  await,          ///< nothing but waiting for what is in flight
  close,          ///< close(2)
  plain,          ///< what no ring operation does: `act`, played with plain system calls
};
const char* op_name(Op op);
/// Brings application bytes to the peer.
constexpr bool sends(Op op) { return op == Op::send || op == Op::write || op == Op::fill; }
/// Takes application bytes from the peer, all of them at once or a piece at a time.
constexpr bool receives(Op op) {
  return op == Op::receive || op == Op::receive_until || op == Op::receive_any ||
         op == Op::receive_multi || op == Op::recv_eof || op == Op::read;
}

/// What an Op::plain does: see act() in workloads/act.h.
enum class Act : std::uint8_t {
  none,
  listen,         ///< makes a listener of its own, backlog `detail`
  pair,           ///< makes this socket and `other` a socketpair(2)
  pipe,           ///< makes this and `other` the ends of a pipe(2): writing, reading
  file,           ///< makes a regular file
  dup,            ///< makes a second reference to socket `other`
  nonblocking,    ///< fcntl(2): O_NONBLOCK
  state,          ///< the socket's TCP state is the outcome
  peer_state,     ///< the state of the socket at the other end is the outcome
  destroy,        ///< SOCK_DESTROY
  die_exit,       ///< hands the socket to a process that exits ...
  die_kill,       ///< ... that is killed ...
  die_pending,    ///< ... that is killed with an io_uring receive in flight
  die_sigpipe,    ///< has a process with default SIGPIPE send on the socket
  arrives_rst,    ///< a forged RST arrives; `detail`: how far off the expected sequence number
  arrives_syn,    ///< a forged SYN
  arrives_fin,    ///< a forged FIN
  arrives_icmp,   ///< a forged ICMP destination-unreachable; `detail`: its code
  starve_socket,  ///< socket(2) in a process without a free descriptor
  starve_accept,  ///< accept(2) from `other` there
  ports_of,       ///< limits the socket to the local port of `other`
  bind_to,        ///< bind(2) to the local address of `other`
};

/// Where a connect goes.
enum class Place : std::uint8_t {
  server,       ///< the scenario's listener, or its closed port
  own,          ///< the script's own listener `other`
  unreachable,  ///< addresses behind routes of that type, in the lab only
  prohibited,
  blackhole,
  unrouted,
  port_0,
  any,         ///< the wildcard address
  bad_family,  ///< a wrong sa_family
  short_name,  ///< an address length of 2
};

/// Into which slot of the ring's table an accept goes; Step::detail.
enum AcceptSlot : int { kSlotOfItsOwn, kNoSlotFree, kSlotBeyond };

/// How a step hangs together with the next one.
enum class Overlap : std::uint8_t {
  none,      ///< the next step begins when this one has ended
  start,     ///< the next step begins at once
  link,      ///< ... and the kernel runs it after this one, unless this one fails (IOSQE_IO_LINK)
  hardlink,  ///< ... or even then (IOSQE_IO_HARDLINK)
};

/// Sockets that a script may hold at once: its connection's own, number 0, and named ones.
constexpr unsigned kMostSockets = 7;

/// What a step tells of how its connection goes down (workloads/moments.h): bits of Step::marks.
enum Mark : std::uint8_t {
  kConnects = 1,   ///< when it begins, the connection does
  kTakesDown = 2,  ///< the first step of its end that tells the peer that it is over
  kTells = 4,      ///< may tell its end that the peer is done, or gone
  kLetsGo = 8,     ///< when it ends, its end may have let go of the socket
  kOfPeer = 16,    ///< it is a step of the end that the script's own listener accepted
};

/// The outcomes that a step may have.
class Expectation {
 public:
  void allow(Outcome outcome) { allowed_.set(index(outcome)); }
  bool allows(Outcome outcome) const { return allowed_.test(index(outcome)); }
  /// An errno, EOF, timeout or short is among them.
  bool allows_error() const {
    for (std::size_t i = 1; i <= kShort; ++i) {
      if (allowed_.test(i)) return true;
    }
    return false;
  }
  /// All of them, for messages.
  std::vector<Outcome> all() const;

 private:
  // ok at 0, errnos by number, then EOF and timeout, poll events, TCP states; an errno without a
  // place is never allowed.
  static constexpr std::size_t kEof = 200, kTimeout = 201, kShort = 202, kElse = 203, kEvents = 204,
                               kStates = kEvents + 128, kSize = kStates + 16;
  static constexpr std::size_t index(Outcome outcome) {
    if (outcome == Outcome::eof) return kEof;
    if (outcome == Outcome::timeout) return kTimeout;
    if (outcome == Outcome::cut_short) return kShort;
    const auto number = static_cast<std::size_t>(outcome);
    const auto events = static_cast<std::size_t>(Outcome::events);
    const auto state = static_cast<std::size_t>(Outcome::state);
    if (number >= events && number < events + 128) return kEvents + number - events;
    if (number >= state && number < state + 16) return kStates + number - state;
    return number < kEof ? number : kElse;
  }
  std::bitset<kSize> allowed_;
};

/// A socket option with its value, as setsockopt(2) takes them.
struct SocketOption {
  int level = 0;
  int name = 0;
  std::vector<std::byte> value;
  bool bad_pointer = false;  ///< the value's address is not one
};

/// What a send without a payload sends.
inline constexpr std::byte kFiller{'x'};

struct Step {
  Op op = Op::close;
  Act act = Act::none;
  Place place = Place::server;
  Overlap overlap = Overlap::none;
  std::uint8_t socket = 0;  ///< which of the script's sockets it acts on
  std::uint8_t other = 0;   ///< a second one, where the step has one
  std::uint8_t marks = 0;   ///< Marks
  unsigned number = 0;      ///< place in the file's list, from 1; 0: put there by the compiler
  std::string text;         ///< as written, parameters filled in, without the expectation
  std::uint32_t bytes = 0;  ///< send, receive; receive_until: at least; receive_multi: buffers
  std::string payload;      ///< send: its bytes; empty: kFiller
  std::string file;         ///< send: where compile() takes the payload from; "" if it is written
  Landmark until;           ///< receive_until
  bool takes_rest = false;  ///< receive_until: the next step takes whatever is behind it, too
  int detail = 0;           ///< shutdown: SHUT_*; wait, poll: events; send, receive: MSG_*
  bool zero_copy = false;   ///< send: IORING_OP_SEND_ZC
  SocketOption option;
  bool limited = false;      ///< the operation has a time limit: `time`
  __kernel_timespec time{};  ///< pause; the limit, anew for each receive
  Expectation expect;
  std::uint64_t at_least_ns = 0, at_most_ns = 0;  ///< how long it may take; 0: no matter

  /// True for a transfer that is not repeated while bytes are outstanding: what is started, must
  /// not wait, or has a mode of its own.
  bool is_one_operation() const {
    return overlap != Overlap::none || zero_copy ||
           ((op == Op::send || op == Op::receive) && detail != 0);
  }
};

/// One end's compiled script. A client's may end with `disconnect`, which leaves its socket to the
/// next connection. The last entry of `steps` is not part of the script: it is the close that
/// clears up after an unexpected outcome.
struct Script {
  std::vector<Step> steps;
  std::vector<SocketOption>
      listener_options;  ///< server: steps before accept; accepted sockets inherit them
  std::optional<__kernel_timespec> accept_pause;  ///< server: `pause` before accept
  unsigned teardown = 0;                 ///< index of the first step that takes the connection down
  std::vector<std::string> sockets{""};  ///< names, by Step::socket; the first is its own

  unsigned length() const { return steps.empty() ? 0 : static_cast<unsigned>(steps.size() - 1); }
  unsigned clean_up() const { return length(); }
};

/// What a kernel counter moves by per connection: exactly `min`, or from `min` to `max` where the
/// kernel's answer is a race.
struct CounterRange {
  std::uint64_t min = 0, max = 0;
  std::string where;  ///< file and line, for messages
};

/// What a scenario that plays as written says about a claim.
enum class Evidence : std::uint8_t { holds, partly, wrong };

struct Scenario {
  std::string name;  ///< file name without ".toml"
  int domain = 0;    ///< AF_UNIX, or AF_INET or AF_INET6 if it makes sense in one only; 0: either
  int type = SOCK_STREAM;
  bool ring_only = false;                      ///< plain system calls cannot play it
  std::map<std::string, std::string> sysctls;  ///< settings of its network that it needs
  std::string about;                           ///< why it exists, in sentences
  Script client;
  Script server;  ///< empty when nobody listens
  /// An order in which one thread could play both ends without ever waiting for the other.
  std::vector<Turn> story;
  std::map<std::string, CounterRange> kernel;  ///< per finished connection, both ends together
  std::uint64_t delivered_to_server = 0;  ///< application bytes received per finished connection
  std::uint64_t delivered_to_client = 0;
  std::map<std::string, Evidence> claims;  ///< by id
  /// Why nobody can tell which two ends belong together, in words behind "because"; "" if it can be
  /// told.
  std::string unmatched;

  bool has_server() const { return !server.steps.empty(); }
  /// Its client goes to the server's address, whoever listens there.
  bool goes_to_server() const;
  /// Puts a bind in front of the client's first connect (Op::bind).
  void come_from_sources();
  const Script& script(Side side) const { return side == Side::client ? client : server; }
};

}  // namespace ringchurn
