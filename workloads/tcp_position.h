// Where a TCP connection stands in sequence space.
#pragma once

#include <cstdint>

namespace ringchurn {

/// What a segment must carry to be taken for one of the peer's: RFC 9293, 3.3.1.
struct TcpPosition {
  std::uint32_t snd_una = 0;  ///< oldest sequence number that the peer has not acknowledged
  std::uint32_t snd_nxt = 0;  ///< the next one to be sent
  std::uint32_t rcv_nxt = 0;  ///< the next one expected; 0 in SYN_SENT, which expects none yet
  std::uint16_t window = 0;   ///< the peer's receive window, as its header says it (scaled down)
};

/// Reads the position of TCP socket `fd` and leaves the connection as it was: nothing is sent.
/// What moves it meanwhile, on another thread or CPU, makes it outdated, as it would for any
/// middlebox. Not for a listener. Needs CAP_NET_ADMIN over the socket's network namespace. Returns
/// 0 or -errno.
///
/// TCP_INFO and SIOCOUTQ tell differences only; the numbers themselves take repair mode
/// (TCP_REPAIR, Linux 3.5), twice, for the length of one system call. It is left with
/// TCP_REPAIR_OFF_NO_WP (Linux 4.19), as plain TCP_REPAIR_OFF sends a window probe. In that moment
/// send(2) and recv(2) of another thread would fail (EINVAL, EPERM), and segments that an ACK sets
/// free count as sent and have to be sent again: measured on a socket at full speed, once in
/// several thousand readings; never on one with an empty send queue.
int tcp_position_of(int fd, TcpPosition& position);

}  // namespace ringchurn
