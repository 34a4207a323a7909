// Reading /proc/net: pairs of lines with names and values, and lines of names followed by values.
#include "bench/kernel_counters.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "ring/error.h"

namespace ringchurn {
namespace {

/// Settings and gauges that stand among the counters.
constexpr std::array<std::string_view, 7> kNotCounters = {
    "RtoAlgorithm", "RtoMin", "RtoMax", "MaxConn", "CurrEstab", "IpForwarding", "IpDefaultTTL"};

/// thread-self: /proc/net is the main thread's, which may be in another namespace. Linux 3.17.
std::string read_net_file(const std::string& name) {
  const std::string path = "/proc/thread-self/net/" + name;
  std::ifstream file(path);
  if (!file) {
    throw Error(kExitCannotRun, "cannot read the kernel's counters: " + path + ": " +
                                    std::strerror(errno) + "; /proc must be mounted");
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What stands between separators; none of it empty.
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) pieces.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return pieces;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The number behind `name` in the line that begins with `group`: "TCP: inuse 1 orphan 0".
std::optional<std::uint64_t> value_in(std::string_view text, std::string_view group,
                                      std::string_view name) {
  for (const std::string_view line : split(text, '\n')) {
    const auto fields = split(line, ' ');
    if (fields.empty() || fields[0] != group) continue;
    const auto found = std::find(fields.begin() + 1, fields.end(), name);
    if (found != fields.end() && found + 1 != fields.end()) return number(*(found + 1));
  }
  return std::nullopt;
}

}  // namespace

KernelCounters KernelCounters::read() {
  KernelCounters counters;
  counters.parse(read_net_file("snmp"));
  counters.parse(read_net_file("netstat"));
  return counters;
}

void KernelCounters::parse(std::string_view text) {
  const auto lines = split(text, '\n');
  for (std::size_t i = 0; i + 1 < lines.size(); i += 2) {
    const auto names = split(lines[i], ' ');
    const auto values = split(lines[i + 1], ' ');
    if (names.empty() || values.empty() || names[0] != values[0]) continue;
    std::string group(names[0].substr(0, names[0].find(':')));
    if (group == "Tcp" || group == "TcpExt") group.clear();
    for (std::size_t field = 1; field < std::min(names.size(), values.size()); ++field) {
      const std::string name = group + std::string(names[field]);
      const auto value = number(values[field]);
      const bool counts = std::count(kNotCounters.begin(), kNotCounters.end(), name) == 0;
      if (counts && value) counters_[name] = *value;
    }
  }
}

std::optional<std::uint64_t> KernelCounters::operator[](std::string_view name) const {
  const auto found = counters_.find(name);
  if (found == counters_.end()) return std::nullopt;
  return found->second;
}

KernelCounters KernelCounters::since(const KernelCounters& before) const {
  KernelCounters grown;
  for (const auto& [name, value] : counters_) {
    const auto old = before[name];
    if (old && *old <= value) grown.counters_[name] = value - *old;
  }
  return grown;
}

KernelCounters& KernelCounters::operator+=(const KernelCounters& other) {
  for (const auto& [name, value] : other.counters_) counters_[name] += value;
  return *this;
}

std::optional<std::uint64_t> pure_acks(const KernelCounters& moved) {
  const auto sent = moved["OutSegs"];
  std::uint64_t others = 0;
  for (const char* name : {"ActiveOpens", "PassiveOpens", "TCPOrigDataSent", "OutRsts"}) {
    const auto count = moved[name];
    if (!count) return std::nullopt;
    others += *count;
  }
  if (!sent || *sent < others) return std::nullopt;
  return *sent - others;
}

TcpSockets TcpSockets::read() {
  std::string sockstat6;
  try {
    sockstat6 = read_net_file("sockstat6");
  } catch (const Error&) {
    // This kernel has no IPv6: nothing to count, and no reason not to run.
  }
  return parse(read_net_file("sockstat"), sockstat6);
}

TcpSockets TcpSockets::parse(std::string_view sockstat, std::string_view sockstat6) {
  TcpSockets sockets;
  sockets.in_use = value_in(sockstat, "TCP:", "inuse");
  sockets.in_use6 = value_in(sockstat6, "TCP6:", "inuse");
  sockets.time_wait = value_in(sockstat, "TCP:", "tw");
  sockets.orphan = value_in(sockstat, "TCP:", "orphan");
  sockets.allocated = value_in(sockstat, "TCP:", "alloc");
  return sockets;
}

}  // namespace ringchurn
