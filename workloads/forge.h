// Segments that nobody sent: as a middlebox, an attacker or a router would send them, they reach a
// socket of this machine from a raw socket (CAP_NET_RAW over the network namespace) over loopback,
// which has handled them when the call returns.
#pragma once

namespace ringchurn {

enum class Segment { rst, syn, fin };

/// A segment arrives at TCP socket `fd`, from its peer's address and port, which knows nothing of
/// it. Its sequence number is the next that the socket expects, plus `offset`: in the window only 0
/// resets (RFC 5961, 3.2; Linux 3.6). A FIN acknowledges nothing new, so that no data counts as
/// delivered that was not; an RST acknowledges everything sent, or it would not be accepted in
/// SYN_SENT (RFC 9293, 3.10.7.3). Returns 0 or -errno: -ENOTCONN if the socket has no peer, -EPERM
/// without the capability.
int forge_segment(int fd, Segment segment, int offset);

/// A destination-unreachable with `code` arrives about what TCP socket `fd` sent last: ICMP type 3
/// (RFC 792, RFC 1812) or ICMPv6 type 1 (RFC 4443), as the socket's family is, from the peer's
/// address. It quotes what Linux checks: the header and a sequence number that is on its way.
/// Returns as forge_segment().
int forge_unreachable(int fd, int code);

}  // namespace ringchurn
