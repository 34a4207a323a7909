// Whether the client has ports enough. An end that closes first keeps its port in TIME_WAIT (RFC
// 9293, section 3.6.1), and a load generator that closes first runs out of ports: connect(2) fails
// with EADDRNOTAVAIL, after it has become a hundred times slower. This is told before the run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/target.h"

namespace ringchurn {

/// What decides how many connections can be open or in TIME_WAIT at once.
struct PortFacts {
  unsigned low = 32768, high = 60999;  ///< net.ipv4.ip_local_port_range, for IPv6 too; inclusive
  unsigned reserved = 0;               ///< of them in net.ipv4.ip_local_reserved_ports
  /// net.ipv4.tcp_tw_reuse: connect(2) may take a port from TIME_WAIT. 0: never; 1: always; 2: on
  /// loopback (Linux 4.19, the default).
  int tw_reuse = 2;
  /// net.ipv4.tcp_timestamps is not 0. Without, no port is taken from TIME_WAIT. The server must
  /// have them too, which is not known here.
  bool has_timestamps = true;
  /// How long such a port must have been in TIME_WAIT: net.ipv4.tcp_tw_reuse_delay (Linux 6.14, 1
  /// to 60,000); at most a second in earlier kernels, which compare whole seconds.
  unsigned tw_reuse_delay_ms = 1000;
  unsigned time_wait_s = 60;  ///< TCP_TIMEWAIT_LEN, which no setting changes
  unsigned destinations = 1;  ///< addresses or ports that connections go to
  unsigned sources = 1;       ///< addresses that they come from
  bool is_loopback = false;   ///< as tcp_tw_reuse = 2 has it: one end's address is loopback
};

/// Reads the settings of the calling thread's network namespace. `sources` are those of
/// source_addresses(), empty if the kernel picks one. The target is AF_INET or AF_INET6; AF_UNIX
/// has no ports. `directory` is for tests. Throws Error (kExitCannotRun) if a setting that all
/// kernels have cannot be read.
PortFacts read_port_facts(const Target& target, const std::vector<sockaddr_storage>& sources,
                          const std::string& directory = "/proc/sys/net/ipv4");

/// How many ports there are, and how fast they come back from TIME_WAIT.
struct PortBudget {
  /// 4-tuples: ports x destinations x sources. At most: what other sockets hold is not counted.
  std::uint64_t ports = 0;
  /// Half of them. connect(2) tries the ports of the lower one's parity first; once those are
  /// taken, it looks at all of them in vain before it tries the others, for every connection.
  std::uint64_t quick_ports = 0;
  double hold_s = 0;             ///< how long TIME_WAIT holds each
  double sustainable_per_s = 0;  ///< connections closed by the client first, for ever
};

PortBudget budget(const PortFacts& facts);

/// What a load asks of the ports.
struct PortDemand {
  /// The part of all connections whose client ends in TIME_WAIT, because it closes first and not by
  /// RST: 0 to 1. 0 if the server closes first; its own TIME_WAIT holds no client port.
  double client_closes_first = 1;
  std::optional<double> rate_per_s;          ///< connections; none: as fast as it goes
  std::optional<std::uint64_t> connections;  ///< in all; none: not limited
  std::optional<double> duration_s;          ///< none: not limited
  std::uint64_t in_flight = 0;               ///< open at once at most
};

enum class PortOutlook {
  holds,             ///< there are quick ports for all
  slows_down,        ///< there are ports for all, but connect(2) may have to search for them
  depends_on_speed,  ///< they are used up if the load is faster than sustainable_per_s
  runs_out,          ///< they are used up: EADDRNOTAVAIL
};

struct PortForecast {
  PortOutlook outlook = PortOutlook::holds;
  /// Unless it holds: connections until the quick ports are taken, and when that is, if there is a
  /// rate to tell it from.
  std::uint64_t connections_until_slow = 0;
  std::optional<double> slow_after_s;
  /// runs_out, depends_on_speed: connections until all are taken. When that is cannot be told: by
  /// then connect(2) takes a hundred times as long.
  std::uint64_t connections_until_empty = 0;
};

/// Compares the ports that the load holds at once with those that there are. It assumes that the
/// client's ports are its own, and that no TIME_WAIT is left of an earlier run.
PortForecast forecast(const PortBudget& budget, const PortDemand& demand);

/// What the user should know before the load starts: "" if it holds; else two lines, each ended by
/// '\n' and not wrapped, of what will happen and of the remedies that help in this case.
std::string port_warning(const Target& target, const PortFacts& facts, const PortDemand& demand);

}  // namespace ringchurn
