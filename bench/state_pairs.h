// The TCP states of both ends of every connection in a lab, in words, for a story.
#pragma once

#include <cstdint>
#include <set>
#include <string>

namespace ringchurn {

/// Looks at the namespace's sockets. Remembers what listened: a connection's server is the end at
/// such a port, though the listener may be gone.
class StatePairs {
 public:
  /// "client FIN_WAIT2, server CLOSE_WAIT", one such pair for each connection; "none" for an end
  /// whose socket is gone. "" if no connection has a socket.
  std::string look();

 private:
  std::set<std::uint16_t> listened_;
};

}  // namespace ringchurn
