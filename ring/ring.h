// One thread, one io_uring: prepares operations on direct descriptors, submits them, hands back
// completions. It knows sockets as numbered slots and knows no TCP policy. It can be asked to work
// in other ways (ordinary descriptors, a kernel thread that submits): its callers see no
// difference.
//
// prepare: socket() connect() send() ...   user -> SQE      nothing happens yet
// submit:  submit(), submit_and_wait()     SQE  -> kernel   the only system call per batch
// reap:    reap(f)                         CQE  -> user
#pragma once

#include <liburing.h>
#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ring/plain_table.h"

namespace ringchurn {

/// Sizes of a ring. All of them are fixed at construction; a running ring allocates nothing.
struct RingSettings {
  unsigned submissions = 1024;  ///< SQ entries, rounded up to a power of two; more operations are
                                ///< submitted in several batches
  unsigned completions =
      4096;            ///< CQ entries: at least the operations that can be in flight at once
  unsigned slots = 0;  ///< direct descriptors; limited by RLIMIT_NOFILE (io_uring_register(2))
  unsigned first_accept_slot = 0;  ///< accepted sockets land in [first_accept_slot, slots)
  /// A slot is an ordinary descriptor behind the scenes; RLIMIT_NOFILE limits those of all rings
  /// together. Tokens have 63 bits then: the top one is the ring's. accept_beyond_table(),
  /// accept_into_full_table() and accept_multishot(), which are about the table of direct
  /// descriptors, must not be called.
  bool plain = false;
  /// With `plain`: shutdown() is shutdown(2), made by the calling thread at once. It must not be
  /// linked to another operation.
  bool shutdown_call = false;
  /// IORING_SETUP_SQPOLL: a kernel thread takes what is submitted, and sleeps when nothing was for
  /// a millisecond. It is a thread of this process, and its CPU time the process's.
  bool sqpoll = false;
  std::optional<int> sqpoll_cpu{};  ///< where that thread stays; empty: the scheduler decides
};

/// One finished operation.
struct Completion {
  std::uint64_t token;  ///< what the operation was prepared with
  std::int32_t result;  ///< as the system call's, errors as -errno
  bool more;            ///< a multishot operation that goes on, or a notification that is to come
  bool notification = false;  ///< the kernel no longer needs the buffer of a send_zero_copy()
};

/// A ring, its descriptor table and its counters. Everything must be called by the thread that made
/// it (IORING_SETUP_SINGLE_ISSUER). Buffers, addresses and timespecs given to an operation must
/// live until its completion; the addresses of connect() and bind() only until the next submit.
///
/// Set up with SINGLE_ISSUER | DEFER_TASKRUN | SUBMIT_ALL, so Linux 6.1 or later: completions are
/// produced only inside submit_and_wait(), one after the other, never by an interrupting signal.
/// With RingSettings::sqpoll, which excludes the first two, the kernel's thread produces them at
/// any time, and what submit() handed over is read later: addresses must live until the completion.
class Ring {
 public:
  using Token = std::uint64_t;
  using Slot = std::uint32_t;

  /// Throws Error: exit code 77 if io_uring is missing, disabled by sysctl, filtered by seccomp or
  /// too old; exit code 1 if a limit (RLIMIT_NOFILE, memory) stands in the way.
  explicit Ring(const RingSettings& settings);
  ~Ring();
  /// The liburing that this was built against, as "2.3".
  static std::string library_version();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // -- prepare ----------------------------------------------------------------------------------

