// See metrics.h. A new number is a row of the table and a line where it is taken from the result.
#include "bench/exports/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "bench/phase.h"

namespace ringchurn {
namespace {

// -- what is measured -----------------------------------------------------------------------------

constexpr MetricFamily kCpu = {"cpu_us_per_connection", "us", "connection_cpu_seconds",
                               "cpu-ns/conn", "CPU time of a connection, user and system"};
constexpr MetricFamily kCpuPart = {"part_cpu_us_per_connection", "us",
                                   "connection_cpu_part_seconds", "part-cpu-ns/conn",
                                   "CPU time of a connection by who spent it"};
constexpr MetricFamily kBill = {
    "bill_cpu_us_per_connection", "us", "connection_bill_cpu_seconds", "bill-cpu-ns/conn",
    "What a bill's parts add up to: CPU time of a connection, both ends"};
constexpr MetricFamily kBillPart = {"bill_part_cpu_us_per_connection", "us",
                                    "connection_bill_part_cpu_seconds", "bill-part-cpu-ns/conn",
                                    "CPU time of a connection by what it was spent on, both ends"};
constexpr MetricFamily kUserShare = {"user_share", "1", "cpu_user_ratio", "user-share",
                                     "Share of the CPU time that was spent in user mode"};
constexpr MetricFamily kRate = {"connections_per_second", "1/s", "connections_per_second", "conn/s",
                                "Connections that ended per second"};
constexpr MetricFamily kSegments = {"segments_per_connection", "segments", "connection_segments",
                                    "segments/conn", "TCP segments sent per connection"};
constexpr MetricFamily kPureAcks = {"pure_acks_per_connection", "segments", "connection_pure_acks",
                                    "pure-acks/conn",
                                    "Pure acknowledgements among the segments, per connection"};
constexpr MetricFamily kTimeWait = {"time_wait_per_connection", "sockets",
                                    "connection_time_wait_sockets", "time-wait/conn",
                                    "TIME_WAIT sockets made per connection"};
constexpr MetricFamily kSyscalls = {"syscalls_per_connection", "calls", "connection_syscalls",
                                    "syscalls/conn", "io_uring_enter calls per connection"};
constexpr MetricFamily kWakeUps = {"wake_ups_per_connection", "wake-ups", "connection_wake_ups",
                                   "wake-ups/conn",
                                   "How often a thread slept and was woken, per connection"};
constexpr MetricFamily kMemory = {"memory_bytes_per_connection", "bytes", "connection_memory_bytes",
                                  "memory-B/conn",
                                  "Memory that the process grew by, per connection that may be in "
                                  "flight"};
constexpr MetricFamily kLostPerConnection = {"lost_bytes_per_connection", "bytes",
                                             "connection_lost_bytes", "lost-B/conn",
                                             "Bytes per connection that were sent and never "
                                             "received"};
constexpr MetricFamily kErrorsPerConnection = {
    "errors_per_connection", "errors", "connection_errors", "errors/conn",
    "Outcomes per connection other than success and EOF"};
constexpr MetricFamily kRatio = {"cpu_ratio", "1", "cpu_ratio", "cpu-ratio",
                                 "CPU time of a connection over the baseline's"};
constexpr MetricFamily kDifference = {"cpu_difference_us_per_connection", "us",
                                      "connection_cpu_difference_seconds", "cpu-difference-ns/conn",
                                      "CPU time of a connection minus the baseline's"};
constexpr MetricFamily kPValue = {"p_value", "1", "cpu_ratio_p_value", "p-value",
                                  "How often at most chance alone would show such a CPU ratio"};
constexpr MetricFamily kPHolm = {"p_holm", "1", "cpu_ratio_p_holm", "p-holm",
                                 "The p-value by Holm, for as many claims as there are arms"};
constexpr MetricFamily kDetectable = {"minimum_detectable_effect", "1",
                                      "cpu_ratio_minimum_detectable_effect", "detectable",
                                      "Least share of the baseline's cost that 80% of such "
                                      "comparisons would have shown as a difference"};
constexpr MetricFamily kGateRatio = {"gate_ratio", "1", "gate_ratio", "gate-ratio",
                                     "What the gate compared, candidate over baseline"};
constexpr MetricFamily kLatency = {
    "latency_ns", "ns", "latency_seconds", "latency-ns",
    "Time of a phase of a connection, as its client or both of its ends see it"};
constexpr MetricFamily kConnections = {"connections", "connections", "connections", "connections",
                                       "Connections by side and by how they ended"};
constexpr MetricFamily kLostBytes = {"lost_bytes", "bytes", "lost_bytes", "lost-B",
                                     "Bytes that were sent and never received"};
constexpr MetricFamily kErrors = {"errors", "errors", "errors", "errors",
                                  "Outcomes of steps other than success, by errno class"};
constexpr MetricFamily kKernel = {"kernel_delta", "events", "kernel_delta", "kernel-delta",
                                  "What a counter of the kernel, by its own name, moved by"};
constexpr MetricFamily kLag = {"open_loop_lag_ns", "ns", "open_loop_lag_seconds", "lag-ns",
                               "From the intended to the real start of a connection"};
constexpr MetricFamily kOpenLoop = {"open_loop_connections", "connections", "open_loop_connections",
                                    "open-loop-connections",
                                    "Connections of an open loop by what became of their start"};
constexpr MetricFamily kAtlas = {"atlas_connections", "connections", "atlas_connections",
                                 "atlas-connections", "Connections of the atlas"};

using Labels = std::vector<std::pair<std::string, std::string>>;

/// Collects the metrics of one subject after the other.
class Collector {
 public:
  void about(SubjectKind kind, std::string subject, std::uint64_t samples) {
    kind_ = kind;
    subject_ = std::move(subject);
    samples_ = samples;
  }

