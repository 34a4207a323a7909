// Slices of a few milliseconds, in mirrored random blocks, the baseline twice: see compare.h.
#include "bench/compare.h"

#include <unistd.h>

#include <algorithm>
#include <numeric>

#include "bench/account.h"
#include "bench/context.h"
#include "bench/interrupt.h"
#include "bench/meter.h"
#include "bench/progress.h"
#include "bench/report_text.h"
#include "bench/schedule.h"
#include "bench/statistics.h"
#include "bench/verdicts.h"
#include "bench/worker.h"
#include "workloads/random.h"

namespace ringchurn {
namespace {

/// Long against the ends of a slice, where fewer connections are in flight; short against the drift
/// of a machine. With many in flight a slice is as long as it takes to play some twenty times as
/// many.
constexpr Nanoseconds kSlice_ns = 20'000'000;
constexpr Nanoseconds kSlicePerConnection_ns = 400'000;
/// A part of a slice that is played before it and not measured: what the kernel puts off (RCU frees
/// the sockets, inodes and files of the arm before) is done on this arm's account otherwise.
constexpr Nanoseconds kLeadInShare = 4;
/// Not measured: caches, slabs and the CPU's clock warm up.
constexpr unsigned kWarmUpBlocks = 2;

/// The arms as they are scheduled: the baseline, the baseline again as the A/A control, the others.
constexpr std::size_t kBaseline = 0, kControl = 1, kFirstCandidate = 2;

class Comparison {
 public:
  Comparison(const Options& options, const Plan& plan, const Lab& lab);
  void measure(Nanoseconds duration);
  void report(CompareResult& result) const;
  WorkerReport account() const { return worker_.report(); }

 private:
  void block(bool measured);
  void slice(std::size_t arm, bool measured);
  Estimate against_baseline(std::size_t arm, Estimate& difference_us) const;
  ArmResult arm_result(std::size_t arm, const std::string& name) const;

