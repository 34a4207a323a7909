// Questions and answers of NETLINK_SOCK_DIAG: see sock_diag.h.
#include "workloads/sock_diag.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "workloads/descriptor.h"

namespace ringchurn {
namespace {

template <typename Body>
struct Request {
  nlmsghdr header{};
  Body socket{};
};
using TcpRequest = Request<inet_diag_req_v2>;
using UnixRequest = Request<unix_diag_req>;

/// An answer is one message; Body is inet_diag_msg or unix_diag_msg, and attributes follow it.
template <typename Body>
struct Answer {
  nlmsghdr header{};
  union {
    nlmsgerr error;
    Body socket;
    std::array<char, 1024> bytes;
  };
  std::string_view payload() const { return {bytes.data(), header.nlmsg_len - sizeof header}; }
};

void write_address(const sockaddr_storage& from, std::uint32_t* words) {
  if (from.ss_family == AF_INET) {
    words[0] = reinterpret_cast<const sockaddr_in*>(&from)->sin_addr.s_addr;
  } else {
    std::memcpy(words, &reinterpret_cast<const sockaddr_in6*>(&from)->sin6_addr, sizeof(in6_addr));
  }
}

template <typename Body>
Request<Body> make_request(int type, int flags, int family) {
  Request<Body> request;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = static_cast<std::uint16_t>(type);
  request.header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  request.socket.sdiag_family = static_cast<std::uint8_t>(family);
  return request;
}

TcpRequest request_for(int type, int flags, const FourTuple& tuple) {
  auto request = make_request<inet_diag_req_v2>(type, flags, tuple.local.ss_family);
  request.socket.sdiag_protocol = IPPROTO_TCP;
  inet_diag_sockid& id = request.socket.id;
  id.idiag_sport = htons(port_of(tuple.local));
  id.idiag_dport = htons(port_of(tuple.remote));
  write_address(tuple.local, id.idiag_src);
  write_address(tuple.remote, id.idiag_dst);
  id.idiag_cookie[0] = id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  if (tuple.local.ss_family == AF_INET6) {  // a link-local address means something on one link only
    id.idiag_if = reinterpret_cast<const sockaddr_in6*>(&tuple.local)->sin6_scope_id;
  }
  return request;
}

/// Returns 0, or the -errno that the kernel answered.
template <typename Body, typename AnswerBody>
int ask(const Request<Body>& request, Answer<AnswerBody>& answer) {
  const Descriptor netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!netlink.is_open()) return -errno;
  if (::send(netlink.get(), &request, sizeof request, 0) < 0) return -errno;
  // The kernel has answered before send(2) returns: there is nothing to wait for.
  const ssize_t length = ::recv(netlink.get(), &answer, sizeof answer, MSG_DONTWAIT);
  if (length < 0) return -errno;
  constexpr std::size_t kLeast = sizeof(nlmsghdr) + sizeof(nlmsgerr);
  if (static_cast<std::size_t>(length) < kLeast) return -EPROTO;
  if (answer.header.nlmsg_type == NLMSG_ERROR) return answer.error.error;
  const bool is_whole = answer.header.nlmsg_len <= static_cast<std::size_t>(length) &&
                        answer.payload().size() >= sizeof(AnswerBody);
  return is_whole ? 0 : -EPROTO;
}

/// What is done with one message of a dump, its header left off.
using Take = std::function<void(std::string_view payload)>;

enum class Dump { goes_on, is_through, is_refused };

Dump take_messages(std::string_view bytes, std::size_t least, const Take& take) {
  while (bytes.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header{};
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.nlmsg_type == NLMSG_DONE) return Dump::is_through;
    const bool is_whole =
        header.nlmsg_len >= sizeof header + least && header.nlmsg_len <= bytes.size();
    if (header.nlmsg_type == NLMSG_ERROR || !is_whole) return Dump::is_refused;
    take(bytes.substr(sizeof header, header.nlmsg_len - sizeof header));
    bytes.remove_prefix(std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), bytes.size()));
  }
  return Dump::goes_on;
}

/// Hands every answer of at least `least` bytes to `take`. False if the kernel refuses.
template <typename Body>
bool dump(const Request<Body>& request, std::size_t least, const Take& take) {
  const Descriptor netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!netlink.is_open() || ::send(netlink.get(), &request, sizeof request, 0) < 0) return false;
  std::vector<char> bytes(32 * 1024);
  while (true) {
    const ssize_t length = ::recv(netlink.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (length <= 0) return false;
    const std::string_view answers(bytes.data(), static_cast<std::size_t>(length));
    const Dump state = take_messages(answers, least, take);
    if (state != Dump::goes_on) return state == Dump::is_through;
  }
}

template <typename Type>
Type read_as(std::string_view bytes) {
  Type value{};
  std::memcpy(&value, bytes.data(), std::min(sizeof value, bytes.size()));
  return value;
}