  /// A socket of `domain` (AF_INET, ...) and `type` in `slot`, which must be empty.
  void socket(Slot slot, int domain, Token token, int type = SOCK_STREAM);
  /// connect(2). AF_UNSPEC as family dissolves the connection (tcp_disconnect() in net/ipv4/tcp.c).
  void connect(Slot slot, const sockaddr* address, socklen_t length, Token token);
  /// bind(2). Linux 6.11: -EINVAL before.
  void bind(Slot slot, const sockaddr* address, socklen_t length, Token token);
  /// accept(2) into a slot that the kernel picks: the result. With `multishot`, one operation
  /// accepts until it fails or is cancelled. A full table closes the accepted connection (ENFILE):
  /// size it.
  void accept(int listener, bool multishot, Token token);
  /// accept(2) from the listener in slot `listener` into `slot`, which must be empty.
  void accept_into(Slot listener, Slot slot, Token token);
  /// The same into a slot that the table does not have: -EINVAL, and the connection is gone.
  void accept_beyond_table(Slot listener, Token token);
  /// The same into any free slot, where there is none: -ENFILE, and the connection is gone. Submits
  /// what is prepared; the rest of the table is taken only meanwhile.
  void accept_into_full_table(Slot listener, Token token);
  /// Multishot accept(2) from the listener in a slot: ends with an error, or when it is cancelled.
  void accept_multishot(Slot listener, Token token);
  /// send(2) with `flags` (MSG_*), never raising SIGPIPE (io_uring adds MSG_NOSIGNAL to
  /// IORING_OP_SEND).
  void send(Slot slot, std::span<const std::byte> bytes, Token token, int flags = 0);
  /// IORING_OP_SEND_ZC: two completions, even for a send that fails; the second is a
  /// `notification`.
  void send_zero_copy(Slot slot, std::span<const std::byte> bytes, Token token);
  /// write(2), which raises SIGPIPE.
  void write(Slot slot, std::span<const std::byte> bytes, Token token);
  /// read(2) into `buffer`.
  void read(Slot slot, std::span<std::byte> buffer, Token token);
  /// recv(2) into `buffer` with `flags`.
  void receive(Slot slot, std::span<std::byte> buffer, Token token, int flags = 0);
  /// Makes `count` buffers, the pieces of `buffers`, the only ones of `group`. Up to two
  /// completions come with `ignored`.
  void provide_buffers(std::span<std::byte> buffers, unsigned count, std::uint16_t group,
                       Token ignored);
  /// Multishot recv(2) into the buffers of `group`: a completion for each filled one, and a last
  /// one at the stream's end, at an error, or with -ENOBUFS when none is left. Where the completion
  /// queue is full, the last one is a filled buffer.
  void receive_multishot(Slot slot, std::uint16_t group, Token token);
  /// shutdown(2). Always runs on an io-wq worker thread (io_uring/net.c: io_shutdown_prep forces
  /// it), unless RingSettings::shutdown_call.
  void shutdown(Slot slot, int how, Token token);
  /// setsockopt(2) through IORING_OP_URING_CMD, Linux 6.7 or later.
  void set_option(Slot slot, int level, int name, std::span<const std::byte> value, Token token);
  /// getsockopt(2) likewise; the kernel lets it through for SOL_SOCKET only.
  void get_option(Slot slot, int level, int name, std::span<std::byte> value, Token token);
  /// poll(2) for `events`; POLLERR and POLLHUP are always reported.
  void poll(Slot slot, unsigned events, Token token);
  /// Completes with -ETIME after `time`.
  void pause(const __kernel_timespec* time, Token token);
  /// Empties `slot`. The socket is closed when its last operation in flight is gone, not before.
  void close(Slot slot, Token token);
  /// Cancels every operation in flight on this ring.
  void cancel_all(Token token);
  /// Cancels every operation in flight on the descriptor in `slot`: their number, or -ENOENT.
  void cancel(Slot slot, Token token);
  /// Cancels the operation that was prepared with `victim`.
  void cancel_token(Token victim, Token token);
  /// An ordinary descriptor for what is in `slot`: the result, the caller's to close. Linux 6.8.
  void install(Slot slot, Token token);
  /// Does nothing, completes with 0. For measuring what a round trip costs. `linked`: the next
  /// prepared operation starts when this one has ended.
  void nop(Token token, bool linked = false);
  /// Puts a time limit on the operation prepared next: it completes with -ECANCELED when `limit` is
  /// over. The limit itself completes too, with `token`.
  void limit_next(const __kernel_timespec* limit, Token token);
  /// The operation prepared next is linked to the one behind it: that begins when this has ended,
  /// and is cancelled if this fails, unless `hard`.
  void link_next(bool hard);

