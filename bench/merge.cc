// See merge.h.
#include "bench/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "bench/account.h"
#include "bench/text.h"
#include "bench/verdicts.h"
#include "ring/error.h"

namespace ringchurn {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw Error(kExitUsage, printable(what)); }

void require_one_side(const ResultFile& file) {
  if (file.result.context.side != PlayedSide::both) return;
  refuse(fmt::format("'{}' has both sides already: give the results of one drive and one serve",
                     file.path));
}

bool same_range(const CounterRange& a, const CounterRange& b) {
  return a.min == b.min && a.max == b.max;
}

bool same_scenario(const ScenarioResult& a, const ScenarioResult& b) {
  const auto same_entry = [](const auto& x, const auto& y) {
    return x.first == y.first && same_range(x.second, y.second);
  };
  return a.name == b.name && std::ranges::equal(a.declared.kernel, b.declared.kernel, same_entry) &&
         a.declared.client_to_server == b.declared.client_to_server &&
         a.declared.server_to_client == b.declared.server_to_client;
}

void require_same_run(const ResultFile& client, const ResultFile& server) {
  const auto& [ours, theirs] = std::tie(client.result, server.result);
  if (ours.context.run_id != theirs.context.run_id || ours.context.run_id.empty()) {
    refuse(fmt::format("'{}' is of run '{}' and '{}' of run '{}': give two results of one run",
                       client.path, ours.context.run_id, server.path, theirs.context.run_id));
  }
  if (std::ranges::equal(ours.scenarios, theirs.scenarios, same_scenario)) return;
  refuse(
      fmt::format("'{}' and '{}' are not of the same scenarios, though of run '{}': give them as "
                  "drive and serve wrote them",
                  client.path, server.path, ours.context.run_id));
}

// -- the account ----------------------------------------------------------------------------------

Bytes join(const Bytes& sender, const Bytes& receiver) {
  return {sender.sent, receiver.received,
          static_cast<std::int64_t>(sender.sent - receiver.received),  // modulo 2^64: may be < 0
          receiver.declared};
}

/// Scenarios, and what came of their steps, client before server as in a run.
void join_scenarios(const RunResult& client, const RunResult& server, RunResult& result) {
  result.scenarios = client.scenarios;
  for (std::size_t i = 0; i < result.scenarios.size(); ++i) {
    const ScenarioResult& ours = client.scenarios[i];
    const ScenarioResult& theirs = server.scenarios[i];
    ScenarioResult& scenario = result.scenarios[i];
    scenario.has_server = theirs.has_server;
    scenario.server = theirs.server;
    scenario.client_to_server = join(ours.client_to_server, theirs.client_to_server);
    scenario.server_to_client = join(theirs.server_to_client, ours.server_to_client);
  }
  result.errors = client.errors;
  result.errors.insert(result.errors.end(), server.errors.begin(), server.errors.end());
}

KernelCounters counted_by(const RunResult& side) {
  KernelCounters::Map counters;
  for (const CounterRow& row : side.kernel) {
    if (row.measured) counters[row.name] = *row.measured;
  }
  return KernelCounters(std::move(counters));
}

/// A sum of which one machine's part is not known is not known either.
void forget_partial_sums(const KernelCounters& client, const KernelCounters& server,
                         std::vector<CounterRow>& rows) {
  for (CounterRow& row : rows) {
    if (!client[row.name] || !server[row.name]) row.measured.reset();
  }
}

/// Fills in `kernel`, and returns what the kernels counted, declared or not.
KernelCounters join_counters(const RunResult& client, const RunResult& server, RunResult& result) {
  KernelCounters counted = counted_by(server);
  if (!result.merged->same_network) counted += counted_by(client);
  constexpr bool kEndsApart = true;  // two processes: the scheduler decides on which CPU each is
  account_kernel(counted, kEndsApart, result);
  if (!result.merged->same_network) {
    forget_partial_sums(counted_by(client), counted_by(server), result.kernel);
  }
  return counted;
}

// -- the cost -------------------------------------------------------------------------------------

/// "BOOT_ID" of "BOOT_ID:INODE".
std::string machine_of(const Context& context) {
  return context.network.substr(0, context.network.find(':'));
}

/// Every machine's ksoftirqd counts once.
std::optional<double> join_ksoftirqd(const RunResult& client, const RunResult& server,
                                     double server_share) {
  const auto& [ours, theirs] = std::tie(client.cost.ksoftirqd_us, server.cost.ksoftirqd_us);
  const std::string machine = machine_of(client.context);
  if (!machine.empty() && machine == machine_of(server.context)) return ours;
  if (!ours || !theirs) return std::nullopt;
  return *ours + *theirs * server_share;
}

/// Sides of one network have both counted all of them.
std::optional<double> join_pure_acks(const RunResult& client, const RunResult& server,
                                     double server_share, bool is_shared) {
  const auto& [ours, theirs] =
      std::tie(client.cost.pure_acks_per_connection, server.cost.pure_acks_per_connection);
  if (!ours || !theirs) return std::nullopt;
  return (is_shared ? 0 : *ours) + *theirs * server_share;
}

