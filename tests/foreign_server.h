// A server that is another process, for tests of what can be seen of it from outside.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <thread>

#include "workloads/descriptor.h"
#include "workloads/four_tuple.h"

namespace ringchurn {

/// True as soon as `condition` is; false if it has not become so in a time that no machine needs.
inline bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

/// Sleeps until it is killed.
[[noreturn]] inline void sleep_for_ever() {
  while (true) pause();
}

/// fork(2); the child ends with its parent, which may have been killed even before it could say so.
inline pid_t fork_mortal() {
  constexpr unsigned kHangs_s = 100;
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child != 0) return child;
  alarm(kHangs_s);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  return child;
}

/// A forked process that runs `body`, and is killed with the test.
class Child {
 public:
  explicit Child(const std::function<void()>& body) : pid_(fork_mortal()) {
    if (pid_ != 0) return;
    body();
    _exit(0);
  }
  ~Child() { kill(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  /// Returns when it has stopped.
  void stop() const {
    ::kill(pid_, SIGSTOP);
    waitpid(pid_, nullptr, WUNTRACED);
  }

 private:
  pid_t pid_;
};

inline sockaddr_storage ipv4_address(const char* text, std::uint16_t port = 0) {
  sockaddr_storage storage{};
  auto& address = reinterpret_cast<sockaddr_in&>(storage);
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  EXPECT_EQ(inet_pton(AF_INET, text, &address.sin_addr), 1);
  return storage;
}

inline const sockaddr* generic(const sockaddr_storage& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

/// A socket that listens at `address`, whose port may be 0.
inline Descriptor listen_at(const sockaddr_storage& address, int backlog = 64) {
  Descriptor listener(socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  EXPECT_EQ(bind(listener.get(), generic(address), length_of(address)), 0);
  EXPECT_EQ(listen(listener.get(), backlog), 0);
  return listener;
}

inline std::uint16_t port_of_socket(int fd) {
  sockaddr_storage address{};
  socklen_t length = 0;
  EXPECT_EQ(local_address(fd, address, length), 0);
  return port_of(address);
}

/// A process that serves a port of 127.0.0.1: `serve` gets the listening socket, which only that
/// process holds.
class ForeignServer {
 public:
  using Serve = std::function<void(int listener)>;

  explicit ForeignServer(const Serve& serve, int backlog = 64)
      : ForeignServer(listen_at(ipv4_address("127.0.0.1"), backlog), serve) {}
  ForeignServer(Descriptor listener, const Serve& serve)
      : address_(ipv4_address("127.0.0.1", port_of_socket(listener.get()))),
        child_([&] { serve(listener.get()); }) {}

  const sockaddr* address() const { return generic(address_); }
  socklen_t length() const { return length_of(address_); }
  Child& process() { return child_; }

  /// A connection to it, not waited for if the server is so slow that it would block.
  Descriptor connect() const {
    Descriptor client(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ::connect(client.get(), address(), length());
    return client;
  }

 private:
  sockaddr_storage address_;
  Child child_;
};

/// Ways to serve.
inline void accept_and_keep(int listener) {
  while (true) accept(listener, nullptr, nullptr);
}
inline void accept_and_close(int listener) {
  while (true) close(accept(listener, nullptr, nullptr));
}
inline void accept_nothing(int) { sleep_for_ever(); }

}  // namespace ringchurn