  void add(const MetricFamily& family, std::optional<double> value, Better better,
           Labels labels = {}) {
    if (!value) return;
    metrics_.push_back(
        {&family, kind_, subject_, std::move(labels), *value, std::nullopt, samples_, better});
  }

  void add(const MetricFamily& family, const std::optional<Estimate>& estimate, Better better,
           Labels labels = {}) {
    if (!estimate) return;
    add(family, estimate->value, better, std::move(labels));
    metrics_.back().interval = estimate;
  }

  void add(const MetricFamily& family, const Percentiles& time, const Labels& labels) {
    const std::pair<const char*, std::optional<std::uint64_t>> quantiles[] = {
        {"p50", time.p50},   {"p90", time.p90},     {"p99", time.p99},
        {"p999", time.p999}, {"p9999", time.p9999}, {"max", time.max}};
    for (const auto& [quantile, ns] : quantiles) {
      if (!ns) continue;
      Labels all = labels;
      all.emplace_back("quantile", quantile);
      add(family, static_cast<double>(*ns), Better::smaller, std::move(all));
      metrics_.back().samples = time.count;
    }
  }

  std::vector<Metric> take() { return std::move(metrics_); }

 private:
  SubjectKind kind_ = SubjectKind::load;
  std::string subject_;
  std::uint64_t samples_ = 0;
  std::vector<Metric> metrics_;
};

// -- where it stands ------------------------------------------------------------------------------

void add_cost(const Cost& cost, Collector& to) {
  if (cost.connections == 0) return;
  to.about(SubjectKind::load, "", cost.connections);
  to.add(kRate, cost.connections_per_second, Better::larger);
  to.add(kCpu, cost.cpu_us_per_connection, Better::smaller);
  to.add(kCpuPart, cost.client_us, Better::smaller, {{"part", "client"}});
  to.add(kCpuPart, cost.server_us, Better::smaller, {{"part", "server"}});
  to.add(kCpuPart, cost.worker_us, Better::smaller, {{"part", "worker"}});
  to.add(kCpuPart, cost.ksoftirqd_us, Better::smaller, {{"part", "ksoftirqd"}});
  to.add(kUserShare, cost.user_share, Better::neither);
  to.add(kSegments, cost.segments_per_connection, Better::smaller);
  to.add(kPureAcks, cost.pure_acks_per_connection, Better::smaller);
  to.add(kTimeWait, cost.time_wait_per_connection, Better::smaller);
  to.add(kSyscalls, cost.syscalls_per_connection, Better::smaller);
  to.add(kWakeUps, cost.wake_ups_per_connection, Better::smaller);
  to.add(kMemory, cost.memory_bytes_per_connection, Better::smaller);
}

void add_open_loop(const OpenLoop& loop, Collector& to) {
  to.about(SubjectKind::load, "", loop.begun);
  const auto count = [&](const char* start, std::uint64_t connections, Better better) {
    to.add(kOpenLoop, static_cast<double>(connections), better, {{"start", start}});
  };
  count("begun", loop.begun, Better::neither);
  count("held_back", loop.held_back, Better::smaller);
  count("never_begun", loop.never_begun, Better::smaller);
  to.add(kLag, loop.lag, {});
}

void add_ledger(const char* side, const Ledger& ledger, Collector& to) {
  const auto count = [&](const char* outcome, std::uint64_t connections, Better better) {
    to.add(kConnections, static_cast<double>(connections), better,
           {{"side", side}, {"outcome", outcome}});
  };
  count("opened", ledger.opened, Better::neither);
  count("finished", ledger.finished, Better::neither);
  count("unexpected", ledger.unexpected, Better::smaller);
  count("open_at_deadline", ledger.open_at_deadline, Better::smaller);
}

void add_scenario(const ScenarioResult& scenario, PlayedSide side, Collector& to) {
  const bool has_client = side != PlayedSide::server;
  const bool has_server = side != PlayedSide::client && scenario.has_server;
  to.about(SubjectKind::scenario, scenario.name,
           has_client ? scenario.client.opened : scenario.server.opened);
  if (has_client) add_ledger("client", scenario.client, to);
  if (has_server) add_ledger("server", scenario.server, to);
  if (side == PlayedSide::both) {
    const auto lost = [&](const char* direction, const Bytes& bytes) {
      to.add(kLostBytes, static_cast<double>(bytes.lost), Better::neither,
             {{"direction", direction}});
    };
    lost("client_to_server", scenario.client_to_server);
    lost("server_to_client", scenario.server_to_client);
  }
  for (const Phase& phase : kPhases) {
    to.add(kLatency, scenario.latency.*phase.times, {{"phase", phase.name}});
  }
}

/// Errors by scenario, side, class, and whether they were expected.
void add_errors(const RunResult& run, Collector& to) {
  std::map<std::tuple<std::string, std::string, bool, std::string>, std::uint64_t> counts;
  for (const ErrorRow& row : run.errors) {
    counts[{row.scenario, row.side, row.expected, row.errno_class}] += row.count;
  }
  for (const auto& [key, count] : counts) {
    const auto& [scenario, side, expected, errno_class] = key;
    to.about(SubjectKind::scenario, scenario, 0);
    to.add(kErrors, static_cast<double>(count), expected ? Better::neither : Better::smaller,
           {{"side", side},
            {"class", errno_class},
            {"expected", expected ? "expected" : "unexpected"}});
  }
}

void add_kernel(const RunResult& run, Collector& to) {
  to.about(SubjectKind::load, "", 0);
  for (const CounterRow& row : run.kernel) {
    if (!row.measured) continue;
    to.add(kKernel, static_cast<double>(*row.measured), Better::neither, {{"counter", row.name}});
  }
}

/// The names of arms, or of what else was given on a command line, as typed; one that was given
/// twice is told apart.
template <typename T>
std::vector<std::string> unique_names(const std::vector<T>& named, std::string T::*name_of) {
  std::vector<std::string> names;
  for (const T& one : named) {
    std::string name = one.*name_of;
    for (unsigned n = 2; std::find(names.begin(), names.end(), name) != names.end(); ++n) {
      name = fmt::format("{} #{}", one.*name_of, n);
    }
    names.push_back(std::move(name));
  }
  return names;
}

void add_comparison(const CompareResult& comparison, Collector& to) {
  const std::vector<std::string> names = unique_names(comparison.arms, &ArmResult::name);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const ArmResult& arm = comparison.arms[i];
    if (arm.connections == 0) continue;
    to.about(SubjectKind::arm, names[i], arm.connections);
    to.add(kCpu, arm.cpu_us_per_connection, Better::smaller);
    to.add(kRatio, arm.ratio, Better::smaller);
    // It passes through zero, where no reader's "10% worse" means anything.
    to.add(kDifference, arm.difference_us, Better::neither);
    // They say how sure the ratio is, and not how good.
    to.add(kPValue, arm.p_value, Better::neither);
    to.add(kPHolm, arm.p_holm, Better::neither);
    to.add(kDetectable, arm.minimum_detectable_effect, Better::neither);
    to.add(kSegments, arm.segments_per_connection, Better::smaller);
    to.add(kPureAcks, arm.pure_acks_per_connection, Better::smaller);
    to.add(kTimeWait, arm.time_wait_per_connection, Better::smaller);
    to.add(kSyscalls, arm.syscalls_per_connection, Better::smaller);
    to.add(kWakeUps, arm.wake_ups_per_connection, Better::smaller);
  }
  to.about(SubjectKind::control, "", comparison.blocks);
  to.add(kRatio, comparison.a_a, Better::neither);
  to.add(kPValue, comparison.a_a_p_value, Better::neither);
}

/// "teardown, active side" as "teardown_active_side", for it stands in the middle of a name.
std::string one_word(const std::string& part) {
  std::string word;
  for (const char c : part) {
    const bool is_letter = c >= 'a' && c <= 'z';
    if (is_letter) word += c;
    if (!is_letter && !word.empty() && word.back() != '_') word += '_';
  }
  return word;
}

/// Of the arms of a comparison, or of the scenarios of a run.
void add_bills(const std::vector<Bill>& bills, SubjectKind kind, Collector& to) {
  const std::vector<std::string> names = unique_names(bills, &Bill::scenario);
  for (std::size_t i = 0; i < bills.size(); ++i) {
    if (!bills[i].obstacle.empty()) continue;
    to.about(kind, names[i], 0);
    to.add(kBill, bills[i].whole_us, Better::smaller);
    for (const BillPart& part : bills[i].parts) {
      // Some pass through zero, as a difference does.
      to.add(kBillPart, part.us, Better::neither, {{"part", one_word(part.name)}});
    }
  }
}

/// What the points have beside the arms' figures and the scenarios' latencies.
void add_sweep(const Sweep& sweep, Collector& to) {
  for (const SweepPoint& point : sweep.points) {
    to.about(SubjectKind::arm, point.arm, 0);
    to.add(kLostPerConnection, point.lost_bytes_per_connection, Better::smaller);
    to.add(kErrorsPerConnection, point.errors_per_connection, Better::smaller);
  }
}

/// The ratio that was decided by. Where there is no account, the costs as well: of arms and servers
/// the comparison has them.
void add_gate(const Gate& gate, bool is_alone, Collector& to) {
  to.about(SubjectKind::arm, gate.candidate, gate.pairs);
  to.add(kGateRatio, gate.ratio, Better::smaller);
  if (!is_alone) return;
  to.add(kCpu, gate.candidate_value, Better::smaller);
  if (gate.baseline == gate.candidate) return;
  to.about(SubjectKind::arm, gate.baseline, gate.pairs);
  to.add(kCpu, gate.baseline_value, Better::smaller);
}

void add_atlas(const AtlasResult& atlas, Collector& to) {
  for (const AtlasEntry& entry : atlas.entries) {
    for (const auto& [engine, performance] :
         {std::pair{"ring", &entry.ring}, std::pair{"syscall", &entry.syscall}}) {
      if (!*performance) continue;
      to.about(SubjectKind::scenario, entry.name, (*performance)->runs);
      to.add(kAtlas, (*performance)->runs, Better::neither,
             {{"engine", engine}, {"outcome", "begun"}});
      to.add(kAtlas, (*performance)->finished, Better::larger,
             {{"engine", engine}, {"outcome", "finished"}});
    }
  }
}

}  // namespace

