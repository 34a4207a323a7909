// The result's arithmetic: see account.h.
#include "bench/account.h"

#include <algorithm>
#include <map>
#include <set>

#include "bench/matching.h"

namespace ringchurn {
namespace {

/// All threads' records of one side, by scenario.
std::vector<ScenarioRecord> add_up(const Plan& plan, const std::vector<WorkerReport>& workers,
                                   Side side) {
  std::vector<ScenarioRecord> total(plan.scenarios.size());
  for (const WorkerReport& worker : workers) {
    const auto& records = side == Side::client ? worker.client : worker.server;
    for (std::size_t i = 0; i < records.size(); ++i) total[i] += records[i];
  }
  return total;
}

/// Of one side, what the other end did is not known: neither what was lost, nor, for what was sent,
/// how much was to be received.
Bytes bytes_between(const ScenarioRecord& from, const ScenarioRecord& to,
                    std::optional<std::uint64_t> declared, bool is_sender_alone,
                    bool is_receiver_alone) {
  Bytes bytes{from.sent_bytes, to.received_bytes, 0, {}};
  if (!is_sender_alone && declared) bytes.declared = *declared * to.ledger.finished;
  if (is_sender_alone || is_receiver_alone) return bytes;
  bytes.lost = static_cast<std::int64_t>(bytes.sent) - static_cast<std::int64_t>(bytes.received);
  return bytes;
}

std::string first_sentence(const std::string& text) {
  std::string sentence = text.substr(0, text.find(". "));
  std::replace(sentence.begin(), sentence.end(), '\n', ' ');
  return sentence;
}

void add_error_rows(const Scenario& scenario, Side side, const ScenarioRecord& record,
                    std::vector<ErrorRow>& rows) {
  for (const auto& [key, count] : record.outcomes) {
    const auto& [index, outcome] = key;
    const Step& step = scenario.script(side).steps[index];
    rows.push_back({scenario.name, side_name(side), step.text, step.number, op_name(step.op),
                    outcome_name(outcome), outcome_class(outcome), count.expected, count.count});
  }
}

/// What one connection of `scenario` does to each counter that the plan names, where it says so.
/// What has no TCP socket moves no counter of TCP.
Declared declared_by(const Scenario& scenario, const Plan& plan) {
  Declared declared{scenario.kernel, scenario.delivered_to_server, scenario.delivered_to_client};
  if (scenario.domain != AF_UNIX) return declared;
  for (const Scenario& other : plan.scenarios) {
    for (const auto& [name, unused] : other.kernel) declared.kernel.emplace(name, CounterRange{});
  }
  return declared;
}

std::set<std::string> declared_counters(const RunResult& result) {
  std::set<std::string> names;
  for (const ScenarioResult& scenario : result.scenarios) {
    for (const auto& [name, unused] : scenario.declared.kernel) names.insert(name);
  }
  return names;
}

std::uint64_t finished(const ScenarioResult& scenario, PlayedSide side) {
  return side == PlayedSide::server ? scenario.server.finished : scenario.client.finished;
}

/// A counter can be checked if every scenario that was played says what it does to it.
std::vector<CounterRow> declared_rows(const RunResult& result, const KernelCounters& counted) {
  std::vector<CounterRow> rows;
  for (const std::string& name : declared_counters(result)) {
    CounterRow row{name, counted[name], 0, 0};
    bool declared_by_all = true;
    for (const ScenarioResult& scenario : result.scenarios) {
      const auto range = scenario.declared.kernel.find(name);
      declared_by_all = range != scenario.declared.kernel.end();
      if (!declared_by_all) break;
      row.declared_min += range->second.min * finished(scenario, result.context.side);
      row.declared_max += range->second.max * finished(scenario, result.context.side);
    }
    if (declared_by_all) rows.push_back(row);
  }
  return rows;
}

/// What one side counted: every counter that is declared, and those that cost and verdicts need.
std::vector<CounterRow> undeclared_rows(const RunResult& result, const KernelCounters& counted) {
  std::set<std::string> names = declared_counters(result);
  names.insert({"OutSegs", "TW", "DelayedACKs", "RetransSegs", "TCPTimeWaitOverflow",
                "ListenOverflows", "ListenDrops"});
  std::vector<CounterRow> rows;
  rows.reserve(names.size());
  for (const std::string& name : names) {
    rows.push_back({.name = name, .measured = counted[name], .is_declared = false});
  }
  return rows;
}

/// With both ends on CPUs of their own, a close can overtake a delayed ACK of its own end, and the
/// late ACK, arriving where the connection is over, draws an RST (bench/README.md). DelayedACKs
/// counts every ACK that a timer sent, so it bounds how often that can have happened; without any,
/// nothing is allowed.
void allow_overtaken_acks(const KernelCounters& counted, std::vector<CounterRow>& rows) {
  for (CounterRow& row : rows) {
    if (row.name == "OutRsts") row.allowed_extra = counted["DelayedACKs"].value_or(0);
  }
}

/// The whole load as one measured part. Connections are those that ended on the client's side, or
/// on the server's if that is all there is.
MeasuredPart whole(const LoadFacts& facts, const RunResult& result) {
  MeasuredPart part{facts};
  for (const WorkerReport& worker : facts.workers) {
    part.connections += worker.client_ended;
    part.ring_enters += worker.ring_enters;
  }
  if (result.context.side != PlayedSide::server) return part;
  for (const ScenarioResult& scenario : result.scenarios) {
    part.connections += scenario.server.finished + scenario.server.unexpected;
  }
  return part;
}

Cost cost_of(const MeasuredPart& facts) {
  Cost cost;
  cost.connections = facts.connections;
  if (cost.connections == 0 || facts.elapsed_s <= 0) return cost;
  const auto connections = static_cast<double>(cost.connections);
  const auto each_us = [&](std::uint64_t ns) {
    return static_cast<double>(ns) / 1e3 / connections;
  };
  const auto each = [&](const char* counter) {
    return static_cast<double>(facts.kernel[counter].value_or(0)) / connections;
  };
  cost.connections_per_second = connections / facts.elapsed_s;
  cost.cpu_us_per_connection = each_us(facts.process_cpu_ns);
  cost.user_share = facts.user_share;
  if (facts.client_cpu_ns) cost.client_us = each_us(*facts.client_cpu_ns);
  if (facts.server_cpu_ns) cost.server_us = each_us(*facts.server_cpu_ns);
  if (facts.client_cpu_ns || facts.server_cpu_ns) {
    const std::uint64_t ends = facts.client_cpu_ns.value_or(0) + facts.server_cpu_ns.value_or(0);
    cost.worker_us = each_us(facts.process_cpu_ns - std::min(ends, facts.process_cpu_ns));
  }
  if (facts.ksoftirqd_ns) cost.ksoftirqd_us = each_us(*facts.ksoftirqd_ns);
  cost.segments_per_connection = each("OutSegs");
  if (const auto acks = pure_acks(facts.kernel)) {
    cost.pure_acks_per_connection = static_cast<double>(*acks) / connections;
  }
  cost.time_wait_per_connection = each("TW");
  if (facts.wake_ups) {
    cost.wake_ups_per_connection = static_cast<double>(*facts.wake_ups) / connections;
  }
  cost.syscalls_per_connection = static_cast<double>(facts.ring_enters) / connections;
  return cost;
}

LatencySummary latency(const ScenarioRecord& client, const Teardowns& teardowns) {
  LatencySummary latency = client.latency;
  latency.teardown_step = teardowns.step;
  latency.peer_heard = teardowns.heard;
  latency.gone = teardowns.gone;
  return latency;
}

}  // namespace

std::map<std::string, std::uint64_t> asked_for(const RunResult& result) {
  std::map<std::string, std::uint64_t> asked;
  for (const ScenarioResult& scenario : result.scenarios) {
    for (const auto& [name, range] : scenario.declared.kernel) {
      asked[name] += range.max * finished(scenario, result.context.side);
    }
  }
  return asked;
}

void account_kernel(const KernelCounters& counted, bool ends_apart, RunResult& result) {
  const bool both = result.context.side == PlayedSide::both;
  result.kernel = both ? declared_rows(result, counted) : undeclared_rows(result, counted);
  result.asked_for = asked_for(result);
  if (both && ends_apart) allow_overtaken_acks(counted, result.kernel);
}

std::set<std::string> account_counters(const Plan& plan, PlayedSide side) {
  RunResult result;
  result.context.side = side;
  for (const Scenario& scenario : plan.scenarios) {
    result.scenarios.emplace_back().declared = declared_by(scenario, plan);
  }
  account_kernel({}, false, result);
  std::set<std::string> names;
  for (const CounterRow& row : result.kernel) names.insert(row.name);
  return names;
}

void account(const Plan& plan, const std::vector<double>& weights, const LoadFacts& facts,
             RunResult& result) {
  const std::vector<ScenarioRecord> client = add_up(plan, facts.workers, Side::client);
  const std::vector<ScenarioRecord> server = add_up(plan, facts.workers, Side::server);
  const std::vector<Teardowns> teardowns = match_ends(plan.scenarios, facts);
  const bool client_alone = result.context.side == PlayedSide::client;
  const bool server_alone = result.context.side == PlayedSide::server;
  for (std::size_t i = 0; i < plan.scenarios.size(); ++i) {
    const Scenario& scenario = plan.scenarios[i];
    // What somebody else's server sends is its own affair.
    const bool is_foreign = !result.context.target.empty();
    const auto to_client = is_foreign ? std::nullopt : std::optional(scenario.delivered_to_client);
    result.scenarios.push_back(
        {scenario.name, first_sentence(scenario.about), weights[i], scenario.has_server(),
         client[i].established, client[i].ledger, server[i].ledger,
         bytes_between(client[i], server[i], scenario.delivered_to_server, client_alone,
                       server_alone),
         bytes_between(server[i], client[i], to_client, server_alone, client_alone),
         latency(client[i], teardowns[i]), declared_by(scenario, plan), teardowns[i].matched});
    add_error_rows(scenario, Side::client, client[i], result.errors);
    if (scenario.has_server()) add_error_rows(scenario, Side::server, server[i], result.errors);
  }
  account_kernel(facts.kernel, facts.client_cpu_ns.has_value(), result);
  result.cost = cost_of(facts.measured ? *facts.measured : whole(facts, result));
}

}  // namespace ringchurn
