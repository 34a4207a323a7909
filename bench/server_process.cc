// See server_process.h.
#include "bench/server_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "bench/interrupt.h"
#include "bench/program.h"
#include "bench/text.h"
#include "ring/error.h"
#include "workloads/descriptor.h"
#include "workloads/sock_diag.h"

namespace ringchurn {
namespace {

using namespace std::chrono_literals;

constexpr auto kPollInterval = 20ms;
constexpr auto kStartLimit = 10s;
constexpr auto kEndLimit = 3s;

bool is_there(pid_t pid) {
  const auto status = ProcessStatus::read(pid);
  return status && !status->is_ended();
}

/// The listener at the lowest port. Nothing but the server has sockets in its network.
std::optional<TcpSocketState> lowest_listener() {
  const auto sockets = tcp_sockets(0, 1U << TCP_LISTEN);
  if (!sockets || sockets->empty()) return std::nullopt;
  return *std::min_element(sockets->begin(), sockets->end(), [](const auto& a, const auto& b) {
    return a.local_port < b.local_port;
  });
}

}  // namespace

ServerProcess::ServerProcess(std::string command, const SideNetwork& network)
    : command_(std::move(command)), network_(network) {
  const SideNetwork::Visit visit(network_);
  start();
  const auto until = std::chrono::steady_clock::now() + kStartLimit;
  while (!find_listener()) {
    const bool is_late = std::chrono::steady_clock::now() > until;
    // A daemon's first process is gone before or after it listens: it may take a moment.
    if (!is_late && !interrupted() &&
        (shell_is_there() || until - std::chrono::steady_clock::now() > kStartLimit - 1s)) {
      std::this_thread::sleep_for(kPollInterval);
      continue;
    }
    end_all();
    throw Error(
        kExitCannotRun,
        fmt::format(
            "the server '{}' {}: start it by hand, and see what it says", printable(command_),
            is_late ? "does not listen on TCP after 10 s" : "ended without listening on TCP"));
  }
}

ServerProcess::~ServerProcess() { end_all(); }

/// By way of a child that ends at once, so that the server is init's child and not ours: nobody
/// here waits for it, and it counts as somebody else's process.
void ServerProcess::start() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    throw Error(kExitCannotRun, "no descriptors left to start a server");
  const Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);
  const pid_t child = fork();
  if (child < 0) {
    throw Error(kExitCannotRun, fmt::format("cannot start a process: {}", std::strerror(errno)));
  }
  if (child == 0) {
    const pid_t grandchild = fork();
    if (grandchild == 0) become_command(command_, STDERR_FILENO, STDERR_FILENO);
    const ssize_t told = write(writing.get(), &grandchild, sizeof grandchild);
    _exit(told == sizeof grandchild ? 0 : 1);
  }
  waitpid(child, nullptr, 0);
  if (read(reading.get(), &pid_, sizeof pid_) != sizeof pid_ || pid_ <= 0) {
    throw Error(kExitCannotRun, "cannot start a process for the server");
  }
  if (const auto status = ProcessStatus::read(pid_)) start_ticks_ = status->start_ticks;
}

bool ServerProcess::shell_is_there() const {
  const auto status = ProcessStatus::read(pid_);
  return status && !status->is_ended() && status->start_ticks == start_ticks_;
}

bool ServerProcess::find_listener() {
  const std::optional<TcpSocketState> found = lowest_listener();
  if (!found) return false;
  const bool is_v4 = IN6_IS_ADDR_V4MAPPED(&found->local_address);
  auto& v4 = reinterpret_cast<sockaddr_in&>(address_);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address_);
  address_ = {};
  if (is_v4) {
    std::memcpy(&v4.sin_addr, found->local_address.s6_addr + 12, sizeof v4.sin_addr);
    if (v4.sin_addr.s_addr == htonl(INADDR_ANY)) v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  } else {
    v6.sin6_addr = found->local_address;
    if (IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr)) v6.sin6_addr = in6addr_loopback;
  }
  address_.ss_family = is_v4 ? AF_INET : AF_INET6;
  v4.sin_port = htons(found->local_port);  // the same place in both families
  length_ = is_v4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  watch_ = ServerWatch::of_listener(reinterpret_cast<const sockaddr*>(&address_), length_);
  return watch_.has_value();
}

void ServerProcess::end_all() {
  std::vector<pid_t> pids;
  if (watch_ && watch_->is_alive()) pids = watch_->pids();  // looked at anew
  if (shell_is_there()) pids.push_back(pid_);
  for (const pid_t pid : pids) kill(pid, SIGTERM);
  const auto until = std::chrono::steady_clock::now() + kEndLimit;
  while (std::any_of(pids.begin(), pids.end(), is_there) &&
         std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(kPollInterval);
  }
  for (const pid_t pid : pids) {
    if (is_there(pid)) kill(pid, SIGKILL);
  }
}

}  // namespace ringchurn
