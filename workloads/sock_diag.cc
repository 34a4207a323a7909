// One request, one answer: see sock_diag.h.
#include "workloads/sock_diag.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "workloads/descriptor.h"

namespace ringchurn {
namespace {

struct Request {
  nlmsghdr header{};
  inet_diag_req_v2 socket{};
};

/// An answer is one message; the rest of a socket's attributes (INET_DIAG_*) goes unread.
struct Answer {
  nlmsghdr header{};
  union {
    nlmsgerr error;
    inet_diag_msg socket;
    std::array<char, 1024> bytes;
  };
};

void write_address(const sockaddr_storage& from, std::uint32_t* words) {
  if (from.ss_family == AF_INET) {
    words[0] = reinterpret_cast<const sockaddr_in*>(&from)->sin_addr.s_addr;
  } else {
    std::memcpy(words, &reinterpret_cast<const sockaddr_in6*>(&from)->sin6_addr, sizeof(in6_addr));
  }
}

Request request(int type, int flags, const FourTuple& tuple) {
  Request request;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = static_cast<std::uint16_t>(type);
  request.header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  request.socket.sdiag_family = static_cast<std::uint8_t>(tuple.local.ss_family);
  request.socket.sdiag_protocol = IPPROTO_TCP;
  inet_diag_sockid& id = request.socket.id;
  id.idiag_sport = htons(port_of(tuple.local));
  id.idiag_dport = htons(port_of(tuple.remote));
  write_address(tuple.local, id.idiag_src);
  write_address(tuple.remote, id.idiag_dst);
  id.idiag_cookie[0] = id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  return request;
}

/// Returns 0, or the -errno that the kernel answered.
int ask(const Request& request, Answer& answer) {
  const Descriptor netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!netlink.is_open()) return -errno;
  if (::send(netlink.get(), &request, sizeof request, 0) < 0) return -errno;
  // The kernel has answered before send(2) returns: there is nothing to wait for.
  const ssize_t length = ::recv(netlink.get(), &answer, sizeof answer, MSG_DONTWAIT);
  if (length < 0) return -errno;
  constexpr std::size_t kLeast = offsetof(Answer, error) + sizeof(nlmsgerr::error);
  if (static_cast<std::size_t>(length) < kLeast) return -EPROTO;
  return answer.header.nlmsg_type == NLMSG_ERROR ? answer.error.error : 0;
}

/// Adds the sockets of one message's worth of answers. False when the last one is through.
bool add_sockets(const std::vector<char>& bytes, std::size_t length,
                 std::vector<TcpSocketState>& sockets) {
  for (std::size_t at = 0; at + sizeof(nlmsghdr) <= length;) {
    nlmsghdr header{};
    std::memcpy(&header, bytes.data() + at, sizeof header);
    if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) return false;
    inet_diag_msg socket{};
    if (header.nlmsg_len < sizeof header + sizeof socket) return false;
    std::memcpy(&socket, bytes.data() + at + sizeof header, sizeof socket);
    sockets.push_back(
        {ntohs(socket.id.idiag_sport), ntohs(socket.id.idiag_dport), socket.idiag_state});
    at += NLMSG_ALIGN(header.nlmsg_len);
  }
  return true;
}

void add_sockets(std::uint8_t family, std::vector<TcpSocketState>& sockets) {
  const Descriptor netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  Request dump;
  dump.header = {sizeof dump, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0};
  dump.socket.sdiag_family = family;
  dump.socket.sdiag_protocol = IPPROTO_TCP;
  dump.socket.idiag_states = ~0U;
  if (!netlink.is_open() || ::send(netlink.get(), &dump, sizeof dump, 0) < 0) return;
  std::vector<char> bytes(32 * 1024);
  while (true) {
    const ssize_t length = ::recv(netlink.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (length <= 0 || !add_sockets(bytes, static_cast<std::size_t>(length), sockets)) return;
  }
}

}  // namespace

std::vector<TcpSocketState> tcp_sockets() {
  std::vector<TcpSocketState> sockets;
  add_sockets(AF_INET, sockets);
  add_sockets(AF_INET6, sockets);
  return sockets;
}

int tcp_state_of(const FourTuple& tuple) {
  Answer answer{};
  const int error = ask(request(SOCK_DIAG_BY_FAMILY, 0, tuple), answer);
  if (error == -ENOENT) return 0;
  if (error != 0) return error;
  // Where no connection fits, the kernel goes on to the listeners (inet_lookup()).
  return answer.socket.idiag_state == TCP_LISTEN ? 0 : answer.socket.idiag_state;
}

int destroy_socket(int fd) {
  FourTuple tuple;
  const int error = four_tuple_of(fd, tuple);
  if (error != 0 && error != -ENOTCONN) return error;  // a listener has no peer
  Request destroy = request(SOCK_DESTROY, NLM_F_ACK, tuple);
  std::uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  if (::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) < 0) return -errno;
  // So that it can be no other than this one.
  destroy.socket.id.idiag_cookie[0] = static_cast<std::uint32_t>(cookie);
  destroy.socket.id.idiag_cookie[1] = static_cast<std::uint32_t>(cookie >> 32);
  Answer answer{};
  return ask(destroy, answer);
}

}  // namespace ringchurn
