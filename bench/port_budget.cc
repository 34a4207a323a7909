// Counting client ports and telling how long they last: see port_budget.h.
#include "bench/port_budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

#include "bench/text.h"
#include "ring/error.h"

namespace ringchurn {
namespace {

constexpr unsigned kWideLow = 1024, kWideHigh = 65535;

std::string read_line(const std::string& directory, const char* name) {
  const std::string path = fmt::format("{}/{}", directory, name);
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line) && !file.eof()) {
    throw Error(kExitCannotRun,
                fmt::format("cannot read {}, and so not tell how long the client's ports last; "
                            "mount /proc",
                            path));
  }
  return line;
}

unsigned read_number(const std::string& directory, const char* name) {
  return static_cast<unsigned>(std::stoul(read_line(directory, name)));
}

/// How many ports from `low` to `high` are in `list`, which is written like "8080,40000-40100".
unsigned count_reserved(const std::string& list, unsigned low, unsigned high) {
  std::istringstream ranges(list);
  unsigned count = 0;
  for (std::string range; std::getline(ranges, range, ',');) {
    const auto dash = range.find('-');
    const auto first = static_cast<unsigned>(std::stoul(range));
    const auto last =
        dash == range.npos ? first : static_cast<unsigned>(std::stoul(range.substr(dash + 1)));
    const unsigned from = std::max(first, low), to = std::min(last, high);
    if (from <= to) count += to - from + 1;
  }
  return count;
}

bool may_reuse_time_wait(const PortFacts& facts) {
  return facts.has_timestamps &&
         (facts.tw_reuse == 1 || (facts.tw_reuse == 2 && facts.is_loopback));
}

/// "470" or "0.25": rounded down, because it is a limit.
std::string rate_text(double per_s) {
  const double scale = per_s < 10 ? 100 : 1;
  return grouped(std::floor(per_s * scale) / scale, per_s < 10 ? 2 : 0);
}

/// What becomes of the ports where TIME_WAIT takes them, behind "28,232 client ports ...: ".
std::string time_wait_prospect(const PortBudget& ports, const PortDemand& demand,
                               const PortForecast& future) {
  const std::string slow = fmt::format("connect(2) slows down after {} connections",
                                       grouped(future.connections_until_slow));
  const std::string empty =
      fmt::format("fails with EADDRNOTAVAIL after {}", grouped(future.connections_until_empty));
  const std::string limit = rate_text(ports.sustainable_per_s / demand.client_closes_first);
  if (future.outlook == PortOutlook::depends_on_speed) {
    return fmt::format("faster than {}/s, {} and {}.", limit, slow, empty);
  }
  if (!future.slow_after_s) return fmt::format("{}, if they take less than that.", slow);
  const std::string paced = fmt::format("at {}/s {} ({} s)", rate_text(*demand.rate_per_s), slow,
                                        grouped(*future.slow_after_s, 1));
  if (future.outlook == PortOutlook::slows_down) return paced + ".";
  return fmt::format("{} and {}; {}/s can be sustained.", paced, empty, limit);
}

/// The first line of the warning.
std::string prospect(const Target& target, const PortBudget& ports, const PortDemand& demand,
                     const PortForecast& future) {
  const std::string all =
      fmt::format("{} client ports lead to {}", grouped(ports.ports), numeric(target));
  const bool has_too_many_open = demand.in_flight > ports.ports;
  if (future.outlook == PortOutlook::runs_out && has_too_many_open) {
    return fmt::format(
        "Only {}: with {} connections open at once, connect(2) fails with "
        "EADDRNOTAVAIL.",
        all, grouped(demand.in_flight));
  }
  if (demand.client_closes_first <= 0) {
    return fmt::format("{}: connect(2) slows down with more than {} connections open.", all,
                       grouped(ports.quick_ports));
  }
  return fmt::format("{}, and TIME_WAIT holds each for {:g} s: {}", all, ports.hold_s,
                     time_wait_prospect(ports, demand, future));
}

/// Takes ports from TIME_WAIT, where that is possible and not done already.
std::string reuse_remedy(const PortFacts& facts) {
  if (may_reuse_time_wait(facts)) return "";
  std::string settings;
  const int wanted = facts.is_loopback ? 2 : 1;
  if (facts.tw_reuse != 1 && facts.tw_reuse != wanted) {
    settings = fmt::format("net.ipv4.tcp_tw_reuse={}", wanted);
  }
  if (!facts.has_timestamps) {
    settings += fmt::format("{}net.ipv4.tcp_timestamps=1", settings.empty() ? "" : " with ");
  }
  return settings;
}

std::string source_remedy(const Target& target, const PortFacts& facts) {
  if (facts.sources >= kMaxSources) return "";
  if (facts.sources > 1) return "more addresses in --source";
  const bool is_ipv4_loopback = target.is_local_scope && target.domain == AF_INET;
  return is_ipv4_loopback ? "--source 127.0.1.0/24 (256 times the ports)"
                          : "--source with more addresses of this machine";
}

