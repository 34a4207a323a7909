// The acts, one function or call each: see act.h.
#include "workloads/act.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "workloads/death.h"
#include "workloads/descriptor.h"
#include "workloads/forge.h"
#include "workloads/four_tuple.h"
#include "workloads/sock_diag.h"

namespace ringchurn {
namespace {

// Younger than Debian 12's headers: include/uapi/linux/in.h, Linux 6.3.
constexpr int kIpLocalPortRange = 51;

Acted only(int result) {
  Acted acted;
  acted.result = result;
  return acted;
}

/// A descriptor, or -1 and errno.
Acted made(int fd) {
  Acted acted = only(fd < 0 ? -errno : 0);
  acted.made = fd;
  return acted;
}

Acted made_two(int failed, int first, int second) {
  Acted acted = only(failed != 0 ? -errno : 0);
  if (failed == 0) {
    acted.made = first;
    acted.made_other = second;
  }
  return acted;
}

// -- sockets of its own ---------------------------------------------------------------------------

/// Loopback at a port that the kernel picks. AF_UNIX: nothing but the family, for which the kernel
/// picks an abstract name (unix(7), autobind).
sockaddr_storage any_name(int domain, socklen_t& length) {
  sockaddr_storage name{};
  name.ss_family = static_cast<sa_family_t>(domain);
  length = sizeof name.ss_family;
  if (domain == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&name)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    length = sizeof(sockaddr_in);
  } else if (domain == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(&name)->sin6_addr = in6addr_loopback;
    length = sizeof(sockaddr_in6);
  }
  return name;
}

Acted listen(const ActOn& on, int backlog) {
  Descriptor listener(::socket(on.domain, on.type | SOCK_CLOEXEC, 0));
  if (!listener.is_open()) return only(-errno);
  socklen_t length = 0;
  const sockaddr_storage name = any_name(on.domain, length);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&name), length) < 0 ||
      ::listen(listener.get(), backlog) < 0) {
    return only(-errno);
  }
  Acted acted;
  acted.result = local_address(listener.get(), acted.address, acted.address_length);
  if (acted.result == 0) acted.made = listener.release();
  return acted;
}

Acted pair(const ActOn& on) {
  int ends[2];
  const int failed = ::socketpair(on.domain, on.type | SOCK_CLOEXEC, 0, ends);
  return made_two(failed, ends[0], ends[1]);
}

Acted pipe() {
  int ends[2];
  const int failed = ::pipe2(ends, O_CLOEXEC);
  return made_two(failed, ends[1], ends[0]);
}

/// In memory, but a regular file to all that look (S_ISREG).
Acted file() { return made(::memfd_create("ringchurn", MFD_CLOEXEC)); }

Acted dup(int fd) { return made(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

// -- states ---------------------------------------------------------------------------------------

int state(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0) return -errno;
  return info.tcpi_state;
}

int peer_state(int fd) {
  FourTuple tuple;
  if (const int error = four_tuple_of(fd, tuple); error != 0) return error;
  return tcp_state_of(tuple.reversed());
}

// -- ports ----------------------------------------------------------------------------------------

int use_ports_of(int fd, int other) {
  sockaddr_storage address{};
  socklen_t length = 0;
  if (const int error = local_address(other, address, length); error != 0) return error;
  const std::uint32_t port = port_of(address);
  if (port == 0) return -EINVAL;                  // to the kernel it would mean all ports
  const std::uint32_t range = port << 16 | port;  // the highest, the lowest; IPv6's as well
  return ::setsockopt(fd, IPPROTO_IP, kIpLocalPortRange, &range, sizeof range) < 0 ? -errno : 0;
}

int bind_to(int fd, int other) {
  sockaddr_storage address{};
  socklen_t length = 0;
  if (const int error = local_address(other, address, length); error != 0) return error;
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), length) < 0 ? -errno : 0;
}

int make_nonblocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

/// The acts that make nothing.
int result_of(const Step& step, const ActOn& on) {
  switch (step.act) {
    case Act::nonblocking:
      return make_nonblocking(on.fd);
    case Act::state:
      return state(on.fd);
    case Act::peer_state:
      return peer_state(on.fd);
    case Act::destroy:
      return destroy_socket(on.fd);
    case Act::die_exit:
      return die_with(on.fd, Death::exit, on.let_go);
    case Act::die_kill:
      return die_with(on.fd, Death::kill, on.let_go);
    case Act::die_pending:
      return die_with(on.fd, Death::kill_pending, on.let_go);
    case Act::die_sigpipe:
      return die_of_sigpipe(on.fd);
    case Act::arrives_rst:
      return forge_segment(on.fd, Segment::rst, step.detail);
    case Act::arrives_syn:
      return forge_segment(on.fd, Segment::syn, step.detail);
    case Act::arrives_fin:
      return forge_segment(on.fd, Segment::fin, step.detail);
    case Act::arrives_icmp:
      return forge_unreachable(on.fd, step.detail);
    case Act::starve_socket:
      return starved_socket(on.domain, on.type);
    case Act::starve_accept:
      return starved_accept(on.other);
    case Act::ports_of:
      return use_ports_of(on.fd, on.other);
    case Act::bind_to:
      return bind_to(on.fd, on.other);
    default:
      return -EINVAL;  // Act::none
  }
}

}  // namespace

ActNeeds needs(Act act) {
  switch (act) {
    case Act::none:
    case Act::listen:
    case Act::pair:
    case Act::pipe:
    case Act::file:
    case Act::starve_socket:
      return {};
    case Act::dup:
    case Act::starve_accept:
      return {.fd = false, .other = true};
    case Act::ports_of:
    case Act::bind_to:
      return {.fd = true, .other = true};
    default:
      return {.fd = true, .other = false};
  }
}

Acted act(const Step& step, const ActOn& on) {
  switch (step.act) {
    case Act::listen:
      return listen(on, step.detail);
    case Act::pair:
      return pair(on);
    case Act::pipe:
      return pipe();
    case Act::file:
      return file();
    case Act::dup:
      return dup(on.other);
    default:
      return only(result_of(step, on));
  }
}

}  // namespace ringchurn
