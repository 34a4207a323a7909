// Time limits, and the steps that need one descriptor: see blocking_step.h.
#include "workloads/blocking_step.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "ring/error.h"

#ifndef sigev_notify_thread_id  // timer_create(2) names it so; glibc 2.36 does not
#define sigev_notify_thread_id _sigev_un._tid
#endif

namespace ringchurn {
namespace {

constexpr Nanoseconds kSecond = 1'000'000'000;
/// Between two signals to a thread that does not return.
constexpr Nanoseconds kAgain = 1'000'000;
/// Bytes that one call of several moves at most.
constexpr std::uint32_t kAtOnce = 1U << 20;

constexpr sockaddr kNoAddress{AF_UNSPEC, {}};

void set_timer(timer_t timer, Nanoseconds first, Nanoseconds again) {
  const auto split = [](Nanoseconds time) {
    return timespec{static_cast<time_t>(time / kSecond), static_cast<long>(time % kSecond)};
  };
  const itimerspec times{split(again), split(first)};
  ::timer_settime(timer, 0, &times, nullptr);
}

Nanoseconds limit_of(const Step& step) {
  if (!step.limited) return kPatience;
  const auto time = static_cast<Nanoseconds>(step.time.tv_sec) * kSecond +
                    static_cast<Nanoseconds>(step.time.tv_nsec);
  return std::max<Nanoseconds>(time, 1);  // 0 would stop the timer
}

// -- steps that move bytes ------------------------------------------------------------------------

/// The end of a step that has moved `total` bytes. One operation may have moved fewer than it was
/// asked for.
Ended moved(const Step& step, std::uint32_t total) {
  const bool wants_all = step.op == Op::send || (step.detail & MSG_WAITALL) != 0;
  Ended end = ended(total);
  if (wants_all && total < step.bytes) end.outcome = Outcome::cut_short;
  return end;
}

std::vector<std::byte> buffer_for(const Step& step) {
  const std::size_t size = step.is_one_operation() ? step.bytes : std::min(step.bytes, kAtOnce);
  return std::vector<std::byte>(size, kFiller);
}

Ended play_send(const Step& step, int fd, Attempt& attempt) {
  const bool fills = step.payload.empty();
  const std::vector<std::byte> buffer = fills ? buffer_for(step) : std::vector<std::byte>{};
  std::uint32_t total = 0;
  do {
    const std::size_t left = step.bytes - total;
    const void* bytes =
        fills ? static_cast<const void*>(buffer.data()) : step.payload.data() + total;
    const std::size_t wanted = fills ? std::min(left, buffer.size()) : left;
    const std::int64_t sent =
        attempt.call([&] { return ::send(fd, bytes, wanted, step.detail | MSG_NOSIGNAL); });
    if (sent < 0) return ended(sent);
    total += static_cast<std::uint32_t>(sent);
  } while (total < step.bytes && !step.is_one_operation());
  return moved(step, total);
}

Ended play_write(const Step& step, int fd, Attempt& attempt) {
  const std::vector<std::byte> buffer(step.bytes, kFiller);
  return ended(attempt.call([&] { return ::write(fd, buffer.data(), buffer.size()); }));
}

Ended play_fill(int fd, Attempt& attempt) {
  constexpr int kFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
  const std::vector<std::byte> buffer(64 * 1024, kFiller);
  for (std::int64_t total = 0;;) {
    const std::int64_t sent =
        attempt.call([&] { return ::send(fd, buffer.data(), buffer.size(), kFlags); });
    if (sent == -EAGAIN) return ended(total);
    if (sent < 0) return ended(sent);
    total += sent;
  }
}

Ended play_receive(const Step& step, int fd, Attempt& attempt) {
  std::vector<std::byte> buffer = buffer_for(step);
  std::uint32_t total = 0;
  do {
    const std::size_t wanted = std::min<std::size_t>(step.bytes - total, buffer.size());
    const std::int64_t received =
        attempt.call([&] { return ::recv(fd, buffer.data(), wanted, step.detail); });
    if (received < 0) return ended(received);
    total += static_cast<std::uint32_t>(received);
    if (received == 0) return {static_cast<std::int32_t>(total), Outcome::eof};
  } while (total < step.bytes && !step.is_one_operation());
  return moved(step, total);
}

/// What comes is looked at first, as long as the text has not come: bytes behind it stay.
Ended play_receive_until(const Step& step, int fd, Attempt& attempt) {
  std::array<std::byte, 4096> buffer{};
  Landmark::Position position;
  for (std::uint32_t total = 0;;) {
    const std::uint32_t left = step.until.least_left(position);
    if (left == 0) return ended(total);
    const bool looks = !step.until.has_text_before(position);
    const std::size_t most = looks ? buffer.size() : std::min<std::size_t>(left, buffer.size());
    const std::int64_t came =
        attempt.call([&] { return ::recv(fd, buffer.data(), most, looks ? MSG_PEEK : 0); });
    if (came < 0) return ended(came);
    if (came == 0) return {static_cast<std::int32_t>(total), Outcome::eof};
    const auto bytes = std::span(buffer).first(static_cast<std::size_t>(came));
    const std::size_t wanted = step.until.pass(bytes, position);
    if (looks) ::recv(fd, buffer.data(), wanted, MSG_WAITALL);  // it is there: no waiting
    total += static_cast<std::uint32_t>(wanted);
  }
}

Ended play_receive_any(const Step& step, int fd, Attempt& attempt) {
  std::vector<std::byte> buffer(64 * 1024);
  const std::int64_t received =
      attempt.call([&] { return ::recv(fd, buffer.data(), buffer.size(), step.detail); });
  return received == 0 ? Ended{0, Outcome::eof} : ended(received);
}

Ended play_read(int fd, Attempt& attempt) {
  std::vector<std::byte> buffer(64 * 1024);
  const std::int64_t got = attempt.call([&] { return ::read(fd, buffer.data(), buffer.size()); });
  return got == 0 ? Ended{0, Outcome::eof} : ended(got);
}

Ended play_recv_eof(const Step& step, int fd, Attempt& attempt) {
  std::vector<std::byte> buffer(64 * 1024);
  for (std::int64_t total = 0;;) {
    const std::int64_t received =
        attempt.call([&] { return ::recv(fd, buffer.data(), buffer.size(), 0); });
    if (received < 0) return ended(received);
    total += received;
    if (received == 0 || step.is_one_operation()) return ended(total);
  }
}

// -- steps that ask, tell or wait -----------------------------------------------------------------

/// Where no program may look: EFAULT.
void* bad_pointer() { return reinterpret_cast<void*>(1); }

Ended play_option(const SocketOption& option, int fd, Attempt& attempt) {
  const void* value = option.bad_pointer ? bad_pointer() : option.value.data();
  const auto length = static_cast<socklen_t>(option.value.size());
  return ended(
      attempt.call([&] { return ::setsockopt(fd, option.level, option.name, value, length); }));
}

Ended play_get_option(const SocketOption& option, int fd, Attempt& attempt) {
  std::array<std::byte, 64> buffer{};
  void* value = option.bad_pointer ? bad_pointer() : buffer.data();
  socklen_t length = buffer.size();
  return ended(
      attempt.call([&] { return ::getsockopt(fd, option.level, option.name, value, &length); }));
}

Ended play_so_error(int fd, Attempt& attempt) {
  int error = 0;
  socklen_t length = sizeof error;
  const std::int64_t result =
      attempt.call([&] { return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length); });
  return ended(result < 0 ? result : -error);
}

Ended play_poll(const Step& step, int fd, Attempt& attempt) {
  pollfd entry{fd, static_cast<short>(step.detail), 0};
  const std::int64_t result = attempt.call([&] { return ::poll(&entry, 1, -1); });
  if (result < 0) return ended(result);
  const auto events = static_cast<unsigned short>(entry.revents);
  if (step.op == Op::poll) return {events, events_outcome(events)};
  return ended((events & POLLNVAL) != 0 ? -EBADF : 0);
}

Ended play_pause(const Step& step, Attempt& attempt) {
  const timespec time = timespec_of(step.time);
  return ended(attempt.call([&] { return ::nanosleep(&time, nullptr); }));
}

}  // namespace

