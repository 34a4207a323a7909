// Where a scenario's two ends meet: a listener of its own, and the addresses that lead to it.
#pragma once

#include <sys/socket.h>

#include <string>
#include <vector>

#include "workloads/script.h"

namespace ringchurn {

/// A bound socket and every address by which clients reach it. The server's end of a connection
/// knows which script to play by the listener that it came from. Owns the socket.
class Endpoint {
 public:
  /// Binds to every address of `family` (AF_INET, AF_INET6) at a port that the kernel picks,
  /// applies the script's listener options and listens with `backlog`; a scenario without a server
  /// only binds, so that nobody else can listen there and a SYN draws RST (RFC 9293, 3.10.7.1).
  /// `destinations` are local addresses in text form. Throws Error (exit code 1).
  Endpoint(const Scenario& scenario, int family, unsigned backlog,
           const std::vector<std::string>& destinations);
  ~Endpoint();
  Endpoint(Endpoint&& other) noexcept;
  Endpoint& operator=(Endpoint&&) = delete;

  int listener() const { return socket_; }
  socklen_t address_length() const { return length_; }
  /// Destination `n` modulo their number. Taking them in turn multiplies the ports that connections
  /// can come from, since TIME_WAIT and port selection go by the whole 4-tuple.
  const sockaddr* destination(std::size_t n) const;

 private:
  int socket_ = -1;
  socklen_t length_ = 0;
  std::vector<sockaddr_storage> destinations_;
};

}  // namespace ringchurn
