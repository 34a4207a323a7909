// What can be seen of a server from outside is what the server does.
#include "bench/server_watch.h"

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/cpu_time.h"
#include "ring/error.h"
#include "tests/foreign_server.h"
#include "tests/in_child.h"
#include "workloads/sock_diag.h"

namespace ringchurn {
namespace {

ServerWatch watch(const ForeignServer& server) {
  auto found = ServerWatch::of_listener(server.address(), server.length());
  EXPECT_TRUE(found.has_value());
  return found.value();
}

/// As many connections as there are to be, all of them accepted.
std::vector<Descriptor> connect_all(const ForeignServer& server, std::size_t number) {
  std::vector<Descriptor> clients;
  for (std::size_t i = 0; i < number; ++i) {
    clients.push_back(server.connect());
    EXPECT_TRUE(eventually([&] { return is_accepted(clients.back().get()) == true; }));
  }
  return clients;
}

void reset(Descriptor& client) {
  const linger abort{1, 0};
  setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  client.reset();
}

TEST(ServerWatch, FindsEveryProcessThatHoldsTheListener) {
  ForeignServer server([](int) {
    for (int worker = 0; worker < 2; ++worker) {
      if (fork_mortal() == 0) break;
    }
    sleep_for_ever();
  });
  EXPECT_TRUE(eventually([&] { return watch(server).sample().totals.processes == 3; }));
  const ServerSample sample = watch(server).sample();
  EXPECT_TRUE(sample.is_alive());
  EXPECT_EQ(sample.totals.threads, 3U);
  EXPECT_EQ(sample.totals.stopped, 0U);
  EXPECT_GT(sample.totals.rss_bytes, 3U * 4096);
  ASSERT_TRUE(sample.accept_queue);
  EXPECT_EQ(sample.accept_queue->listeners, 1U) << "one socket, held three times";
  EXPECT_EQ(sample.accept_queue->limit, 64U);
}

TEST(ServerWatch, FindsAWildcardListenerBehindEachOfItsAddresses) {
  sockaddr_storage any{};
  any.ss_family = AF_INET6;
  for (const auto& address : {ipv4_address("0.0.0.0"), any}) {
    if (Descriptor(socket(address.ss_family, SOCK_STREAM, 0)).get() < 0) continue;  // no IPv6 here
    ForeignServer server(listen_at(address), accept_nothing);
    EXPECT_EQ(watch(server).sample().totals.processes, 1U);
    const auto elsewhere = ipv4_address(
        "127.9.9.9", port_of(*reinterpret_cast<const sockaddr_storage*>(server.address())));
    EXPECT_TRUE(ServerWatch::of_listener(generic(elsewhere), length_of(elsewhere)));
  }
}

TEST(ServerWatch, FindsNobodyWhereNobodyCanBeSeen) {
  std::uint16_t port = 0;
  {
    ForeignServer server(listen_at(ipv4_address("0.0.0.0")), accept_nothing);
    port = port_of(*reinterpret_cast<const sockaddr_storage*>(server.address()));
    // RFC 5737: no machine's address. The wildcard listener does not serve it.
    const auto remote = ipv4_address("192.0.2.1", port);
    EXPECT_FALSE(ServerWatch::of_listener(generic(remote), length_of(remote)));
  }
  const auto closed = ipv4_address("127.0.0.1", port);
  EXPECT_FALSE(ServerWatch::of_listener(generic(closed), length_of(closed)));
  const Descriptor own = listen_at(ipv4_address("127.0.0.1"));
  const auto ours = ipv4_address("127.0.0.1", port_of_socket(own.get()));
  EXPECT_FALSE(ServerWatch::of_listener(generic(ours), length_of(ours))) << "this very process";
}

TEST(ServerWatch, TellsTheServerFromSystemd) {
  ForeignServer server([](int) {
    prctl(PR_SET_NAME, "systemd");
    if (fork_mortal() == 0) prctl(PR_SET_NAME, "service");
    sleep_for_ever();
  });
  EXPECT_TRUE(eventually([&] {
    const auto found = ServerWatch::of_listener(server.address(), server.length());
    return found && ServerWatch(*found).sample().totals.processes == 1;
  }));
}

TEST(ServerWatch, OfAProcessNeedsOne) {
  pid_t ended = 0;
  {
    const Child child([] { sleep_for_ever(); });
    ended = child.pid();
  }
  for (const pid_t pid : {ended, getpid()}) {
    try {
      ServerWatch::of_process(pid, nullptr, 0);
      ADD_FAILURE() << pid;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code, kExitUsage);
      EXPECT_NE(std::string(error.what()).find(std::to_string(pid)), std::string::npos);
    }
  }
}

TEST(ServerWatch, OfAProcessWithoutAnAddressKnowsNoSockets) {
  const Child child([] { sleep_for_ever(); });
  ServerWatch process = ServerWatch::of_process(child.pid(), nullptr, 0);
  const ServerSample sample = process.inspect();
  EXPECT_EQ(sample.totals.processes, 1U);
  EXPECT_GE(sample.totals.fds.value(), 3U);
  EXPECT_FALSE(sample.sockets);
  EXPECT_FALSE(sample.accept_queue);
  EXPECT_FALSE(sample.reset_sockets);
  EXPECT_FALSE(sample.is_known_deaf());
}

TEST(ServerWatch, CountsNewChildrenAndKeepsTheCpuTimeOfEndedOnes) {
  constexpr std::uint64_t kWorkNs = 20'000'000;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const Child parent([&] {
    char byte = 0;
    if (read(ends[0], &byte, 1) != 1) return;
    const pid_t worker = fork_mortal();
    if (worker == 0) {
      while (thread_cpu_ns() < kWorkNs) continue;
      if (read(ends[0], &byte, 1) != 1) return;
      _exit(0);
    }
    waitpid(worker, nullptr, 0);
    sleep_for_ever();
  });
  ServerWatch group = ServerWatch::of_process(parent.pid(), nullptr, 0);
  EXPECT_EQ(group.sample().totals.processes, 1U);
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  EXPECT_TRUE(eventually([&] { return group.sample().totals.cpu_ns >= kWorkNs; }));
  EXPECT_EQ(group.sample().totals.processes, 2U);
  const std::uint64_t before_ns = group.sample().totals.cpu_ns;
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  EXPECT_TRUE(eventually([&] { return group.sample().totals.ended == 1; }));
  EXPECT_EQ(group.sample().totals.processes, 1U);
  EXPECT_GE(group.sample().totals.cpu_ns, before_ns);
  close(ends[0]);
  close(ends[1]);
}

TEST(ServerWatch, SeesAStoppedProcessAndADeadOne) {
  ForeignServer server(accept_nothing);
  ServerWatch process = watch(server);
  server.process().stop();
  EXPECT_EQ(process.sample().totals.stopped, 1U);
  EXPECT_TRUE(process.sample().is_alive());
  ::kill(server.process().pid(), SIGKILL);
  EXPECT_TRUE(eventually([&] { return !process.sample().is_alive(); })) << "a zombie, not reaped";
  EXPECT_TRUE(process.sample().is_known_deaf());
  server.process().kill();
  EXPECT_FALSE(process.sample().is_alive());
  EXPECT_EQ(process.sample().totals.ended, 1U);
}

TEST(ServerWatch, CountsWhatIsNeverClosed) {
  constexpr std::size_t kNumber = 5;
  ForeignServer server(accept_and_keep);
  ServerWatch process = watch(server);
  const ServerSample before = process.inspect();
  auto clients = connect_all(server, kNumber);
  EXPECT_EQ(process.sample().sockets.value().established, kNumber);
  const std::uint64_t held = before.totals.fds.value() + kNumber;
  EXPECT_TRUE(eventually([&] { return process.inspect().totals.fds == held; }));
  clients.clear();
  EXPECT_TRUE(eventually([&] { return process.sample().sockets->close_wait == kNumber; }));
  EXPECT_EQ(process.sample().sockets->established, 0U);
  EXPECT_EQ(process.inspect().reset_sockets, 0U);
}

TEST(ServerWatch, CountsNothingAsKeptThatWasNeverAccepted) {
  ForeignServer server(accept_nothing);
  ServerWatch process = watch(server);
  server.connect().reset();
  EXPECT_TRUE(eventually([&] { return process.sample().accept_queue->queue == 1; }));
  EXPECT_EQ(process.sample().sockets->close_wait, 0U);
}

TEST(ServerWatch, CountsWhatWasResetAndNeverClosed) {
  constexpr std::size_t kNumber = 3;
  ForeignServer server(accept_and_keep);
  ServerWatch process = watch(server);
  EXPECT_EQ(process.inspect().reset_sockets, 0U);
  auto clients = connect_all(server, kNumber);
  for (Descriptor& client : clients) reset(client);
  EXPECT_TRUE(eventually([&] { return process.inspect().reset_sockets == kNumber; }));
  EXPECT_EQ(process.sample().reset_sockets, std::nullopt) << "not looked at";
  EXPECT_EQ(process.sample().sockets->close_wait, 0U);
}

TEST(ServerWatch, TellsAHalfClosedSocketFromAClosedOne) {
  ForeignServer server([](int listener) {
    shutdown(accept(listener, nullptr, nullptr), SHUT_WR);
    accept_and_close(listener);
  });
  ServerWatch process = watch(server);
  const Descriptor half_closed = server.connect();
  EXPECT_TRUE(eventually([&] { return process.sample().sockets->fin_wait2 == 1; }));
  const Descriptor closed = server.connect();
  EXPECT_TRUE(eventually([&] { return process.sample().sockets->fin_wait2_orphans == 1; }));
  EXPECT_EQ(process.sample().sockets->fin_wait2, 1U);
}

TEST(ServerWatch, CountsOneAddressOfAPortAlone) {
  ForeignServer server(accept_and_keep);
  const std::uint16_t port = port_of(*reinterpret_cast<const sockaddr_storage*>(server.address()));
  ForeignServer neighbour(listen_at(ipv4_address("127.0.0.2", port)), accept_and_keep);
  const auto clients = connect_all(server, 2);
  const auto address = ipv4_address("127.0.0.2", port);
  auto process = ServerWatch::of_listener(generic(address), length_of(address));
  ASSERT_TRUE(process);
  const ServerSample sample = process->sample();
  EXPECT_EQ(sample.totals.processes, 1U);
  EXPECT_EQ(sample.sockets->established, 0U);
  EXPECT_EQ(watch(server).sample().sockets->established, 2U);
}

TEST(ServerWatch, SeesAnAcceptQueueOverflow) {
  constexpr unsigned kBacklog = 1;
  ForeignServer server(accept_nothing, kBacklog);
  ServerWatch process = watch(server);
  EXPECT_EQ(process.sample().accept_queue->drops, 0U);
  std::vector<Descriptor> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(server.connect());
  EXPECT_TRUE(eventually([&] { return process.sample().accept_queue->drops.value() > 0; }));
  const AcceptQueue queue = process.sample().accept_queue.value();
  EXPECT_EQ(queue.limit, kBacklog);
  EXPECT_EQ(queue.queue, kBacklog + 1);
}

TEST(ServerWatch, AddsUpTheListenersOfAPort) {
  const Descriptor own = listen_at(ipv4_address("127.0.0.1"), 3);
  const std::uint16_t port = port_of_socket(own.get());
  ForeignServer server(listen_at(ipv4_address("127.0.0.1", port), 4), accept_nothing);
  const AcceptQueue queue = watch(server).sample().accept_queue.value();
  EXPECT_EQ(queue.listeners, 2U);
  EXPECT_EQ(queue.limit, 7U);
}

struct UnixAddress {
  sockaddr_un address{};
  socklen_t length = 0;
  explicit UnixAddress(const std::string& path) {
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

TEST(ServerWatch, FindsAUnixSocketByItsNameOrItsFile) {
  const std::string id = std::to_string(getpid());
  const std::string path = testing::TempDir() + "ringchurn-watch-" + id;
  const std::string moved = path + "-moved";
  for (const std::string& name : {std::string(1, '\0') + "ringchurn-watch-" + id, path}) {
    Descriptor listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    UnixAddress address(name);
    ASSERT_EQ(bind(listener.get(), address.get(), address.length), 0);
    ASSERT_EQ(listen(listener.get(), 5), 0);
    if (name == path) {
      std::filesystem::rename(path, moved);  // as HAProxy does
      address = UnixAddress(moved);
    }
    EXPECT_FALSE(ServerWatch::of_listener(address.get(), address.length)) << "this very process";
    const Child child([] { sleep_for_ever(); });
    listener.reset();
    auto server = ServerWatch::of_listener(address.get(), address.length);
    ASSERT_TRUE(server);
    const Descriptor client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(connect(client.get(), address.get(), address.length), 0);
    const ServerSample sample = server->sample();
    EXPECT_EQ(sample.totals.processes, 1U);
    EXPECT_FALSE(sample.sockets);
    EXPECT_EQ(sample.accept_queue->queue, 1U);
    EXPECT_EQ(sample.accept_queue->limit, 5U);
    std::filesystem::remove(moved);
  }
}

TEST(ServerWatch, SeesNoSocketsOfAnotherNetwork) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const Child child([&] {
    const bool has_left = unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
    if (write(ready[1], has_left ? "y" : "n", 1) == 1) sleep_for_ever();
  });
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  close(ready[0]);
  close(ready[1]);
  if (answer != 'y') GTEST_SKIP() << "no namespaces here";
  const Descriptor listener = listen_at(ipv4_address("127.0.0.1"));
  const auto address = ipv4_address("127.0.0.1", port_of_socket(listener.get()));
  const auto look = [&](pid_t pid) {
    return ServerWatch::of_process(pid, generic(address), length_of(address)).inspect();
  };
  EXPECT_FALSE(look(child.pid()).sockets);
  EXPECT_FALSE(look(child.pid()).accept_queue);
  EXPECT_TRUE(look(child.pid()).totals.fds);
  const Child neighbour([] { sleep_for_ever(); });
  EXPECT_TRUE(look(neighbour.pid()).sockets);
}

TEST(ServerWatch, OfAnotherUserSaysWhatItMayNotSee) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  ForeignServer server(accept_nothing);
  EXPECT_EQ(in_child([&]() -> std::string {
              constexpr uid_t kNobody = 65534;
              if (setresuid(kNobody, kNobody, kNobody) != 0) return "setresuid failed";
              if (ServerWatch::of_listener(server.address(), server.length())) {
                return "the holder of root's socket was seen";
              }
              const ServerSample sample =
                  ServerWatch::of_process(server.process().pid(), server.address(), server.length())
                      .inspect();
              if (sample.totals.processes != 1) return "the process was not seen";
              if (!sample.sockets || !sample.accept_queue) return "sockets are for all to see";
              if (sample.totals.fds == 0U) return "no descriptors, instead of unknown";
              return sample.reset_sockets ? "descriptors were looked at" : "";
            }),
            "");
}

TEST(ServerWatch, CountsDescriptorsAndNotWhatAcceptHasPutAside) {
  ForeignServer server(accept_and_keep);
  ServerWatch process = watch(server);
  const ServerSample early = process.inspect();
  const bool is_blocked =
      eventually([&] { return process.sample().totals.fds.value() > early.totals.fds.value(); });
  EXPECT_EQ(process.inspect().totals.fds, early.totals.fds);
  if (!is_blocked) GTEST_SKIP() << "this kernel counts open descriptors alone";
}

TEST(Settled, ReturnsAsSoonAsTheServerIsBack) {
  ForeignServer server(accept_and_close);
  ServerWatch process = watch(server);
  const ServerSample before = process.inspect();
  const Settled after = settled(process, before, std::chrono::minutes(2));
  EXPECT_LT(after.rest_s, 60);
  EXPECT_EQ(after.sample.totals.fds, before.totals.fds);
  EXPECT_EQ(after.sample.reset_sockets, 0U);
}

TEST(Settled, WaitsNoLongerThanItsLimit) {
  ForeignServer server(accept_and_keep);
  ServerWatch process = watch(server);
  const ServerSample before = process.inspect();
  const auto clients = connect_all(server, 3);
  const Settled after = settled(process, before, std::chrono::milliseconds(100));
  EXPECT_GE(after.rest_s, 0.1);
  EXPECT_EQ(after.sample.sockets->established, 3U);
}

TEST(ProcessStatus, IsReadBehindAnyName) {
  const auto status = ProcessStatus::parse(
      "42 (a) S 1 (b)) T 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 1234 5678 90 0 0\n");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->state, 'T');
  EXPECT_EQ(status->parent, 7);
  EXPECT_EQ(status->threads, 9U);
  EXPECT_EQ(status->start_ticks, 1234U);
  EXPECT_EQ(status->rss_pages, 90U);
}

TEST(ProcessStatus, IsAbsentWhereTheLineIsNotTheKernels) {
  for (const char* line : {"", "42", "42 (a)", "42 (a) ", "42 (a) S 1 2 3\n"}) {
    EXPECT_FALSE(ProcessStatus::parse(line)) << line;
  }
}

TEST(ProcessStatus, OfAZombieIsEndedUnlessThreadsLive) {
  EXPECT_TRUE((ProcessStatus{.state = 'Z', .threads = 1}).is_ended());
  EXPECT_FALSE((ProcessStatus{.state = 'Z', .threads = 2}).is_ended());
  EXPECT_FALSE((ProcessStatus{.state = 'T', .threads = 1}).is_ended());
}

}  // namespace
}  // namespace ringchurn
