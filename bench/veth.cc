// See veth.h. The servers' destinations are a local prefix, not addresses of the device: see
// add_ipv6_destinations() in lab.cc. The clients reach them through the servers' one address, so
// that one neighbour is all that is ever asked for.
#include "bench/veth.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

#include "bench/netlink.h"
#include "ring/error.h"
#include "workloads/descriptor.h"

namespace ringchurn {
namespace {

constexpr const char* kDevice = "veth0";

/// What both ends know of a family. The pair's own network, and that of the destinations.
struct Addresses {
  int family;
  unsigned char own_bits, destination_bits;
  const char *client, *server, *destinations;
};
constexpr Addresses kAddresses[] = {
    {AF_INET, 24, 16, "198.18.0.1", "198.18.0.2", "198.19.0.0"},
    {AF_INET6, 64, 64, "2001:2:0:1::1", "2001:2:0:1::2", "2001:2:0:2::"},
};

void require(int error, const char* what) {
  if (error == 0) return;
  throw Error(kExitCannotRun,
              fmt::format("cannot {} for --lab veth: {}; use --lab private, which needs no veth "
                          "pair",
                          what, std::strerror(error)));
}

/// An address as netlink and the kernel have it.
class Binary {
 public:
  Binary(int family, const char* text) : size_(family == AF_INET6 ? 16 : 4) {
    inet_pton(family, text, bytes_.data());
  }
  std::span<const std::byte> bytes() const { return std::span(bytes_).first(size_); }

 private:
  std::size_t size_;
  std::array<std::byte, 16> bytes_{};
};

int device() { return static_cast<int>(if_nametoindex(kDevice)); }

int make_pair(int other_network) {
  const ifinfomsg link{};
  NetlinkRequest request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, link);
  request.text(IFLA_IFNAME, kDevice).begin(IFLA_LINKINFO).text(IFLA_INFO_KIND, "veth");
  request.begin(IFLA_INFO_DATA).begin(VETH_INFO_PEER);
  request.header(std::as_bytes(std::span(&link, 1)));
  request.text(IFLA_IFNAME, kDevice).number(IFLA_NET_NS_FD, other_network);
  request.end().end().end();
  return request.send();
}

int bring_up() {
  ifinfomsg link{};
  link.ifi_index = device();
  link.ifi_flags = link.ifi_change = IFF_UP;
  return NetlinkRequest(RTM_NEWLINK, 0, link).send();
}

int add_address(const Addresses& addresses, const char* text) {
  ifaddrmsg address{};
  address.ifa_family = static_cast<unsigned char>(addresses.family);
  address.ifa_prefixlen = addresses.own_bits;
  address.ifa_flags = IFA_F_NODAD;  // there is nobody else who could have it
  address.ifa_index = static_cast<unsigned>(device());
  const Binary binary(addresses.family, text);
  NetlinkRequest request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, address);
  return request.attribute(IFA_LOCAL, binary.bytes()).attribute(IFA_ADDRESS, binary.bytes()).send();
}

/// To the destinations: they are here (`gateway` null), or behind `gateway`.
int add_route_to_destinations(const Addresses& addresses, const char* gateway) {
  rtmsg route{};
  route.rtm_family = static_cast<unsigned char>(addresses.family);
  route.rtm_dst_len = addresses.destination_bits;
  route.rtm_table = gateway ? RT_TABLE_MAIN : RT_TABLE_LOCAL;
  route.rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_HOST;
  route.rtm_type = gateway ? RTN_UNICAST : RTN_LOCAL;
  route.rtm_protocol = RTPROT_BOOT;
  NetlinkRequest request(RTM_NEWROUTE, NLM_F_CREATE, route);
  request.attribute(RTA_DST, Binary(addresses.family, addresses.destinations).bytes());
  if (gateway) request.attribute(RTA_GATEWAY, Binary(addresses.family, gateway).bytes());
  request.number(RTA_OIF, gateway ? device() : static_cast<int>(if_nametoindex("lo")));
  return request.send();
}

/// Devices first: an address of a device that is down has no route. False without this family.
bool furnish(const Addresses& addresses, bool is_server) {
  const int error = add_address(addresses, is_server ? addresses.server : addresses.client);
  if (error != 0 && addresses.family == AF_INET6) return false;
  require(error, "give a device its address");
  require(add_route_to_destinations(addresses, is_server ? nullptr : addresses.server),
          "make a route");
  return true;
}

/// In a mount namespace of the calling thread's own: sysfs shows the network of who mounts it.
bool write_rps_cpus(const std::string& mask) {
  if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) ||
      mount("sysfs", "/sys", "sysfs", 0, nullptr) != 0) {
    return false;
  }
  const std::string path = fmt::format("/sys/class/net/{}/queues/rx-0/rps_cpus", kDevice);
  const Descriptor file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file.is_open() && write(file.get(), mask.data(), mask.size()) == std::ssize(mask);
}

/// As the kernel reads it: words of 32 CPUs in hexadecimal, the highest first.
std::string cpu_mask(int cpu) {
  std::string mask = fmt::format("{:x}", 1U << (cpu % 32));
  for (int word = cpu / 32; word > 0; --word) mask += ",00000000";
  return mask;
}

}  // namespace

void make_server_end(int clients, Lab& lab) {
  require(make_pair(clients), "make a veth pair");
  require(bring_up(), "bring up a device");
  lab.ipv4_destinations.clear();
  lab.ipv6_destinations.clear();
  for (const Addresses& addresses : kAddresses) {
    if (!furnish(addresses, true)) continue;
    for (int host = 1; host <= kDestinations; ++host) {
      if (addresses.family == AF_INET) {
        lab.ipv4_destinations.push_back(fmt::format("198.19.{}.{}", host / 256, host % 256));
      } else {
        lab.ipv6_destinations.push_back(fmt::format("{}{:x}", addresses.destinations, host));
      }
    }
  }
}

void make_client_end() {
  require(bring_up(), "bring up a device");
  for (const Addresses& addresses : kAddresses) furnish(addresses, false);
}

void remove_pair() {
  ifinfomsg link{};
  link.ifi_index = device();
  NetlinkRequest(RTM_DELLINK, 0, link).send();
}

bool steer_received_packets(int cpu) {
  bool is_written = false;
  std::thread([&] { is_written = write_rps_cpus(cpu_mask(cpu)); }).join();
  return is_written;
}

}  // namespace ringchurn
