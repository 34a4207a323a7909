// Reading a target and its sources, and refusing those that nobody should load: see target.h. All
// refusals stand before the one call that may send a packet, getaddrinfo(3).
#include "bench/target.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "bench/option_table.h"
#include "bench/text.h"
#include "ring/error.h"
#include "workloads/descriptor.h"
#include "workloads/four_tuple.h"

namespace ringchurn {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
  fail_usage(fmt::format("target '{}' {}", printable(text), why));
}

// --- Addresses ---

std::uint32_t ipv4_of(const sockaddr_storage& address) {
  return ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr);
}

const in6_addr& ipv6_of(const sockaddr_storage& address) {
  return reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
}

sockaddr_storage make_ipv4(std::uint32_t host_order) {
  sockaddr_storage address{};
  auto& ipv4 = reinterpret_cast<sockaddr_in&>(address);
  ipv4.sin_family = AF_INET;
  ipv4.sin_addr.s_addr = htonl(host_order);
  return address;
}

/// An IPv4-mapped address reaches the IPv4 host, so the rules for IPv4 must see it as such.
sockaddr_storage unmapped(const sockaddr_storage& address) {
  if (address.ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&ipv6_of(address))) return address;
  std::uint32_t ipv4;
  std::memcpy(&ipv4, &ipv6_of(address).s6_addr[12], sizeof ipv4);
  return make_ipv4(ntohl(ipv4));
}

/// `host` as a literal: IPv4 in four decimal numbers, or IPv6, with its zone behind '%'. nullopt if
/// it is none.
std::optional<sockaddr_storage> parse_literal(const std::string& host) {
  if (host.find('\0') != host.npos) return std::nullopt;  // the calls below would not see the rest
  in_addr ipv4;
  if (inet_pton(AF_INET, host.c_str(), &ipv4) == 1) return make_ipv4(ntohl(ipv4.s_addr));
  const auto percent = host.find('%');
  sockaddr_storage address{};
  auto& ipv6 = reinterpret_cast<sockaddr_in6&>(address);
  ipv6.sin6_family = AF_INET6;
  if (inet_pton(AF_INET6, host.substr(0, percent).c_str(), &ipv6.sin6_addr) != 1) {
    return std::nullopt;
  }
  if (percent != host.npos) {
    const std::string zone = host.substr(percent + 1);
    ipv6.sin6_scope_id = if_nametoindex(zone.c_str());
    if (ipv6.sin6_scope_id == 0) {
      fail_usage(fmt::format("'{}' names the interface '{}', which this machine does not have",
                             printable(host), printable(zone)));
    }
    if (!IN6_IS_ADDR_LINKLOCAL(&ipv6.sin6_addr)) {
      fail_usage(fmt::format("'{}' has a zone, but is not link-local; leave %{} out",
                             printable(host), printable(zone)));
    }
  }
  return unmapped(address);
}

bool same_address(const sockaddr_storage& a, const sockaddr_storage& b) {
  if (a.ss_family != b.ss_family) return false;
  if (a.ss_family == AF_INET) return ipv4_of(a) == ipv4_of(b);
  return IN6_ARE_ADDR_EQUAL(&ipv6_of(a), &ipv6_of(b)) &&
         reinterpret_cast<const sockaddr_in6&>(a).sin6_scope_id ==
             reinterpret_cast<const sockaddr_in6&>(b).sin6_scope_id;
}

// --- What is no single host's address ---

/// The interface that `ipv4` is the directed broadcast address of (RFC 919), or "". Computed from
/// address and mask as well, since an interface may have been given no broadcast address.
std::string broadcast_interface(std::uint32_t ipv4) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) {
    throw Error(kExitCannotRun, fmt::format("cannot list this machine's interfaces, so cannot tell "
                                            "whether the target is a broadcast address: {}",
                                            std::strerror(errno)));
  }
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, freeifaddrs);
  const auto value = [](const sockaddr* address) {
    return ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr);
  };
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET) continue;
    const std::uint32_t host_bits = entry->ifa_netmask ? ~value(entry->ifa_netmask) : 0;
    // A /31 and a /32 have no broadcast address (RFC 3021).
    const bool computed = host_bits > 1 && ipv4 == (value(entry->ifa_addr) | host_bits);
    const bool configured = (entry->ifa_flags & IFF_BROADCAST) != 0 &&
                            entry->ifa_broadaddr != nullptr && ipv4 == value(entry->ifa_broadaddr);
    if (computed || (configured && ipv4 != value(entry->ifa_addr))) return entry->ifa_name;
  }
  return "";
}

