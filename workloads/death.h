// Other processes: those that die with a socket, and those that have no descriptor left. Each call
// forks one and ends when it is gone; a process that hangs is killed after ten seconds, and the
// answer is -ETIMEDOUT. One process at a time, whatever the number of threads. A fork copies
// every ordinary descriptor until the new process has closed them: a socket that another thread
// closes just then is closed a little later, a millisecond at most on an idle machine.
#pragma once

#include <functional>

namespace ringchurn {

enum class Death {
  exit,          ///< _exit(2)
  kill,          ///< SIGKILL
  kill_pending,  ///< SIGKILL, with an io_uring receive in flight on the socket
};

/// Hands `fd` to a new process, which holds no other descriptor, and has it die. `let_go` drops
/// every reference that the caller has, once the process stands; it is not called if none could be
/// made, and the socket is then as it was. Returns 0 or -errno: of fork(2), or of
/// ring_receive_pending().
///
/// The kernel has closed the socket when this returns, except for kill_pending: then it may take
/// some milliseconds more, as io_uring tears down its rings in the background.
int die_with(int fd, Death death, const std::function<void()>& let_go);

/// Has a process with the default action for SIGPIPE send(2) one byte on `fd`. Returns 0 if that
/// killed it without a core dump; else -errno of send(2); -EIO if the byte was sent, or if it died
/// otherwise.
int die_of_sigpipe(int fd);

/// What socket(2) and accept(2) answer in a process whose RLIMIT_NOFILE is 0: -errno, or 0 if they
/// work.
int starved_socket(int domain, int type);
int starved_accept(int listener);

}  // namespace ringchurn
