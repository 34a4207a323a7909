// A probe tells a connection that a process has taken from one that only the kernel has made.
#include "bench/probe.h"

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <string>

#include "tests/foreign_server.h"

namespace ringchurn {
namespace {

constexpr std::chrono::milliseconds kLong{20'000};
constexpr std::chrono::milliseconds kShort{100};

TEST(Probe, IsTakenByAServerThatAccepts) {
  for (const auto& serve : {accept_and_keep, accept_and_close}) {
    ForeignServer server(serve);
    const ProbeResult result = probe(server.address(), server.length(), kLong);
    EXPECT_EQ(result.error, 0);
    EXPECT_EQ(result.is_taken, true);
    EXPECT_LT(result.elapsed_s, 20);
  }
}

TEST(Probe, IsNotTakenByAServerThatDoesNot) {
  ForeignServer server(accept_nothing);
  const ProbeResult result = probe(server.address(), server.length(), kShort);
  EXPECT_EQ(result.error, 0) << "the kernel has established it all the same";
  EXPECT_EQ(result.is_taken, false);
  EXPECT_GE(result.elapsed_s, 0.1);
}

TEST(Probe, IsNotTakenByAServerThatIsStopped) {
  ForeignServer server(accept_and_close);
  server.process().stop();
  EXPECT_EQ(probe(server.address(), server.length(), kShort).is_taken, false);
}

TEST(Probe, GetsNoAnswerFromAFullQueue) {
  ForeignServer server(accept_nothing, 0);
  const Descriptor fills_it = server.connect();
  const ProbeResult result = probe(server.address(), server.length(), kShort);
  EXPECT_EQ(result.error, ETIMEDOUT);
  EXPECT_EQ(result.is_taken, std::nullopt);
}

TEST(Probe, IsRefusedWhereNobodyListens) {
  ForeignServer server(accept_nothing);
  server.process().kill();
  const ProbeResult result = probe(server.address(), server.length(), kLong);
  EXPECT_TRUE(result.is_refused());
  EXPECT_EQ(result.error, ECONNREFUSED);
  EXPECT_EQ(result.is_taken, std::nullopt);
}

TEST(Probe, CannotTellBeforeTheFirstByteOfADeferredAccept) {
  Descriptor listener = listen_at(ipv4_address("127.0.0.1"));
  const int seconds = 30;
  setsockopt(listener.get(), IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds);
  ForeignServer server(std::move(listener), accept_and_close);
  const ProbeResult result = probe(server.address(), server.length(), kShort);
  EXPECT_EQ(result.error, 0);
  EXPECT_EQ(result.is_taken, std::nullopt);
}

TEST(Probe, WorksOnUnixSockets) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // Abstract: the first byte of the name is 0.
  const int name = std::snprintf(address.sun_path + 1, sizeof address.sun_path - 1,
                                 "ringchurn-probe-%d", getpid());
  const auto length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1) + static_cast<socklen_t>(name);
  const auto* generic_address = reinterpret_cast<const sockaddr*>(&address);
  EXPECT_TRUE(probe(generic_address, length, kLong).is_refused());
  Descriptor listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(listener.get(), generic_address, length), 0);
  ASSERT_EQ(listen(listener.get(), 0), 0);
  EXPECT_EQ(probe(generic_address, length, kShort).is_taken, false);
  EXPECT_EQ(close(accept(listener.get(), nullptr, nullptr)), 0) << "the probe that has hung up";
  const Descriptor fills_it(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(connect(fills_it.get(), generic_address, length), 0);
  EXPECT_EQ(probe(generic_address, length, kShort).error, ETIMEDOUT);
  for (const auto& serve : {accept_and_keep, accept_and_close}) {
    const Child child([&] { serve(listener.get()); });
    const ProbeResult result = probe(generic_address, length, kLong);
    EXPECT_EQ(result.error, 0);
    EXPECT_EQ(result.is_taken, true);
  }
}

}  // namespace
}  // namespace ringchurn