std::string ipv4_flaw(std::uint32_t ipv4) {
  if (ipv4 >> 24 == 0) return "an unspecified address (0.0.0.0/8)";
  if (ipv4 == INADDR_BROADCAST) return "the limited broadcast address";
  if (ipv4 >> 28 == 0xe) return "a multicast address (224.0.0.0/4)";
  if (ipv4 >> 28 == 0xf) return "a reserved address (240.0.0.0/4)";
  const std::string interface = broadcast_interface(ipv4);
  return interface.empty() ? "" : fmt::format("the broadcast address of {}", interface);
}

/// Why `address` is not that of one host that can be connected to, as a noun; "" if it is.
std::string flaw(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) return ipv4_flaw(ipv4_of(address));
  const in6_addr& ipv6 = ipv6_of(address);
  if (IN6_IS_ADDR_UNSPECIFIED(&ipv6)) return "the unspecified address";
  if (IN6_IS_ADDR_MULTICAST(&ipv6)) return "a multicast address (ff00::/8)";
  const bool has_zone = reinterpret_cast<const sockaddr_in6&>(address).sin6_scope_id != 0;
  if (IN6_IS_ADDR_LINKLOCAL(&ipv6) && !has_zone) {
    return fmt::format("a link-local address without its interface, as in {}%eth0",
                       address_text(address));
  }
  return "";
}

void require_one_host(const std::string& text, const sockaddr_storage& address) {
  const std::string noun = flaw(address);
  if (noun.empty()) return;
  refuse(text,
         fmt::format("leads to {}, {}; give the address of one host", address_text(address), noun));
}

// --- The text ---

struct HostAndPort {
  std::string host;  ///< without brackets
  std::uint16_t port;
};

std::uint16_t parse_port(const std::string& text, std::string_view port) {
  unsigned value = 0;
  const char* end = port.data() + port.size();
  const auto [rest, error] = std::from_chars(port.data(), end, value);
  if (error == std::errc::invalid_argument || rest != end) {
    refuse(text, fmt::format("has no port number behind its last colon, but '{}'; give 1 to 65535",
                             printable(port)));
  }
  if (error != std::errc() || value == 0 || value > 65535) {
    refuse(text, fmt::format("has the port {}, which is not 1 to 65535", printable(port)));
  }
  return static_cast<std::uint16_t>(value);
}

bool is_ipv6(const std::string& host) {
  in6_addr ignored;
  return inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), &ignored) == 1;
}

/// "::1:80" and "::1" are both IPv6 addresses, and only the user knows whether a port was meant:
/// shows the bracketed form of what is likelier.
[[noreturn]] void refuse_colons(const std::string& text, std::size_t last) {
  const std::string host = text.substr(0, last), port = text.substr(last + 1);
  const bool has_port = !port.empty() && port.find_first_not_of("0123456789") == port.npos;
  if (!is_ipv6(text) && !is_ipv6(host)) refuse(text, "has too many colons; give HOST:PORT");
  refuse(text, fmt::format("has an IPv6 address without brackets; write {}",
                           has_port && is_ipv6(host) ? fmt::format("[{}]:{}", host, port)
                                                     : fmt::format("[{}]:PORT", text)));
}

HostAndPort split(const std::string& text) {
  if (text.empty()) fail_usage("the target is empty; give HOST:PORT or unix:/PATH");
  if (text.find("://") != text.npos) refuse(text, "is a URL; give HOST:PORT, as in web:80");
  const bool is_bracketed = text[0] == '[';
  const auto bracket = text.find(']');
  if (is_bracketed && bracket == text.npos) refuse(text, "has no ']' behind its '['");
  const auto colon = is_bracketed ? bracket + 1 : text.rfind(':');
  if (!is_bracketed && colon != text.find(':')) refuse_colons(text, colon);
  if (colon < text.size() && text[colon] != ':') refuse(text, "has no ':' behind its ']'");
  const std::string_view host_part = std::string_view(text).substr(0, colon);
  if (host_part.empty()) refuse(text, "has no host in front of its port; give HOST:PORT");
  if (colon >= text.size() || colon + 1 == text.size()) {
    refuse(text, fmt::format("has no port; write {}:PORT", printable(host_part)));
  }
  const std::string host(is_bracketed ? host_part.substr(1, bracket - 1) : host_part);
  if (is_bracketed && !is_ipv6(host)) refuse(text, "has no IPv6 address in its brackets");
  return {host, parse_port(text, std::string_view(text).substr(colon + 1))};
}

