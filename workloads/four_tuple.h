// The names of a TCP socket: what the kernel, and a forger, look it up by.
#pragma once

#include <sys/socket.h>

#include <cstdint>

namespace ringchurn {

/// A connection as one of its ends sees it. Both are AF_INET or both AF_INET6.
struct FourTuple {
  sockaddr_storage local{}, remote{};

  /// As the other end sees it.
  FourTuple reversed() const { return {remote, local}; }
};

/// The address that `fd` is bound to. `length`: of what was written. Returns 0 or -errno.
int local_address(int fd, sockaddr_storage& address, socklen_t& length);

/// The port in `address`, in host byte order; 0 for a socket that has none, as of AF_UNIX.
std::uint16_t port_of(const sockaddr_storage& address);

/// The length that the kernel expects of an address of this family (AF_INET, AF_INET6).
socklen_t length_of(const sockaddr_storage& address);

/// The 4-tuple of TCP socket `fd`. A socket that is connecting (SYN_SENT) has one already, and one
/// that was reset keeps it until it is disconnected or closed. Returns 0; -ENOTCONN if it has no
/// peer, with `tuple.local` filled in; -EOPNOTSUPP for AF_UNIX; or another -errno.
int four_tuple_of(int fd, FourTuple& tuple);

}  // namespace ringchurn
