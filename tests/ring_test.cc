// The ring against the real kernel: every operation on direct descriptors over 127.0.0.1, the
// tokens that come back, and what happens at the ring's own limits.
#include "ring/ring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ring/error.h"
#include "tests/in_child.h"

namespace ringchurn {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr Ring::Token kToken = 0xf00d;
constexpr Ring::Slot kFirstAcceptSlot = 4;
constexpr RingSettings kSmall{
    .submissions = 64, .completions = 256, .slots = 8, .first_accept_slot = kFirstAcceptSlot};
constexpr __kernel_timespec kShort{0, 20'000'000};
constexpr __kernel_timespec kLong{3600, 0};

/// Waits for `count` completions; fewer only if none comes for ten seconds.
std::vector<Completion> completions(Ring& ring, std::size_t count) {
  std::vector<Completion> all;
  while (all.size() < count) {
    ring.submit_and_wait(1, 10s);
    const auto keep = [&all](const Completion& completion) { all.push_back(completion); };
    if (ring.reap(1000, keep) == 0) {
      ADD_FAILURE() << all.size() << " of " << count << " completions came";
      break;
    }
  }
  return all;
}

std::vector<Ring::Token> tokens(const std::vector<Completion>& all) {
  std::vector<Ring::Token> tokens;
  for (const Completion& completion : all) tokens.push_back(completion.token);
  return tokens;
}

/// A listening socket on 127.0.0.1, at a port that the kernel picked.
class Listener {
 public:
  Listener() {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address_;
    EXPECT_EQ(bind(fd_, address(), length), 0);
    EXPECT_EQ(listen(fd_, 16), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address_), &length), 0);
  }
  ~Listener() { close(fd_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int fd() const { return fd_; }
  const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&address_); }

 private:
  int fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address_{};
};

class RingTest : public testing::Test {
 protected:
  void SetUp() override {
    try {
      ring_.emplace(kSmall);
    } catch (const Error& error) {
      if (error.exit_code != kExitRingUnavailable) throw;
      GTEST_SKIP() << error.what();
    }
  }

  Ring& ring() { return *ring_; }

  /// The result of the only operation in flight, which was prepared with kToken.
  std::int32_t result() {
    const std::vector<Completion> all = completions(ring(), 1);
    if (all.size() != 1) return INT32_MIN;
    EXPECT_EQ(all[0].token, kToken);
    EXPECT_FALSE(all[0].more);
    return all[0].result;
  }

  void connect(Ring::Slot client) {
    ring().socket(client, AF_INET, kToken);
    ASSERT_EQ(result(), 0);
    ring().connect(client, listener_.address(), sizeof(sockaddr_in), kToken);
    ASSERT_EQ(result(), 0);
  }

  /// Connects `client` and returns the slot of the server's end.
  Ring::Slot connect_and_accept(Ring::Slot client) {
    connect(client);
    ring().accept(listener_.fd(), false, kToken);
    const std::int32_t slot = result();
    EXPECT_GE(slot, static_cast<std::int32_t>(kFirstAcceptSlot));
    EXPECT_LT(slot, static_cast<std::int32_t>(kSmall.slots));
    return static_cast<Ring::Slot>(slot);
  }

  std::int32_t send(Ring::Slot slot, std::string_view text) {
    ring().send(slot, std::as_bytes(std::span(text)), kToken);
    return result();
  }

  std::int32_t receive(Ring::Slot slot) {
    ring().receive(slot, buffer_, kToken);
    return result();
  }

  std::int32_t close_slot(Ring::Slot slot) {
    ring().close(slot, kToken);
    return result();
  }

  std::int32_t set_linger(Ring::Slot slot, std::size_t bytes = sizeof(linger)) {
    static const linger abort{1, 0};
    ring().set_option(slot, SOL_SOCKET, SO_LINGER, std::as_bytes(std::span(&abort, 1)).first(bytes),
                      kToken);
    return result();
  }

  std::string_view received(std::int32_t bytes) const {
    return {reinterpret_cast<const char*>(buffer_.data()), static_cast<std::size_t>(bytes)};
  }

