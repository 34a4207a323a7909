// What the kernel knows of sockets that need not be ours any more, through NETLINK_SOCK_DIAG
// (sock_diag(7)), in the network namespace of the calling thread.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "workloads/four_tuple.h"

namespace ringchurn {

/// The state (TCP_ESTABLISHED, ...) of the TCP socket with exactly this 4-tuple: orphans, TIME_WAIT
/// and half-made connections (SYN_RECV) are found, too. 0: there is none, or this kernel has no
/// tcp_diag (CONFIG_INET_DIAG, which ss(8) needs, too): it answers ENOENT to both. Else -errno.
int tcp_state_of(const FourTuple& tuple);

/// A TCP socket of the namespace.
struct TcpSocketState {
  std::uint16_t local_port = 0, remote_port = 0;
  in6_addr local_address{};  ///< an IPv4 address as IPv4-mapped (RFC 4291, 2.5.5.2)
  int state = 0;             ///< TCP_ESTABLISHED, ...; that of FIN_WAIT2 in its small form, too
  /// Of the socket behind a descriptor, as /proc/PID/fd shows it. 0: nobody has one, as the process
  /// has closed it (an orphan, TIME_WAIT) or not yet accepted it.
  std::uint32_t inode = 0;
};

/// All TCP sockets of both families, orphans and TIME_WAIT among them, that have this local port
/// (0: any) and one of these states (bit 1 << TCP_LISTEN, ...). The kernel leaves out the others
/// before it copies anything, but walks through all that there are. Beside a load the list is no
/// snapshot: what moved meanwhile is missing or there twice. nullopt if this kernel has no
/// tcp_diag.
std::optional<std::vector<TcpSocketState>> tcp_sockets(std::uint16_t local_port = 0,
                                                       std::uint32_t states = ~0U);

/// A listening socket of the namespace.
struct Listener {
  std::uint32_t inode = 0;
  std::uint32_t queue = 0;  ///< connections that wait for accept(2)
  /// listen(2)'s backlog, cut to net.core.somaxconn. The queue is full when it holds one more.
  std::uint32_t limit = 0;
  /// Packets that it threw away since it was made (sk_drops; Linux 4.7): SYNs and last ACKs of
  /// handshakes that found the queue full, and with TCP_DEFER_ACCEPT every such ACK without data.
  /// TCP only.
  std::optional<std::uint32_t> drops;
};

/// The listeners that connections to `address` are handed to: the one that the kernel itself picks,
/// and those that share its address and port (SO_REUSEPORT). Empty: nobody listens. AF_INET,
/// AF_INET6 (not IPv4-mapped) and AF_UNIX, a path by the file it leads to. nullopt if this kernel
/// cannot tell (no tcp_diag, no unix_diag).
std::optional<std::vector<Listener>> listeners_at(const sockaddr* address, socklen_t length);

/// Whether a process has taken the other end of connected stream socket `fd` out of the listener's
/// queue. That connect(2) succeeded does not say so: the kernel completes handshakes by itself.
/// nullopt: cannot be known, as the other end is not in this namespace, is gone, or has no whole
/// socket yet (TCP_DEFER_ACCEPT: there is none before the first byte).
std::optional<bool> is_accepted(int fd);

/// Does to TCP socket `fd` what `ss -K` does (SOCK_DESTROY, Linux 4.5, CONFIG_INET_DIAG_DESTROY):
/// it is aborted, with ECONNABORTED, in whatever state it is. Needs CAP_NET_ADMIN over the
/// namespace. Returns 0 or -errno: -ENOENT for a socket that is in no table (unconnected, reset),
/// -EOPNOTSUPP if this kernel cannot.
int destroy_socket(int fd);

}  // namespace ringchurn
