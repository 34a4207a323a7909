// Packets by hand, in both families: see forge.h.
#include "workloads/forge.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "workloads/descriptor.h"
#include "workloads/four_tuple.h"
#include "workloads/tcp_position.h"

namespace ringchurn {
namespace {

constexpr std::uint8_t kHops = 64;
constexpr std::size_t kQuoted = 8;  // of the transport header: ports and sequence number

/// The largest is an ICMPv6 error: two IPv6 headers, 8 bytes of its own, 8 quoted.
class Packet {
 public:
  std::span<const std::byte> bytes() const { return {bytes_.data(), size_}; }
  std::size_t size() const { return size_; }

  /// Only the first `length` bytes of `header`.
  void append(const auto& header, std::size_t length = sizeof(header)) {
    std::memcpy(bytes_.data() + size_, &header, length);
    size_ += length;
  }
  /// Writes the checksum over everything from `start` on, and over the pseudo header, whose sum is
  /// `pseudo`, to `place`, where a zero is so far (RFC 1071).
  void seal(std::size_t start, std::size_t place, std::uint64_t pseudo);

 private:
  std::array<std::byte, 128> bytes_{};
  std::size_t size_ = 0;
};

std::uint64_t sum(std::span<const std::byte> bytes) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    total += std::to_integer<std::uint64_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
  }
  return total;
}

void Packet::seal(std::size_t start, std::size_t place, std::uint64_t pseudo) {
  std::uint64_t total = sum(bytes().subspan(start)) + pseudo;
  while (total > 0xffff) total = (total & 0xffff) + (total >> 16);
  const std::uint16_t checksum = htons(static_cast<std::uint16_t>(~total));
  std::memcpy(&bytes_.at(place), &checksum, sizeof checksum);
}

const in_addr& ipv4(const sockaddr_storage& address) {
  return reinterpret_cast<const sockaddr_in*>(&address)->sin_addr;
}

const in6_addr& ipv6(const sockaddr_storage& address) {
  return reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr;
}

bool is_ipv4(const FourTuple& way) { return way.local.ss_family == AF_INET; }

/// Both families' pseudo headers are the same words, in another order (RFC 9293, 3.1; RFC 8200,
/// 8.1).
std::uint64_t pseudo_sum(const FourTuple& way, int protocol, std::size_t length) {
  const auto addresses = [](const auto& from, const auto& to) {
    return sum(std::as_bytes(std::span(&from, 1))) + sum(std::as_bytes(std::span(&to, 1)));
  };
  return static_cast<std::uint64_t>(protocol) + length +
         (is_ipv4(way) ? addresses(ipv4(way.local), ipv4(way.remote))
                       : addresses(ipv6(way.local), ipv6(way.remote)));
}

// -- headers --------------------------------------------------------------------------------------

void append_ipv4_header(Packet& packet, const FourTuple& way, int protocol, std::size_t payload) {
  const std::size_t start = packet.size();
  ip header{};
  header.ip_v = 4;
  header.ip_hl = sizeof header / 4;
  header.ip_len = htons(static_cast<std::uint16_t>(sizeof header + payload));
  header.ip_off = htons(IP_DF);
  header.ip_ttl = kHops;
  header.ip_p = static_cast<std::uint8_t>(protocol);
  header.ip_src = ipv4(way.local);
  header.ip_dst = ipv4(way.remote);
  packet.append(header);
  packet.seal(start, start + offsetof(ip, ip_sum), 0);
}

void append_ipv6_header(Packet& packet, const FourTuple& way, int protocol, std::size_t payload) {
  ip6_hdr header{};
  header.ip6_vfc = 6 << 4;
  header.ip6_plen = htons(static_cast<std::uint16_t>(payload));
  header.ip6_hlim = kHops;
  header.ip6_nxt = static_cast<std::uint8_t>(protocol);
  header.ip6_src = ipv6(way.local);
  header.ip6_dst = ipv6(way.remote);
  packet.append(header);
}

/// In front of `payload` bytes from way.local to way.remote.
void append_ip_header(Packet& packet, const FourTuple& way, int protocol, std::size_t payload) {
  (is_ipv4(way) ? append_ipv4_header : append_ipv6_header)(packet, way, protocol, payload);
}

