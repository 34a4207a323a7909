// Where `ringchurn drive` sends connections, where they come from, and the guard rails in front of
// both. A load generator that is pointed at the wrong host is an attack, so the rule is: this
// machine is free, anything else must be named twice, and what no connection can have as its other
// end is refused. Nothing leaves the machine, not even a DNS query, before the rule is satisfied.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <string>
#include <vector>

namespace ringchurn {

/// The server that connections go to. Resolved once; a name that leads elsewhere later is not
/// followed.
struct Target {
  std::string text;            ///< as typed
  int domain = 0;              ///< AF_INET, AF_INET6 or AF_UNIX
  sockaddr_storage address{};  ///< never IPv4-mapped: that becomes AF_INET
  socklen_t length = 0;        ///< of `address`, as connect(2) wants it
  /// Loopback or AF_UNIX: the connection ends on this machine, whatever a tunnel does behind it.
  bool is_local_scope = false;
};

/// The target that `text` names: "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80", "localhost:80",
/// "web:8080", "unix:/run/x.sock" or "unix:@abstract" (unix(7)). "localhost" is 127.0.0.1 and asks
/// no resolver.
///
/// Loopback and AF_UNIX are free. Any other host needs `authorized_host` ("" for none), which must
/// name the same host: names as typed but for upper and lower case, literals by their address. A
/// name counts as another host even if /etc/hosts leads it back here, because finding that out
/// would mean to resolve it. An authorization that is not needed is accepted if it fits, so that a
/// script can pass both from one variable; one that names another host is refused even then,
/// because one of the two is a mistake.
///
/// Literals and resolved addresses alike must be one host's: unspecified, multicast, reserved and
/// broadcast addresses, those of a local interface included, are refused.
///
/// Throws Error: kExitUsage for all of this, before any packet is sent; kExitCannotRun if the
/// resolver fails or does not answer, which says nothing about the name. Blocks as long as
/// getaddrinfo(3) does.
Target find_target(const std::string& text, const std::string& authorized_host);

/// The address without its port, as inet_ntop(3) writes it, with the zone if it has one.
std::string address_text(const sockaddr_storage& address);

/// Whether an AF_INET or AF_INET6 address, not IPv4-mapped, is in 127.0.0.0/8 or is ::1.
bool is_loopback(const sockaddr_storage& address);

/// Where the target is, printable: "10.0.0.7:8080", "[fe80::1%eth0]:80", "unix:/run/x.sock".
std::string numeric(const Target& target);

/// The most source addresses that are used. With the default port range they carry 1.9 million
/// connections a second, although TIME_WAIT holds each port for 60 s.
inline constexpr std::size_t kMaxSources = 4096;

/// The addresses that connections may come from: one, "10.0.0.5", or a prefix, "127.0.0.0/24" or
/// "fd00::/120", of which at most the first kMaxSources are used. What a prefix holds that is no
/// host's is left out: network and broadcast address of IPv4 (in 127.0.0.0/8 only 127.0.0.0 and
/// 127.255.255.255), the Subnet-Router anycast address of IPv6 (RFC 4291, section 2.6.1).
///
/// Each must be this machine's and have a route to the target. That is tried with a UDP socket,
/// whose connect(2) looks up the route and sends nothing. Ports are 0.
///
/// Throws Error (kExitUsage), also for a prefix of another family than the target's.
std::vector<sockaddr_storage> source_addresses(const std::string& cidr, const Target& target);

}  // namespace ringchurn
