// Set-up, the preparation of operations, and the one system call: see ring.h.
#include "ring/ring.h"

#include <fcntl.h>
#include <sched.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "ring/setup.h"

namespace ringchurn {
namespace {

// Younger than liburing 2.3's header: enum io_uring_socket_op in include/uapi/linux/io_uring.h.
constexpr unsigned kSocketOpGetSockOpt = 2, kSocketOpSetSockOpt = 3;
constexpr std::uint8_t kFixedFdInstall = 54;  // IORING_OP_FIXED_FD_INSTALL, Linux 6.8
constexpr std::uint8_t kBind = 56;            // IORING_OP_BIND, Linux 6.11

/// The least there is: what a polling thread burns when there is nothing to do is on somebody's
/// bill.
constexpr unsigned kPollerIdle_ms = 1;

io_uring_params parameters(const RingSettings& settings) {
  io_uring_params params{};
  params.flags = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  params.cq_entries = settings.completions;
  if (!settings.sqpoll) {
    params.flags |= IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    return params;
  }
  params.flags |= IORING_SETUP_SQPOLL;
  params.sq_thread_idle = kPollerIdle_ms;
  if (settings.sqpoll_cpu) {
    params.flags |= IORING_SETUP_SQ_AFF;
    params.sq_thread_cpu = static_cast<unsigned>(*settings.sqpoll_cpu);
  }
  return params;
}

}  // namespace

Ring::Ring(const RingSettings& settings)
    : slots_(settings.slots),
      first_accept_slot_(settings.first_accept_slot < settings.slots ? settings.first_accept_slot
                                                                     : 0),
      sqpoll_(settings.sqpoll),
      shutdown_call_(settings.shutdown_call) {
  if (settings.plain) {
    plain_ = std::make_unique<PlainTable>(settings.slots, settings.first_accept_slot);
  }
  io_uring_params params = parameters(settings);
  const SetupFacts facts = setup_facts(settings.slots);
  if (int error = io_uring_queue_init_params(settings.submissions, &ring_, &params); error < 0) {
    throw explain_setup_failure(-error, facts);
  }
  if (settings.slots > 0 && !plain_) {
    int error = io_uring_register_files_sparse(&ring_, settings.slots);
    if (error == 0 && first_accept_slot_ > 0) {
      error = limit_accept_slots(first_accept_slot_, slots_ - first_accept_slot_);
    }
    if (error < 0) {
      io_uring_queue_exit(&ring_);
      throw explain_table_failure(-error, facts);
    }
  }
  // Spares a descriptor look-up per call; works without, too.
  if (io_uring_register_ring_fd(&ring_) == 1) enter_flags_ = IORING_ENTER_REGISTERED_RING;
}

std::string Ring::library_version() { return RINGCHURN_LIBURING_VERSION; }

Ring::~Ring() { io_uring_queue_exit(&ring_); }

io_uring_sqe* Ring::prepare(Token token) {
  const unsigned needed = next_limit_ ? 2 : 1;  // a limit and its operation go in one batch
  if (io_uring_sq_space_left(&ring_) < needed) make_room(needed);
  io_uring_sqe* sqe = blank(token);
  sqe->flags = std::exchange(next_link_, std::uint8_t{0});
  return sqe;
}

void Ring::make_room(unsigned needed) {
  submit();
  while (io_uring_sq_space_left(&ring_) < needed) {  // only where another thread takes the entries
    enter(0, 0, IORING_ENTER_SQ_WAIT | (poller_sleeps() ? IORING_ENTER_SQ_WAKEUP : 0U), nullptr);
  }
}

io_uring_sqe* Ring::blank(Token token) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  if (!sqe) throw std::logic_error("no room in the submission queue after a submit");
  std::memset(sqe, 0, sizeof *sqe);
  sqe->user_data = token;
  return sqe;
}

io_uring_sqe* Ring::prepare_on(Slot slot, Token token) {
  io_uring_sqe* sqe = prepare(token);
  sqe->fd = plain_ ? plain_->descriptor(slot) : static_cast<int>(slot);
  if (!plain_) sqe->flags |= IOSQE_FIXED_FILE;
  if (next_limit_) {
    sqe->flags |= IOSQE_IO_LINK;
    io_uring_sqe* limit = blank(next_limit_token_);
    limit->opcode = IORING_OP_LINK_TIMEOUT;
    limit->fd = -1;
    limit->addr = reinterpret_cast<std::uint64_t>(next_limit_);
    limit->len = 1;
    next_limit_ = nullptr;
  }
  return sqe;
}

void Ring::limit_next(const __kernel_timespec* limit, Token token) {
  next_limit_ = limit;
  next_limit_token_ = token;
}

