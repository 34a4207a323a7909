// A socket's two addresses: see four_tuple.h.
#include "workloads/four_tuple.h"

#include <netinet/in.h>

#include <cerrno>

namespace ringchurn {

int local_address(int fd, sockaddr_storage& address, socklen_t& length) {
  length = sizeof address;
  return ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0 ? 0 : -errno;
}

std::uint16_t port_of(const sockaddr_storage& address) {
  if (address.ss_family != AF_INET && address.ss_family != AF_INET6) return 0;
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);  // same place in both
}

socklen_t length_of(const sockaddr_storage& address) {
  return address.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

int four_tuple_of(int fd, FourTuple& tuple) {
  socklen_t length = 0;
  if (const int error = local_address(fd, tuple.local, length); error != 0) return error;
  if (tuple.local.ss_family != AF_INET && tuple.local.ss_family != AF_INET6) return -EOPNOTSUPP;
  // getpeername(2) tells ENOTCONN while a socket connects and after it was reset. SO_PEERNAME asks
  // the same function (inet_getname()), but for whatever peer it still has. It wants the exact
  // length.
  length = length_of(tuple.local);
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &tuple.remote, &length) == 0 ? 0 : -errno;
}

}  // namespace ringchurn