// -- calls that end in time -----------------------------------------------------------------------

Nanoseconds monotonic_ns() {
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<Nanoseconds>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(time).count());
}

timespec timespec_of(const __kernel_timespec& time) {
  return {static_cast<time_t>(time.tv_sec), static_cast<long>(time.tv_nsec)};
}

Interruptible::Interruptible() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  action.sa_flags = 0;  // no SA_RESTART: the call returns EINTR
  ::sigaction(kInterrupt, &action, &before_);
}

Interruptible::~Interruptible() { ::sigaction(kInterrupt, &before_, nullptr); }

void mask_interrupts(int how) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, kInterrupt);
  ::pthread_sigmask(how, &set, nullptr);
}

Alarm::Alarm() {
  mask_interrupts(SIG_UNBLOCK);
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = kInterrupt;
  event.sigev_notify_thread_id = ::gettid();
  if (::timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0) return;
  throw Error(kExitCannotRun, "no more timers: raise the limit of pending signals (ulimit -i)");
}

Alarm::~Alarm() { ::timer_delete(timer_); }

void Alarm::set(Nanoseconds time) const { set_timer(timer_, time, kAgain); }

void Alarm::stop() const { set_timer(timer_, 0, 0); }

Attempt::Attempt(const Step& step, const Alarm& alarm, std::atomic<bool>* in_kernel)
    : limit_(limit_of(step)), alarm_(alarm), in_kernel_(in_kernel), issued_(monotonic_ns()) {}