/// The value of the attribute of `type`; empty if there is none.
std::string_view attribute(std::string_view attributes, int type) {
  while (attributes.size() >= sizeof(nlattr)) {
    const auto header = read_as<nlattr>(attributes);
    if (header.nla_len < sizeof header || header.nla_len > attributes.size()) break;
    if (header.nla_type == type) {
      return attributes.substr(sizeof header, header.nla_len - sizeof header);
    }
    attributes.remove_prefix(std::min<std::size_t>(NLA_ALIGN(header.nla_len), attributes.size()));
  }
  return {};
}

/// In one form for both families: IPv4 as IPv4-mapped.
in6_addr local_address_of(const inet_diag_msg& socket) {
  in6_addr address{};
  if (socket.idiag_family == AF_INET) {
    address.s6_addr[10] = address.s6_addr[11] = 0xff;
    std::memcpy(&address.s6_addr[12], socket.id.idiag_src, sizeof(in_addr));
  } else {
    std::memcpy(&address, socket.id.idiag_src, sizeof address);
  }
  return address;
}

TcpRequest tcp_dump(int family, std::uint16_t local_port, std::uint32_t states) {
  auto request = make_request<inet_diag_req_v2>(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, family);
  request.socket.sdiag_protocol = IPPROTO_TCP;
  request.socket.idiag_states = states;
  request.socket.id.idiag_sport = htons(local_port);
  return request;
}

bool add_sockets(int family, std::uint16_t local_port, std::uint32_t states,
                 std::vector<TcpSocketState>& sockets) {
  return dump(tcp_dump(family, local_port, states), sizeof(inet_diag_msg), [&](auto payload) {
    const auto socket = read_as<inet_diag_msg>(payload);
    sockets.push_back({ntohs(socket.id.idiag_sport), ntohs(socket.id.idiag_dport),
                       local_address_of(socket), socket.idiag_state, socket.idiag_inode});
  });
}

/// Of the two ends of a local connection, what the kernel says of the one with this local address.
int find_tcp_socket(const FourTuple& tuple, inet_diag_msg& socket) {
  Answer<inet_diag_msg> answer{};
  const int error = ask(request_for(SOCK_DIAG_BY_FAMILY, 0, tuple), answer);
  if (error == 0) socket = answer.socket;
  return error;
}

std::optional<std::vector<Listener>> tcp_listeners_at(const sockaddr_storage& address) {
  // From nobody's address: no connection fits, and the kernel goes on to the listeners.
  FourTuple tuple{.local = address};
  tuple.remote.ss_family = address.ss_family;
  inet_diag_msg chosen{};
  const bool is_found = find_tcp_socket(tuple, chosen) == 0 && chosen.idiag_state == TCP_LISTEN;
  // Asked in any case: a kernel without tcp_diag answers ENOENT to the first question.
  auto request =
      tcp_dump(is_found ? chosen.idiag_family : AF_INET, port_of(address), 1U << TCP_LISTEN);
  request.socket.idiag_ext = 1U << (INET_DIAG_SKMEMINFO - 1);
  std::vector<Listener> listeners;
  const bool is_answered = dump(request, sizeof(inet_diag_msg), [&](std::string_view payload) {
    const auto socket = read_as<inet_diag_msg>(payload);
    const auto *one = socket.id.idiag_src, *other = chosen.id.idiag_src;
    if (!is_found || std::memcmp(one, other, sizeof(in6_addr)) != 0) return;
    if (socket.id.idiag_if != chosen.id.idiag_if) return;
    Listener listener{socket.idiag_inode, socket.idiag_rqueue, socket.idiag_wqueue, {}};
    const auto memory = attribute(payload.substr(sizeof socket), INET_DIAG_SKMEMINFO);
    using Meminfo = std::array<std::uint32_t, SK_MEMINFO_VARS>;
    if (memory.size() >= sizeof(Meminfo))
      listener.drops = read_as<Meminfo>(memory)[SK_MEMINFO_DROPS];
    listeners.push_back(listener);
  });
  if (!is_answered) return std::nullopt;
  return listeners;
}

/// Whether a socket with these attributes is bound to the name that `path` (sun_path, up to the
/// length of the address) stands for.
bool is_bound_to(std::string_view attributes, std::string_view path) {
  const std::string_view name = attribute(attributes, UNIX_DIAG_NAME);
  if (path.starts_with('\0')) return name == path;
  // By its file: a server may have bound a relative path, or renamed it since (HAProxy does).
  struct stat file {};
  const auto bound = read_as<unix_diag_vfs>(attribute(attributes, UNIX_DIAG_VFS));
  const std::string terminated(path.substr(0, path.find('\0')));
  if (::stat(terminated.c_str(), &file) != 0) return false;
  if (bound.udiag_vfs_ino != static_cast<std::uint32_t>(file.st_ino)) return false;
  // The kernel's own form of a device number (MKDEV). stat(2) tells another one on btrfs.
  const auto device = major(file.st_dev) << 20 | minor(file.st_dev);
  return bound.udiag_vfs_dev == device || name.substr(0, name.find('\0')) == terminated;
}

