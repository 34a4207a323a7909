// Did the server survive? Watches the processes that serve an address of this machine, which need
// not be ours: what they hold and spend, which TCP states their ends of the connections are in, and
// how long their accept queue is.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "bench/process_group.h"

namespace ringchurn {

/// The server's ends of the connections to the watched address, whoever has them. TCP only.
struct ServerSockets {
  std::uint64_t established = 0;
  /// The client has closed, and the server keeps the descriptor: nothing but the server ends this
  /// state (RFC 9293, 3.3.2). What nobody has accepted is in AcceptQueue::queue instead.
  std::uint64_t close_wait = 0;
  /// The server has shut down its sending half and keeps the descriptor. No timer ends this.
  std::uint64_t fin_wait2 = 0;
  /// The server has closed, the client has not. Not the server's any more: the kernel drops them
  /// after net.ipv4.tcp_fin_timeout (60 s).
  std::uint64_t fin_wait2_orphans = 0;
};

/// The listeners of the watched address together: more than one with SO_REUSEPORT.
struct AcceptQueue {
  unsigned listeners = 0;
  std::uint64_t queue = 0;               ///< connections that wait for accept(2)
  std::uint64_t limit = 0;               ///< the backlog; a listener's queue holds one more
  std::optional<std::uint64_t> drops{};  ///< see Listener::drops; of the listeners there are now
};

/// A server at one moment. What may not be seen is nullopt, never 0.
struct ServerSample {
  ProcessTotals totals;
  /// nullopt: AF_UNIX, no address known, the server is in another network namespace, or this kernel
  /// has no tcp_diag.
  std::optional<ServerSockets> sockets;
  /// nullopt: as above, but AF_UNIX has one.
  std::optional<AcceptQueue> accept_queue;
  /// TCP sockets that the processes have descriptors of and that are in none of TCP's tables: reset
  /// by their peer (or aborted) and never closed. New sockets that are not yet bound look the same.
  /// Read by inspect() alone; nullopt: the descriptors may not be looked at, or as `sockets`.
  std::optional<std::uint64_t> reset_sockets;

  bool is_alive() const { return totals.processes > 0; }
  /// False also when nobody can tell.
  bool is_known_deaf() const { return accept_queue && accept_queue->listeners == 0; }
};

/// The processes that serve an address, found once, before the load. Used by one thread at a time,
/// in the network namespace that it was made in.
class ServerWatch {
 public:
  /// Process `pid` and its descendants. `address`: what the load connects to, nullptr if unknown.
  /// Throws Error (kExitUsage) if there is no such process, or if it is the calling one.
  static ServerWatch of_process(pid_t pid, const sockaddr* address, socklen_t length);

  /// Every process that holds a listening socket that connections to `address` go to (of nginx the
  /// master and the workers), and their descendants. The calling process is never one of them, and
  /// neither is systemd, which holds the sockets of the services that it starts. nullopt if nobody
  /// can be seen to listen there: it is another machine, the descriptors are those of another
  /// user's process, or nobody listens.
  static std::optional<ServerWatch> of_listener(const sockaddr* address, socklen_t length);

  /// Cheap enough for twice a second beside a load: the cost grows with the number of processes and
  /// of TCP sockets of this machine.
  ServerSample sample();

  /// A sample with `reset_sockets` and the exact number of descriptors: looks at every single one,
  /// which takes some microseconds for each. For the moments before and after a load.
  ServerSample inspect();

  /// The processes' CPU time alone (ProcessTotals::cpu_ns).
  std::uint64_t cpu_ns() { return processes_.read().cpu_ns; }
  bool is_alive() { return processes_.read().processes > 0; }
  std::vector<pid_t> pids() const { return processes_.pids(); }

 private:
  ServerWatch(ProcessGroup processes, const sockaddr* address, socklen_t length);

  std::optional<ServerSockets> count_sockets() const;
  std::optional<AcceptQueue> look_at_queue() const;
  const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&address_); }

  ProcessGroup processes_;
  sockaddr_storage address_{};  ///< AF_UNSPEC: its sockets cannot be seen from here
  socklen_t length_ = 0;
};

/// A server that was left alone after a load.
struct Settled {
  ServerSample sample;  ///< of inspect()
  double rest_s = 0;    ///< for how long it was left alone
};

/// Waits until the server holds no more descriptors, threads and sockets than `before`, or is dead,
/// or until `limit` is over. The load must have ended.
Settled settled(ServerWatch& watch, const ServerSample& before, std::chrono::milliseconds limit);

}  // namespace ringchurn
