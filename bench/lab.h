// The lab: a private network namespace, in which the kernel counts this program's connections and
// nobody else's, TIME_WAIT starts empty, and every port is free. Entered without root where the
// kernel permits; the host is never changed.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "workloads/endpoint.h"

namespace ringchurn {

enum class LabKind {
  private_namespace,  ///< a network namespace of our own
  veth,               ///< the same for the clients, and another one for the servers: see veth.h
  host,               ///< the namespace that the program was started in, untouched
};

/// As a result and --lab spell it: "private", "veth", "host".
const char* lab_name(LabKind kind);

/// A kernel setting that the lab wants, and what came of it.
struct LabSysctl {
  std::string name;   ///< as sysctl(8) spells it: "net.core.somaxconn"
  std::string value;  ///< in force now, fields separated by one space
  bool accepted;      ///< false: the kernel kept its own value (/proc/sys mounted read-only, say)
};

/// Where the connections of a run live.
struct Lab {
  LabKind kind = LabKind::host;
  bool user_namespace = false;     ///< a user namespace was needed too: not root, or not all of it
  std::vector<LabSysctl> sysctls;  ///< empty for LabKind::host

  /// Numeric addresses of this machine that clients may connect to in turn: each has its own space
  /// of about 64,000 client ports, which TIME_WAIT would otherwise use up within seconds. Never
  /// empty for IPv4 (all of 127.0.0.0/8 is local); empty for IPv6 if there is none here.
  std::vector<std::string> ipv4_destinations;
  std::vector<std::string> ipv6_destinations;
};

/// Enters the lab and brings it up. Applies to the whole process and lasts until it ends, so call
/// it once, before the first thread and before the first socket (a socket stays in the namespace
/// that it was made in). Files keep being written as the caller's own user.
///
/// A destination port below 1024 that nobody listens on is sure to refuse connections: the private
/// namespace hands out ports from 1024 up, so no client can meet itself there, as TCP permits
/// (simultaneous open, RFC 9293 section 3.5).
///
/// Throws Error with kExitCannotRun, naming the reason and the ways out, if the kernel forbids it.
Lab enter_lab(LabKind kind);

/// Refuses a scenario that such a lab cannot play: on the host one that needs settings of its own,
/// or that connects to addresses which are not this machine's; across a veth pair one that needs
/// settings, a Unix socket, or both ends in one network. Throws Error (kExitUsage).
void require_lab_for(const Scenario& scenario, LabKind kind);

/// Another namespace like the lab's, for the calling thread alone, and for the threads and sockets
/// that it makes while it is there. Throws Error as enter_lab().
Lab enter_another_lab();

/// Gives a private lab the settings that `scenario` needs. Throws Error (kExitCannotRun) if the
/// kernel refuses one.
void set_for(const Scenario& scenario, Lab& lab);

/// An endpoint for each scenario, with its listener in the calling thread's network, in the lab's
/// addresses of `family` (AF_INET, AF_INET6) or of the family that the scenario insists on. Throws
/// Error.
std::vector<Endpoint> make_endpoints(std::span<const Scenario> scenarios, const Lab& lab,
                                     int family, unsigned backlog,
                                     Endpoint::Port port = Endpoint::Port::own);

/// How many destinations of each family a lab has.
inline constexpr int kDestinations = 256;

/// What is known when a namespace was refused. Settings are as read from /proc/sys, without the
/// newline, nullopt where this kernel has no such setting.
struct NamespaceRefusal {
  std::string step;  ///< what was being done: "unshare", "write /proc/self/uid_map", ...
  int error = 0;     ///< its errno
  bool root = false;
  bool seccomp_filter = false;
  std::optional<std::string> max_user_namespaces;                    ///< user.*, Linux 4.9
  std::optional<std::string> max_net_namespaces;                     ///< user.*, Linux 4.9
  std::optional<std::string> unprivileged_userns_clone;              ///< kernel.*, Debian's patch
  std::optional<std::string> apparmor_restrict_unprivileged_userns;  ///< kernel.*, Ubuntu 23.10
};

/// One line for the user: what failed, why in all likelihood, and the ways out.
std::string explain(const NamespaceRefusal& refusal);

}  // namespace ringchurn
