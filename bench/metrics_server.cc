// The process, and how it is talked to: see metrics_server.h.
#include "bench/metrics_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <string_view>

#include "bench/exposer.h"
#include "bench/text.h"
#include "ring/error.h"

namespace ringchurn {
namespace {

[[noreturn]] void refuse(std::uint16_t port, std::string_view why) {
  throw Error(kExitUsage, printable(fmt::format("--metrics {0}: cannot listen at 127.0.0.1:{0}: "
                                                "{1}; choose another port",
                                                port, why)));
}

/// The library cannot say why a port is not to be had; the kernel can.
void require_free(std::uint16_t port) {
  const Descriptor probe(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // As the server does, or the TIME_WAIT of the last scrape would be in the way.
  setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(probe.get(), 1) != 0) {
    refuse(port, std::strerror(errno));
  }
}

[[noreturn]] void be_server(std::uint16_t port, int channel) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, "ringchurn-metr");
  // Ctrl-C is for the load, which still has samples to tell.
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  try {
    expose(port, channel);
  } catch (const std::exception& error) {
    send(channel, error.what(), std::strlen(error.what()), MSG_NOSIGNAL);
    _exit(kExitCannotRun);
  }
  _exit(kExitGood);
}

}  // namespace

MetricsServer::MetricsServer(std::uint16_t port) {
  if (!has_exposer()) {
    throw Error(kExitUsage,
                "--metrics: this ringchurn was built without prometheus-cpp; install "
                "prometheus-cpp-dev (Debian), or the library, and build it again");
  }
  require_free(port);
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw Error(kExitCannotRun, fmt::format("--metrics: socketpair: {}", std::strerror(errno)));
  }
  channel_ = Descriptor(ends[0]);
  Descriptor theirs(ends[1]);
  process_ = fork();
  if (process_ < 0) {
    throw Error(kExitCannotRun, fmt::format("--metrics: fork: {}", std::strerror(errno)));
  }
  if (process_ == 0) {
    channel_.reset();
    be_server(port, theirs.get());
  }
  theirs.reset();
  std::array<char, 256> answer{};
  const ssize_t got = recv(channel_.get(), answer.data(), answer.size(), 0);
  const std::string_view said(answer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  if (said == "ready") return;
  waitpid(process_, nullptr, 0);
  refuse(port, said.empty() ? "its process ended" : said);
}

MetricsServer::~MetricsServer() {
  channel_.reset();
  waitpid(process_, nullptr, 0);
}

void MetricsServer::publish(const std::string& sample) {
  const ssize_t sent =
      send(channel_.get(), sample.data(), sample.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) is_alive_ = false;
}

}  // namespace ringchurn
