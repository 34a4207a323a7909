// Short-lived children: see death.h.
//
//   parent                              child
//     fork -----------------------------> closes all but `fd` and the leash
//     <-------------------- an errno or 0 ready
//     let_go()
//     one byte, or SIGKILL -------------> dies
//     waitid
//
// The parent may have threads, so the child does nothing that is not async-signal-safe.
#include "workloads/death.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <mutex>

#include "ring/pending.h"
#include "workloads/descriptor.h"

namespace ringchurn {
namespace {

constexpr int kPatience_ms = 10'000;

// -- the child ------------------------------------------------------------------------------------

/// What a child is for. Plain data, as it crosses fork(2).
struct Task {
  /// Returns the exit status, 0 or an errno.
  int (*run)(const Task& task, int leash);
  int fd = -1;  ///< the only descriptor that it keeps
  int domain = 0, type = 0;
};

void keep_only(int a, int b) {
  const auto low = static_cast<unsigned>(std::min(a, b) + 1);  // 0 where there is one only
  const auto high = static_cast<unsigned>(std::max(a, b) + 1);
  // A range that is empty is refused (EINVAL), which is as well.
  if (low > 1) ::close_range(0, low - 2, 0);
  if (high > 1) ::close_range(low, high - 2, 0);
  ::close_range(high, ~0U, 0);
}

[[noreturn]] void live(const Task& task, int leash) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  keep_only(task.fd, leash);
  ::_exit(task.run(task, leash));
}

/// Says that the socket is held (or why the child is no use), then waits for the end: a byte, or
/// the parent's own death.
int hold(int leash, int error) {
  auto status = static_cast<unsigned char>(error);
  if (::write(leash, &status, 1) != 1) return errno;
  while (::read(leash, &status, 1) < 0 && errno == EINTR) {
  }
  return error;
}

int hold_socket(const Task&, int leash) { return hold(leash, 0); }

int hold_socket_receiving(const Task& task, int leash) {
  return hold(leash, -ring_receive_pending(task.fd));
}

int send_one(const Task& task, int) {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGPIPE);
  ::signal(SIGPIPE, SIG_DFL);
  ::sigprocmask(SIG_UNBLOCK, &signals, nullptr);
  const char byte = 0;
  return ::send(task.fd, &byte, 1, 0) < 0 ? errno : 0;
}

bool starve() {
  const rlimit none{0, 0};
  return ::setrlimit(RLIMIT_NOFILE, &none) == 0;
}

int call_socket(const Task& task, int) {
  return starve() && ::socket(task.domain, task.type, 0) >= 0 ? 0 : errno;
}

int call_accept(const Task& task, int) {
  return starve() && ::accept4(task.fd, nullptr, nullptr, 0) >= 0 ? 0 : errno;
}

// -- the parent -----------------------------------------------------------------------------------

bool readable(int fd) {
  pollfd wait{fd, POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&wait, 1, kPatience_ms);
  } while (ready < 0 && errno == EINTR);
  return ready == 1;
}

/// A child process, killed and reaped at the latest when this object goes.
class Child {
 public:
  explicit Child(const Task& task) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
      error_ = -errno;
      return;
    }
    leash_ = Descriptor(ends[0]);
    const Descriptor childs_end(ends[1]);
    pid_ = ::fork();
    if (pid_ == 0) live(task, childs_end.get());
    if (pid_ < 0) {
      error_ = -errno;
      return;
    }
    process_ = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (!process_.is_open()) error_ = -errno;
  }
  ~Child() {
    if (pid_ <= 0) return;
    kill();
    reap();  // nothing survives SIGKILL
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// 0 or -errno of its start.
  int error() const { return error_; }

  /// Waits until it holds its socket. Returns 0 or -errno.
  int ready() {
    if (!readable(leash_.get())) return -ETIMEDOUT;
    unsigned char status = 0;
    const ssize_t length = ::read(leash_.get(), &status, 1);
    return length == 1 ? -int{status} : -ECHILD;
  }

  void let_exit() { ::send(leash_.get(), "", 1, MSG_NOSIGNAL); }
  void kill() { ::kill(pid_, SIGKILL); }

  /// Waits until it is gone: 0 with its wait status, or -errno.
  int gone(int& status) {
    if (!readable(process_.get())) return -ETIMEDOUT;
    status = reap();
    pid_ = -1;
    return 0;
  }

 private:
  int reap() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
  }

  pid_t pid_ = -1;
  Descriptor leash_, process_;
  int error_ = 0;
};

/// One child at a time: until it has closed them, a child holds a copy of every descriptor, and the
/// socket that another one dies with would not be closed.
std::mutex one_at_a_time;

/// Runs `task` to its end. Returns 0 with its wait status, or -errno.
int run(const Task& task, int& status) {
  const std::lock_guard lock(one_at_a_time);
  Child child(task);
  return child.error() != 0 ? child.error() : child.gone(status);
}

/// The errno that a task's exit status is, as -errno.
int result_of(const Task& task) {
  int status = 0;
  if (const int error = run(task, status); error != 0) return error;
  return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

}  // namespace

int die_with(int fd, Death death, const std::function<void()>& let_go) {
  const std::lock_guard lock(one_at_a_time);
  Child child({death == Death::kill_pending ? hold_socket_receiving : hold_socket, fd});
  if (child.error() != 0) return child.error();
  if (const int error = child.ready(); error != 0) return error;
  let_go();
  death == Death::exit ? child.let_exit() : child.kill();
  int status = 0;
  return child.gone(status);
}

int die_of_sigpipe(int fd) {
  int status = 0;
  if (const int error = run({send_one, fd}, status); error != 0) return error;
  if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGPIPE && !WCOREDUMP(status) ? 0 : -EIO;
  return WEXITSTATUS(status) == 0 ? -EIO : -WEXITSTATUS(status);
}

int starved_socket(int domain, int type) { return result_of({call_socket, -1, domain, type}); }

int starved_accept(int listener) { return result_of({call_accept, listener}); }

}  // namespace ringchurn