  const Plan& plan_;
  std::uint64_t seed_;
  Nanoseconds slice_ns_;
  Random random_;
  ProcessCpuClock clock_;
  std::vector<Endpoint> endpoints_;
  Link link_;
  Worker worker_;
  std::vector<Mix> mixes_;                      ///< by scheduled arm
  std::vector<std::vector<BlockCost>> blocks_;  ///< by scheduled arm
  Nanoseconds measured_ns_ = 0;
};

Worker::Settings worker_settings(const Options& options, const Plan& plan) {
  Worker::Settings settings{Worker::Ends::both, options.concurrency};
  settings.stall_limit += plan.longest_rest_ns();
  return settings;
}

Comparison::Comparison(const Options& options, const Plan& plan, const Lab& lab)
    : plan_(plan),
      seed_(options.seed),
      slice_ns_(std::max(kSlice_ns, options.concurrency * kSlicePerConnection_ns)),
      random_(options.seed),
      endpoints_(make_endpoints(plan.scenarios, lab, domain(options.family),
                                Worker::backlog(options.concurrency))),
      worker_(worker_settings(options, plan), plan.scenarios, endpoints_, link_, interrupted()) {
  mixes_.push_back(plan.arms[0].mix(seed_));
  for (const Arm& arm : plan.arms) mixes_.push_back(arm.mix(seed_ + mixes_.size()));
  blocks_.resize(mixes_.size());
}

void Comparison::slice(std::size_t arm, bool measured) {
  worker_.play(mixes_[arm], {std::nullopt, clock_ns() + slice_ns_ / kLeadInShare});
  const std::uint64_t cpu_before = clock_.now_ns();
  const std::uint64_t ended_before = worker_.client_ended();
  const Nanoseconds began = clock_ns();
  worker_.play(mixes_[arm], {std::nullopt, began + slice_ns_});
  if (!measured) return;
  BlockCost& cost = blocks_[arm].back();
  cost.cost += static_cast<double>(clock_.now_ns() - cpu_before);
  cost.count += static_cast<double>(worker_.client_ended() - ended_before);
  measured_ns_ += clock_ns() - began;
}

void Comparison::block(bool measured) {
  if (measured) {
    for (auto& costs : blocks_) costs.emplace_back();
  }
  for (std::uint8_t arm : mirrored_block(static_cast<std::uint8_t>(mixes_.size()), random_)) {
    slice(arm, measured);
    if (interrupted() || link_.abandoned) break;
  }
  const bool cut_short = interrupted() || link_.abandoned;
  if (measured && cut_short) {
    for (auto& costs : blocks_) costs.pop_back();  // a block is whole or is not
  }
}

void Comparison::measure(Nanoseconds duration) {
  ProgressLine line(STDERR_FILENO, is_watched(), terminal_style().width);
  Progress progress;
  progress.duration_s = static_cast<double>(duration) / 1e9;
  for (unsigned i = 0; i < kWarmUpBlocks; ++i) block(false);
  const auto enough = [&] {
    return measured_ns_ >= duration && blocks_[kBaseline].size() >= kMinBlocks;
  };
  while (!enough() && !interrupted() && !link_.abandoned) {
    block(true);
    progress.elapsed_s = static_cast<double>(measured_ns_) / 1e9;
    progress.ended = worker_.client_ended();
    progress.unexpected_errors = link_.unexpected_errors;
    progress.expected_errors = link_.errors - link_.unexpected_errors;
    line.update(progress);
  }
}

ArmResult Comparison::arm_result(std::size_t arm, const std::string& name) const {
  ArmResult result;
  result.name = name;
  double cost = 0, count = 0;
  for (const BlockCost& block : blocks_[arm]) {
    cost += block.cost;
    count += block.count;
  }
  result.connections = static_cast<std::uint64_t>(count);
  result.cpu_us_per_connection = count > 0 ? cost / count / 1e3 : 0;
  return result;
}

void Comparison::report(CompareResult& result) const {
  const auto estimate = [](const Interval& interval, double unit) {
    return Estimate{interval.value / unit, interval.low / unit, interval.high / unit};
  };
  const auto against_baseline = [&](std::size_t arm) {
    return compare_costs(blocks_[arm], blocks_[kBaseline], {.seed = seed_});
  };
  result.blocks = static_cast<unsigned>(blocks_[kBaseline].size());
  result.slice_ms = static_cast<double>(slice_ns_) / 1e6;
  result.measured_s = static_cast<double>(measured_ns_) / 1e9;
  if (const auto control = against_baseline(kControl)) result.a_a = estimate(control->ratio, 1);
  result.arms.push_back(arm_result(kBaseline, plan_.arms[0].name));
  for (std::size_t arm = kFirstCandidate; arm < mixes_.size(); ++arm) {
    ArmResult& candidate =
        result.arms.emplace_back(arm_result(arm, plan_.arms[arm - kControl].name));
    if (const auto comparison = against_baseline(arm)) {
      candidate.cpu_us_per_connection = comparison->candidate_cost / 1e3;
      candidate.ratio = estimate(comparison->ratio, 1);
      candidate.difference_us = estimate(comparison->difference, 1e3);
      candidate.baseline_us = comparison->baseline_cost / 1e3;
      candidate.left_out_dearer = static_cast<unsigned>(comparison->candidate_outliers);
      candidate.blocks_left_out =
          static_cast<unsigned>(comparison->candidate_outliers + comparison->baseline_outliers);
    }
  }
}

/// What share of all connections each scenario had: the schedule decides, not a mix.
std::vector<double> played_shares(const Plan& plan, const LoadFacts& facts) {
  std::vector<double> shares(plan.scenarios.size());
  const WorkerReport& worker = facts.workers.front();
  for (std::size_t i = 0; i < shares.size(); ++i) {
    shares[i] = static_cast<double>(worker.client[i].ledger.opened);
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

}  // namespace

CompareResult compare(const Options& options, const Plan& plan, const Lab& lab) {
  CompareResult result;
  result.run.context = describe(options, lab);
  if (const std::vector<int> cpus = usable_cpus(); !cpus.empty()) pin_to(cpus.front());
  Comparison comparison(options, plan, lab);
  LoadFacts facts;
  Meter meter;
  const Nanoseconds began = clock_ns();
  comparison.measure(static_cast<Nanoseconds>(options.duration.count()));
  facts.elapsed_s = static_cast<double>(clock_ns() - began) / 1e9;
  facts.workers.push_back(comparison.account());
  meter.stop(facts);

  result.run.context.elapsed_s = facts.elapsed_s;
  result.run.interrupted = interrupted();
  account(plan, played_shares(plan, facts), facts, result.run);
  comparison.report(result);
  result.run.verdicts = judge(result.run, facts);
  for (const Verdict& verdict : judge_comparison(result)) result.run.verdicts.push_back(verdict);
  if (trusted(result.run.verdicts)) result.sentence = sentences(result);
  return result;
}

}  // namespace ringchurn
