// What a load does right now, for Prometheus: an HTTP server on loopback, in a process of its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "workloads/descriptor.h"

namespace ringchurn {

/// Serves the newest sample at http://127.0.0.1:PORT/metrics as long as it lives.
///
/// A process of its own, because the load leaves for a network that nobody can reach, and threads
/// would keep the program from entering a user namespace (unshare(2): EINVAL); and so that the CPU
/// time of a scrape is on nobody's bill but its own. So make it before enter_lab() and before the
/// first thread. It ends with this object, or with the program, however that ends.
class MetricsServer {
 public:
  /// Returns when the port is open. Throws Error (kExitUsage) if it cannot be opened, or if the
  /// program was built without prometheus-cpp.
  explicit MetricsServer(std::uint16_t port);
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  /// What a scrape answers from now on: a sample as sample_json() writes it. Never waits: while the
  /// server is busy, samples are left out.
  void publish(const std::string& sample);

  /// False once a sample could not be handed over because nobody was there.
  bool is_alive() const { return is_alive_; }

 private:
  Descriptor channel_;
  pid_t process_ = -1;
  bool is_alive_ = true;
};

}  // namespace ringchurn