/// Each side's figures are per connection that ended there; here all are per connection that ended
/// at the client.
Cost join_costs(const RunResult& client, const RunResult& server, const KernelCounters& counted,
                bool same_network) {
  const Cost& ours = client.cost;
  const Cost& theirs = server.cost;
  Cost cost;
  cost.connections = ours.connections;
  if (cost.connections == 0) return cost;
  const auto connections = static_cast<double>(cost.connections);
  const double share = static_cast<double>(theirs.connections) / connections;
  const double client_cpu_us = ours.cpu_us_per_connection;
  const double server_cpu_us = theirs.cpu_us_per_connection * share;
  cost.connections_per_second = ours.connections_per_second;
  cost.cpu_us_per_connection = client_cpu_us + server_cpu_us;
  cost.client_us = ours.client_us;
  if (theirs.server_us) cost.server_us = *theirs.server_us * share;
  cost.worker_us = ours.worker_us + theirs.worker_us * share;
  if (cost.cpu_us_per_connection > 0) {
    cost.user_share = (ours.user_share * client_cpu_us + theirs.user_share * server_cpu_us) /
                      cost.cpu_us_per_connection;
  }
  cost.ksoftirqd_us = join_ksoftirqd(client, server, share);
  cost.segments_per_connection = static_cast<double>(counted["OutSegs"].value_or(0)) / connections;
  cost.time_wait_per_connection = static_cast<double>(counted["TW"].value_or(0)) / connections;
  cost.pure_acks_per_connection = join_pure_acks(client, server, share, same_network);
  if (ours.wake_ups_per_connection && theirs.wake_ups_per_connection) {
    cost.wake_ups_per_connection =
        *ours.wake_ups_per_connection + *theirs.wake_ups_per_connection * share;
  }
  cost.syscalls_per_connection =
      ours.syscalls_per_connection + theirs.syscalls_per_connection * share;
  return cost;
}

// -- the verdicts ---------------------------------------------------------------------------------

const Verdict* find(const std::vector<Verdict>& verdicts, const std::string& name) {
  const auto found = std::find_if(verdicts.begin(), verdicts.end(),
                                  [&](const Verdict& verdict) { return verdict.name == name; });
  return found == verdicts.end() ? nullptr : &*found;
}

/// One verdict of two machines: it holds if it holds on both, and warns if none of them fails.
Verdict join(const Verdict& client, const Verdict& server) {
  const auto fails = [](const Verdict& side) { return !side.ok && !side.advisory; };
  Verdict verdict{.name = client.name, .ok = client.ok && server.ok};
  verdict.advisory = !fails(client) && !fails(server) && (!verdict.ok || client.advisory);
  verdict.evidence = fmt::format("client: {}; server: {}", client.evidence, server.evidence);
  verdict.remedy = client.ok ? server.remedy : client.remedy;
  return verdict;
}

/// What only the sides themselves could judge, because it is not in their results' numbers.
void add_verdicts_of_sides(const RunResult& client, const RunResult& server,
                           std::vector<Verdict>& verdicts) {
  for (const Verdict& ours : client.verdicts) {
    if (find(verdicts, ours.name)) continue;
    const Verdict* theirs = find(server.verdicts, ours.name);
    verdicts.push_back(theirs ? join(ours, *theirs) : ours);
    if (!theirs) verdicts.back().evidence = "client: " + ours.evidence;
  }
  for (const Verdict& theirs : server.verdicts) {
    if (find(verdicts, theirs.name)) continue;
    verdicts.push_back(theirs);
    verdicts.back().evidence = "server: " + theirs.evidence;
  }
  // As in a run: whether the load was completed comes first.
  std::stable_partition(verdicts.begin(), verdicts.end(),
                        [](const Verdict& verdict) { return verdict.name == "load completed"; });
}

// -- what it is about -----------------------------------------------------------------------------

/// The client's setting; each side's own stands in `merged`.
Context join_contexts(const Context& client, const Context& server, const std::string& command) {
  Context context = client;
  context.command = command;
  context.side = PlayedSide::both;
  context.host.clear();
  context.network.clear();
  if (server.lab == "host") context.lab = server.lab;
  if (server.ways != client.ways) {
    const auto told = [](const std::string& ways) { return ways.empty() ? "default" : ways; };
    context.ways = fmt::format("{} (client), {} (server)", told(client.ways), told(server.ways));
  }
  return context;
}

bool same_network(const Context& client, const Context& server) {
  return !client.network.empty() && client.network == server.network;
}

}  // namespace

RunResult merge(const ResultFile& one, const ResultFile& other, const std::string& command) {
  require_one_side(one);
  require_one_side(other);
  const PlayedSide first = one.result.context.side;
  if (first == other.result.context.side) {
    refuse(
        fmt::format("'{}' and '{}' are both of the {}'s side: give one of drive and one of serve",
                    one.path, other.path, side_name(first)));
  }
  const auto& [client_file, server_file] =
      first == PlayedSide::client ? std::tie(one, other) : std::tie(other, one);
  require_same_run(client_file, server_file);
  const auto& [client, server] = std::tie(client_file.result, server_file.result);

  RunResult result;
  result.context = join_contexts(client.context, server.context, command);
  result.merged = Merged{{client_file.path, client.context, client.series},
                         {server_file.path, server.context, server.series},
                         same_network(client.context, server.context)};
  result.open_loop = client.open_loop;
  result.longest_silence_s = client.longest_silence_s;
  result.port_limited = client.port_limited;
  result.interrupted = client.interrupted || server.interrupted;
  join_scenarios(client, server, result);
  const KernelCounters counted = join_counters(client, server, result);
  result.cost = join_costs(client, server, counted, result.merged->same_network);
  result.verdicts = judge_account(result, counted);
  add_verdicts_of_sides(client, server, result.verdicts);
  return result;
}

}  // namespace ringchurn
