// Sequence numbers out of repair mode: see tcp_position.h.
#include "workloads/tcp_position.h"

#include <linux/sockios.h>
#include <linux/tcp.h>  // not <netinet/tcp.h>, whose tcp_info ends in 2007
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace ringchurn {
namespace {

constexpr int kSynSent = 2;  // include/net/tcp_states.h; netinet/tcp.h cannot be had, too

int get(int fd, int level, int name, auto& value) {
  socklen_t length = sizeof value;
  return ::getsockopt(fd, level, name, &value, &length) == 0 ? 0 : -errno;
}

int set(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0 ? 0 : -errno;
}

/// What a socket was like before repair mode.
struct Before {
  int repairing = 0, reuse = 0;
};

/// Selects `queue` and leaves repair mode at once: Linux tells the sequence number of the queue
/// that was selected last whether it is in repair mode or not, and while the send queue is selected
/// it takes for sent whatever an ACK lets it send (tcp_write_xmit()). Linux marks the socket
/// SO_REUSEADDR on the way in and clears that on the way out, whatever it was: it is put back.
int select_queue(int fd, int queue, const Before& before) {
  if (const int error = set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON); error != 0) return error;
  const int error = set(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue);
  if (before.repairing == 0) {
    set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);
    if (before.reuse != 0) set(fd, SOL_SOCKET, SO_REUSEADDR, before.reuse);
  }
  return error;
}

/// The sequence number at the end of `queue`: rcv_nxt, or what the next byte written will have.
int sequence_of(int fd, int queue, std::uint32_t& sequence) {
  Before before;
  if (const int error = get(fd, IPPROTO_TCP, TCP_REPAIR, before.repairing); error != 0)
    return error;
  if (const int error = get(fd, SOL_SOCKET, SO_REUSEADDR, before.reuse); error != 0) return error;
  if (const int error = select_queue(fd, queue, before); error != 0) return error;
  const int error = get(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, sequence);
  // One that is in repair mode already, because it is to vanish, stays there.
  if (before.repairing != 0) set(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_NO_QUEUE);
  return error;
}

}  // namespace

int tcp_position_of(int fd, TcpPosition& position) {
  std::uint32_t write_seq = 0;
  if (const int error = sequence_of(fd, TCP_RECV_QUEUE, position.rcv_nxt); error != 0) return error;
  if (const int error = sequence_of(fd, TCP_SEND_QUEUE, write_seq); error != 0) return error;
  tcp_info info{};
  if (const int error = get(fd, IPPROTO_TCP, TCP_INFO, info); error != 0) return error;
  int unacknowledged = 0;
  if (::ioctl(fd, SIOCOUTQ, &unacknowledged) < 0) return -errno;
  // write_seq is behind the last byte that the program wrote, sent or not.
  position.snd_nxt = write_seq - info.tcpi_notsent_bytes;
  // SIOCOUTQ leaves the SYN out.
  position.snd_una = info.tcpi_state == kSynSent
                         ? position.snd_nxt - 1
                         : write_seq - static_cast<unsigned>(unacknowledged);
  position.window =
      static_cast<std::uint16_t>(std::min(info.tcpi_snd_wnd >> info.tcpi_snd_wscale, 0xffffU));
  return 0;
}

}  // namespace ringchurn
