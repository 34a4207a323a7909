// Listening sockets: see endpoint.h. Made once per run with ordinary system calls.
#include "workloads/endpoint.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "ring/error.h"

namespace ringchurn {
namespace {

[[noreturn]] void refuse(const char* call, const Scenario& scenario) {
  throw Error(kExitCannotRun, fmt::format("{} failed for the listener of scenario '{}' ({}): free "
                                          "ports and descriptors, or use the private lab",
                                          call, scenario.name, strerrorname_np(errno)));
}

sockaddr_storage any_address(int family) {
  sockaddr_storage storage{};
  storage.ss_family = static_cast<sa_family_t>(family);  // in both families all zero means "any"
  return storage;
}

sockaddr_storage address_of(const std::string& text, int family, const sockaddr_storage& bound) {
  sockaddr_storage storage{};
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  void* address = family == AF_INET ? static_cast<void*>(&v4->sin_addr) : &v6->sin6_addr;
  if (inet_pton(family, text.c_str(), address) != 1) {
    throw Error(kExitCannotRun, fmt::format("'{}' is not an address of the asked family", text));
  }
  storage.ss_family = static_cast<sa_family_t>(family);
  v4->sin_port = reinterpret_cast<const sockaddr_in*>(&bound)->sin_port;  // same place in both
  return storage;
}

}  // namespace

Endpoint::Endpoint(const Scenario& scenario, int family, unsigned backlog,
                   const std::vector<std::string>& destinations)
    : length_(family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6)) {
  socket_ = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) refuse("socket", scenario);
  sockaddr_storage bound = any_address(family);
  if (::bind(socket_, reinterpret_cast<sockaddr*>(&bound), length_) < 0) refuse("bind", scenario);
  for (const SocketOption& option : scenario.server.listener_options) {
    if (::setsockopt(socket_, option.level, option.name, option.value.data(),
                     static_cast<socklen_t>(option.value.size())) < 0) {
      refuse("setsockopt", scenario);
    }
  }
  if (scenario.has_server() && ::listen(socket_, static_cast<int>(backlog)) < 0) {
    refuse("listen", scenario);
  }
  socklen_t length = sizeof bound;
  if (::getsockname(socket_, reinterpret_cast<sockaddr*>(&bound), &length) < 0) {
    refuse("getsockname", scenario);
  }
  for (const std::string& text : destinations) {
    destinations_.push_back(address_of(text, family, bound));
  }
}

Endpoint::Endpoint(Endpoint&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      length_(other.length_),
      destinations_(std::move(other.destinations_)) {}

Endpoint::~Endpoint() {
  if (socket_ >= 0) ::close(socket_);
}

const sockaddr* Endpoint::destination(std::size_t n) const {
  return reinterpret_cast<const sockaddr*>(&destinations_[n % destinations_.size()]);
}

}  // namespace ringchurn