  Listener listener_;
  std::array<std::byte, 64> buffer_{};
  std::optional<Ring> ring_;  // gone before the buffers that operations in flight refer to
};

// -- submitting and reaping ----------------------------------------------------------------------

TEST_F(RingTest, ANopComesBackWithItsWholeToken) {
  for (const Ring::Token token : {Ring::Token{0}, Ring::Token{1} << 63, ~Ring::Token{0}}) {
    ring().nop(token);
    const std::vector<Completion> all = completions(ring(), 1);
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].token, token);
    EXPECT_EQ(all[0].result, 0);
    EXPECT_FALSE(all[0].more);
  }
}

TEST_F(RingTest, NothingIsSubmittedBeforeSubmit) {
  ring().nop(1);
  EXPECT_EQ(ring().reap(10, [](const Completion&) {}), 0U);
  ring().submit();
  EXPECT_EQ(ring().reap(10, [](const Completion&) {}), 1U);
}

// What is linked behind a finished operation is task work, and IORING_SETUP_DEFER_TASKRUN leaves
// task work to submit_and_wait(): after submit() only the first link and the unlinked nop have
// ended.
TEST_F(RingTest, ALinkedNopStartsWhenTheOneBeforeHasEnded) {
  ring().nop(1, true);
  ring().nop(2, true);
  ring().nop(3);
  ring().nop(4);
  ring().submit();
  std::vector<Ring::Token> at_once;
  ring().reap(10,
              [&at_once](const Completion& completion) { at_once.push_back(completion.token); });
  EXPECT_THAT(at_once, ElementsAre(1, 4));
  EXPECT_THAT(tokens(completions(ring(), 2)), ElementsAre(2, 3));
}

TEST_F(RingTest, MoreOperationsThanSubmissionEntriesGoInSeveralBatches) {
  constexpr Ring::Token kMany = 200;
  const std::uint64_t before = ring().system_calls();
  for (Ring::Token token = 0; token < kMany; ++token) ring().nop(token);
  EXPECT_EQ(ring().system_calls() - before, (kMany - 1) / kSmall.submissions);
  const std::vector<Completion> all = completions(ring(), kMany);
  ASSERT_EQ(all.size(), kMany);
  for (Ring::Token token = 0; token < kMany; ++token) EXPECT_EQ(all[token].token, token);
  EXPECT_FALSE(ring().overflowed());
}

TEST_F(RingTest, CompletionsThatDoNotFitAreToldAndNotLost) {
  Ring tiny(RingSettings{.submissions = 4, .completions = 4});
  EXPECT_FALSE(tiny.overflowed());
  for (Ring::Token token = 0; token < 20; ++token) tiny.nop(token);
  const std::vector<Completion> all = completions(tiny, 20);
  ASSERT_EQ(all.size(), 20U);
  for (Ring::Token token = 0; token < 20; ++token) EXPECT_EQ(all[token].token, token);
  EXPECT_TRUE(tiny.overflowed());
}

