// Listening sockets: see endpoint.h. Made once per run with ordinary system calls.
#include "workloads/endpoint.h"

#include <arpa/inet.h>
#include <fcntl.h>
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
  const char* remedy = errno == EADDRINUSE ? "another program has that port: choose another"
                       : errno == EADDRNOTAVAIL
                           ? "that address is not this machine's: choose one that is"
                           : "free ports and descriptors, or use the private lab";
  throw Error(kExitCannotRun, fmt::format("{} failed for the listener of scenario '{}' ({}): {}",
                                          call, scenario.name, strerrorname_np(errno), remedy));
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
                   const std::vector<std::string>& destinations, Port port)
    : domain_(domain_of(scenario, family)), type_(scenario.type) {
  bound_ = any_address(domain_);
  // With nothing but a family, unix(7) binds to a name that it picks.
  length_ = domain_ == AF_INET    ? sizeof(sockaddr_in)
            : domain_ == AF_INET6 ? sizeof(sockaddr_in6)
                                  : sizeof(sa_family_t);
  bind_and_listen(scenario, backlog, port);
  if (domain_ == AF_UNIX) {
    destinations_.push_back(bound_);
    return;
  }
  for (const std::string& text : destinations) {
    destinations_.push_back(address_of(text, domain_, bound_));
  }
  make_places();
}

Endpoint Endpoint::listening_at(const Scenario& scenario, const sockaddr_storage& address,
                                socklen_t length, unsigned backlog) {
  Endpoint endpoint(address.ss_family, scenario.type);
  endpoint.bound_ = address;
  endpoint.length_ = length;
  endpoint.bind_and_listen(scenario, backlog);
  return endpoint;
}

Endpoint Endpoint::sibling(const Scenario& scenario, unsigned backlog) const {
  Endpoint endpoint(domain_, type_);
  endpoint.bound_ = bound_;
  endpoint.length_ = length_;
  if (domain_ != AF_UNIX && scenario.has_server()) {
    endpoint.bind_and_listen(scenario, backlog, Port::shared);
    return endpoint;
  }
  endpoint.socket_ = ::fcntl(socket_, F_DUPFD_CLOEXEC, 0);
  if (endpoint.socket_ < 0) refuse("dup", scenario);
  return endpoint;
}

Endpoint Endpoint::of_others(const Scenario& scenario, const sockaddr_storage& address,
                             socklen_t length, const std::vector<sockaddr_storage>& sources) {
  Endpoint endpoint(address.ss_family, scenario.type);
  endpoint.bound_ = address;
  endpoint.length_ = length;
  endpoint.destinations_ = {address};
  endpoint.sources_ = sources;
  return endpoint;
}

void Endpoint::bind_and_listen(const Scenario& scenario, unsigned backlog, Port port) {
  socket_ = ::socket(domain_, type_ | SOCK_CLOEXEC, 0);
  if (socket_ < 0) refuse("socket", scenario);
  const int on = 1;
  if (port == Port::shared && domain_ != AF_UNIX &&
      ::setsockopt(socket_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0) {
    refuse("setsockopt", scenario);
  }
  if (::bind(socket_, reinterpret_cast<sockaddr*>(&bound_), length_) < 0) refuse("bind", scenario);
  for (const SocketOption& option : scenario.server.listener_options) {
    if (::setsockopt(socket_, option.level, option.name, option.value.data(),
                     static_cast<socklen_t>(option.value.size())) < 0) {
      refuse("setsockopt", scenario);
    }
  }
  if (scenario.has_server() && ::listen(socket_, static_cast<int>(backlog)) < 0) {
    refuse("listen", scenario);
  }
  length_ = sizeof bound_;
  if (::getsockname(socket_, reinterpret_cast<sockaddr*>(&bound_), &length_) < 0) {
    refuse("getsockname", scenario);
  }
}

void Endpoint::make_places() {
  const bool v4 = domain_ == AF_INET;
  const auto set = [&](Place place, const char* ipv4, const char* ipv6) -> auto& {
    auto& [address, length] = places_[static_cast<std::size_t>(place)];
    address = address_of(v4 ? ipv4 : ipv6, domain_, bound_);
    length = length_;
    return places_[static_cast<std::size_t>(place)];
  };
  set(Place::unreachable, kUnreachable.ipv4, kUnreachable.ipv6);
  set(Place::prohibited, kProhibited.ipv4, kProhibited.ipv6);
  set(Place::blackhole, kBlackhole.ipv4, kBlackhole.ipv6);
  set(Place::unrouted, "198.18.0.1", "2001:db8::1");
  set(Place::any, "0.0.0.0", "::");
  auto& port_0 = set(Place::port_0, "127.0.0.1", "::1").first;
  reinterpret_cast<sockaddr_in*>(&port_0)->sin_port = 0;
  set(Place::bad_family, "127.0.0.1", "::1").first.ss_family = AF_APPLETALK;
  set(Place::short_name, "127.0.0.1", "::1").second = 2;
}

std::pair<const sockaddr*, socklen_t> Endpoint::place(Place place) const {
  const auto& [address, length] = places_[static_cast<std::size_t>(place)];
  return {reinterpret_cast<const sockaddr*>(&address), length};
}

Endpoint::Endpoint(Endpoint&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      domain_(other.domain_),
      type_(other.type_),
      length_(other.length_),
      bound_(other.bound_),
      places_(other.places_),
      destinations_(std::move(other.destinations_)),
      sources_(std::move(other.sources_)) {}

Endpoint::~Endpoint() {
  if (socket_ >= 0) ::close(socket_);
}

const sockaddr* Endpoint::destination(std::size_t n) const {
  return reinterpret_cast<const sockaddr*>(&destinations_[n % destinations_.size()]);
}

const sockaddr* Endpoint::source(std::size_t n) const {
  return reinterpret_cast<const sockaddr*>(&sources_[n / destinations_.size() % sources_.size()]);
}

}  // namespace ringchurn