bool is_same_name(const std::string& a, const std::string& b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

/// The host's address as far as the text alone tells it: a literal, or 127.0.0.1 for localhost (RFC
/// 6761, section 6.3, wants it to stay on the machine).
std::optional<sockaddr_storage> known_address(const std::string& host) {
  if (is_same_name(host, "localhost") || is_same_name(host, "localhost.")) {
    return make_ipv4(INADDR_LOOPBACK);
  }
  return parse_literal(host);
}

/// getaddrinfo(3) takes "127.1" and "0x7f000001" for addresses (inet_aton(3)). A host that is read
/// in two ways can be authorized in one and loaded in the other, so whatever ends in a number must
/// be a plain literal, as in URLs (WHATWG URL, "ends in a number").
void require_name(const std::string& text, const std::string& host) {
  const auto is_name_character = [](char c) {
    return ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z') || ('0' <= c && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  };
  if (host.size() > 253 || !std::all_of(host.begin(), host.end(), is_name_character)) {
    refuse(text, fmt::format("has no host name in front of its port, but '{}'", printable(host)));
  }
  std::string last = host.substr(0, host.back() == '.' ? host.size() - 1 : host.npos);
  last.erase(0, last.rfind('.') + 1);
  const bool is_hexadecimal = last.starts_with("0x") || last.starts_with("0X");
  if (last.empty() || is_hexadecimal || last.find_first_not_of("0123456789") == last.npos) {
    refuse(text,
           "has neither a host name nor an IPv4 address of four decimal numbers, as in "
           "127.0.0.1");
  }
}

// --- The authorization ---

bool is_same_host(const std::string& host, std::string authorized) {
  if (authorized.size() > 2 && authorized.front() == '[' && authorized.back() == ']') {
    authorized = authorized.substr(1, authorized.size() - 2);
  }
  const auto address = known_address(host), other = known_address(authorized);
  if (address && other) return same_address(*address, *other);
  return !address && !other && is_same_name(host, authorized);
}

/// Throws unless the host is free to use, or is the one that the user vouched for.
void require_authorized(const std::string& text, const std::string& host, bool is_free,
                        const std::string& authorized) {
  if (authorized.empty() && !is_free) {
    refuse(text, fmt::format("is not loopback, so nothing was sent to '{0}': a load may harm it. "
                             "If you are authorised to load it, add --authorized-target {0}",
                             printable(host)));
  }
  if (authorized.empty() || is_same_host(host, authorized)) return;
  refuse(text, fmt::format("has the host '{0}', but --authorized-target names '{1}'; nothing was "
                           "sent. If both mean the same host, write --authorized-target {0}",
                           printable(host), printable(authorized)));
}

// --- The address ---

sockaddr_storage resolve(const std::string& text, const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_protocol = IPPROTO_TCP;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (error == EAI_NONAME || error == EAI_NODATA || error == EAI_FAIL) {
    refuse(text, fmt::format("has a host that cannot be resolved: {}", gai_strerror(error)));
  }
  if (error != 0) {
    throw Error(kExitCannotRun,
                fmt::format("the resolver did not say where '{}' is: {}; try again, or give its "
                            "address",
                            printable(host),
                            error == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, freeaddrinfo);
  sockaddr_storage address{};
  std::memcpy(&address, list->ai_addr, std::min<std::size_t>(list->ai_addrlen, sizeof address));
  return unmapped(address);
}

void set_port(sockaddr_storage& address, std::uint16_t port) {
  if (address.ss_family == AF_INET) {
    reinterpret_cast<sockaddr_in&>(address).sin_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in6&>(address).sin6_port = htons(port);
  }
}

Target unix_target(const std::string& text) {
  Target target{text, AF_UNIX, {}, 0, true};
  auto& address = reinterpret_cast<sockaddr_un&>(target.address);
  std::string path = text.substr(kUnixPrefix.size());
  const bool is_abstract = path.starts_with('@');
  if (path.size() == (is_abstract ? 1u : 0u)) {
    refuse(text, "has no path; give unix:/PATH, or unix:@NAME for an abstract socket");
  }
  if (path.find('\0') != path.npos) refuse(text, "has a zero byte in its path");
  // The zero byte that ends a path needs a place, and unix(7) wants it there.
  if (path.size() >= sizeof address.sun_path) {
    refuse(text, fmt::format("has a path of {} bytes; a unix socket's has at most {}", path.size(),
                             sizeof address.sun_path - 1));
  }
  address.sun_family = AF_UNIX;
  if (is_abstract) path[0] = '\0';
  std::memcpy(address.sun_path, path.data(), path.size());
  // The length is part of an abstract name.
  target.length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (is_abstract ? 0 : 1));
  return target;
}

}  // namespace

std::string address_text(const sockaddr_storage& address) {
  char host[NI_MAXHOST];
  getnameinfo(reinterpret_cast<const sockaddr*>(&address), length_of(address), host, sizeof host,
              nullptr, 0, NI_NUMERICHOST);
  return host;
}

bool is_loopback(const sockaddr_storage& address) {
  return address.ss_family == AF_INET ? ipv4_of(address) >> 24 == IN_LOOPBACKNET
                                      : IN6_IS_ADDR_LOOPBACK(&ipv6_of(address)) != 0;
}

Target find_target(const std::string& text, const std::string& authorized_host) {
  if (text.starts_with(kUnixPrefix)) {
    if (!authorized_host.empty()) {
      refuse(text, "is a socket of this machine and has no host; leave --authorized-target out");
    }
    return unix_target(text);
  }
  const HostAndPort parsed = split(text);
  std::optional<sockaddr_storage> address = known_address(parsed.host);
  if (address) {
    require_one_host(text, *address);
  } else {
    require_name(text, parsed.host);
  }
  require_authorized(text, parsed.host, address && is_loopback(*address), authorized_host);
  if (!address) {
    address = resolve(text, parsed.host);
    require_one_host(text, *address);
  }
  set_port(*address, parsed.port);
  return {text, address->ss_family, *address, length_of(*address), is_loopback(*address)};
}

std::string numeric(const Target& target) {
  if (target.domain == AF_UNIX) {
    const auto& address = reinterpret_cast<const sockaddr_un&>(target.address);
    std::string path(address.sun_path, target.length - offsetof(sockaddr_un, sun_path));
    if (path[0] == '\0') {
      path[0] = '@';
    } else {
      path.pop_back();
    }
    return fmt::format("{}{}", kUnixPrefix, printable(path));
  }
  const std::string host = address_text(target.address);
  const std::uint16_t port = port_of(target.address);
  const bool has_brackets = target.domain == AF_INET6;
  return has_brackets ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

// --- Sources ---

namespace {

[[noreturn]] void refuse_source(std::string_view cidr, std::string_view why) {
  fail_usage(fmt::format("--source '{}' {}", printable(cidr), why));
}

struct Prefix {
  sockaddr_storage base;
  unsigned host_bits;  ///< 0 for a single address
};

/// `base` with `n` added: a prefix's addresses in order. `n` does not leave the last four bytes,
/// since kMaxSources is less.
sockaddr_storage nth(const sockaddr_storage& base, std::uint32_t n) {
  if (base.ss_family == AF_INET) return make_ipv4(ipv4_of(base) + n);
  sockaddr_storage address = base;
  std::uint8_t* tail = &reinterpret_cast<sockaddr_in6&>(address).sin6_addr.s6_addr[12];
  std::uint32_t value;
  std::memcpy(&value, tail, sizeof value);
  value = htonl(ntohl(value) + n);
  std::memcpy(tail, &value, sizeof value);
  return address;
}

/// `base` with its last `host_bits` bits cleared.
sockaddr_storage network_of(const sockaddr_storage& base, unsigned host_bits) {
  sockaddr_storage network = base;
  const bool is_ipv4 = base.ss_family == AF_INET;
  auto* bytes =
      is_ipv4 ? reinterpret_cast<std::uint8_t*>(&reinterpret_cast<sockaddr_in&>(network).sin_addr)
              : reinterpret_cast<sockaddr_in6&>(network).sin6_addr.s6_addr;
  for (int i = is_ipv4 ? 3 : 15; i >= 0 && host_bits > 0; --i) {
    const unsigned cleared = std::min(host_bits, 8u);
    bytes[i] = static_cast<std::uint8_t>(bytes[i] >> cleared << cleared);
    host_bits -= cleared;
  }
  return network;
}

Prefix parse_prefix(const std::string& cidr) {
  const auto slash = cidr.find('/');
  const auto base = parse_literal(cidr.substr(0, slash));
  if (!base) refuse_source(cidr, "is not an address or a prefix, as in 127.0.0.0/24 or fd00::/120");
  if (slash == cidr.npos) return {*base, 0};
  const unsigned bits = base->ss_family == AF_INET ? 32 : 128;
  unsigned length = 0;
  const char *begin = cidr.data() + slash + 1, *end = cidr.data() + cidr.size();
  const auto [rest, error] = std::from_chars(begin, end, length);
  if (error != std::errc() || rest != end || length > bits) {
    refuse_source(cidr, fmt::format("has a prefix length that is not 0 to {}", bits));
  }
  const sockaddr_storage network = network_of(*base, bits - length);
  if (!same_address(network, *base)) {
    refuse_source(cidr, fmt::format("has bits set behind its first {0}; give {1}/{0} for all of "
                                    "them, or {2} alone",
                                    length, address_text(network), address_text(*base)));
  }
  return {*base, bits - length};
}

/// Whether a prefix's first or last address is nobody's. 127.0.0.0/8 is one network, whatever part
/// of it the prefix is.
bool is_left_out(const sockaddr_storage& address, std::uint64_t n, unsigned host_bits) {
  if (host_bits < 2) return false;  // RFC 3021, RFC 6164
  if (address.ss_family == AF_INET6) return n == 0 && !is_loopback(address);
  if (is_loopback(address)) {
    const std::uint32_t host = ipv4_of(address) & 0xffffff;
    return host == 0 || host == 0xffffff;
  }
  return n == 0 || n + 1 == std::uint64_t{1} << host_bits;
}

/// Throws unless connections from `source` can reach the target. A UDP socket, since its connect(2)
/// looks up the route, with the checks of the source address, and sends nothing.
void require_usable(const std::string& cidr, const sockaddr_storage& source, const Target& target) {
  const auto* address = reinterpret_cast<const sockaddr*>(&source);
  const std::string noun = flaw(source);
  if (!noun.empty()) {
    refuse_source(cidr, fmt::format("holds {}, {}", address_text(source), noun));
  }
  const Descriptor probe(socket(source.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!probe.is_open()) {
    throw Error(kExitCannotRun, fmt::format("cannot make a socket: {}", std::strerror(errno)));
  }
  if (bind(probe.get(), address, length_of(source)) != 0) {
    refuse_source(cidr, fmt::format("holds {0}, which is not an address of this machine ({1}); add "
                                    "it with `ip address add`, or give others",
                                    address_text(source), std::strerror(errno)));
  }
  const auto* to = reinterpret_cast<const sockaddr*>(&target.address);
  if (connect(probe.get(), to, target.length) != 0) {
    refuse_source(cidr, fmt::format("holds {}, from which {} cannot be reached: {}",
                                    address_text(source), numeric(target), std::strerror(errno)));
  }
}

}  // namespace

std::vector<sockaddr_storage> source_addresses(const std::string& cidr, const Target& target) {
  if (target.domain == AF_UNIX) refuse_source(cidr, "is of no use: a unix socket has no addresses");
  const Prefix prefix = parse_prefix(cidr);
  if (prefix.base.ss_family != target.domain) {
    refuse_source(cidr, fmt::format("is {}, but the target {} is {}",
                                    target.domain == AF_INET ? "IPv6" : "IPv4", numeric(target),
                                    target.domain == AF_INET ? "IPv4" : "IPv6"));
  }
  // Two more than are used, because the first and the last may be left out.
  const std::uint64_t size = prefix.host_bits < 16 ? std::uint64_t{1} << prefix.host_bits : 1 << 16;
  std::vector<sockaddr_storage> sources;
  for (std::uint64_t n = 0; n < size && sources.size() < kMaxSources; ++n) {
    const sockaddr_storage source = nth(prefix.base, static_cast<std::uint32_t>(n));
    if (is_left_out(source, n, prefix.host_bits)) continue;
    require_usable(cidr, source, target);
    sources.push_back(source);
  }
  return sources;
}

}  // namespace ringchurn