std::string range_remedy(const PortFacts& facts) {
  const unsigned wide = kWideHigh - kWideLow + 1, own = facts.high - facts.low + 1;
  if (own >= wide) return "";
  return fmt::format("net.ipv4.ip_local_port_range=\"{} {}\" ({:.1f} times)", kWideLow, kWideHigh,
                     static_cast<double>(wide) / own);
}

/// Asks for so little that the quick ports are enough. Written as the option takes it.
std::string less_remedy(const PortBudget& ports, const PortDemand& demand) {
  if (demand.in_flight >= ports.quick_ports || demand.client_closes_first <= 0) {
    return ports.quick_ports == 0 ? "" : fmt::format("--concurrency {}", ports.quick_ports);
  }
  const double per_s = static_cast<double>(ports.quick_ports - demand.in_flight) / ports.hold_s /
                       demand.client_closes_first;
  return per_s < 1 ? "" : fmt::format("--rate {:.0f}", std::floor(per_s));
}

std::string remedies(const Target& target, const PortFacts& facts, const PortDemand& demand) {
  std::vector<std::string> all{source_remedy(target, facts)};
  if (demand.client_closes_first > 0) all.push_back(reuse_remedy(facts));
  all.push_back(range_remedy(facts));
  all.push_back(less_remedy(budget(facts), demand));
  std::erase(all, "");
  return fmt::format("Remedy: {}.", fmt::join(all, ", or "));
}

}  // namespace

PortFacts read_port_facts(const Target& target, const std::vector<sockaddr_storage>& sources,
                          const std::string& directory) {
  assert(target.domain != AF_UNIX);
  PortFacts facts;
  std::istringstream(read_line(directory, "ip_local_port_range")) >> facts.low >> facts.high;
  facts.reserved =
      count_reserved(read_line(directory, "ip_local_reserved_ports"), facts.low, facts.high);
  facts.tw_reuse = static_cast<int>(read_number(directory, "tcp_tw_reuse"));
  facts.has_timestamps = read_number(directory, "tcp_timestamps") != 0;
  if (std::ifstream(directory + "/tcp_tw_reuse_delay").is_open()) {
    facts.tw_reuse_delay_ms = read_number(directory, "tcp_tw_reuse_delay");
  }
  facts.sources = std::max(1u, static_cast<unsigned>(sources.size()));
  // A prefix is loopback as a whole or not at all, within what kMaxSources leaves of it.
  facts.is_loopback = target.is_local_scope || (!sources.empty() && is_loopback(sources.front()));
  return facts;
}

PortBudget budget(const PortFacts& facts) {
  const unsigned range = facts.high - facts.low + 1;
  const std::uint64_t tuples = std::uint64_t{facts.destinations} * facts.sources;
  PortBudget result;
  result.ports = (range - std::min(facts.reserved, range)) * tuples;
  result.quick_ports = result.ports / 2;
  result.hold_s = may_reuse_time_wait(facts)
                      ? std::min(facts.tw_reuse_delay_ms / 1000., double(facts.time_wait_s))
                      : facts.time_wait_s;
  result.sustainable_per_s = static_cast<double>(result.ports) / result.hold_s;
  return result;
}

PortForecast forecast(const PortBudget& budget, const PortDemand& demand) {
  constexpr double kUnlimited = std::numeric_limits<double>::infinity();
  const double part = demand.client_closes_first, rate = demand.rate_per_s.value_or(kUnlimited);
  const auto ports = static_cast<double>(budget.ports);
  const auto quick = static_cast<double>(budget.quick_ports);
  double total = kUnlimited;
  if (demand.connections) total = static_cast<double>(*demand.connections);
  if (demand.rate_per_s && demand.duration_s) total = std::min(total, rate * *demand.duration_s);
  const double open = std::min(total, static_cast<double>(demand.in_flight));
  const double waiting = part > 0 ? part * std::min(total, rate * budget.hold_s) : 0;
  const double needed = std::min(total, open + waiting);
  // Of the connections made so far, `open` are open, and `part` of the others are in TIME_WAIT.
  const auto until_taken = [&](double number) {
    return open < number ? open + (number - open) / part : number;
  };

  PortForecast future;
  if (needed <= quick) return future;
  future.outlook = PortOutlook::slows_down;
  future.connections_until_slow = static_cast<std::uint64_t>(until_taken(quick));
  if (demand.rate_per_s) future.slow_after_s = until_taken(quick) / rate;
  if (needed <= ports) return future;
  const bool is_sure = demand.rate_per_s || open > ports;
  future.outlook = is_sure ? PortOutlook::runs_out : PortOutlook::depends_on_speed;
  future.connections_until_empty = static_cast<std::uint64_t>(until_taken(ports));
  return future;
}

std::string port_warning(const Target& target, const PortFacts& facts, const PortDemand& demand) {
  const PortBudget ports = budget(facts);
  const PortForecast future = forecast(ports, demand);
  if (future.outlook == PortOutlook::holds) return "";
  return fmt::format("{}\n{}\n", prospect(target, ports, demand, future),
                     remedies(target, facts, demand));
}

}  // namespace ringchurn
