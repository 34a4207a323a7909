// A step of a script as plain system calls on one descriptor. They block, and are cut short by a
// signal when their time is over. See twin.h for what this is for.
#pragma once

#include <signal.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>

#include "workloads/end.h"
#include "workloads/script.h"

namespace ringchurn {

/// A descriptor that is never open: whatever uses it gets EBADF. Not -1, which poll(2) overlooks.
constexpr int kNoSocket = INT_MAX;

/// No step takes longer.
constexpr Nanoseconds kPatience = 10'000'000'000;

/// CLOCK_MONOTONIC.
Nanoseconds monotonic_ns();
timespec timespec_of(const __kernel_timespec& time);

/// The signal that interrupts a call. It has to be sent again and again until the call returns: one
/// that comes before the thread sleeps in the kernel is lost.
constexpr int kInterrupt = SIGUSR1;

/// Makes kInterrupt a signal that does nothing but interrupt, for as long as this lives.
class Interruptible {
 public:
  Interruptible();
  ~Interruptible();
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

 private:
  struct sigaction before_ {};
};

/// SIG_BLOCK or SIG_UNBLOCK kInterrupt in this thread.
void mask_interrupts(int how);

/// Interrupts the thread that it was made in.
class Alarm {
 public:
  /// Throws Error (exit code 1) if there are no more timers.
  Alarm();
  ~Alarm();
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  /// Every millisecond, the first time in `time` (more than 0).
  void set(Nanoseconds time) const;
  /// A signal that is on its way is handled before this returns.
  void stop() const;

 private:
  timer_t timer_{};
};

/// A step on its way, and its system calls. Each has the step's time limit anew; together they have
/// kPatience.
class Attempt {
 public:
  /// `in_kernel` is set when the first call is about to be made.
  Attempt(const Step& step, const Alarm& alarm, std::atomic<bool>* in_kernel = nullptr);

  /// What `system_call` returned, or -errno.
  std::int64_t call(const auto& system_call) {
    const Nanoseconds begun = monotonic_ns();
    if (begun - issued_ >= kPatience) return interrupted(begun);
    alarm_.set(std::min(limit_, issued_ + kPatience - begun));
    if (in_kernel_) *in_kernel_ = true;
    const std::int64_t result = system_call();
    const int error = errno;
    alarm_.stop();
    if (result >= 0) return result;
    return error == EINTR ? interrupted(begun) : -error;
  }

  /// If a call answered EINTR: it was for its time.
  bool timed_out() const { return timed_out_ || hopeless_; }
  /// And not for the step's own limit.
  bool hopeless() const { return hopeless_; }
  Nanoseconds issued() const { return issued_; }

 private:
  std::int64_t interrupted(Nanoseconds begun);

  Nanoseconds limit_;
  const Alarm& alarm_;
  std::atomic<bool>* in_kernel_;
  Nanoseconds issued_;
  bool timed_out_ = false, hopeless_ = false;
};

/// What a step came to, time limits aside.
struct Ended {
  std::int32_t result = 0;  ///< of the system call, or all bytes of several; errors as -errno
  Outcome outcome = Outcome::ok;
};

/// `result` of a system call, errors as -errno.
Ended ended(std::int64_t result);

/// Plays a step that concerns one open socket and makes none; -ENOSYS for any other.
Ended play_on(int fd, const Step& step, Attempt& attempt);

}  // namespace ringchurn