void Ring::link_next(bool hard) { next_link_ = hard ? IOSQE_IO_HARDLINK : IOSQE_IO_LINK; }

/// The user_data of an operation that changes what is in a slot.
Ring::Token Ring::note(PlainTable::Effect effect, Slot slot, Token token) {
  return plain_ ? plain_->note(effect, slot, token) : token;
}

int Ring::place(Slot slot, int fd) {
  if (plain_) return plain_->place(slot, fd);
  const int updated = io_uring_register_files_update(&ring_, slot, &fd, 1);
  return updated == 1 ? 0 : updated;
}

void Ring::socket(Slot slot, int domain, Token token, int type) {
  io_uring_sqe* sqe = prepare(note(PlainTable::Effect::fills, slot, token));
  sqe->opcode = IORING_OP_SOCKET;
  sqe->fd = domain;
  sqe->off = static_cast<unsigned>(plain_ ? type | SOCK_CLOEXEC : type);
  sqe->file_index = plain_ ? 0 : slot + 1;  // 0: an ordinary descriptor
}

void Ring::connect(Slot slot, const sockaddr* address, socklen_t length, Token token) {
  io_uring_sqe* sqe = prepare_on(slot, token);
  sqe->opcode = IORING_OP_CONNECT;
  sqe->addr = reinterpret_cast<std::uint64_t>(address);
  sqe->off = length;
}

void Ring::bind(Slot slot, const sockaddr* address, socklen_t length, Token token) {
  io_uring_sqe* sqe = prepare_on(slot, token);
  sqe->opcode = kBind;
  sqe->addr = reinterpret_cast<std::uint64_t>(address);
  sqe->off = length;
}

void Ring::accept(int listener, bool multishot, Token token) {
  io_uring_sqe* sqe = prepare(note(PlainTable::Effect::accepts, 0, token));
  sqe->opcode = IORING_OP_ACCEPT;
  sqe->fd = listener;
  if (plain_) {
    sqe->accept_flags = SOCK_CLOEXEC;
  } else {
    sqe->file_index = IORING_FILE_INDEX_ALLOC;
  }
  if (multishot) sqe->ioprio = IORING_ACCEPT_MULTISHOT;
}

void Ring::accept_into(Slot listener, Slot slot, Token token) {
  io_uring_sqe* sqe = prepare_on(listener, note(PlainTable::Effect::fills, slot, token));
  sqe->opcode = IORING_OP_ACCEPT;
  sqe->file_index = plain_ ? 0 : slot + 1;
}

int Ring::limit_accept_slots(Slot first, unsigned count) {
  return io_uring_register_file_alloc_range(&ring_, first, count);
}

void Ring::accept_beyond_table(Slot listener, Token token) { accept_into(listener, slots_, token); }

void Ring::accept_into_full_table(Slot listener, Token token) {
  limit_accept_slots(listener, 1);  // which is taken
  io_uring_sqe* sqe = prepare_on(listener, token);
  sqe->opcode = IORING_OP_ACCEPT;
  sqe->file_index = IORING_FILE_INDEX_ALLOC;
  submit();
  await_poller();
  limit_accept_slots(first_accept_slot_, slots_ - first_accept_slot_);
}

void Ring::accept_multishot(Slot listener, Token token) {
  io_uring_sqe* sqe = prepare_on(listener, token);
  sqe->opcode = IORING_OP_ACCEPT;
  sqe->ioprio = IORING_ACCEPT_MULTISHOT;
  sqe->file_index = IORING_FILE_INDEX_ALLOC;
}

io_uring_sqe* Ring::transfer(std::uint8_t opcode, Slot slot, std::span<const std::byte> bytes,
                             Token token) {
  io_uring_sqe* sqe = prepare_on(slot, token);
  sqe->opcode = opcode;
  sqe->addr = reinterpret_cast<std::uint64_t>(bytes.data());
  sqe->len = static_cast<unsigned>(bytes.size());
  return sqe;
}

void Ring::send(Slot slot, std::span<const std::byte> bytes, Token token, int flags) {
  transfer(IORING_OP_SEND, slot, bytes, token)->msg_flags = static_cast<unsigned>(flags);
}

void Ring::send_zero_copy(Slot slot, std::span<const std::byte> bytes, Token token) {
  transfer(IORING_OP_SEND_ZC, slot, bytes, token);
}

void Ring::write(Slot slot, std::span<const std::byte> bytes, Token token) {
  transfer(IORING_OP_WRITE, slot, bytes, token);
}

