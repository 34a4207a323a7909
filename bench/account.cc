// The result's arithmetic: see account.h.
#include "bench/account.h"

#include <algorithm>
#include <map>
#include <set>

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

Bytes bytes_between(const ScenarioRecord& from, const ScenarioRecord& to, std::uint64_t declared) {
  return {from.sent_bytes, to.received_bytes,
          static_cast<std::int64_t>(from.sent_bytes) - static_cast<std::int64_t>(to.received_bytes),
          declared * to.ledger.finished};
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

/// What one connection of `scenario` does to a counter, if it says so. What has no TCP socket moves
/// no counter of TCP.
std::optional<CounterRange> declared(const Scenario& scenario, const std::string& counter) {
  const auto range = scenario.kernel.find(counter);
  if (range != scenario.kernel.end()) return range->second;
  if (scenario.domain == AF_UNIX) return CounterRange{};
  return std::nullopt;
}

std::set<std::string> declared_counters(const Plan& plan) {
  std::set<std::string> names;
  for (const Scenario& scenario : plan.scenarios) {
    for (const auto& [name, unused] : scenario.kernel) names.insert(name);
  }
  return names;
}

/// A counter can be checked if every scenario that was played says what it does to it.
std::vector<CounterRow> counter_rows(const Plan& plan, const std::vector<ScenarioResult>& results,
                                     const KernelCounters& measured) {
  std::vector<CounterRow> rows;
  for (const std::string& name : declared_counters(plan)) {
    CounterRow row{name, measured[name], 0, 0};
    bool declared_by_all = true;
    for (std::size_t i = 0; i < plan.scenarios.size() && declared_by_all; ++i) {
      const std::optional<CounterRange> range = declared(plan.scenarios[i], name);
      declared_by_all = range.has_value();
      if (!range) break;
      row.declared_min += range->min * results[i].client.finished;
      row.declared_max += range->max * results[i].client.finished;
    }
    if (declared_by_all) rows.push_back(row);
  }
  return rows;
}

/// What those scenarios that name a counter may move it by, though others do not name it.
std::map<std::string, std::uint64_t> asked_for(const Plan& plan,
                                               const std::vector<ScenarioResult>& results) {
  std::map<std::string, std::uint64_t> asked;
  for (std::size_t i = 0; i < plan.scenarios.size(); ++i) {
    for (const auto& [name, range] : plan.scenarios[i].kernel) {
      asked[name] += range.max * results[i].client.finished;
    }
  }
  return asked;
}

/// With both ends on CPUs of their own, a close can overtake a delayed ACK of its own end, and the
/// late ACK, arriving where the connection is over, draws an RST (bench/README.md). DelayedACKs
/// counts every ACK that a timer sent, so it bounds how often that can have happened; without any,
/// nothing is allowed.
void allow_overtaken_acks(const LoadFacts& facts, std::vector<CounterRow>& rows) {
  if (!facts.client_cpu_ns) return;
  for (CounterRow& row : rows) {
    if (row.name == "OutRsts") row.allowed_extra = facts.kernel["DelayedACKs"].value_or(0);
  }
}

/// The whole load as one measured part: connections are the client's, where there is one.
MeasuredPart whole(const LoadFacts& facts) {
  MeasuredPart part{facts};
  for (const WorkerReport& worker : facts.workers) {
    part.connections += worker.client.empty() ? 0 : worker.client_ended;
    part.ring_enters += worker.ring_enters;
  }
  const bool serves = std::all_of(facts.workers.begin(), facts.workers.end(),
                                  [](const WorkerReport& worker) { return worker.client.empty(); });
  if (!serves) return part;
  for (const WorkerReport& worker : facts.workers) part.connections += worker.server_ended;
  return part;
}

Cost cost_of(const MeasuredPart& facts) {
  Cost cost;
  cost.connections = facts.connections;
  if (cost.connections == 0 || facts.elapsed_s <= 0) return cost;
  const double connections = static_cast<double>(cost.connections);
  const auto each_us = [&](std::uint64_t ns) {
    return static_cast<double>(ns) / 1e3 / connections;
  };
  const auto each = [&](const char* counter) {
    return static_cast<double>(facts.kernel[counter].value_or(0)) / connections;
  };
  cost.connections_per_second = connections / facts.elapsed_s;
  cost.cpu_us_per_connection = each_us(facts.process_cpu_ns);
  cost.user_share = facts.user_share;
  if (facts.client_cpu_ns && facts.server_cpu_ns) {
    const std::uint64_t ends = *facts.client_cpu_ns + *facts.server_cpu_ns;
    cost.client_us = each_us(*facts.client_cpu_ns);
    cost.server_us = each_us(*facts.server_cpu_ns);
    cost.worker_us = each_us(facts.process_cpu_ns - std::min(ends, facts.process_cpu_ns));
  }
  if (facts.ksoftirqd_ns) cost.ksoftirqd_us = each_us(*facts.ksoftirqd_ns);
  cost.segments_per_connection = each("OutSegs");
  cost.time_wait_per_connection = each("TW");
  cost.syscalls_per_connection = static_cast<double>(facts.ring_enters) / connections;
  return cost;
}

}  // namespace

void account(const Plan& plan, const std::vector<double>& weights, const LoadFacts& facts,
             RunResult& result) {
  const std::vector<ScenarioRecord> client = add_up(plan, facts.workers, Side::client);
  const std::vector<ScenarioRecord> server = add_up(plan, facts.workers, Side::server);
  for (std::size_t i = 0; i < plan.scenarios.size(); ++i) {
    const Scenario& scenario = plan.scenarios[i];
    result.scenarios.push_back(
        {scenario.name, first_sentence(scenario.about), weights[i], scenario.has_server(),
         client[i].established, client[i].ledger, server[i].ledger,
         bytes_between(client[i], server[i], scenario.delivered_to_server),
         bytes_between(server[i], client[i], scenario.delivered_to_client), client[i].latency});
    add_error_rows(scenario, Side::client, client[i], result.errors);
    if (scenario.has_server()) add_error_rows(scenario, Side::server, server[i], result.errors);
  }
  result.kernel = counter_rows(plan, result.scenarios, facts.kernel);
  result.asked_for = asked_for(plan, result.scenarios);
  allow_overtaken_acks(facts, result.kernel);
  result.cost = cost_of(facts.measured ? *facts.measured : whole(facts));
}

}  // namespace ringchurn
