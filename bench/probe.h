// One connection, to see whether a server still takes any.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <optional>

namespace ringchurn {

/// What became of the connection.
struct ProbeResult {
  /// connect(2)'s or the connection's errno, 0 for none; ETIMEDOUT: no answer within the time.
  int error = 0;
  /// A process took the connection out of the accept queue, or ended it in good order. That it was
  /// established says nothing: the kernel completes handshakes by itself. nullopt: it failed, or
  /// nobody here can tell (another machine or network namespace; TCP_DEFER_ACCEPT).
  std::optional<bool> is_taken{};
  double elapsed_s = 0;  ///< until that was known, at most the time it was given

  /// The address refuses connections: nobody listens there.
  bool is_refused() const;
};

/// Connects, waits until the connection is taken, closes without a byte sent. Blocks for
/// `time` at most, unless this machine stands still.
ProbeResult probe(const sockaddr* address, socklen_t length, std::chrono::milliseconds time);

}  // namespace ringchurn
