// Each act against the real kernel, in IPv4 and IPv6 alike. Deaths: death_test.cc; what arrives:
// forge_test.cc.
#include "workloads/act.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>

#include "tests/acting.h"
#include "workloads/descriptor.h"
#include "workloads/four_tuple.h"

namespace ringchurn {
namespace {

INSTANTIATE_TEST_SUITE_P(In, ActTest, testing::Values(AF_INET, AF_INET6), family);

// -- states ---------------------------------------------------------------------------------------

TEST_P(ActTest, TellsTheStateOfASocket) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              Connecting connecting(domain());
              Words words{state(pair.listener.socket().get()), state(pair.listener.fd()),
                          state(pair.c()), state(connecting.fd())};
              pair.server.reset();
              words.push_back(state_in_time(pair.c(), "CLOSE_WAIT"));
              return words;
            }),
            "CLOSE LISTEN ESTABLISHED SYN_SENT CLOSE_WAIT");
}

TEST_P(ActTest, TellsThePeersStateAfterItsSocketIsClosed) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              Words words{peer_state(pair.c()), peer_state(pair.s())};
              pair.server.reset();
              words.push_back(peer_state_in_time(pair.c(), "FIN_WAIT2"));
              shutdown(pair.c(), SHUT_WR);
              words.push_back(state_in_time(pair.c(), "CLOSE"));
              words.push_back(peer_state_in_time(pair.c(), "TIME_WAIT"));
              return words;
            }),
            "ESTABLISHED ESTABLISHED FIN_WAIT2 CLOSE TIME_WAIT");
}

TEST_P(ActTest, TellsThatThePeerIsGoneAfterAReset) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              const linger now{1, 0};
              setsockopt(pair.s(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
              pair.server.reset();
              return Words{state_in_time(pair.c(), "CLOSE"), peer_state_in_time(pair.c(), "none")};
            }),
            "CLOSE none");
}

TEST_P(ActTest, TellsAHandshakeThatIsNotOver) {
  EXPECT_EQ(lab_says([] {
              const Listener listener(domain());
              const int seconds = 5;
              setsockopt(listener.fd(), IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds);
              const Descriptor client = listener.socket();
              listener.connect(client.get());
              Connecting unheard(domain());
              return Words{state(client.get()), peer_state_in_time(client.get(), "SYN_RECV"),
                           peer_state(unheard.fd())};
            }),
            "ESTABLISHED SYN_RECV none");
}

TEST_P(ActTest, KnowsNoPeerWhereThereIsNone) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              sockaddr unspecified{};
              unspecified.sa_family = AF_UNSPEC;
              return Words{call(connect(pair.c(), &unspecified, sizeof unspecified)),
                           peer_state(pair.listener.socket().get()), peer_state(pair.listener.fd()),
                           peer_state(pair.c())};
            }),
            "ok ENOTCONN ENOTCONN ENOTCONN");
}

// -- SOCK_DESTROY ---------------------------------------------------------------------------------

class DestroyTest : public ActTest {
 protected:
  void SetUp() override {
    ActTest::SetUp();
    if (IsSkipped()) return;
    const std::string answer =
        lab_says([] { return Words{played(Act::destroy, Pair(domain()).c())}; });
    if (answer == "EOPNOTSUPP") {
      GTEST_SKIP() << "this kernel has no SOCK_DESTROY (CONFIG_INET_DIAG_DESTROY)";
    }
  }
};

INSTANTIATE_TEST_SUITE_P(In, DestroyTest, testing::Values(AF_INET, AF_INET6), family);

TEST_P(DestroyTest, AbortsAConnectionAtBothEnds) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              return Words{played(Act::destroy, pair.c()), receive(pair.c()), receive(pair.s()),
                           state(pair.c()), played(Act::destroy, pair.c())};
            }),
            "ok ECONNABORTED ECONNRESET CLOSE ENOENT");
}

TEST_P(DestroyTest, AbortsTheSocketThatItIsAskedFor) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              return Words{played(Act::destroy, pair.s()), receive(pair.c()), receive(pair.s())};
            }),
            "ok ECONNRESET ECONNABORTED");
}

TEST_P(DestroyTest, EndsAConnect) {
  EXPECT_EQ(lab_says([] {
              Connecting connecting(domain());
              return Words{played(Act::destroy, connecting.fd()), connecting.answer()};
            }),
            "ok ECONNABORTED");
}

