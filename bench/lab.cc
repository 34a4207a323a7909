// Entering the lab: two system calls, four settings, a route, and a good explanation where
// the kernel says no.
#include "bench/lab.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "bench/netlink.h"
#include "ring/error.h"
#include "workloads/descriptor.h"

namespace ringchurn {
namespace {

std::optional<std::string> read_setting(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  std::replace(line.begin(), line.end(), '\t', ' ');
  return line;
}

/// One write(2), as /proc wants it. False with errno set if the kernel refused.
bool write_setting(const std::string& path, std::string_view value) {
  const Descriptor file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file.is_open() && write(file.get(), value.data(), value.size()) == std::ssize(value);
}

bool has_seccomp_filter() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Seccomp:")) return line.ends_with('2');  // SECCOMP_MODE_FILTER
  }
  return false;
}

[[noreturn]] void refuse(std::string step, int error) {
  NamespaceRefusal refusal;
  refusal.step = std::move(step);
  refusal.error = error;
  refusal.root = geteuid() == 0;
  refusal.seccomp_filter = has_seccomp_filter();
  refusal.max_user_namespaces = read_setting("/proc/sys/user/max_user_namespaces");
  refusal.max_net_namespaces = read_setting("/proc/sys/user/max_net_namespaces");
  refusal.unprivileged_userns_clone = read_setting("/proc/sys/kernel/unprivileged_userns_clone");
  refusal.apparmor_restrict_unprivileged_userns =
      read_setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
  throw Error(kExitCannotRun, explain(refusal));
}

bool bring_up_loopback() {
  const Descriptor socket_fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  return socket_fd.is_open() && ioctl(socket_fd.get(), SIOCSIFFLAGS, &request) == 0;
}

/// Maps the caller's user and group to themselves, so that files keep their owner. setgroups must
/// be given up first, or an ordinary user may not map a group (user_namespaces(7), since 3.19).
void keep_own_identity(uid_t user, gid_t group) {
  const auto write_own = [](const char* path, const std::string& value) {
    if (!write_setting(path, value)) refuse(fmt::format("write {}", path), errno);
  };
  write_own("/proc/self/setgroups", "deny");
  write_own("/proc/self/uid_map", fmt::format("{0} {0} 1", user));
  write_own("/proc/self/gid_map", fmt::format("{0} {0} 1", group));
}

/// Leaves the host's network. Returns whether that took a user namespace: root of a container may
/// lack the capability to make a network namespace, or the one to use it.
bool enter_namespace() {
  if (unshare(CLONE_NEWNET) == 0 && bring_up_loopback()) return false;
  const uid_t user = geteuid();
  const gid_t group = getegid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) refuse("unshare", errno);
  keep_own_identity(user, group);
  if (!bring_up_loopback()) refuse("bring up lo", errno);
  return true;
}

/// Writes the first of `values` that the kernel accepts.
void set_sysctl(Lab& lab, const std::string& name, std::initializer_list<const char*> values) {
  std::string path = name;
  std::replace(path.begin(), path.end(), '.', '/');
  path = "/proc/sys/" + path;
  const bool accepted = std::any_of(values.begin(), values.end(), [&path](const char* value) {
    return write_setting(path, value);
  });
  if (const auto value = read_setting(path)) lab.sysctls.push_back({name, *value, accepted});
}

/// All of these belong to the namespace; the host's stay as they are. Nothing else is changed.
void set_sysctls(Lab& lab) {
  set_sysctl(lab, "net.ipv4.ip_local_port_range", {"1024 65535"});
  // 65535 is the limit of kernels that keep a socket's backlog in 16 bits.
  set_sysctl(lab, "net.core.somaxconn", {"1048576", "65535"});
  set_sysctl(lab, "net.ipv4.tcp_max_syn_backlog", {"1048576"});
  // A full table makes a graceful close skip TIME_WAIT (TCPTimeWaitOverflow). This many never fill:
  // they would need 280,000 closes a second, each staying for the kernel's fixed 60 s.
  set_sysctl(lab, "net.ipv4.tcp_max_tw_buckets", {"16777216"});
}

/// A route of `type` (RTN_LOCAL, RTN_UNREACHABLE, ...) to the network of `address`: a /24, or a
/// /64.
bool add_route(int family, const char* address, unsigned char type) {
  const bool v6 = family == AF_INET6;
  std::array<std::byte, sizeof(in6_addr)> network{};
  inet_pton(family, address, network.data());
  // The network's own address: what lies behind the prefix is zero.
  std::fill(network.begin() + (v6 ? 8 : 3), network.end(), std::byte{0});
  rtmsg route{};
  route.rtm_family = static_cast<unsigned char>(family);
  route.rtm_dst_len = v6 ? 64 : 24;
  route.rtm_table = type == RTN_LOCAL ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
  route.rtm_protocol = RTPROT_BOOT;
  route.rtm_type = type;
  NetlinkRequest request(RTM_NEWROUTE, NLM_F_CREATE, route);
  request.attribute(RTA_DST, std::span(network).first(v6 ? sizeof(in6_addr) : sizeof(in_addr)));
  // IPv4's refusing routes go without a device.
  if (v6 || type == RTN_LOCAL) request.number(RTA_OIF, static_cast<int>(if_nametoindex("lo")));
  return request.send() == 0;
}