const char* better_name(Better better) {
  return better == Better::smaller ? "smaller" : better == Better::larger ? "larger" : "neither";
}

const char* subject_kind_name(SubjectKind kind) {
  switch (kind) {
    case SubjectKind::load:
      return "load";
    case SubjectKind::scenario:
      return "scenario";
    case SubjectKind::arm:
      return "arm";
    case SubjectKind::control:
      return "control";
  }
  return "";
}

std::string subject_name(SubjectKind kind, const std::string& subject) {
  return kind == SubjectKind::load      ? "load"
         : kind == SubjectKind::control ? "A/A control"
                                        : subject;
}

std::string Metric::name() const {
  std::string text;
  for (const auto& label : labels) text += label.second + '_';
  return text + family->name;
}

std::string Metric::subject_name() const { return ringchurn::subject_name(kind, subject); }

bool Metric::is_time() const {
  const std::string_view unit = family->unit;
  return unit == "us" || unit == "ns";
}

double Metric::in_base_units(double number) const {
  if (!is_time()) return number;
  return number / (std::string_view(family->unit) == "us" ? 1e6 : 1e9);
}

std::vector<Metric> metrics_of(const RecordedResult& result) {
  Collector metrics;
  if (result.gate) add_gate(*result.gate, !result.load, metrics);
  if (result.load) {
    const RunResult& run = result.load->run;
    // The arms' figures are a comparison's; those of all together depend on what was compared.
    if (result.is_comparison()) add_comparison(*result.load, metrics);
    if (result.load->sweep) add_sweep(*result.load->sweep, metrics);
    if (!result.is_comparison()) add_cost(run.cost, metrics);
    add_bills(result.bills, result.is_comparison() ? SubjectKind::arm : SubjectKind::scenario,
              metrics);
    if (run.open_loop) add_open_loop(*run.open_loop, metrics);
    for (const ScenarioResult& scenario : run.scenarios) {
      add_scenario(scenario, run.context.side, metrics);
    }
    add_errors(run, metrics);
    add_kernel(run, metrics);
  }
  if (result.atlas) add_atlas(*result.atlas, metrics);
  return metrics.take();
}

std::vector<ArmBlocks> blocks_of(const RecordedResult& result) {
  if (!result.is_comparison()) return {};
  const CompareResult& comparison = *result.load;
  const std::size_t arms = comparison.arms.size();
  std::map<std::size_t, std::map<unsigned, BlockCost>> costs;  // by arm, the control as the last
  for (const Slice& slice : comparison.slices) {
    BlockCost& cost = costs[slice.arm.value_or(static_cast<unsigned>(arms))][slice.block];
    cost.cost += slice.cpu_us;
    cost.count += static_cast<double>(slice.connections);
  }
  const std::vector<std::string> names = unique_names(comparison.arms, &ArmResult::name);
  std::vector<ArmBlocks> all;
  for (const auto& [arm, blocks] : costs) {
    ArmBlocks& row = all.emplace_back();
    row.kind = arm < arms ? SubjectKind::arm : SubjectKind::control;
    if (arm < arms) row.subject = names[arm];
    for (const auto& block : blocks) {
      if (block.second.count > 0) row.blocks.push_back(block.second);
    }
  }
  return all;
}

}  // namespace ringchurn
