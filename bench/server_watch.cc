// Who serves an address, and in which state: see server_watch.h.
#include "bench/server_watch.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "ring/error.h"
#include "workloads/descriptor.h"
#include "workloads/sock_diag.h"

namespace ringchurn {
namespace {

/// Every descriptor of process `pid`: its path, and what it leads to. False if they may not be
/// looked at, or the process is gone.
template <typename Take>
bool for_each_descriptor(pid_t pid, const Take& take) {
  std::error_code error;
  std::filesystem::directory_iterator entries(fmt::format("/proc/{}/fd", pid), error), end;
  if (error) return false;
  for (; !error && entries != end; entries.increment(error)) {
    std::error_code closed_meanwhile;
    const std::string target = std::filesystem::read_symlink(entries->path(), closed_meanwhile);
    if (!closed_meanwhile) take(entries->path(), target);
  }
  return true;
}

/// The inode number in "socket:[123]"; 0 for what is no socket.
std::uint64_t socket_inode(std::string_view target) {
  constexpr std::string_view kSocket = "socket:[";
  std::uint64_t inode = 0;
  if (!target.starts_with(kSocket)) return inode;
  std::from_chars(target.data() + kSocket.size(), target.data() + target.size(), inode);
  return inode;
}

bool is_systemd(pid_t pid) {
  std::string name;
  std::getline(std::ifstream(fmt::format("/proc/{}/comm", pid)), name);
  return name == "systemd";
}

/// Whether process `pid` is in the network namespace of the calling thread. The files of /proc/net
/// are other files in every namespace, and any user may look at them, unlike /proc/PID/ns/net.
bool is_in_our_network(pid_t pid) {
  struct stat ours {
  }, theirs{};
  return ::stat("/proc/thread-self/net/tcp", &ours) == 0 &&
         ::stat(fmt::format("/proc/{}/net/tcp", pid).c_str(), &theirs) == 0 &&
         ours.st_ino == theirs.st_ino;
}

/// A wildcard listener takes connections to this machine's addresses alone, but the kernel's table
/// names it for any address.
bool is_our_address(const sockaddr* address, socklen_t length) {
  if (address->sa_family == AF_UNIX) return true;
  sockaddr_storage any_port{};
  std::memcpy(&any_port, address, length);
  reinterpret_cast<sockaddr_in*>(&any_port)->sin_port = 0;  // same place in both families
  const Descriptor socket(::socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&any_port), length) == 0;
}

/// In the form of TcpSocketState::local_address.
in6_addr ip_address_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET6) {
    return reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr;
  }
  in6_addr mapped{};
  mapped.s6_addr[10] = mapped.s6_addr[11] = 0xff;
  std::memcpy(&mapped.s6_addr[12], &reinterpret_cast<const sockaddr_in*>(&address)->sin_addr,
              sizeof(in_addr));
  return mapped;
}

/// The name that the kernel gives to the kind of socket behind a descriptor: "TCP", "TCPv6",
/// "UNIX-STREAM", ... (sockfs_xattr_get() in Linux's net/socket.c).
std::string protocol_of(const std::string& descriptor_path) {
  std::array<char, 32> name{};
  const ssize_t length =
      ::getxattr(descriptor_path.c_str(), "system.sockprotoname", name.data(), name.size());
  return {name.data(), length > 0 ? ::strnlen(name.data(), name.size()) : 0};
}

/// Every bound, listening, connecting or connected TCP socket that has a descriptor, by inode.
/// TIME_WAIT has none, and there may be 100,000 of them.
std::optional<std::set<std::uint64_t>> inodes_in_tables() {
  const auto sockets = tcp_sockets(0, ~(1U << TCP_TIME_WAIT));
  if (!sockets) return std::nullopt;
  std::set<std::uint64_t> inodes;
  for (const TcpSocketState& socket : *sockets) inodes.insert(socket.inode);
  return inodes;
}

bool is_at_rest(const ServerSample& now, const ServerSample& before) {
  const auto is_back = [](const auto& value, const auto& old) {
    return !value || !old || *value <= *old;
  };
  const ServerSockets none, sockets = now.sockets.value_or(none),
                            old = before.sockets.value_or(none);
  const AcceptQueue empty, queue = now.accept_queue.value_or(empty);
  return is_back(now.totals.fds, before.totals.fds) &&
         queue.queue <= before.accept_queue.value_or(empty).queue &&
         now.totals.threads <= before.totals.threads &&
         now.totals.processes <= before.totals.processes && sockets.close_wait <= old.close_wait &&
         sockets.fin_wait2 <= old.fin_wait2 && sockets.established <= old.established;
}

}  // namespace

ServerWatch::ServerWatch(ProcessGroup processes, const sockaddr* address, socklen_t length)
    : processes_(std::move(processes)) {
  if (address == nullptr) return;
  std::memcpy(&address_, address, length);
  length_ = length;
}