/// Routes that refuse, for scripts that connect to them.
void add_refusing_routes() {
  for (const auto& [route, type] :
       {std::pair{kUnreachable, RTN_UNREACHABLE}, std::pair{kProhibited, RTN_PROHIBIT},
        std::pair{kBlackhole, RTN_BLACKHOLE}}) {
    add_route(AF_INET, route.ipv4, static_cast<unsigned char>(type));
    add_route(AF_INET6, route.ipv6, static_cast<unsigned char>(type));
  }
}

/// A whole /64, as 127.0.0.0/8 is for IPv4. Addresses on `lo` would do the same, but each
/// connect(2) would look at all of them for the one to come from (ipv6_dev_get_saddr()): with 256
/// that took half of its time.
std::vector<std::string> add_ipv6_destinations() {
  std::vector<std::string> destinations;
  if (!add_route(AF_INET6, "fd72:6368:7572::", RTN_LOCAL)) return destinations;
  for (int host = 1; host <= kDestinations; ++host) {
    destinations.push_back(fmt::format("fd72:6368:7572::{:x}", host));
  }
  return destinations;
}

/// What the namespace needs besides a loopback device that is up.
void furnish(Lab& lab) {
  set_sysctls(lab);
  lab.ipv6_destinations = add_ipv6_destinations();
  add_refusing_routes();
}