TEST_P(DestroyTest, EndsAListener) {
  EXPECT_EQ(lab_says([] {
              const Listener listener(domain());
              const Descriptor client = listener.socket();
              return Words{played(Act::destroy, listener.fd()), state(listener.fd()),
                           call(listener.accept().get()), listener.connect(client.get())};
            }),
            "ok CLOSE EINVAL ECONNREFUSED");
}

// -- ports and addresses --------------------------------------------------------------------------

TEST_P(ActTest, PortsOfLeavesOnePortToTheKernel) {
  const std::string answer = lab_says([] {
    Pair pair(domain());
    return Words{played_with(Act::ports_of, pair.listener.socket().get(), pair.c())};
  });
  if (answer == "ENOPROTOOPT") GTEST_SKIP() << "IP_LOCAL_PORT_RANGE needs Linux 6.3";
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              const Listener elsewhere(domain());
              const Descriptor same = elsewhere.socket(), other = elsewhere.socket();
              Words words{played_with(Act::ports_of, same.get(), pair.c()),
                          played_with(Act::ports_of, other.get(), pair.c()),
                          pair.listener.connect(same.get()), elsewhere.connect(other.get())};
              sockaddr_storage first{}, second{};
              socklen_t length = 0;
              local_address(pair.c(), first, length);
              local_address(other.get(), second, length);
              words.emplace_back(port_of(first) == port_of(second) ? "same" : "another");
              // To the kernel 0 would mean: any port.
              words.push_back(played_with(Act::ports_of, pair.c(), elsewhere.socket().get()));
              return words;
            }),
            "ok ok EADDRNOTAVAIL ok same EINVAL");
}

TEST_P(ActTest, BindToTakesTheAddressOfAnother) {
  EXPECT_EQ(lab_says([] {
              Listener listener(domain());
              const Descriptor late = listener.socket();
              return Words{played_with(Act::bind_to, late.get(), listener.fd())};
            }),
            "EADDRINUSE");
}

TEST_P(ActTest, ListensOnLoopbackWithTheBacklogThatItIsTold) {
  EXPECT_EQ(lab_says([] {
              ActOn on;
              on.domain = domain();
              const Acted acted = play(Act::listen, on, 3);
              const Descriptor listener(acted.made);
              tcp_info info{};
              socklen_t length = sizeof info;
              getsockopt(acted.made, IPPROTO_TCP, TCP_INFO, &info, &length);
              const bool is_loopback =
                  domain() == AF_INET
                      ? reinterpret_cast<const sockaddr_in*>(&acted.address)->sin_addr.s_addr ==
                            htonl(INADDR_LOOPBACK)
                      : IN6_IS_ADDR_LOOPBACK(
                            &reinterpret_cast<const sockaddr_in6*>(&acted.address)->sin6_addr);
              return Words{said(acted.result), is_loopback ? "loopback" : "elsewhere",
                           port_of(acted.address) >= 1024 ? "port" : "none",
                           std::to_string(info.tcpi_sacked),  // a listener's backlog
                           acted.address_length == length_of(acted.address) ? "length" : "?"};
            }),
            "ok loopback port 3 length");
}

TEST_P(ActTest, WithoutCapabilitiesTheKernelSaysSo) {
  EXPECT_EQ(lab_says([] {
              Pair pair(domain());
              __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
              const __user_cap_data_struct nothing[2] = {};
              Words words{call(syscall(SYS_capset, &header, nothing))};
              words.push_back(played(Act::destroy, pair.c()));
              words.push_back(played(Act::arrives_rst, pair.c()));
              words.push_back(played(Act::arrives_icmp, pair.c(), 1));
              words.push_back(peer_state(pair.c()));
              words.push_back(alive(pair));
              return words;
            }),
            "ok EPERM EPERM EPERM ESTABLISHED 1 1 1 1");
}

// -- what is not TCP ------------------------------------------------------------------------------

