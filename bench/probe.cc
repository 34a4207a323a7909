// Connect, watch, close: see probe.h.
#include "bench/probe.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "workloads/descriptor.h"
#include "workloads/sock_diag.h"

namespace ringchurn {
namespace {

using Clock = std::chrono::steady_clock;

/// poll(2) for what is left of the time, at most `most`.
short wait_for(int fd, short events, Clock::time_point end, std::chrono::milliseconds most) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
  pollfd waiting{.fd = fd, .events = events, .revents = 0};
  ::poll(&waiting, 1, static_cast<int>(std::clamp<long>(left.count(), 0, most.count())));
  return waiting.revents;
}

int pending_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

/// 0 or the errno. A unix socket whose listener has a full queue is told EAGAIN instead of having
/// to wait, and must ask again (unix_stream_connect() in Linux's net/unix/af_unix.c).
int connect_until(int fd, const sockaddr* address, socklen_t length, Clock::time_point end) {
  constexpr std::chrono::milliseconds kRetry{5};
  while (::connect(fd, address, length) != 0) {
    if (errno == EINPROGRESS) {
      const short events = wait_for(fd, POLLOUT, end, std::chrono::minutes(1));
      return events == 0 ? ETIMEDOUT : pending_error(fd);
    }
    if (errno != EAGAIN) return errno;
    if (Clock::now() >= end) return ETIMEDOUT;
    wait_for(-1, 0, end, kRetry);
  }
  return 0;
}

/// What the server's side did so far.
std::optional<bool> look(int fd, int& error) {
  char byte = 0;
  const ssize_t received = ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (received >= 0) return true;  // it has sent something, or its FIN
  if (errno != EAGAIN) {
    error = errno;
    return std::nullopt;
  }
  return is_accepted(fd);
}

}  // namespace

bool ProbeResult::is_refused() const {
  return error == ECONNREFUSED || error == ENOENT;  // ENOENT: a unix socket without its file
}

ProbeResult probe(const sockaddr* address, socklen_t length, std::chrono::milliseconds time) {
  constexpr std::chrono::milliseconds kPause{5};
  const auto start = Clock::now();
  const auto end = start + time;
  ProbeResult result;
  const Descriptor socket(
      ::socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  result.error = socket.is_open() ? connect_until(socket.get(), address, length, end) : errno;
  while (result.error == 0) {
    result.is_taken = look(socket.get(), result.error);
    if (result.is_taken == true || result.error != 0 || Clock::now() >= end) break;
    wait_for(socket.get(), POLLIN | POLLRDHUP, end, kPause);
  }
  result.elapsed_s = std::chrono::duration<double>(Clock::now() - start).count();
  return result;
}

}  // namespace ringchurn