ServerWatch ServerWatch::of_process(pid_t pid, const sockaddr* address, socklen_t length) {
  if (pid == getpid()) {
    throw Error(kExitUsage, fmt::format("process {} is ringchurn itself: name the server's", pid));
  }
  ProcessGroup processes({pid});
  if (processes.pids().empty()) {
    throw Error(kExitUsage, fmt::format("there is no process {} to watch: give the number of a "
                                        "running process, as ps or pidof tells it",
                                        pid));
  }
  const bool is_visible =
      address != nullptr && is_in_our_network(pid) && is_our_address(address, length);
  return {std::move(processes), is_visible ? address : nullptr, length};
}

std::optional<ServerWatch> ServerWatch::of_listener(const sockaddr* address, socklen_t length) {
  if (!is_our_address(address, length)) return std::nullopt;
  std::set<std::uint64_t> inodes;
  for (const Listener& listener : listeners_at(address, length).value_or(std::vector<Listener>{})) {
    inodes.insert(listener.inode);
  }
  if (inodes.empty()) return std::nullopt;
  std::vector<pid_t> holders;
  for (const pid_t pid : all_processes()) {
    bool holds = false;
    for_each_descriptor(pid, [&](const auto&, const std::string& target) {
      holds |= inodes.contains(socket_inode(target));
    });
    if (holds && !is_systemd(pid)) holders.push_back(pid);
  }
  ProcessGroup processes(holders);
  if (processes.pids().empty()) return std::nullopt;
  return ServerWatch(std::move(processes), address, length);
}

ServerSample ServerWatch::sample() {
  return {processes_.read(), count_sockets(), look_at_queue(), std::nullopt};
}

ServerSample ServerWatch::inspect() {
  ServerSample sample = this->sample();
  std::set<std::uint64_t> held;
  std::uint64_t fds = 0;
  for (const pid_t pid : processes_.pids()) {
    const bool is_seen =
        for_each_descriptor(pid, [&](const std::string& path, const std::string& target) {
          ++fds;
          const std::uint64_t inode = socket_inode(target);
          if (inode != 0 && protocol_of(path).starts_with("TCP")) held.insert(inode);
        });
    if (!is_seen) return sample;
  }
  sample.totals.fds = fds;
  // The tables last: a socket that connects meanwhile is in them.
  const auto known = sample.sockets ? inodes_in_tables() : std::nullopt;
  if (!known) return sample;
  sample.reset_sockets = std::count_if(
      held.begin(), held.end(), [&](std::uint64_t inode) { return !known->contains(inode); });
  return sample;
}

std::optional<ServerSockets> ServerWatch::count_sockets() const {
  if (address_.ss_family != AF_INET && address_.ss_family != AF_INET6) return std::nullopt;
  constexpr std::uint32_t kStates =
      1U << TCP_ESTABLISHED | 1U << TCP_CLOSE_WAIT | 1U << TCP_FIN_WAIT2;
  const auto sockets = tcp_sockets(port_of(address_), kStates);
  if (!sockets) return std::nullopt;
  const in6_addr address = ip_address_of(address_);
  ServerSockets counts;
  for (const TcpSocketState& socket : *sockets) {
    if (std::memcmp(&socket.local_address, &address, sizeof address) != 0) continue;
    if (socket.state == TCP_ESTABLISHED) ++counts.established;
    if (socket.state == TCP_CLOSE_WAIT && socket.inode != 0) ++counts.close_wait;
    if (socket.state != TCP_FIN_WAIT2) continue;
    ++(socket.inode != 0 ? counts.fin_wait2 : counts.fin_wait2_orphans);
  }
  return counts;
}

std::optional<AcceptQueue> ServerWatch::look_at_queue() const {
  if (address_.ss_family == AF_UNSPEC) return std::nullopt;
  const auto listeners = listeners_at(address(), length_);
  if (!listeners) return std::nullopt;
  AcceptQueue sum;
  for (const Listener& listener : *listeners) {
    ++sum.listeners;
    sum.queue += listener.queue;
    sum.limit += listener.limit;
    if (listener.drops) sum.drops = sum.drops.value_or(0) + *listener.drops;
  }
  return sum;
}

Settled settled(ServerWatch& watch, const ServerSample& before, std::chrono::milliseconds limit) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kPause{50};
  const auto start = Clock::now();
  const auto rested = [start] { return Clock::now() - start; };
  while (rested() < limit) {
    const ServerSample now = watch.inspect();
    if (!now.is_alive() || is_at_rest(now, before)) break;
    std::this_thread::sleep_for(kPause);
  }
  const std::chrono::duration<double> rest = rested();
  return {watch.inspect(), rest.count()};
}

}  // namespace ringchurn
