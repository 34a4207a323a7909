// Where a scenario's two ends meet: a listener of its own, and the addresses that lead to it. If
// one of the ends is somebody else's, it is where that one listens, or where our own does.
#pragma once

#include <sys/socket.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "workloads/script.h"

namespace ringchurn {

/// Addresses behind a route that refuses: the lab installs routes to them, the scripts connect to
/// them. RFC 5737 and a prefix of our own (RFC 4193).
struct RefusingRoute {
  const char *ipv4, *ipv6;
};
constexpr RefusingRoute kUnreachable{"198.51.100.1", "fd72:6368:7573::1"};
constexpr RefusingRoute kProhibited{"203.0.113.1", "fd72:6368:7574::1"};
constexpr RefusingRoute kBlackhole{"192.0.2.1", "fd72:6368:7575::1"};

/// A bound socket and every address by which clients reach it. The server's end of a connection
/// knows which script to play by the listener that it came from. Owns the socket.
class Endpoint {
 public:
  /// Whether other listeners of this program may have the same port: see sibling().
  enum class Port { own, shared };

  /// Binds to every address of `family` (AF_INET, AF_INET6; a scenario that has a domain of its own
  /// keeps that) at a port that the kernel picks, applies the script's listener options and listens
  /// with `backlog`; a scenario without a server only binds, so that nobody else can listen there
  /// and a SYN draws RST (RFC 9293, 3.10.7.1). AF_UNIX: an abstract name (unix(7)).
  /// `destinations` are local addresses of the family in text form. Throws Error (exit code 1).
  Endpoint(const Scenario& scenario, int family, unsigned backlog,
           const std::vector<std::string>& destinations, Port port = Port::own);
  /// Another listener at the same address and port, which must be Port::shared: the kernel gives
  /// each connection to one of them, by a hash of its addresses and ports (SO_REUSEPORT). Where
  /// there is no such thing, on a Unix socket, it is the same listener again, and whoever accepts
  /// first has the connection. It has no destinations: clients go by the first one. Throws Error
  /// (exit code 1).
  Endpoint sibling(const Scenario& scenario, unsigned backlog) const;
  /// The server's end alone: listens at `address` (its port 0: one that the kernel picks). Throws
  /// Error (exit code 1).
  static Endpoint listening_at(const Scenario& scenario, const sockaddr_storage& address,
                               socklen_t length, unsigned backlog);
  /// The client's end alone: somebody else listens at the address. Connections come from `sources`
  /// in turn, from wherever the kernel likes if there are none. Owns nothing.
  static Endpoint of_others(const Scenario& scenario, const sockaddr_storage& address,
                            socklen_t length, const std::vector<sockaddr_storage>& sources);
  /// The domain in which `scenario` is played when the user asked for `family`.
  static int domain_of(const Scenario& scenario, int family) {
    return scenario.domain != 0 ? scenario.domain : family;
  }
  ~Endpoint();
  Endpoint(Endpoint&& other) noexcept;
  Endpoint& operator=(Endpoint&&) = delete;

  int listener() const { return socket_; }
  /// What the listener is bound to, with the port that the kernel picked.
  const sockaddr_storage& bound() const { return bound_; }
  int domain() const { return domain_; }
  int type() const { return type_; }
  socklen_t address_length() const { return length_; }
  /// Where a connect to `place` goes, for every place but Place::server and Place::own. The
  /// unreachable ones are addresses for documentation (RFC 5737, RFC 3849) and of our own prefix,
  /// behind routes that the lab has; nothing must be sent to them outside of it.
  std::pair<const sockaddr*, socklen_t> place(Place place) const;
  /// Destination `n` modulo their number. Taking them in turn multiplies the ports that connections
  /// can come from, since TIME_WAIT and port selection go by the whole 4-tuple.
  const sockaddr* destination(std::size_t n) const;
  /// Where connection `n` comes from: a source serves every destination once before it is the next
  /// one's turn, so that all their pairs are used. There must be sources.
  const sockaddr* source(std::size_t n) const;
  bool has_sources() const { return !sources_.empty(); }

 private:
  Endpoint(int domain, int type) : domain_(domain), type_(type) {}
  void bind_and_listen(const Scenario& scenario, unsigned backlog, Port port = Port::own);
  void make_places();

  int socket_ = -1;
  int domain_, type_;
  socklen_t length_ = 0;
  sockaddr_storage bound_{};
  std::array<std::pair<sockaddr_storage, socklen_t>, 10> places_{};  ///< by Place
  std::vector<sockaddr_storage> destinations_, sources_;
};

}  // namespace ringchurn