  // -- the table, at once -------------------------------------------------------------------------

  /// Puts the file of descriptor `fd` into `slot`; -1 empties it. Returns 0 or -errno.
  int place(Slot slot, int fd);

  // -- submit -----------------------------------------------------------------------------------

  /// Hands what is prepared to the kernel, waits for nothing.
  void submit();
  /// Hands what is prepared to the kernel and waits until `want` completions are there, or
  /// `timeout` is over, or a signal arrives. With want == 0 it only collects what is ready.
  void submit_and_wait(unsigned want, std::chrono::nanoseconds timeout);

  // -- reap -------------------------------------------------------------------------------------

  /// Calls `f(const Completion&)` for each completion that is there, at most `limit` of them, in
  /// the order in which the kernel posted them. Returns how many. `f` may prepare operations.
  template <typename F>
  unsigned reap(unsigned limit, F&& f);

  /// System calls so far, of the thread that uses the ring: io_uring_enter, and shutdown(2) with
  /// RingSettings::shutdown_call. A running ring makes no other.
  std::uint64_t system_calls() const { return system_calls_; }
  /// Completions that did not fit the CQ and took the kernel's slow path (none are lost).
  bool overflowed() const;

 private:
  io_uring_sqe* blank(Token token);
  io_uring_sqe* prepare(Token token);
  io_uring_sqe* prepare_on(Slot slot, Token token);
  io_uring_sqe* transfer(std::uint8_t opcode, Slot slot, std::span<const std::byte> bytes,
                         Token token);
  void socket_command(unsigned command, Slot slot, int level, int name,
                      std::span<const std::byte> value, Token token);
  Token note(PlainTable::Effect effect, Slot slot, Token token);
  void make_room(unsigned needed);
  bool poller_sleeps() const;
  void await_poller();
  unsigned flush();
  void enter(unsigned to_submit, unsigned want, unsigned flags, io_uring_getevents_arg* argument);

  int limit_accept_slots(Slot first, unsigned count);

  io_uring ring_{};
  unsigned slots_ = 0, first_accept_slot_ = 0;
  const bool sqpoll_, shutdown_call_;
  std::unique_ptr<PlainTable> plain_;  ///< null: direct descriptors
  std::vector<Completion> done_;       ///< of what was a plain system call, not yet reaped
  std::size_t done_reaped_ = 0;
  unsigned enter_flags_ = 0;
  std::uint64_t system_calls_ = 0;
  const __kernel_timespec* next_limit_ = nullptr;
  Token next_limit_token_ = 0;
  std::uint8_t next_link_ = 0;  ///< IOSQE_*
  bool saw_overflow_ = false;
};

template <typename F>
unsigned Ring::reap(unsigned limit, F&& f) {
  unsigned seen = 0;
  for (; done_reaped_ < done_.size() && seen < limit; ++seen) f(Completion(done_[done_reaped_++]));
  if (done_reaped_ == done_.size()) {
    done_.clear();
    done_reaped_ = 0;
  }
  unsigned head = *ring_.cq.khead;
  const unsigned tail = io_uring_smp_load_acquire(ring_.cq.ktail);
  for (; head != tail && seen < limit; ++head, ++seen) {
    const io_uring_cqe& cqe = ring_.cq.cqes[head & ring_.cq.ring_mask];
    const Completion completion{cqe.user_data, cqe.res, (cqe.flags & IORING_CQE_F_MORE) != 0,
                                (cqe.flags & IORING_CQE_F_NOTIF) != 0};
    // Freed before f runs: f may submit, and the kernel must find room.
    io_uring_smp_store_release(ring_.cq.khead, head + 1);
    f(plain_ && PlainTable::is_note(completion) ? plain_->settle(completion) : completion);
  }
  return seen;
}

}  // namespace ringchurn
