// For tests of acts: each plays a few calls and acts in a lab, in a child process, and compares
// what they said, in one line, with what they must say.
#pragma once

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "bench/kernel_counters.h"
#include "bench/lab.h"
#include "tests/in_child.h"
#include "workloads/act.h"
#include "workloads/descriptor.h"

namespace ringchurn {

constexpr std::chrono::milliseconds kPatience(5000);

// -- what was said --------------------------------------------------------------------------------

inline std::string said(long result) {
  if (result < 0) return outcome_name(errno_outcome(static_cast<int>(-result)));
  return result == 0 ? "ok" : std::to_string(result);
}

/// Of a system call.
inline std::string call(long result) { return said(result < 0 ? -errno : result); }

inline std::string state_name(long result) {
  return result < 0 ? said(result) : outcome_name(state_outcome(static_cast<int>(result)));
}

/// What a recv(2) of whatever comes within a few seconds says.
inline std::string receive(int fd) {
  pollfd wait{fd, POLLIN, 0};
  if (poll(&wait, 1, static_cast<int>(kPatience.count())) == 0) return "timeout";
  char bytes[64];
  const ssize_t length = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
  return length == 0 ? "EOF" : call(length);
}

inline std::string receive_now(int fd) {
  char byte = 0;
  const ssize_t length = recv(fd, &byte, 1, MSG_DONTWAIT);
  return length == 0 ? "EOF" : call(length);
}

inline std::string send_one(int fd) { return call(send(fd, "x", 1, MSG_NOSIGNAL)); }

inline std::string so_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return call(-1);
  return said(-error);
}

inline std::string joined(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + word;
  return line;
}

// -- acts -----------------------------------------------------------------------------------------

inline Acted play(Act what, const ActOn& on, int detail = 0) {
  Step step{};
  step.op = Op::plain;
  step.act = what;
  step.detail = detail;
  return act(step, on);
}

inline std::string played(Act what, int fd, int detail = 0) {
  ActOn on;
  on.fd = fd;
  return said(play(what, on, detail).result);
}

inline std::string played_with(Act what, int fd, int other) {
  ActOn on;
  on.fd = fd;
  on.other = other;
  return said(play(what, on).result);
}

inline std::string state(int fd) {
  ActOn on;
  on.fd = fd;
  return state_name(play(Act::state, on).result);
}

inline std::string peer_state(int fd) {
  ActOn on;
  on.fd = fd;
  return state_name(play(Act::peer_state, on).result);
}

/// Asks until the answer is `wanted`, or for some seconds; returns the last answer. On loopback a
/// segment is handled before the call that sent it returns, except on a busy machine, where
/// ksoftirqd does it a little later.
inline std::string in_time(const std::function<std::string()>& ask, const std::string& wanted) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  std::string answer = ask();
  while (answer != wanted && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    answer = ask();
  }
  return answer;
}

inline std::string state_in_time(int fd, const std::string& wanted) {
  return in_time([fd] { return state(fd); }, wanted);
}

inline std::string peer_state_in_time(int fd, const std::string& wanted) {
  return in_time([fd] { return peer_state(fd); }, wanted);
}

/// Has `socket` die; "(kept)" if it was not let go.
inline std::string died(Act death, Descriptor& socket) {
  bool gone = false;
  ActOn on;
  on.fd = socket.get();
  on.let_go = [&] {
    socket.reset();
    gone = true;
  };
  const std::string answer = said(play(death, on).result);
  return answer + (gone ? "" : "(kept)");
}

// -- connections ----------------------------------------------------------------------------------

/// A listener of Act::listen's, and sockets that connect to it.
class Listener {
 public:
  explicit Listener(int domain, int backlog = 16) : domain_(domain) {
    ActOn on;
    on.domain = domain;
    made_ = play(Act::listen, on, backlog);
    socket_ = Descriptor(made_.made);
  }

  int fd() const { return socket_.get(); }
  std::string connect(int fd) const {
    return call(
        ::connect(fd, reinterpret_cast<const sockaddr*>(&made_.address), made_.address_length));
  }
  Descriptor socket() const { return Descriptor(::socket(domain_, SOCK_STREAM, 0)); }
  Descriptor accept() const { return Descriptor(::accept(socket_.get(), nullptr, nullptr)); }
  /// Drops every SYN from now on.
  void deafen() const {
    sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
    const sock_fprog program{1, &drop_all};
    setsockopt(fd(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
  }

 private:
  int domain_;
  Acted made_;
  Descriptor socket_;
};

struct Pair {
  explicit Pair(int domain) : listener(domain), client(listener.socket()) {
    listener.connect(client.get());
    server = listener.accept();
  }
  Listener listener;
  Descriptor client, server;
  int c() const { return client.get(); }
  int s() const { return server.get(); }
};

/// A blocking connect(2) on a thread of its own, to a listener that never answers.
class Connecting {
 public:
  explicit Connecting(int domain) : listener_(domain), socket_(listener_.socket()) {
    listener_.deafen();
    const timeval limit{5, 0};
    setsockopt(fd(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    answer_ = std::async(std::launch::async, [this] { return listener_.connect(fd()); });
    in_time([this] { return ringchurn::state(fd()); }, "SYN_SENT");
  }
  ~Connecting() { shutdown(fd(), SHUT_RDWR); }  // ends the connect, and so the thread
  Connecting(const Connecting&) = delete;
  Connecting& operator=(const Connecting&) = delete;

  int fd() const { return socket_.get(); }
  std::string answer() { return answer_.get(); }

 private:
  Listener listener_;
  Descriptor socket_;
  std::future<std::string> answer_;
};

/// How far the counter moves while `body` runs; "" if this kernel does not have it.
inline std::string moved(const char* name, const std::function<void()>& body) {
  const KernelCounters before = KernelCounters::read();
  body();
  const auto growth = KernelCounters::read().since(before)[name];
  return growth ? std::to_string(*growth) : "";
}

/// Both ends still hear each other.
inline std::string alive(const Pair& pair) {
  return joined({send_one(pair.c()), receive(pair.s()), send_one(pair.s()), receive(pair.c())});
}

inline ActOn on_unix(int type = SOCK_STREAM) {
  ActOn on;
  on.domain = AF_UNIX;
  on.type = type;
  return on;
}

// -- the tests ------------------------------------------------------------------------------------

using Words = std::vector<std::string>;

/// What `body` says in a lab, in a child process: one line.
inline std::string lab_says(const std::function<Words()>& body) {
  return in_child([&body] {
    enter_lab(LabKind::private_namespace);
    return joined(body());
  });
}

class ActTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    const std::string refusal = lab_says([] {
      const Pair pair(domain());
      if (pair.s() < 0) return Words{"no connection of this family here"};
      if (peer_state(pair.c()) != "ESTABLISHED") return Words{"this kernel has no tcp_diag"};
      return Words{};
    });
    if (!refusal.empty()) GTEST_SKIP() << refusal;
  }
  static int domain() { return GetParam(); }
};

inline std::string family(const testing::TestParamInfo<int>& parameter) {
  return parameter.param == AF_INET ? "IPv4" : "IPv6";
}

}  // namespace ringchurn
