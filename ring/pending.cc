// Set-up and one operation: see pending.h. Not a Ring, whose constructor may throw.
#include "ring/pending.h"

#include <liburing.h>
#include <poll.h>

#include <cerrno>

namespace ringchurn {

int ring_receive_pending(int fd) {
  static io_uring ring;  // outlive this call, as the operation does
  static char buffer[1];
  pollfd wait{fd, POLLIN, 0};
  if (::poll(&wait, 1, 0) > 0) return -EALREADY;  // before something is taken out of the socket
  if (const int error = io_uring_queue_init(1, &ring, 0); error < 0) return error;
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_recv(sqe, fd, buffer, sizeof buffer, 0);
  if (const int submitted = io_uring_submit(&ring); submitted < 0) return submitted;
  return io_uring_cq_ready(&ring) == 0 ? 0 : -EALREADY;
}

}  // namespace ringchurn
