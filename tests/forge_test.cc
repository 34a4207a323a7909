// What arrives without having been sent: forged segments and ICMP errors against the real kernel,
// and the sequence numbers that they need. In IPv4 and IPv6 alike.
#include "workloads/forge.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <chrono>
#include <future>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/acting.h"
#include "workloads/tcp_position.h"

namespace ringchurn {
namespace {

using namespace std::chrono_literals;

class ForgeTest : public ActTest {};

INSTANTIATE_TEST_SUITE_P(In, ForgeTest, testing::Values(AF_INET, AF_INET6), family);

// -- forged segments ------------------------------------------------------------------------------

constexpr int kInWindow = 10, kOutside = 100'000'000;

TEST_P(ForgeTest, AnExactRstResetsOneEndAndTheOtherLearnsOfItWhenItSends) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              return Words{played(Act::arrives_rst, pair.c()),
                           receive(pair.c()),
                           state(pair.c()),
                           peer_state(pair.c()),
                           send_one(pair.s()),
                           receive(pair.s())};
            }),
            "ok ECONNRESET CLOSE ESTABLISHED 1 ECONNRESET");
}

TEST_P(ForgeTest, AnExactRstIsExactAfterData) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              Words words{send_one(pair.s()), send_one(pair.c()), receive(pair.c())};
              words.push_back(played(Act::arrives_rst, pair.s()));
              words.push_back(receive(pair.s()));  // what came before is still there
              words.push_back(receive(pair.s()));
              return words;
            }),
            "1 1 1 ok 1 ECONNRESET");
}

TEST_P(ForgeTest, AnExactRstEndsAReceiveThatWaits) {
  EXPECT_EQ(
      lab_says([] {
        Pair pair(domain());
        auto answer = std::async(std::launch::async, [&] {
          char byte = 0;
          return call(recv(pair.c(), &byte, 1, 0));
        });
        std::this_thread::sleep_for(10ms);  // it waits by then; if not, the answer is the same
        return Words{played(Act::arrives_rst, pair.c()), answer.get()};
      }),
      "ok ECONNRESET");
}

TEST_P(ForgeTest, AnRstInTheWindowDrawsAChallengeAck) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              Words words;
              words.push_back(moved("TCPChallengeACK", [&] {
                words = {played(Act::arrives_rst, pair.c(), kInWindow), alive(pair)};
              }));
              return words;
            }),
            "ok 1 1 1 1 1");
}

TEST_P(ForgeTest, AnRstOutsideOfTheWindowIsIgnored) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              std::string answer;
              const std::string sent =
                  moved("OutSegs", [&] { answer = played(Act::arrives_rst, pair.c(), kOutside); });
              return Words{answer, sent, alive(pair)};
            }),
            "ok 0 1 1 1 1");
}

TEST_P(ForgeTest, ASynDrawsAChallengeAck) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              Words words;
              words.push_back(moved("TCPSYNChallenge", [&] {
                words = {played(Act::arrives_syn, pair.c()), alive(pair)};
              }));
              return words;
            }),
            "ok 1 1 1 1 1");
}

TEST_P(ForgeTest, AFinIsTakenForThePeers) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              return Words{played(Act::arrives_fin, pair.c()), receive(pair.c()), state(pair.c()),
                           peer_state(pair.c())};
            }),
            "ok EOF CLOSE_WAIT ESTABLISHED");
}