std::optional<std::vector<Listener>> unix_listeners_at(std::string_view path) {
  auto request = make_request<unix_diag_req>(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, AF_UNIX);
  request.socket.udiag_states = 1U << TCP_LISTEN;
  request.socket.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN;
  std::vector<Listener> listeners;
  const bool is_answered = dump(request, sizeof(unix_diag_msg), [&](std::string_view payload) {
    const std::string_view attributes = payload.substr(sizeof(unix_diag_msg));
    if (!is_bound_to(attributes, path)) return;
    const auto queue = read_as<unix_diag_rqlen>(attribute(attributes, UNIX_DIAG_RQLEN));
    listeners.push_back({read_as<unix_diag_msg>(payload).udiag_ino, queue.udiag_rqueue,
                         queue.udiag_wqueue, std::nullopt});
  });
  if (!is_answered) return std::nullopt;
  return listeners;
}

std::optional<bool> is_unix_peer_accepted(int fd) {
  struct stat own {};
  if (::fstat(fd, &own) != 0) return std::nullopt;
  auto request = make_request<unix_diag_req>(SOCK_DIAG_BY_FAMILY, 0, AF_UNIX);
  request.socket.udiag_states = ~0U;
  request.socket.udiag_ino = static_cast<std::uint32_t>(own.st_ino);
  request.socket.udiag_show = UDIAG_SHOW_PEER;
  request.socket.udiag_cookie[0] = request.socket.udiag_cookie[1] = INET_DIAG_NOCOOKIE;
  Answer<unix_diag_msg> answer{};
  if (ask(request, answer) != 0) return std::nullopt;
  const auto peer = attribute(answer.payload().substr(sizeof(unix_diag_msg)), UNIX_DIAG_PEER);
  if (peer.empty()) return std::nullopt;
  return read_as<std::uint32_t>(peer) != 0;
}

}  // namespace

std::optional<std::vector<TcpSocketState>> tcp_sockets(std::uint16_t local_port,
                                                       std::uint32_t states) {
  std::vector<TcpSocketState> sockets;
  if (!add_sockets(AF_INET, local_port, states, sockets)) return std::nullopt;
  add_sockets(AF_INET6, local_port, states, sockets);  // refused where there is no IPv6
  return sockets;
}

std::optional<std::vector<Listener>> listeners_at(const sockaddr* address, socklen_t length) {
  if (address->sa_family == AF_UNIX) {
    const auto* local = reinterpret_cast<const sockaddr_un*>(address);
    return unix_listeners_at({local->sun_path, length - offsetof(sockaddr_un, sun_path)});
  }
  sockaddr_storage inet{};
  std::memcpy(&inet, address, length);
  return tcp_listeners_at(inet);
}

std::optional<bool> is_accepted(int fd) {
  FourTuple tuple;
  const int error = four_tuple_of(fd, tuple);
  if (error == -EOPNOTSUPP) return is_unix_peer_accepted(fd);
  inet_diag_msg peer{};
  if (error != 0 || find_tcp_socket(tuple.reversed(), peer) != 0) return std::nullopt;
  if (peer.idiag_state == TCP_LISTEN || peer.idiag_state == TCP_SYN_RECV) return std::nullopt;
  // accept(2) gives a connection its inode, and in the states after a close it had one before.
  const bool is_open = peer.idiag_state == TCP_ESTABLISHED || peer.idiag_state == TCP_CLOSE_WAIT;
  return peer.idiag_inode != 0 || !is_open;
}

int tcp_state_of(const FourTuple& tuple) {
  inet_diag_msg socket{};
  const int error = find_tcp_socket(tuple, socket);
  if (error == -ENOENT) return 0;
  if (error != 0) return error;
  // Where no connection fits, the kernel goes on to the listeners (inet_lookup()).
  return socket.idiag_state == TCP_LISTEN ? 0 : socket.idiag_state;
}

int destroy_socket(int fd) {
  FourTuple tuple;
  const int error = four_tuple_of(fd, tuple);
  if (error != 0 && error != -ENOTCONN) return error;  // a listener has no peer
  TcpRequest destroy = request_for(SOCK_DESTROY, NLM_F_ACK, tuple);
  std::uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  if (::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) < 0) return -errno;
  // So that it can be no other than this one.
  destroy.socket.id.idiag_cookie[0] = static_cast<std::uint32_t>(cookie);
  destroy.socket.id.idiag_cookie[1] = static_cast<std::uint32_t>(cookie >> 32);
  Answer<inet_diag_msg> answer{};
  return ask(destroy, answer);
}

}  // namespace ringchurn
