// Who is compared, and what becomes of the result: see compare.h.
#include "bench/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <list>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "bench/account.h"
#include "bench/bill.h"
#include "bench/billing.h"
#include "bench/comparison.h"
#include "bench/context.h"
#include "bench/ground.h"
#include "bench/interrupt.h"
#include "bench/kernel_counters.h"
#include "bench/meter.h"
#include "bench/report_arms.h"
#include "bench/side_network.h"
#include "bench/verdicts.h"
#include "bench/ways.h"
#include "bench/worker.h"
#include "ring/error.h"
#include "workloads/story.h"

namespace ringchurn {
namespace {

/// What share of all connections each scenario had: the schedule decides, not a mix.
std::vector<double> played_shares(const Plan& plan, const LoadFacts& facts) {
  std::vector<double> shares(plan.scenarios.size());
  for (const WorkerReport& worker : facts.workers) {
    for (std::size_t i = 0; i < shares.size(); ++i) {
      shares[i] += static_cast<double>(worker.client[i].ledger.opened);
    }
  }
  const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (double& share : shares) share /= std::max(total, 1.0);
  return shares;
}

std::string sentences(const CompareResult& result) {
  std::string text;
  for (std::size_t arm = 1; arm < result.arms.size(); ++arm) {
    text += (arm > 1 ? "\n" : "") + comparison_sentence(result.arms[arm], result.arms[0]);
  }
  return text;
}

/// The account of all slices together, and what it is worth.
void finish(const Plan& plan, const LoadFacts& facts, CompareResult& result) {
  result.run.context.elapsed_s = facts.elapsed_s;
  result.run.interrupted = interrupted();
  account(plan, played_shares(plan, facts), facts, result.run);
  result.run.verdicts = judge(result.run, facts, Judgement::comparison);
  for (const Verdict& verdict : judge_comparison(result)) result.run.verdicts.push_back(verdict);
  if (trusted(result.run.verdicts)) result.sentence = sentences(result);
}

/// Plays `slots`, with the meter running.
LoadFacts play(const Options& options, std::vector<Slot> slots,
               const std::vector<std::string>& names, CompareResult& result) {
  Comparison comparison(options, std::move(slots));
  LoadFacts facts;
  Meter meter(Meter::Caller::plays);
  const Nanoseconds began = clock_ns();
  comparison.measure();
  facts.elapsed_s = static_cast<double>(clock_ns() - began) / 1e9;
  meter.stop(facts);  // before the statistics, which are no cost of a connection
  comparison.report(names, result);
  if (options.resolution) {
    result.resolution.asked = options.resolution;
    result.resolution.max_time_s = std::chrono::duration<double>(options.duration).count();
  }
  return facts;
}

Bill measure_bill(Options options, const Plan& plan, std::size_t index, const Lab& lab) {
  const Scenario& scenario = plan.scenarios[index];
  if (const std::string why = lockstep_obstacle(scenario); !why.empty()) {
    return no_bill(scenario.name, why);
  }
  if (!scenario.sysctls.empty()) {
    return no_bill(scenario.name, "it has a network of its own: ask compare for its bill");
  }
  const char* const kCutShort = "the run was interrupted";
  if (interrupted()) return no_bill(scenario.name, kCutShort);
  options.concurrency = kCompareConcurrency;
  options.duration = std::chrono::seconds(1);
  options.progress = ProgressWish::never;
  const Arm arm{scenario.name, {0}, {1.0}, plan.arms.front().ways};
  Plan alone{{scenario}, {arm}, {plan.files[index]}, {plan.settings[index]}};
  const CompareResult result = compare(options, alone, lab);
  if (result.run.interrupted) return no_bill(scenario.name, kCutShort);
  for (const Verdict& verdict : result.run.verdicts) {
    if (verdict.ok || verdict.advisory) continue;
    return no_bill(scenario.name, fmt::format("{}: {}", verdict.name, verdict.evidence));
  }
  return *result.arms.front().bill;
}

}  // namespace

CompareResult compare(const Options& options, const Plan& plan, const Lab& lab) {
  CompareResult result;
  result.whose = "both ends";
  result.run.context = describe(options, lab);
  result.run.context.received_by = "sender";
  const std::vector<int> cpus = usable_cpus();
  std::optional<int> sqpoll_cpu;
  std::optional<Pinned> pinned;
  if (!cpus.empty()) {
    pinned.emplace(cpus.front());
    sqpoll_cpu = cpu_beside(cpus, cpus.front());
  }
  std::optional<SideNetwork> servers;
  if (lab.kind == LabKind::veth) servers.emplace(SideNetwork::BeyondVeth{});
  const SideNetwork* listening = servers ? &*servers : nullptr;
  Grounds grounds({options, plan, lab, listening, sqpoll_cpu});

  std::vector<Slot> slots = {{&grounds.of(plan.arms[0].ways), plan.arms[0].mix(options.seed)}};
  std::vector<std::string> names;
  for (const Arm& arm : plan.arms) {
    slots.push_back({&grounds.of(arm.ways), arm.mix(options.seed + slots.size())});
    names.push_back(arm.name);
  }
  std::optional<Billing> billing;
  if (options.bill) {
    billing.emplace(options, plan, endpoints_in(listening, options, plan, lab),
                    endpoints_in(listening, options, plan, lab));
    billing->add_slots(*slots.front().ground, slots);
  }
  // The trial of a bill is in no account.
  const KernelCounters beyond = servers ? servers->moved() : KernelCounters();
  LoadFacts facts = play(options, std::move(slots), names, result);
  grounds.finish(facts);
  if (servers) facts.kernel += servers->moved().since(beyond);
  if (billing) billing->finish(facts, result);
  finish(plan, facts, result);
  return result;
}

CompareResult compare_servers(const Options& options, const Plan& plan, const Lab& lab) {
  CompareResult result;
  result.whose = "the server's processes";
  result.run.context = describe(options, lab);
  describe_side(PlayedSide::client, "", result.run.context);
  result.run.context.target = fmt::format("{} servers", options.servers.size());
  std::list<ServerArm> servers;
  for (const std::string& command : options.servers) servers.emplace_back(command, options, plan);

  const Arm& arm = plan.arms.front();
  std::vector<Slot> slots = {{&*servers.front().ground, arm.mix(options.seed)}};
  for (ServerArm& server : servers) {
    slots.push_back({&*server.ground, arm.mix(options.seed + slots.size())});
  }
  LoadFacts facts = play(options, std::move(slots), options.servers, result);
  for (ServerArm& server : servers) {
    facts.workers.push_back(server.worker->report());
    facts.kernel += server.network.moved();
  }
  finish(plan, facts, result);
  return result;
}

std::vector<Bill> measure_bills(const Options& options, const Plan& plan, const Lab& lab) {
  std::vector<Bill> bills;
  for (std::size_t i = 0; i < plan.scenarios.size(); ++i) {
    try {
      bills.push_back(measure_bill(options, plan, i, lab));
    } catch (const Error& error) {
      bills.push_back(no_bill(plan.scenarios[i].name, error.what()));
    }
  }
  return bills;
}

}  // namespace ringchurn