TEST_P(ForgeTest, AFinAcknowledgesNothingThatThePeerHasNotGot) {
  EXPECT_EQ(
      lab_says([] {
        Pair pair(domain());
        sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
        const sock_fprog program{1, &drop_all};
        setsockopt(pair.s(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
        send_one(pair.c());
        TcpPosition before, after;
        tcp_position_of(pair.c(), before);
        Words words{played(Act::arrives_fin, pair.c()), state_in_time(pair.c(), "CLOSE_WAIT")};
        tcp_position_of(pair.c(), after);
        words.push_back(std::to_string(after.snd_nxt - after.snd_una));
        words.push_back(std::to_string(after.rcv_nxt - before.rcv_nxt));
        return words;
      }),
      "ok CLOSE_WAIT 1 1");
}

TEST_P(ForgeTest, AnRstRefusesAConnect) {
  EXPECT_EQ(lab_says([] {
              Connecting connecting(domain());
              return Words{played(Act::arrives_rst, connecting.fd()), connecting.answer()};
            }),
            "ok ECONNREFUSED");
}

TEST_P(ForgeTest, ASynOpensSimultaneously) {
  EXPECT_EQ(lab_says([] {
              Connecting connecting(domain());
              Words words{played(Act::arrives_syn, connecting.fd()),
                          state_in_time(connecting.fd(), "SYN_RECV")};
              words.push_back(played(Act::arrives_rst, connecting.fd()));
              words.push_back(connecting.answer());
              return words;
            }),
            "ok SYN_RECV ok ECONNRESET");
}

TEST_P(ForgeTest, NothingArrivesWhereThereIsNoPeer) {
  EXPECT_EQ(lab_says([] {
              const Listener listener(domain());
              const Descriptor socket = listener.socket();
              Words words;
              for (const int fd : {listener.fd(), socket.get()}) {
                words.push_back(played(Act::arrives_rst, fd));
                words.push_back(played(Act::arrives_icmp, fd, 1));
              }
              return words;
            }),
            "ENOTCONN ENOTCONN ENOTCONN ENOTCONN");
}

// -- destination unreachable ----------------------------------------------------------------------

/// ICMP's codes (RFC 792, RFC 1812) and ICMPv6's (RFC 4443), with what Linux makes of them:
/// icmp_err_convert[] in net/ipv4/icmp.c, tab_unreach[] in net/ipv6/icmp.c.
std::vector<std::pair<int, const char*>> unreachable_codes(int domain) {
  if (domain == AF_INET) {
    return {{0, "ENETUNREACH"}, {1, "EHOSTUNREACH"},  {2, "ENOPROTOOPT"},  {3, "ECONNREFUSED"},
            {9, "ENETUNREACH"}, {10, "EHOSTUNREACH"}, {13, "EHOSTUNREACH"}};
  }
  return {{0, "ENETUNREACH"},  {1, "EACCES"}, {3, "EHOSTUNREACH"},
          {4, "ECONNREFUSED"}, {5, "EACCES"}, {6, "EACCES"}};
}

constexpr int host_unreachable(int domain) { return domain == AF_INET ? 1 : 3; }

TEST_P(ForgeTest, AnUnreachableDestinationEndsAConnect) {
  for (const auto& [code, error] : unreachable_codes(domain())) {
    EXPECT_EQ(lab_says([code = code] {
                Connecting connecting(domain());
                return Words{played(Act::arrives_icmp, connecting.fd(), code), connecting.answer()};
              }),
              joined({"ok", error}))
        << "code " << code;
  }
}

TEST_P(ForgeTest, AnUnreachableDestinationIsASoftErrorOfAConnection) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              return Words{played(Act::arrives_icmp, pair.c(), host_unreachable(domain())),
                           in_time([&] { return so_error(pair.c()); }, "EHOSTUNREACH"),
                           receive_now(pair.c()), so_error(pair.c()), alive(pair)};
            }),
            "ok EHOSTUNREACH EAGAIN ok 1 1 1 1");
}

TEST_P(ForgeTest, AnUnreachableDestinationIsAHardErrorWhereItIsAskedFor) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              const int on = 1;
              domain() == AF_INET
                  ? setsockopt(pair.c(), IPPROTO_IP, IP_RECVERR, &on, sizeof on)
                  : setsockopt(pair.c(), IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
              return Words{played(Act::arrives_icmp, pair.c(), host_unreachable(domain())),
                           receive(pair.c()), alive(pair)};
            }),
            "ok EHOSTUNREACH 1 1 1 1");
}

