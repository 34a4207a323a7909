// Processes that die with a socket, and processes without a free descriptor: what the other end
// sees.
#include "workloads/death.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <future>
#include <string>

#include "ring/pending.h"
#include "tests/acting.h"
#include "workloads/descriptor.h"

namespace ringchurn {
namespace {

class ProcessTest : public ActTest {};

INSTANTIATE_TEST_SUITE_P(In, ProcessTest, testing::Values(AF_INET, AF_INET6), family);

// -- deaths ---------------------------------------------------------------------------------------

TEST_P(ProcessTest, AProcessThatEndsClosesItsSocket) {
  for (const Act death : {Act::die_exit, Act::die_kill}) {
    EXPECT_EQ(lab_says([death] {
                Pair pair(domain());
                Words words{died(death, pair.client), receive(pair.s())};
                words.push_back(peer_state_in_time(pair.s(), "FIN_WAIT2"));
                return words;
              }),
              "ok EOF FIN_WAIT2");
  }
}

TEST_P(ProcessTest, AProcessThatEndsWithUnreadDataResets) {
  for (const Act death : {Act::die_exit, Act::die_kill}) {
    EXPECT_EQ(lab_says([death] {
                Pair pair(domain());
                send_one(pair.s());
                return Words{died(death, pair.client), receive(pair.s())};
              }),
              "ok ECONNRESET");
  }
}

TEST_P(ProcessTest, ASocketThatSomebodyElseHoldsSurvivesAProcess) {
  EXPECT_EQ(
      lab_says([] {
        Pair pair(domain());
        ActOn on;
        on.other = pair.c();
        const Descriptor second(play(Act::dup, on).made);
        return Words{died(Act::die_kill, pair.client), receive_now(pair.s()), state(second.get())};
      }),
      "ok EAGAIN ESTABLISHED");
}

TEST_P(ProcessTest, AProcessHoldsNoOthersSocket) {
  EXPECT_EQ(lab_says([] {
              Pair dying(domain()), other(domain());
              Words words;
              bool gone = false;
              ActOn on;
              on.fd = dying.c();
              on.let_go = [&] {  // while the process lives
                other.client.reset();
                words.push_back(receive(other.s()));
                dying.client.reset();
                gone = true;
              };
              words.push_back(said(play(Act::die_exit, on).result));
              words.emplace_back(gone ? "gone" : "kept");
              return words;
            }),
            "EOF ok gone");
}

TEST_P(ProcessTest, ProcessesThatEndAtTheSameTimeDoNotKeepEachOthersSockets) {
  EXPECT_EQ(lab_says([] {
              const auto deaths = [] {
                std::string wrong;
                for (int i = 0; i < 20; ++i) {
                  Pair pair(domain());
                  const std::string answer = died(Act::die_kill, pair.client);
                  const std::string heard = receive(pair.s());
                  if (answer != "ok" || heard != "EOF") wrong += answer + heard;
                }
                return wrong;
              };
              auto first = std::async(std::launch::async, deaths);
              auto second = std::async(std::launch::async, deaths);
              return Words{first.get() + second.get()};
            }),
            "");
}

TEST_P(ProcessTest, AProcessIsKilledWithAReceiveInFlight) {
  const std::string ring = lab_says([] {
    const Pair pair(domain());
    return Words{said(ring_receive_pending(pair.c()))};
  });
  if (ring != "ok") GTEST_SKIP() << "io_uring: " << ring;
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              return Words{died(Act::die_pending, pair.client), receive(pair.s())};
            }),
            "ok EOF");
  EXPECT_EQ(lab_says([] {  // no receive stays in flight where there is something to receive
              Pair pair(domain());
              send_one(pair.s());
              return Words{died(Act::die_pending, pair.client), receive(pair.c())};
            }),
            "EALREADY(kept) 1");
}

TEST_P(ProcessTest, SigpipeKillsWithoutACoreDump) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              pair.server.reset();
              send_one(pair.c());  // draws the RST
              Words words{state_in_time(pair.c(), "CLOSE")};
              signal(SIGPIPE, SIG_IGN);  // as the program does: it must not reach the process
              words.push_back(played(Act::die_sigpipe, pair.c()));
              words.push_back(send_one(pair.c()));
              return words;
            }),
            "CLOSE ok EPIPE");
}

TEST_P(ProcessTest, NoSigpipeWhereSendSaysSomethingElse) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              Words words{played(Act::die_sigpipe, pair.c()), receive(pair.s())};
              const linger now{1, 0};
              setsockopt(pair.s(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
              pair.server.reset();
              words.push_back(played(Act::die_sigpipe, pair.c()));
              return words;
            }),
            "EIO 1 ECONNRESET");
}

// -- no descriptor left ---------------------------------------------------------------------------

TEST_P(ProcessTest, AStarvedProcessGetsNoSocketAndTakesNoConnection) {
  EXPECT_EQ(lab_says([] {
              const Listener listener(domain());
              const Descriptor client = listener.socket();
              ActOn on;
              on.domain = domain();
              on.other = listener.fd();
              Words words{
                  said(play(Act::starve_socket, on).result),
                  said(play(Act::starve_accept, on).result),  // not even from an empty queue
                  listener.connect(client.get()), said(play(Act::starve_accept, on).result)};
              const Descriptor server = listener.accept();  // it is still there
              words.push_back(state(server.get()));
              return words;
            }),
            "EMFILE EMFILE ok EMFILE ESTABLISHED");
}

// -- AF_UNIX
// ---------------------------------------------------------------------------------------

TEST(Process, AProcessThatEndsClosesItsUnixSocket) {
  for (const int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
    const Acted pair = play(Act::pair, on_unix(type));
    Descriptor one(pair.made);
    const Descriptor other(pair.made_other);
    EXPECT_EQ(joined({died(Act::die_kill, one), receive_now(other.get())}), "ok EOF");
  }
}

TEST(Process, SigpipeComesFromStreamsAndPipesOnly) {
  Acted pair = play(Act::pair, on_unix());
  const Descriptor stream_end(pair.made);
  close(pair.made_other);
  EXPECT_EQ(played(Act::die_sigpipe, stream_end.get()), "ok");
  pair = play(Act::pair, on_unix(SOCK_SEQPACKET));
  const Descriptor seqpacket_end(pair.made);
  close(pair.made_other);
  EXPECT_EQ(played(Act::die_sigpipe, seqpacket_end.get()), "EPIPE");
}

}  // namespace
}  // namespace ringchurn
