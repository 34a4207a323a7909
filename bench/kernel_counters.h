// What the kernel counted, by the kernel's own names: the witness against which a run checks
// itself.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace ringchurn {

/// The counters of /proc/net/snmp and /proc/net/netstat at one moment, or what they grew by between
/// two. They belong to a network namespace, and are the same for IPv4 and IPv6 as far as TCP goes.
///
/// Names are the kernel's. Those of Tcp and TcpExt stand as they are ("OutRsts", "TW",
/// "TCPAbortOnData"); the others carry their group in front, as nstat(8) prints them
/// ("IpInReceives", "IpExtInOctets"), because several groups share names. What these files hold
/// besides counters (settings such as RtoMin, and the gauge CurrEstab) is left out.
class KernelCounters {
 public:
  using Map = std::map<std::string, std::uint64_t, std::less<>>;

  KernelCounters() = default;
  /// What was counted elsewhere.
  explicit KernelCounters(Map counters) : counters_(std::move(counters)) {}

  /// Reads the counters of the calling thread's network namespace. The last packets of a
  /// connection are counted a little after its last close returns: wait 50 ms.
  /// Throws Error (kExitCannotRun) if /proc cannot be read.
  static KernelCounters read();

  /// Adds the counters in a text of the form of these files: lines in pairs, "Tcp: names...", then
  /// "Tcp: values...".
  void parse(std::string_view text);

  /// nullopt if this kernel has no such counter, which is not the same as zero: TCPTimeWaitOverflow
  /// is younger than TW, for example.
  std::optional<std::uint64_t> operator[](std::string_view name) const;

  /// What was counted since `before`, in the same namespace. Counters that `before` lacks are
  /// absent.
  KernelCounters since(const KernelCounters& before) const;

  /// What several namespaces counted. A counter that one of them lacks keeps the other's value.
  KernelCounters& operator+=(const KernelCounters& other);

  /// All of them, by name.
  const Map& all() const { return counters_; }

 private:
  Map counters_;
};

/// The acknowledgements that carried nothing, of the segments that `moved` counts as sent: OutSegs
/// without ActiveOpens (a SYN each), PassiveOpens (a SYN-ACK each), TCPOrigDataSent (data and FINs)
/// and OutRsts. OutSegs has no retransmissions. Exact where every handshake was completed or
/// refused; SYN-ACKs of others count as acknowledgements. nullopt if a counter is missing, or if
/// they contradict each other.
std::optional<std::uint64_t> pure_acks(const KernelCounters& moved);

/// The TCP sockets that exist at this moment, from /proc/net/sockstat and sockstat6. nullopt where
/// the file does not say. Which of them belong to the namespace: sockstat_seq_show() in Linux's
/// net/ipv4/proc.c.
struct TcpSockets {
  // Of the calling thread's network namespace.
  std::optional<std::uint64_t> in_use;   ///< IPv4 sockets, listening ones included, TIME_WAIT not
  std::optional<std::uint64_t> in_use6;  ///< the same for IPv6
  /// Both families; also sockets closed in FIN_WAIT2, which Linux keeps in the same small form.
  std::optional<std::uint64_t> time_wait;

  // Of the whole machine, in every namespace.
  std::optional<std::uint64_t> orphan;     ///< closed by their process, not yet by TCP
  std::optional<std::uint64_t> allocated;  ///< sockets in memory, TIME_WAIT not among them

  static TcpSockets read();
  static TcpSockets parse(std::string_view sockstat, std::string_view sockstat6);
};

}  // namespace ringchurn