void Ring::read(Slot slot, std::span<std::byte> buffer, Token token) {
  transfer(IORING_OP_READ, slot, buffer, token);
}

void Ring::receive(Slot slot, std::span<std::byte> buffer, Token token, int flags) {
  transfer(IORING_OP_RECV, slot, buffer, token)->msg_flags = static_cast<unsigned>(flags);
}

void Ring::provide_buffers(std::span<std::byte> buffers, unsigned count, std::uint16_t group,
                           Token ignored) {
  // All that is left of an earlier life goes first: -ENOENT if nothing.
  io_uring_sqe* sqe = prepare(ignored);
  sqe->opcode = IORING_OP_REMOVE_BUFFERS;
  sqe->fd = 65536;  // MAX_BIDS_PER_BGID in io_uring/kbuf.c
  sqe->buf_group = group;
  sqe = prepare(ignored);
  sqe->opcode = IORING_OP_PROVIDE_BUFFERS;
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  sqe->fd = static_cast<int>(count);
  sqe->addr = reinterpret_cast<std::uint64_t>(buffers.data());
  sqe->len = static_cast<unsigned>(buffers.size() / count);
  sqe->buf_group = group;
}

void Ring::receive_multishot(Slot slot, std::uint16_t group, Token token) {
  io_uring_sqe* sqe = prepare_on(slot, token);
  sqe->opcode = IORING_OP_RECV;
  sqe->ioprio = IORING_RECV_MULTISHOT;
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = group;
}

void Ring::shutdown(Slot slot, int how, Token token) {
  if (shutdown_call_) {
    ++system_calls_;
    const int result = ::shutdown(plain_->descriptor(slot), how) == 0 ? 0 : -errno;
    return done_.push_back({token, result, false});
  }
  io_uring_sqe* sqe = prepare_on(slot, token);
  sqe->opcode = IORING_OP_SHUTDOWN;
  sqe->len = static_cast<unsigned>(how);
}

void Ring::socket_command(unsigned command, Slot slot, int level, int name,
                          std::span<const std::byte> value, Token token) {
  // struct io_uring_sqe since Linux 6.7: `addr` holds level (low half) and optname (high half),
  // `file_index` holds optlen, `addr3` holds the pointer to the value.
  io_uring_sqe* sqe = prepare_on(slot, token);
  sqe->opcode = IORING_OP_URING_CMD;
  sqe->cmd_op = command;
  sqe->addr = static_cast<std::uint32_t>(level) | (static_cast<std::uint64_t>(name) << 32);
  sqe->file_index = static_cast<unsigned>(value.size());
  sqe->addr3 = reinterpret_cast<std::uint64_t>(value.data());
}

void Ring::set_option(Slot slot, int level, int name, std::span<const std::byte> value,
                      Token token) {
  socket_command(kSocketOpSetSockOpt, slot, level, name, value, token);
}

void Ring::get_option(Slot slot, int level, int name, std::span<std::byte> value, Token token) {
  socket_command(kSocketOpGetSockOpt, slot, level, name, value, token);
}

void Ring::poll(Slot slot, unsigned events, Token token) {
  io_uring_sqe* sqe = prepare_on(slot, token);
  sqe->opcode = IORING_OP_POLL_ADD;
  sqe->poll32_events = __io_uring_prep_poll_mask(events);
}

void Ring::pause(const __kernel_timespec* time, Token token) {
  io_uring_sqe* sqe = prepare(token);
  sqe->opcode = IORING_OP_TIMEOUT;
  sqe->fd = -1;
  sqe->addr = reinterpret_cast<std::uint64_t>(time);
  sqe->len = 1;
}

void Ring::close(Slot slot, Token token) {
  io_uring_sqe* sqe = prepare(note(PlainTable::Effect::empties, slot, token));
  sqe->opcode = IORING_OP_CLOSE;
  if (plain_) {
    sqe->fd = plain_->descriptor(slot);
  } else {
    sqe->file_index = slot + 1;
  }
}

void Ring::cancel_all(Token token) {
  io_uring_sqe* sqe = prepare(token);
  sqe->opcode = IORING_OP_ASYNC_CANCEL;
  sqe->fd = -1;
  sqe->cancel_flags = IORING_ASYNC_CANCEL_ANY;
}

void Ring::cancel(Slot slot, Token token) {
  io_uring_sqe* sqe = prepare(token);
  sqe->opcode = IORING_OP_ASYNC_CANCEL;
  sqe->fd = plain_ ? plain_->descriptor(slot) : static_cast<int>(slot);
  sqe->cancel_flags = IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL;
  if (!plain_) sqe->cancel_flags |= IORING_ASYNC_CANCEL_FD_FIXED;
}