TEST_F(RingTest, ReapStopsAtItsLimitAndGoesOnThere) {
  for (Ring::Token token = 0; token < 5; ++token) ring().nop(token);
  ring().submit_and_wait(5, 10s);
  std::vector<Ring::Token> seen;
  const auto keep = [&seen](const Completion& completion) { seen.push_back(completion.token); };
  EXPECT_EQ(ring().reap(2, keep), 2U);
  EXPECT_THAT(seen, ElementsAre(0, 1));
  EXPECT_EQ(ring().reap(10, keep), 3U);
  EXPECT_THAT(seen, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(ring().reap(10, keep), 0U);
}

// Both the completion queue and, at the fourth completion, the submission queue are full: only if a
// completion is freed before it is handed out is there room for what is submitted meanwhile.
TEST_F(RingTest, WhileReapingOperationsMayBePrepared) {
  Ring tiny(RingSettings{.submissions = 4, .completions = 8});
  for (Ring::Token token = 0; token < 8; ++token) tiny.nop(token);
  tiny.submit_and_wait(8, 10s);
  tiny.nop(99);
  EXPECT_EQ(tiny.reap(8, [&tiny](const Completion& completion) { tiny.nop(completion.token); }),
            8U);
  EXPECT_FALSE(tiny.overflowed());
  EXPECT_THAT(tokens(completions(tiny, 9)), UnorderedElementsAre(99, 0, 1, 2, 3, 4, 5, 6, 7));
}

TEST_F(RingTest, EveryCallIsCounted) {
  const std::uint64_t before = ring().system_calls();
  ring().submit();
  EXPECT_EQ(ring().system_calls(), before) << "there was nothing to submit";
  ring().nop(1);
  ring().nop(2);
  ring().submit();
  EXPECT_EQ(ring().system_calls(), before + 1);
  ring().submit_and_wait(0, 0ns);
  EXPECT_EQ(ring().system_calls(), before + 2);
  ring().submit_and_wait(2, 10s);
  EXPECT_EQ(ring().system_calls(), before + 3);
}

TEST_F(RingTest, WaitingEndsWhenTheTimeIsOver) {
  const auto began = std::chrono::steady_clock::now();
  ring().submit_and_wait(1, 20ms);
  EXPECT_GE(std::chrono::steady_clock::now() - began, 20ms);
  EXPECT_EQ(ring().reap(1, [](const Completion&) {}), 0U);

  ring().nop(1);
  ring().submit_and_wait(2, 20ms);
  EXPECT_EQ(ring().reap(2, [](const Completion&) {}), 1U) << "fewer than were wanted";
}

TEST_F(RingTest, ASignalEndsTheWait) {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  struct sigaction saved {};
  ASSERT_EQ(sigaction(SIGALRM, &action, &saved), 0);
  const itimerval again_and_again{{0, 10'000}, {0, 10'000}};
  ASSERT_EQ(setitimer(ITIMER_REAL, &again_and_again, nullptr), 0);
  ring().submit_and_wait(1, 1h);
  const itimerval never{};
  setitimer(ITIMER_REAL, &never, nullptr);
  sigaction(SIGALRM, &saved, nullptr);
  EXPECT_EQ(ring().reap(1, [](const Completion&) {}), 0U);
}

// -- timers and cancelling -----------------------------------------------------------------------

TEST_F(RingTest, APauseEndsWithEtime) {
  const auto began = std::chrono::steady_clock::now();
  ring().pause(&kShort, kToken);
  EXPECT_EQ(result(), -ETIME);
  EXPECT_GE(std::chrono::steady_clock::now() - began, 20ms);
}

TEST_F(RingTest, ALimitCancelsAReceiveAndCompletesWithItsOwnToken) {
  const Ring::Slot server = connect_and_accept(0);
  ring().limit_next(&kShort, 77);
  ring().receive(server, buffer_, kToken);
  std::vector<Completion> all = completions(ring(), 2);
  ASSERT_EQ(all.size(), 2U);
  if (all[0].token == 77) std::swap(all[0], all[1]);
  EXPECT_THAT(tokens(all), ElementsAre(kToken, 77));
  EXPECT_EQ(all[0].result, -ECANCELED);
  EXPECT_EQ(all[1].result, -ETIME);

  EXPECT_EQ(send(0, "late"), 4);
  EXPECT_EQ(receive(server), 4) << "the limit was for one operation";
}

TEST_F(RingTest, ALimitThatIsNotReachedEndsWithItsReceive) {
  const Ring::Slot server = connect_and_accept(0);
  EXPECT_EQ(send(0, "early"), 5);
  ring().limit_next(&kLong, 77);
  ring().receive(server, buffer_, kToken);
  std::vector<Completion> all = completions(ring(), 2);
  ASSERT_EQ(all.size(), 2U);
  if (all[0].token == 77) std::swap(all[0], all[1]);
  EXPECT_THAT(tokens(all), ElementsAre(kToken, 77));
  EXPECT_EQ(all[0].result, 5);
  EXPECT_EQ(all[1].result, -ECANCELED);
}

TEST_F(RingTest, ALimitGoesInOneBatchWithItsOperation) {
  const Ring::Slot server = connect_and_accept(0);
  for (unsigned i = 1; i < kSmall.submissions; ++i) ring().nop(1);
  ring().limit_next(&kShort, 77);
  ring().receive(server, buffer_, kToken);
  for (const Completion& completion : completions(ring(), kSmall.submissions + 1)) {
    const std::int32_t expected = completion.token == kToken ? -ECANCELED
                                  : completion.token == 77   ? -ETIME
                                                             : 0;
    EXPECT_EQ(completion.result, expected) << completion.token;
  }
}

TEST_F(RingTest, ALimitLeavesAZeroCopySendWhatItIs) {
  connect_and_accept(0);
  constexpr std::string_view kText = "12345";
  ring().limit_next(&kLong, 77);
  ring().send_zero_copy(0, std::as_bytes(std::span(kText)), kToken);
  unsigned notifications = 0;
  for (const Completion& completion : completions(ring(), 3)) {
    if (completion.notification) {
      ++notifications;
    } else {
      EXPECT_EQ(completion.result, completion.token == 77 ? -ECANCELED : 5) << completion.token;
    }
  }
  EXPECT_EQ(notifications, 1U);
}

TEST_F(RingTest, ALimitLeavesAGetsockoptWhatItIs) {
  ring().socket(0, AF_INET, kToken);
  ASSERT_EQ(result(), 0);
  int type = 0;
  ring().limit_next(&kLong, 77);
  ring().get_option(0, SOL_SOCKET, SO_TYPE, std::as_writable_bytes(std::span(&type, 1)), kToken);
  for (const Completion& completion : completions(ring(), 2)) {
    const std::int32_t expected = completion.token == 77 ? -ECANCELED : int{sizeof type};
    EXPECT_EQ(completion.result, expected) << completion.token;
  }
  EXPECT_EQ(type, SOCK_STREAM);
}

TEST_F(RingTest, CancelAllEndsEverythingInFlight) {
  const Ring::Slot server = connect_and_accept(0);
  ring().receive(server, buffer_, 1);
  ring().poll(0, POLLIN, 2);
  ring().pause(&kLong, 3);
  ring().accept(listener_.fd(), true, 4);
  ring().submit();
  ring().cancel_all(kToken);
  const std::vector<Completion> all = completions(ring(), 5);
  EXPECT_THAT(tokens(all), UnorderedElementsAre(1, 2, 3, 4, kToken));
  for (const Completion& completion : all) {
    EXPECT_EQ(completion.result, completion.token == kToken ? 4 : -ECANCELED) << completion.token;
    EXPECT_FALSE(completion.more);
  }
}

// -- sockets -------------------------------------------------------------------------------------

TEST_F(RingTest, BytesGoBothWaysUntilTheFin) {
  const Ring::Slot server = connect_and_accept(0);
  EXPECT_EQ(send(0, "request"), 7);
  EXPECT_EQ(receive(server), 7);
  EXPECT_EQ(received(7), "request");
  EXPECT_EQ(send(server, "answer"), 6);
  EXPECT_EQ(receive(0), 6);
  EXPECT_EQ(received(6), "answer");

  ring().shutdown(0, SHUT_WR, kToken);
  EXPECT_EQ(result(), 0);
  EXPECT_EQ(receive(server), 0);
  EXPECT_EQ(send(server, "after the FIN"), 13) << "the other direction is open";
  EXPECT_EQ(close_slot(server), 0);
  EXPECT_EQ(receive(0), 13);
  EXPECT_EQ(receive(0), 0);
  EXPECT_EQ(close_slot(0), 0);
}

TEST_F(RingTest, AReceiveTakesNoMoreThanItsBuffer) {
  const Ring::Slot server = connect_and_accept(0);
  EXPECT_EQ(send(0, "1234567"), 7);
  ring().receive(server, std::span(buffer_).first(3), kToken);
  EXPECT_EQ(result(), 3);
  EXPECT_EQ(received(4), std::string_view("123\0", 4));
  EXPECT_EQ(receive(server), 4);
  EXPECT_EQ(received(4), "4567");
}

TEST_F(RingTest, SendingAfterShutdownIsEpipeAndNoSignal) {
  connect_and_accept(0);
  ring().shutdown(0, SHUT_WR, kToken);
  EXPECT_EQ(result(), 0);
  EXPECT_EQ(send(0, "x"), -EPIPE);  // SIGPIPE would end this process
}

TEST_F(RingTest, ZeroLingerSetThroughTheRingTurnsCloseIntoAReset) {
  const Ring::Slot server = connect_and_accept(0);
  EXPECT_EQ(set_linger(0), 0);
  EXPECT_EQ(close_slot(0), 0);
  EXPECT_EQ(receive(server), -ECONNRESET);
}

TEST_F(RingTest, ASocketOptionIsRefusedAsBySetsockopt) {
  connect_and_accept(0);
  EXPECT_EQ(set_linger(0, 4), -EINVAL) << "half a struct linger";
  const int value = 1;
  ring().set_option(0, IPPROTO_TCP, 9999, std::as_bytes(std::span(&value, 1)), kToken);
  EXPECT_EQ(result(), -ENOPROTOOPT);
  ring().set_option(0, IPPROTO_TCP, TCP_NODELAY, std::as_bytes(std::span(&value, 1)), kToken);
  EXPECT_EQ(result(), 0);
}

TEST_F(RingTest, DisconnectResetsAndTheSocketConnectsAgain) {
  const Ring::Slot first = connect_and_accept(0);
  const sockaddr nowhere{AF_UNSPEC, {}};
  ring().connect(0, &nowhere, sizeof nowhere, kToken);
  EXPECT_EQ(result(), 0);
  EXPECT_EQ(receive(first), -ECONNRESET);
  ring().connect(0, listener_.address(), sizeof(sockaddr_in), kToken);
  EXPECT_EQ(result(), 0);
  ring().accept(listener_.fd(), false, kToken);
  const std::int32_t second = result();
  ASSERT_GE(second, 0);
  EXPECT_NE(second, static_cast<std::int32_t>(first));
  EXPECT_EQ(send(0, "again"), 5);
  EXPECT_EQ(receive(static_cast<Ring::Slot>(second)), 5);
}

TEST_F(RingTest, ConnectToAClosedPortIsRefused) {
  sockaddr_in closed{};
  std::memcpy(&closed, listener_.address(), sizeof closed);
  const int bound_only = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  closed.sin_port = 0;
  socklen_t length = sizeof closed;
  ASSERT_EQ(bind(bound_only, reinterpret_cast<sockaddr*>(&closed), length), 0);
  ASSERT_EQ(getsockname(bound_only, reinterpret_cast<sockaddr*>(&closed), &length), 0);
  ring().socket(0, AF_INET, kToken);
  ASSERT_EQ(result(), 0);
  ring().connect(0, reinterpret_cast<sockaddr*>(&closed), length, kToken);
  EXPECT_EQ(result(), -ECONNREFUSED);
  close(bound_only);
}

TEST_F(RingTest, AnAddressIsAsLongAsItIsSaidToBe) {
  ring().socket(0, AF_INET, kToken);
  ASSERT_EQ(result(), 0);
  ring().connect(0, listener_.address(), sizeof(sa_family_t), kToken);
  EXPECT_EQ(result(), -EINVAL);
}

TEST_F(RingTest, PollReportsWhatWasAskedForAndHangupsAlways) {
  const Ring::Slot server = connect_and_accept(0);
  ring().poll(server, POLLIN | POLLOUT, kToken);
  EXPECT_EQ(result(), POLLOUT);
  EXPECT_EQ(send(0, "x"), 1);
  ring().poll(server, POLLIN, kToken);
  EXPECT_EQ(result(), POLLIN);
  EXPECT_EQ(set_linger(0), 0);
  EXPECT_EQ(close_slot(0), 0);
  ring().poll(server, 0, kToken);
  EXPECT_EQ(result() & (POLLERR | POLLHUP), POLLERR | POLLHUP);
}

// Unlike poll(2), and why advance() looks at what a wait brought (IO_POLL_UNMASK in
// io_uring/poll.c).
TEST_F(RingTest, PollEndsAtThePeersFinWhateverWasAskedFor) {
  const Ring::Slot server = connect_and_accept(0);
  EXPECT_EQ(close_slot(0), 0);
  ring().poll(server, POLLHUP, kToken);
  EXPECT_EQ(result(), POLLRDHUP);
}

TEST_F(RingTest, AnOperationOnAnEmptySlotIsEbadf) {
  EXPECT_EQ(receive(3), -EBADF);
  EXPECT_EQ(close_slot(3), -EBADF);
  ring().socket(kSmall.slots, AF_INET, kToken);
  EXPECT_EQ(result(), -EINVAL) << "behind the table's end";
}

// "Closed when its last operation in flight is gone, not before": the trap that ring.h warns of.
TEST_F(RingTest, ACloseSendsNothingWhileAnOperationIsInFlight) {
  const Ring::Slot server = connect_and_accept(0);
  ring().receive(0, std::span(buffer_).first(1), 1);
  ring().submit();
  EXPECT_EQ(close_slot(0), 0);
  ring().limit_next(&kShort, 77);
  ring().receive(server, std::span(buffer_).last(1), kToken);
  for (const Completion& completion : completions(ring(), 2)) {
    EXPECT_LT(completion.result, 0) << "no FIN came";
  }
  ring().cancel_all(2);
  EXPECT_THAT(tokens(completions(ring(), 2)), UnorderedElementsAre(1, 2));
  EXPECT_EQ(receive(server), 0) << "and now it came";
}

// -- accepting -----------------------------------------------------------------------------------

TEST_F(RingTest, AMultishotAcceptGoesOn) {
  ring().accept(listener_.fd(), true, 9);
  ring().submit();
  std::vector<std::int32_t> slots;
  for (const Ring::Slot client : {0U, 1U, 2U}) {
    ring().socket(client, AF_INET, kToken);
    ASSERT_EQ(result(), 0);
    ring().connect(client, listener_.address(), sizeof(sockaddr_in), kToken);
    for (const Completion& completion : completions(ring(), 2)) {
      if (completion.token == kToken) {
        EXPECT_EQ(completion.result, 0);
        continue;
      }
      EXPECT_EQ(completion.token, 9U);
      EXPECT_TRUE(completion.more);
      slots.push_back(completion.result);
    }
  }
  EXPECT_THAT(slots, UnorderedElementsAre(4, 5, 6));
}

TEST_F(RingTest, ASingleAcceptTakesOneConnection) {
  connect(0);
  connect(1);
  EXPECT_EQ(connect_and_accept(2), kFirstAcceptSlot);
  ring().submit_and_wait(0, 0ns);
  EXPECT_EQ(ring().reap(10, [](const Completion&) {}), 0U) << "two connections are still waiting";
  ring().accept(listener_.fd(), false, kToken);
  EXPECT_EQ(result(), static_cast<std::int32_t>(kFirstAcceptSlot) + 1);
}

TEST_F(RingTest, AFullTableEndsTheAcceptAndTheConnection) {
  ring_.reset();
  ring_.emplace(RingSettings{.submissions = 8,
                             .completions = 64,
                             .slots = kFirstAcceptSlot + 1,
                             .first_accept_slot = kFirstAcceptSlot});
  EXPECT_EQ(connect_and_accept(0), kFirstAcceptSlot);
  connect(1);
  ring().accept(listener_.fd(), true, kToken);
  EXPECT_EQ(result(), -ENFILE);
  EXPECT_EQ(receive(1), 0) << "closed by the kernel, as if the server had done it";
}

TEST_F(RingTest, ASlotThatCloseEmptiedIsUsedAgain) {
  ring_.reset();
  ring_.emplace(RingSettings{.submissions = 8,
                             .completions = 64,
                             .slots = kFirstAcceptSlot + 1,
                             .first_accept_slot = kFirstAcceptSlot});
  for (int i = 0; i < 3; ++i) {
    const Ring::Slot server = connect_and_accept(0);
    EXPECT_EQ(server, kFirstAcceptSlot);
    EXPECT_EQ(close_slot(server), 0);
    EXPECT_EQ(receive(0), 0);
    EXPECT_EQ(close_slot(0), 0);
  }
}

// -- limits of the machine -----------------------------------------------------------------------

std::string table_under_limit(rlim_t descriptors, unsigned slots) {
  const rlimit limit{descriptors, descriptors};
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return "setrlimit";
  try {
    const Ring ring(RingSettings{.submissions = 8, .completions = 64, .slots = slots});
    return "made";
  } catch (const Error& error) {
    return std::to_string(error.exit_code) + " " + error.what();
  }
}

TEST_F(RingTest, ATableAboveTheDescriptorLimitNamesIt) {
  EXPECT_EQ(in_child([] { return table_under_limit(100, 100); }), "made");
  EXPECT_THAT(in_child([] { return table_under_limit(100, 101); }),
              AllOf(testing::StartsWith("1 RLIMIT_NOFILE = 100 "), HasSubstr("'ulimit -n 101'")));
}

#ifndef __SANITIZE_ADDRESS__
// Not under the sanitizers: to look at a virtual table pointer, UBSan opens a pipe, and calls it
// invalid when it cannot.
TEST_F(RingTest, NoDescriptorForTheRingNamesTheLimit) {
  EXPECT_THAT(in_child([] { return table_under_limit(0, 0); }),
              testing::StartsWith("1 no file descriptor is left for a ring (RLIMIT_NOFILE = 0)"));
}
#endif

// -- other ways ----------------------------------------------------------------------------------

RingSettings small(bool plain, bool shutdown_call, bool sqpoll) {
  RingSettings settings = kSmall;
  settings.plain = plain;
  settings.shutdown_call = shutdown_call;
  settings.sqpoll = sqpoll;
  return settings;
}

/// Ordinary descriptors of this process.
std::ptrdiff_t open_descriptors() {
  const std::filesystem::directory_iterator files("/proc/self/fd");
  return std::distance(begin(files), end(files));
}

class RingWaysTest : public RingTest, public testing::WithParamInterface<RingSettings> {
 protected:
  void SetUp() override {
    RingTest::SetUp();
    if (!IsSkipped()) ring_.emplace(GetParam());
  }

  bool is_plain() const { return GetParam().plain; }
};

INSTANTIATE_TEST_SUITE_P(Ways, RingWaysTest,
                         testing::Values(kSmall, small(true, false, false),
                                         small(true, true, false), small(false, false, true),
                                         small(true, false, true), small(true, true, true)));

TEST_P(RingWaysTest, AConnectionIsPlayedInTheSameSlots) {
  for (int i = 0; i < 3; ++i) {
    const Ring::Slot server = connect_and_accept(0);
    EXPECT_EQ(server, kFirstAcceptSlot);
    EXPECT_EQ(send(0, "hello"), 5);
    EXPECT_EQ(received(receive(server)), "hello");
    ring().shutdown(0, SHUT_WR, kToken);
    EXPECT_EQ(result(), 0);
    EXPECT_EQ(receive(server), 0);
    EXPECT_EQ(set_linger(server), 0);
    EXPECT_EQ(close_slot(server), 0);
    EXPECT_EQ(receive(0), -ECONNRESET);
    EXPECT_EQ(close_slot(0), 0);
    EXPECT_EQ(receive(0), -EBADF) << "the slot is empty";
  }
}

TEST_P(RingWaysTest, AMultishotAcceptGoesOnUntilItIsCancelled) {
  ring().accept(listener_.fd(), true, 77);
  std::vector<std::int32_t> slots;
  for (const Ring::Slot client : {0U, 1U}) {
    ring().socket(client, AF_INET, kToken);
    ASSERT_EQ(result(), 0);
    ring().connect(client, listener_.address(), sizeof(sockaddr_in), kToken);
    for (const Completion& completion : completions(ring(), 2)) {
      if (completion.token == kToken) continue;
      EXPECT_EQ(completion.token, 77U);
      EXPECT_TRUE(completion.more);
      slots.push_back(completion.result);
    }
  }
  EXPECT_THAT(slots, UnorderedElementsAre(4, 5));
  ring().cancel_token(77, kToken);
  for (const Completion& completion : completions(ring(), 2)) {
    EXPECT_EQ(completion.result, completion.token == kToken ? 0 : -ECANCELED);
    EXPECT_FALSE(completion.more);
  }
}

TEST_P(RingWaysTest, WhatIsInASlotCanBeHadAndPutElsewhere) {
  const Ring::Slot server = connect_and_accept(0);
  ring().install(0, kToken);
  const int fd = result();
  ASSERT_GE(fd, 0);
  EXPECT_EQ(::send(fd, "1", 1, 0), 1);
  EXPECT_EQ(receive(server), 1);
  EXPECT_EQ(ring().place(1, fd), 0);
  ::close(fd);
  EXPECT_EQ(close_slot(0), 0);
  EXPECT_EQ(send(1, "22"), 2) << "another reference to the same socket";
  EXPECT_EQ(receive(server), 2);
  EXPECT_EQ(ring().place(1, -1), 0);
  EXPECT_EQ(receive(server), 0);
}

TEST_P(RingWaysTest, AReceiveIsCancelledByItsSlot) {
  connect_and_accept(0);
  ring().receive(0, buffer_, 77);
  ring().cancel(0, kToken);
  const std::vector<Completion> all = completions(ring(), 2);
  for (const Completion& completion : all) {
    EXPECT_EQ(completion.result, completion.token == kToken ? 1 : -ECANCELED);
  }
}

TEST_P(RingWaysTest, MoreOperationsThanSubmissionEntriesFindRoom) {
  constexpr Ring::Token kMany = 200;
  for (Ring::Token token = 0; token < kMany; ++token) ring().nop(token);
  EXPECT_EQ(completions(ring(), kMany).size(), kMany);
}

TEST_P(RingWaysTest, WhatIsLeftInItIsClosedWithTheRing) {
  ring_.reset();
  const std::ptrdiff_t before = open_descriptors();
  ring_.emplace(GetParam());
  const std::ptrdiff_t with_ring = open_descriptors();
  connect_and_accept(0);
  EXPECT_EQ(open_descriptors() - with_ring, is_plain() ? 2 : 0);
  ring_.reset();
  EXPECT_EQ(open_descriptors(), before);
}

TEST_P(RingWaysTest, AShutdownOfItsOwnIsACallOfTheThread) {
  connect_and_accept(0);
  const std::uint64_t before = ring().system_calls();
  ring().shutdown(0, SHUT_WR, kToken);
  EXPECT_EQ(ring().system_calls() - before, GetParam().shutdown_call ? 1U : 0U);
  EXPECT_EQ(result(), 0);
  ring().shutdown(1, SHUT_WR, kToken);
  EXPECT_EQ(result(), -EBADF);
}

std::string plain_under_limit(rlim_t descriptors, unsigned slots) {
  const rlimit limit{descriptors, descriptors};
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return "setrlimit";
  try {
    const RingSettings settings{.submissions = 8, .completions = 64, .slots = slots, .plain = true};
    const Ring one(settings), other(settings);
    return "made";
  } catch (const Error& error) {
    return std::to_string(error.exit_code) + " " + error.what();
  }
}

TEST_F(RingTest, OrdinaryDescriptorsOfAllRingsAreUnderOneLimit) {
  EXPECT_EQ(in_child([] { return plain_under_limit(300, 100); }), "made");
  EXPECT_THAT(in_child([] { return plain_under_limit(300, 150); }),
              AllOf(testing::StartsWith("1 RLIMIT_NOFILE = 300 "), HasSubstr("plain")));
}

TEST(RingLibrary, HasAVersion) {
  EXPECT_THAT(Ring::library_version(), testing::MatchesRegex("[0-9]+\\.[0-9]+.*"));
}

}  // namespace
}  // namespace ringchurn
