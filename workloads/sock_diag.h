// What the kernel knows of TCP sockets that need not be ours any more, through NETLINK_SOCK_DIAG
// (sock_diag(7)), in the network namespace of the calling thread.
#pragma once

#include <cstdint>
#include <vector>

#include "workloads/four_tuple.h"

namespace ringchurn {

/// The state (TCP_ESTABLISHED, ...) of the TCP socket with exactly this 4-tuple: orphans, TIME_WAIT
/// and half-made connections (SYN_RECV) are found, too. 0: there is none, or this kernel has no
/// tcp_diag (CONFIG_INET_DIAG, which ss(8) needs, too): it answers ENOENT to both. Else -errno.
int tcp_state_of(const FourTuple& tuple);

/// A TCP socket of the namespace: its ports and its state.
struct TcpSocketState {
  std::uint16_t local_port = 0, remote_port = 0;
  int state = 0;
};

/// All of them, of both families: listeners, orphans, TIME_WAIT. Empty if this kernel has no
/// tcp_diag.
std::vector<TcpSocketState> tcp_sockets();

/// Does to TCP socket `fd` what `ss -K` does (SOCK_DESTROY, Linux 4.5, CONFIG_INET_DIAG_DESTROY):
/// it is aborted, with ECONNABORTED, in whatever state it is. Needs CAP_NET_ADMIN over the
/// namespace. Returns 0 or -errno: -ENOENT for a socket that is in no table (unconnected, reset),
/// -EOPNOTSUPP if this kernel cannot.
int destroy_socket(int fd);

}  // namespace ringchurn