void Ring::cancel_token(Token victim, Token token) {
  io_uring_sqe* sqe = prepare(token);
  sqe->opcode = IORING_OP_ASYNC_CANCEL;
  sqe->fd = -1;
  sqe->addr = plain_ ? plain_->in_flight_as(victim) : victim;
}

void Ring::install(Slot slot, Token token) {
  if (plain_) return nop(note(PlainTable::Effect::copies, slot, token));
  io_uring_sqe* sqe = prepare_on(slot, token);
  sqe->opcode = kFixedFdInstall;
}

void Ring::nop(Token token, bool linked) {
  io_uring_sqe* sqe = prepare(token);
  sqe->opcode = IORING_OP_NOP;
  sqe->fd = -1;
  if (linked) sqe->flags |= IOSQE_IO_LINK;
}

unsigned Ring::flush() {
  // What liburing's io_uring_submit() does before its system call; done here so that every
  // io_uring_enter is ours and counted.
  io_uring_sq& sq = ring_.sq;
  unsigned tail = *sq.ktail;
  for (; sq.sqe_head != sq.sqe_tail; ++sq.sqe_head, ++tail) {
    sq.array[tail & sq.ring_mask] = sq.sqe_head & sq.ring_mask;
  }
  io_uring_smp_store_release(sq.ktail, tail);
  return tail - io_uring_smp_load_acquire(sq.khead);
}

void Ring::enter(unsigned to_submit, unsigned want, unsigned flags,
                 io_uring_getevents_arg* argument) {
  flags |= enter_flags_;
  ++system_calls_;
  const int result =
      argument ? io_uring_enter2(static_cast<unsigned>(ring_.enter_ring_fd), to_submit, want, flags,
                                 reinterpret_cast<sigset_t*>(argument), sizeof *argument)
               : io_uring_enter2(static_cast<unsigned>(ring_.enter_ring_fd), to_submit, want, flags,
                                 nullptr, 0);
  if (io_uring_smp_load_acquire(ring_.sq.kflags) & IORING_SQ_CQ_OVERFLOW) saw_overflow_ = true;
  // ETIME: the timeout; EINTR: a signal; EBUSY: the overflow list is being flushed. The caller's
  // loop comes back for all three, and SUBMIT_ALL has taken every entry.
  if (result < 0 && result != -ETIME && result != -EINTR && result != -EBUSY) {
    throw std::system_error(-result, std::generic_category(), "io_uring_enter");
  }
}

/// True if the kernel's thread does not look at the queue until it is woken. The fence orders the
/// queue's new tail before the look at the flag (io_uring_enter(2), IORING_SQ_NEED_WAKEUP).
bool Ring::poller_sleeps() const {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return sqpoll_ && (io_uring_smp_load_acquire(ring_.sq.kflags) & IORING_SQ_NEED_WAKEUP) != 0;
}

/// Until the kernel's thread has taken all that was submitted.
void Ring::await_poller() {
  while (sqpoll_ && io_uring_smp_load_acquire(ring_.sq.khead) != *ring_.sq.ktail) sched_yield();
}

void Ring::submit() {
  const unsigned count = flush();
  if (count == 0) return;
  if (!sqpoll_) return enter(count, 0, 0, nullptr);
  if (poller_sleeps()) enter(0, 0, IORING_ENTER_SQ_WAKEUP, nullptr);
}

void Ring::submit_and_wait(unsigned want, std::chrono::nanoseconds timeout) {
  if (!done_.empty()) want = 0;
  unsigned count = flush(), flags = IORING_ENTER_GETEVENTS;
  if (sqpoll_) {
    const bool overflows =
        (io_uring_smp_load_acquire(ring_.sq.kflags) & IORING_SQ_CQ_OVERFLOW) != 0;
    const bool is_there = want == 0 || io_uring_cq_ready(&ring_) >= want;
    const bool sleeps = count > 0 && poller_sleeps();
    if (is_there && !sleeps && !overflows) return;
    if (is_there) want = 0;
    if (sleeps) flags |= IORING_ENTER_SQ_WAKEUP;
    count = 0;
  }
  __kernel_timespec limit{timeout.count() / 1'000'000'000, timeout.count() % 1'000'000'000};
  io_uring_getevents_arg argument{};
  argument.ts = reinterpret_cast<std::uint64_t>(&limit);
  if (want == 0) {
    enter(count, 0, flags, nullptr);
  } else {
    enter(count, want, flags | IORING_ENTER_EXT_ARG, &argument);
  }
}

bool Ring::overflowed() const { return saw_overflow_ || *ring_.cq.koverflow > 0; }

}  // namespace ringchurn