bool has_ipv6_loopback() {
  const Descriptor socket_fd(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  return socket_fd.is_open() &&
         bind(socket_fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

std::vector<std::string> ipv4_loopback_addresses() {
  std::vector<std::string> addresses;
  for (int host = 1; host <= kDestinations; ++host) {
    addresses.push_back(fmt::format("127.0.{}.{}", host / 256, host % 256));
  }
  return addresses;
}

bool is_zero(const std::optional<std::string>& setting) { return setting == "0"; }

struct Diagnosis {
  std::string reason;
  std::string remedy;  ///< besides --lab host
};

Diagnosis diagnose_limit(const NamespaceRefusal& refusal) {
  const std::string limits = fmt::format(
      "user.max_user_namespaces = {}, user.max_net_namespaces = {}",
      refusal.max_user_namespaces.value_or("?"), refusal.max_net_namespaces.value_or("?"));
  if (is_zero(refusal.max_net_namespaces)) {
    return {"network namespaces are switched off (user.max_net_namespaces = 0)",
            "sudo sysctl user.max_net_namespaces=1000"};
  }
  if (is_zero(refusal.max_user_namespaces) && !refusal.root) {
    return {"user namespaces are switched off (user.max_user_namespaces = 0)", "run with sudo"};
  }
  return {fmt::format("the limit on namespaces is reached ({})", limits), "raise it with sysctl"};
}

Diagnosis diagnose_permission(const NamespaceRefusal& refusal) {
  // First, because a container shows the host's settings too, and sudo would not help in there.
  if (refusal.seccomp_filter) {
    return {"a seccomp filter forbids it, as containers do by default",
            "start the container with --privileged or --security-opt seccomp=unconfined"};
  }
  if (!refusal.root && is_zero(refusal.unprivileged_userns_clone)) {
    return {"only root may create user namespaces here (kernel.unprivileged_userns_clone = 0)",
            "run with sudo"};
  }
  if (!refusal.root && refusal.apparmor_restrict_unprivileged_userns == "1") {
    return {
        "AppArmor forbids it to ordinary users, as Ubuntu does by default "
        "(kernel.apparmor_restrict_unprivileged_userns = 1)",
        "run with sudo"};
  }
  if (refusal.root) {
    return {"this root lacks CAP_SYS_ADMIN or CAP_NET_ADMIN, as in a container, or is in a chroot",
            "start the container with --privileged"};
  }
  return {"a security module forbids it, or this is a chroot", "run with sudo"};
}

Diagnosis diagnose(const NamespaceRefusal& refusal) {
  switch (refusal.error) {
    case EPERM:
    case EACCES:
      return diagnose_permission(refusal);
    case ENOSPC:
    case EUSERS:  // what ENOSPC was called before Linux 4.9
      return diagnose_limit(refusal);
    case EINVAL:
    case ENOSYS:
      return {"this kernel was built without user or network namespaces",
              "use a kernel with CONFIG_USER_NS and CONFIG_NET_NS"};
    default:
      return {"the kernel gave no further reason", "run with sudo"};
  }
}

/// What a step asks of both ends that two networks do not give; null: nothing.
const char* needs_one_network(const Step& step) {
  switch (step.act) {
    case Act::peer_state:
      return "looks up the other end's socket";
    case Act::arrives_rst:
    case Act::arrives_syn:
    case Act::arrives_fin:
    case Act::arrives_icmp:
      return "forges a packet on loopback";
    default:
      return step.place == Place::any ? "connects to the wildcard address" : nullptr;
  }
}

void require_two_networks_do(const Scenario& scenario) {
  const auto refuse_for = [&](const std::string& why) {
    throw Error(kExitUsage, fmt::format("scenario '{}' {}, and --lab veth has its ends in two "
                                        "networks: use the private lab",
                                        scenario.name, why));
  };
  if (scenario.domain == AF_UNIX) refuse_for("uses Unix sockets");
  if (!scenario.sysctls.empty()) refuse_for("needs settings of a network of its own");
  for (const Side side : {Side::client, Side::server}) {
    for (const Step& step : scenario.script(side).steps) {
      const char* need = needs_one_network(step);
      if (need) refuse_for(fmt::format("(step {} \"{}\") {}", step.number, step.text, need));
    }
  }
}

}  // namespace

const char* lab_name(LabKind kind) {
  switch (kind) {
    case LabKind::private_namespace:
      return "private";
    case LabKind::veth:
      return "veth";
    case LabKind::host:
      break;
  }
  return "host";
}

std::string explain(const NamespaceRefusal& refusal) {
  const Diagnosis diagnosis = diagnose(refusal);
  return fmt::format("cannot enter a private network namespace: {}: {}: {}; {}, or use --lab host",
                     refusal.step, std::strerror(refusal.error), diagnosis.reason,
                     diagnosis.remedy);
}

Lab enter_lab(LabKind kind) {
  Lab lab;
  lab.kind = kind;
  lab.ipv4_destinations = ipv4_loopback_addresses();
  if (kind == LabKind::host) {
    if (has_ipv6_loopback()) lab.ipv6_destinations = {"::1"};
    return lab;
  }
  lab.user_namespace = enter_namespace();
  furnish(lab);
  return lab;
}

Lab enter_another_lab() {
  Lab lab;
  lab.kind = LabKind::private_namespace;
  lab.ipv4_destinations = ipv4_loopback_addresses();
  if (unshare(CLONE_NEWNET) != 0) refuse("unshare", errno);
  if (!bring_up_loopback()) refuse("bring up lo", errno);
  furnish(lab);
  return lab;
}

void require_lab_for(const Scenario& scenario, LabKind kind) {
  if (kind == LabKind::veth) return require_two_networks_do(scenario);
  if (kind != LabKind::host) return;
  if (!scenario.sysctls.empty()) {
    const auto& [name, value] = *scenario.sysctls.begin();
    throw Error(kExitUsage, fmt::format("scenario '{}' needs {} = {}, and --lab host changes "
                                        "nothing on this machine: use the private lab",
                                        scenario.name, name, value));
  }
  for (const Step& step : scenario.client.steps) {
    const bool leaves = step.place == Place::unreachable || step.place == Place::prohibited ||
                        step.place == Place::blackhole || step.place == Place::unrouted;
    if (!leaves) continue;
    throw Error(kExitUsage, fmt::format("scenario '{}', step {} \"{}\", would send to an address "
                                        "that is not this machine's: use the private lab",
                                        scenario.name, step.number, step.text));
  }
}

void set_for(const Scenario& scenario, Lab& lab) {
  for (const auto& [name, value] : scenario.sysctls) {
    set_sysctl(lab, name, {value.c_str()});
    const bool known = !lab.sysctls.empty() && lab.sysctls.back().name == name;
    if (known && lab.sysctls.back().accepted) continue;
    throw Error(
        kExitCannotRun,
        fmt::format("scenario '{}' needs {} = {}: {}", scenario.name, name, value,
                    known ? fmt::format("the kernel keeps {} here", lab.sysctls.back().value)
                          : "a network namespace of this kernel has no such setting"));
  }
}

std::vector<Endpoint> make_endpoints(std::span<const Scenario> scenarios, const Lab& lab,
                                     int family, unsigned backlog, Endpoint::Port port) {
  std::vector<Endpoint> endpoints;
  for (const Scenario& scenario : scenarios) {
    const bool v6 = Endpoint::domain_of(scenario, family) == AF_INET6;
    endpoints.emplace_back(scenario, family, backlog,
                           v6 ? lab.ipv6_destinations : lab.ipv4_destinations, port);
  }
  return endpoints;
}

}  // namespace ringchurn
