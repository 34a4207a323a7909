// The steps that no ring operation plays: sockets of a script's own, TCP states, SOCK_DESTROY, the
// death of a process, forged segments. Plain system calls, each on one connection; both engines use
// them, and a load pays for them only where a script asks for it.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>

#include "workloads/script.h"

namespace ringchurn {

/// What an act works on. Descriptors stay the caller's.
struct ActOn {
  int domain = AF_INET;    ///< of the scenario: AF_INET, AF_INET6, AF_UNIX
  int type = SOCK_STREAM;  ///< SOCK_STREAM, SOCK_SEQPACKET
  int fd = -1;             ///< Step::socket, unless the step makes it
  int other = -1;          ///< Step::other, where the act has one; dup: the script's own socket
  /// Drops every other reference to `fd` that the caller holds, and `fd` itself: called by the acts
  /// that hand the socket to a process (die_exit, die_kill, die_pending).
  std::function<void()> let_go;
};

/// What came of it.
struct Acted {
  /// 0 or -errno; Act::state and Act::peer_state: the TCP state's number, 0 for no socket.
  std::int32_t result = 0;
  int made = -1, made_other = -1;  ///< new descriptors, now the caller's: Step::socket, Step::other
  sockaddr_storage address{};      ///< Act::listen: where it listens
  socklen_t address_length = 0;
};

/// Which of ActOn's descriptors `act` needs.
struct ActNeeds {
  bool fd = false, other = false;
};
ActNeeds needs(Act act);

/// Plays `step`, whose op is Op::plain. Blocks for as long as a process takes to die (ten seconds
/// at most), else for no longer than its system calls. Never throws for what the kernel answers:
/// that is Acted::result, -EINVAL for Act::none. Thread-safe.
///
/// - listen: bound to a port that the kernel picks on 127.0.0.1 or ::1 (an abstract name for
///   AF_UNIX, unix(7)).
/// - pair: -EOPNOTSUPP but for AF_UNIX. file: in memory (memfd_create(2)), but a regular one.
/// - state, peer_state: -EOPNOTSUPP for AF_UNIX. peer_state looks for the reversed 4-tuple in the
///   same network namespace with sock_diag(7): orphans, TIME_WAIT and SYN_RECV are found, too. A
///   socket that was reset still knows its 4-tuple, so "gone" (0) can be told from it; only one
///   without any (never connected, disconnected, a listener) is answered -ENOTCONN.
/// - destroy: SOCK_DESTROY (Linux 4.5, CONFIG_INET_DIAG_DESTROY), as `ss -K`; needs CAP_NET_ADMIN
///   over the namespace, which the lab has. -ENOENT for a socket that is not in use.
/// - die_exit, die_kill, die_pending: see die_with() in workloads/death.h. `let_go` is called once,
///   unless no process could be made: then the result is an error, and the socket as it was.
/// - die_sigpipe: 0 only if SIGPIPE killed the process without a core dump; else what send(2) said,
///   or -EIO if it took the byte. starve_*: what the call said there, 0 if it worked.
/// - arrives_*: as if from the peer, by a raw socket (CAP_NET_RAW) over loopback, with the right
///   sequence numbers, which need CAP_NET_ADMIN: see workloads/forge.h. Another thread that begins
///   to send or receive on `fd` at that moment may fail with EINVAL or EPERM; one that waits there
///   already is not disturbed.
/// - ports_of: IP_LOCAL_PORT_RANGE (Linux 6.3; -ENOPROTOOPT before). -EINVAL if `other` has none.
Acted act(const Step& step, const ActOn& on);

}  // namespace ringchurn
