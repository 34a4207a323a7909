// A server of somebody else's that is started for a comparison, in a network of its own, so that
// two of them can listen on the same port.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

#include "bench/server_watch.h"
#include "bench/side_network.h"

namespace ringchurn {

/// Belongs to the thread that made it. Must be made before the process has a second thread.
class ServerProcess {
 public:
  /// Runs `command` by /bin/sh in `network` and waits until somebody listens on TCP there, be it a
  /// daemon that the command left behind. Its standard output goes to standard error. Throws Error:
  /// kExitCannotRun if it ends before that, or takes more than 10 s.
  ServerProcess(std::string command, const SideNetwork& network);
  /// SIGTERM to all of its processes, and SIGKILL to those that are there 3 s later.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& command() const { return command_; }
  /// Where it listens: at the lowest port, if at several. A wildcard is told as loopback.
  const sockaddr_storage& address() const { return address_; }
  socklen_t address_length() const { return length_; }
  /// CPU time of its processes so far (ProcessTotals::cpu_ns).
  std::uint64_t cpu_ns() { return watch_->cpu_ns(); }

 private:
  void start();
  bool find_listener();
  void end_all();
  bool shell_is_there() const;

  std::string command_;
  const SideNetwork& network_;
  pid_t pid_ = 0;  ///< of the shell, which may be gone, and the number somebody else's by now
  std::uint64_t start_ticks_ = 0;  ///< so that it is known again
  sockaddr_storage address_{};
  socklen_t length_ = 0;
  std::optional<ServerWatch> watch_;
};

}  // namespace ringchurn