// -- sequence numbers -----------------------------------------------------------------------------

TEST_P(ForgeTest, ReadsWhereAConnectionStands) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              TcpPosition client, server, later;
              Words words{said(tcp_position_of(pair.c(), client)),
                          said(tcp_position_of(pair.s(), server))};
              const bool agree = client.snd_nxt == server.rcv_nxt &&
                                 server.snd_nxt == client.rcv_nxt &&
                                 client.snd_una == client.snd_nxt;
              words.emplace_back(agree ? "agree" : "disagree");
              send_one(pair.c());
              receive(pair.s());
              tcp_position_of(pair.c(), later);
              words.push_back(std::to_string(later.snd_nxt - client.snd_nxt));
              words.push_back(std::to_string(later.rcv_nxt - client.rcv_nxt));
              return words;
            }),
            "ok ok agree 1 0");
}

TEST_P(ForgeTest, ReadingSequenceNumbersSendsNothingAndChangesNothing) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              const int on = 1;
              setsockopt(pair.c(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
              TcpPosition position;
              const std::string sent = moved("OutSegs", [&] {
                tcp_position_of(pair.c(), position);
                tcp_position_of(pair.s(), position);
              });
              const auto option = [](int fd, int level, int name) {
                int value = 0;
                socklen_t length = sizeof value;
                getsockopt(fd, level, name, &value, &length);
                return std::to_string(value);
              };
              return Words{sent, option(pair.c(), SOL_SOCKET, SO_REUSEADDR),
                           option(pair.s(), SOL_SOCKET, SO_REUSEADDR),
                           option(pair.c(), IPPROTO_TCP, TCP_REPAIR), alive(pair)};
            }),
            "0 1 0 0 1 1 1 1");
}

TEST_P(ForgeTest, ASocketThatIsToVanishStillVanishes) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              const int on = 1;
              setsockopt(pair.c(), IPPROTO_TCP, TCP_REPAIR, &on, sizeof on);
              Words words{played(Act::arrives_rst, pair.c(), kOutside)};
              words.push_back(moved("OutSegs", [&] { pair.client.reset(); }));
              words.push_back(receive_now(pair.s()));
              return words;
            }),
            "ok 0 EAGAIN");
}

/// Fills the send queue; returns what went in.
ssize_t fill(int fd) {
  ssize_t sent = 0;
  std::vector<char> piece(10'000);
  while (true) {
    for (std::size_t i = 0; i < piece.size(); ++i) {
      piece[i] = static_cast<char>((static_cast<std::size_t>(sent) + i) % 251);
    }
    const ssize_t length = send(fd, piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (length < 0) return sent;
    sent += length;
  }
}

/// How many of the bytes of fill() arrive, in order, before there is an end or a long silence.
ssize_t drain(int fd) {
  const timeval limit{5, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ssize_t received = 0;
  std::vector<char> piece(5'000);
  while (true) {
    const ssize_t length = recv(fd, piece.data(), piece.size(), 0);
    if (length <= 0) return received;
    for (ssize_t i = 0; i < length; ++i, ++received) {
      if (piece[static_cast<std::size_t>(i)] != static_cast<char>(received % 251)) return received;
    }
  }
}

TEST_P(ForgeTest, DataThatTheKernelIsSendingMeanwhileArrives) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              const ssize_t sent = fill(pair.c());
              auto received = std::async(std::launch::async, drain, pair.s());
              TcpPosition position;
              Words words{sent > 100'000 ? "many" : "few"};
              for (int i = 0; i < 20; ++i) {
                if (tcp_position_of(pair.c(), position) != 0) words.emplace_back("failed");
              }
              shutdown(pair.c(), SHUT_WR);
              words.emplace_back(received.get() == sent ? "arrived" : "lost");
              return words;
            }),
            "many arrived");
}

}  // namespace
}  // namespace ringchurn