std::int64_t Attempt::interrupted(Nanoseconds begun) {
  const Nanoseconds now = monotonic_ns();
  hopeless_ = now - issued_ >= kPatience;
  timed_out_ = now - begun >= limit_;
  return -EINTR;
}

// -- a step ---------------------------------------------------------------------------------------

Ended ended(std::int64_t result) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  const auto number = static_cast<std::int32_t>(std::min(result, kMost));
  return {number, number < 0 ? errno_outcome(-number) : Outcome::ok};
}

Ended play_on(int fd, const Step& step, Attempt& attempt) {
  switch (step.op) {
    case Op::send:
      return play_send(step, fd, attempt);
    case Op::write:
      return play_write(step, fd, attempt);
    case Op::read:
      return play_read(fd, attempt);
    case Op::fill:
      return play_fill(fd, attempt);
    case Op::receive:
      return play_receive(step, fd, attempt);
    case Op::receive_until:
      return play_receive_until(step, fd, attempt);
    case Op::receive_any:
      return play_receive_any(step, fd, attempt);
    case Op::recv_eof:
      return play_recv_eof(step, fd, attempt);
    case Op::shutdown:
      return ended(attempt.call([&] { return ::shutdown(fd, step.detail); }));
    case Op::option:
      return play_option(step.option, fd, attempt);
    case Op::get_option:
      return play_get_option(step.option, fd, attempt);
    case Op::so_error:
      return play_so_error(fd, attempt);
    case Op::disconnect:
      return ended(attempt.call([&] { return ::connect(fd, &kNoAddress, sizeof kNoAddress); }));
    case Op::wait:
    case Op::poll:
      return play_poll(step, fd, attempt);
    case Op::pause:
      return play_pause(step, attempt);
    case Op::close:
      return ended(attempt.call([&] { return ::close(fd); }));
    default:
      return ended(-ENOSYS);
  }
}

}  // namespace ringchurn