/// A TCP header from way.local's port to way.remote's.
tcphdr tcp_header(const FourTuple& way, std::uint32_t sequence) {
  tcphdr header{};
  header.th_sport = htons(port_of(way.local));
  header.th_dport = htons(port_of(way.remote));
  header.th_seq = htonl(sequence);
  header.th_off = sizeof header / 4;
  return header;
}

void flag(tcphdr& header, Segment segment, const TcpPosition& at) {
  header.th_win = htons(at.window);
  switch (segment) {
    case Segment::syn:
      header.th_flags = TH_SYN;
      break;
    case Segment::rst:
      header.th_flags = TH_RST | TH_ACK;
      header.th_ack = htonl(at.snd_nxt);
      break;
    case Segment::fin:
      header.th_flags = TH_FIN | TH_ACK;
      header.th_ack = htonl(at.snd_una);
      break;
  }
}

/// Sends `packet`, which is from way.local to way.remote, both addresses of this machine.
int send_raw(const FourTuple& way, const Packet& packet) {
  // IPPROTO_RAW: whoever sends brings the header, in both families (raw(7), ipv6(7)).
  const Descriptor raw(::socket(way.remote.ss_family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  if (!raw.is_open()) return -errno;
  sockaddr_storage to = way.remote;
  reinterpret_cast<sockaddr_in*>(&to)->sin_port = 0;  // IPv6 would take it for a protocol
  const ssize_t sent = ::sendto(raw.get(), packet.bytes().data(), packet.size(), 0,
                                reinterpret_cast<const sockaddr*>(&to), length_of(to));
  return sent < 0 ? -errno : 0;
}

/// What both kinds of packet need to know of the socket.
int look_at(int fd, FourTuple& tuple, TcpPosition& at) {
  if (const int error = four_tuple_of(fd, tuple); error != 0) return error;
  return tcp_position_of(fd, at);
}

/// A destination-unreachable about `sequence`, which went along `about`.
template <class Header>
Packet unreachable(const Header& header, std::size_t checksum_at, int protocol,
                   const FourTuple& about, std::uint32_t sequence) {
  const FourTuple way = about.reversed();
  const std::size_t ip_size = is_ipv4(way) ? sizeof(ip) : sizeof(ip6_hdr);
  const std::size_t payload = sizeof header + ip_size + kQuoted;
  Packet packet;
  append_ip_header(packet, way, protocol, payload);
  packet.append(header);
  append_ip_header(packet, about, IPPROTO_TCP, sizeof(tcphdr));
  packet.append(tcp_header(about, sequence), kQuoted);
  const bool has_pseudo_header = protocol == IPPROTO_ICMPV6;
  packet.seal(ip_size, ip_size + checksum_at,
              has_pseudo_header ? pseudo_sum(way, protocol, payload) : 0);
  return packet;
}

}  // namespace

int forge_segment(int fd, Segment segment, int offset) {
  FourTuple tuple;
  TcpPosition at;
  if (const int error = look_at(fd, tuple, at); error != 0) return error;
  const FourTuple way = tuple.reversed();
  tcphdr header = tcp_header(way, at.rcv_nxt + static_cast<std::uint32_t>(offset));
  flag(header, segment, at);
  Packet packet;
  append_ip_header(packet, way, IPPROTO_TCP, sizeof header);
  const std::size_t start = packet.size();
  packet.append(header);
  packet.seal(start, start + offsetof(tcphdr, th_sum), pseudo_sum(way, IPPROTO_TCP, sizeof header));
  return send_raw(way, packet);
}

int forge_unreachable(int fd, int code) {
  FourTuple tuple;
  TcpPosition at;
  if (const int error = look_at(fd, tuple, at); error != 0) return error;
  if (is_ipv4(tuple)) {
    icmphdr header{};
    header.type = ICMP_DEST_UNREACH;
    header.code = static_cast<std::uint8_t>(code);
    return send_raw(tuple.reversed(), unreachable(header, offsetof(icmphdr, checksum), IPPROTO_ICMP,
                                                  tuple, at.snd_una));
  }
  icmp6_hdr header{};
  header.icmp6_type = ICMP6_DST_UNREACH;
  header.icmp6_code = static_cast<std::uint8_t>(code);
  return send_raw(tuple.reversed(), unreachable(header, offsetof(icmp6_hdr, icmp6_cksum),
                                                IPPROTO_ICMPV6, tuple, at.snd_una));
}

}  // namespace ringchurn