TEST(Act, MakesAPair) {
  for (const int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
    const Acted acted = play(Act::pair, on_unix(type));
    const Descriptor one(acted.made), other(acted.made_other);
    EXPECT_EQ(joined({said(acted.result), send_one(one.get()), receive(other.get())}), "ok 1 1");
  }
  const Acted refused = play(Act::pair, ActOn{});
  EXPECT_EQ(said(refused.result), "EOPNOTSUPP") << "TCP has no socketpair(2)";
  EXPECT_EQ(refused.made, -1);
}

TEST(Act, MakesAPipeWhoseWritingEndIsFirst) {
  const Acted acted = play(Act::pipe, ActOn{});
  const Descriptor writes(acted.made), reads(acted.made_other);
  char byte = 0;
  EXPECT_EQ(joined({said(acted.result), call(write(writes.get(), "x", 1)),
                    call(read(reads.get(), &byte, 1))}),
            "ok 1 1");
}

TEST(Act, MakesARegularFile) {
  const Acted acted = play(Act::file, ActOn{});
  const Descriptor file(acted.made);
  struct stat status {};
  ASSERT_EQ(fstat(file.get(), &status), 0);
  EXPECT_TRUE(S_ISREG(status.st_mode));
  EXPECT_EQ(send_one(file.get()), "ENOTSOCK");
  for (const Act what : {Act::state, Act::peer_state, Act::destroy, Act::arrives_rst}) {
    EXPECT_EQ(played(what, file.get()), "ENOTSOCK");
  }
}

TEST(Act, MakesASecondReference) {
  const Acted pair = play(Act::pair, on_unix());
  Descriptor one(pair.made), other(pair.made_other);
  ActOn on;
  on.other = one.get();
  Descriptor second(play(Act::dup, on).made);
  one.reset();
  EXPECT_EQ(receive_now(other.get()), "EAGAIN");
  second.reset();
  EXPECT_EQ(receive_now(other.get()), "EOF");
  on.other = -1;
  EXPECT_EQ(said(play(Act::dup, on).result), "EBADF");
}

TEST(Act, ListensUnderAnAbstractName) {
  for (const int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
    const Acted acted = play(Act::listen, on_unix(type), 1);
    const Descriptor listener(acted.made), client(socket(AF_UNIX, type, 0)),
        late(socket(AF_UNIX, type, 0));
    const auto* name = reinterpret_cast<const sockaddr_un*>(&acted.address);
    EXPECT_EQ(name->sun_path[0], '\0');
    EXPECT_GT(acted.address_length, sizeof(sa_family_t));
    EXPECT_EQ(
        call(connect(client.get(), reinterpret_cast<const sockaddr*>(name), acted.address_length)),
        "ok");
    EXPECT_EQ(played_with(Act::bind_to, late.get(), listener.get()), "EADDRINUSE");
    EXPECT_EQ(played_with(Act::ports_of, late.get(), listener.get()), "EINVAL");
  }
}

TEST(Act, AUnixSocketHasNoTcpState) {
  const Acted pair = play(Act::pair, on_unix());
  const Descriptor one(pair.made), other(pair.made_other);
  for (const Act what : {Act::state, Act::peer_state, Act::destroy, Act::arrives_rst,
                         Act::arrives_syn, Act::arrives_fin, Act::arrives_icmp}) {
    EXPECT_EQ(played(what, one.get()), "EOPNOTSUPP");
  }
}

TEST(Act, NeedsTheDescriptorsThatItUses) {
  const auto words = [](Act what) {
    const ActNeeds need = needs(what);
    return std::string(need.fd ? "fd" : "") + (need.other ? "other" : "");
  };
  for (const Act what : {Act::listen, Act::pair, Act::pipe, Act::file, Act::starve_socket}) {
    EXPECT_EQ(words(what), "");
  }
  for (const Act what : {Act::state, Act::peer_state, Act::destroy, Act::die_exit, Act::die_kill,
                         Act::die_pending, Act::die_sigpipe, Act::arrives_rst, Act::arrives_icmp}) {
    EXPECT_EQ(words(what), "fd");
  }
  for (const Act what : {Act::dup, Act::starve_accept}) EXPECT_EQ(words(what), "other");
  for (const Act what : {Act::ports_of, Act::bind_to}) EXPECT_EQ(words(what), "fdother");
}

TEST(Act, NoActIsNone) { EXPECT_EQ(said(play(Act::none, ActOn{}).result), "EINVAL"); }

}  // namespace
}  // namespace ringchurn
