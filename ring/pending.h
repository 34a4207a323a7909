// A receive that will never be reaped, for a process that is to die with it.
#pragma once

namespace ringchurn {

/// Sets up a ring of its own in the calling process and leaves a receive on socket `fd` in flight.
/// The ring is never torn down: it ends with the process. Allocates nothing and throws nothing, so
/// that the child of a process with threads may call it. Returns 0, or -errno: -EALREADY if a
/// receive would end at once (the socket has data, EOF or an error), or what io_uring_setup(2) and
/// io_uring_enter(2) answer.
int ring_receive_pending(int fd);

}  // namespace ringchurn
