// Slices of a few milliseconds, in mirrored random blocks, the baseline twice: see comparison.h.
#include "bench/comparison.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <set>
#include <span>
#include <utility>

#include "bench/bill.h"
#include "bench/cpu_time.h"
#include "bench/interrupt.h"
#include "bench/link.h"
#include "bench/schedule.h"
#include "bench/side_network.h"
#include "bench/worker.h"

namespace ringchurn {
namespace {

/// With many in flight a slice is as long as it takes to play some thirty times as many.
constexpr Nanoseconds kSlicePerConnection_ns = 600'000;
/// Not measured: caches, slabs and the CPU's clock warm up.
constexpr unsigned kWarmUpBlocks = 2;

Estimate estimate(const Interval& interval, double unit) {
  return {interval.value / unit, interval.low / unit, interval.high / unit};
}

/// What takes all arms together. Each has a p-value, or none has.
void tell_resolution(CompareResult& result) {
  std::vector<double> p_values;
  Resolution& resolution = result.resolution;
  for (const ArmResult& arm : std::span(result.arms).subspan(1)) {
    if (!arm.ratio) return;
    p_values.push_back(*arm.p_value);
    resolution.half_width =
        std::max(resolution.half_width.value_or(0), (arm.ratio->ci_high - arm.ratio->ci_low) / 2);
    resolution.minimum_detectable_effect =
        std::max(resolution.minimum_detectable_effect.value_or(0), *arm.minimum_detectable_effect);
  }
  const std::vector<double> adjusted = holm_adjusted(p_values);
  for (std::size_t i = 0; i < adjusted.size(); ++i) result.arms[1 + i].p_holm = adjusted[i];
}

}  // namespace

std::optional<unsigned> arm_of(std::size_t slot) {
  if (slot == kControl) return std::nullopt;
  return static_cast<unsigned>(slot == kBaseline ? 0 : slot - kControl);
}

Comparison::Comparison(const Options& options, std::vector<Slot> slots)
    : seed_(options.seed),
      limit_ns_(static_cast<Nanoseconds>(options.duration.count())),
      progress_(progress_style(options.progress,
                               std::chrono::duration<double>(options.interval).count())),
      slice_ns_(std::max(kSlice_ns, options.concurrency * kSlicePerConnection_ns)),
      random_(options.seed),
      slots_(std::move(slots)),
      blocks_(slots_.size()) {
  if (options.resolution) goal_.emplace(*options.resolution, Bootstrap{.seed = seed_});
}

void Comparison::slice(std::size_t arm, Nanoseconds lead_in_ns, bool measured) {
  Slot& slot = slots_[arm];
  if (slot.billed) return lockstep_slice(*slot.billed, lead_in_ns, measured);
  const Ground& ground = *slot.ground;
  std::optional<SideNetwork::Visit> visit;
  if (ground.network) visit.emplace(*ground.network);
  Worker& worker = ground.worker;
  const KernelCounters kernel_before = ground.counters();
  const std::uint64_t all_ended_before = worker.client_ended();
  const std::uint64_t enters_before = ground.link.enters.load(std::memory_order_relaxed);
  const std::uint64_t sleeps_before = process_sleeps();
  if (lead_in_ns > 0) worker.play(slot.mix, {.connections = {}, .until = clock_ns() + lead_in_ns});
  const std::uint64_t cpu_before = ground.cpu_ns();
  const std::uint64_t ended_before = worker.client_ended();
  const Nanoseconds began = clock_ns();
  worker.play(slot.mix, {.connections = {}, .until = began + slice_ns_});
  if (!measured) return;
  const std::uint64_t cpu_ns = ground.cpu_ns() - cpu_before;
  const std::uint64_t ended = worker.client_ended() - ended_before;
  measured_ns_ += clock_ns() - began;
  blocks_[arm].back().cost += static_cast<double>(cpu_ns);
  blocks_[arm].back().count += static_cast<double>(ended);
  if (began_ == 0) began_ = began;
  slot.sleeps += process_sleeps() - sleeps_before;
  slot.enters += ground.link.enters.load(std::memory_order_relaxed) - enters_before;
  slot.moved += ground.counters().since(kernel_before);
  slot.ended += worker.client_ended() - all_ended_before;
  slices_.push_back({static_cast<unsigned>(blocks_[arm].size() - 1), arm_of(arm),
                     static_cast<double>(began - began_) / 1e9, static_cast<double>(cpu_ns) / 1e3,
                     ended});
}

void Comparison::lockstep_slice(BilledPlay& billed, Nanoseconds lead_in_ns, bool measured) {
  if (lead_in_ns > 0) billed.lockstep.play(billed.index, clock_ns() + lead_in_ns);
  const Nanoseconds began = clock_ns();
  const LockstepSlice slice = billed.lockstep.play(billed.index, began + slice_ns_);
  if (!measured) return;
  measured_ns_ += clock_ns() - began;
  billed.blocks.resize(blocks_[kBaseline].size());
  billed.blocks.back() += slice;
}

bool Comparison::is_cut_short() const {
  return interrupted() || std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
           return slot.ground->link.abandoned.load();
         });
}

void Comparison::block(bool measured) {
  if (measured) {
    for (auto& costs : blocks_) costs.emplace_back();
  }
  LeadIns lead_ins;
  for (std::size_t arm : mirrored_block(static_cast<std::uint8_t>(slots_.size()), random_)) {
    slice(arm, lead_ins.before(arm == kControl ? kBaseline : arm), measured);
    if (is_cut_short()) break;
  }
  if (measured && is_cut_short()) {  // a block is whole or is not
    for (auto& costs : blocks_) costs.pop_back();
    std::erase_if(slices_, [&](const Slice& slice) { return slice.block == blocks_[0].size(); });
    for (Slot& slot : slots_) {
      if (slot.billed) slot.billed->blocks.resize(blocks_[kBaseline].size());
    }
  }
}

/// Slots share grounds: each ground counts once.
void Comparison::tell(Progress& progress) const {
  std::set<const Ground*> grounds;
  for (const Slot& slot : slots_) grounds.insert(slot.ground);
  progress.elapsed_s = static_cast<double>(measured_ns_) / 1e9;
  std::vector<const Link*> links;
  for (const Ground* ground : grounds) links.push_back(&ground->link);
  progress.counts = load_counts(links, Side::client);
  progress.counts.connections = 0;  // of the time that is told, without lead-ins
  for (const Slice& slice : slices_) progress.counts.connections += slice.connections;
}

/// Behind the arms stand the lockstep slices of their bills.
std::size_t Comparison::candidates_end() const {
  const auto is_billed = [](const Slot& slot) { return slot.billed.has_value(); };
  return static_cast<std::size_t>(std::find_if(slots_.begin(), slots_.end(), is_billed) -
                                  slots_.begin());
}

/// After a block. Looks, if there is a goal and the schedule says so.
bool Comparison::is_enough() {
  const std::size_t measured = blocks_[kBaseline].size();
  if (measured < kMinBlocks) return false;
  const bool is_over = measured_ns_ >= limit_ns_;
  if (!goal_ || (!is_over && !goal_->is_due(measured))) return is_over;
  const std::span candidates =
      std::span(blocks_).subspan(kFirstCandidate, candidates_end() - kFirstCandidate);
  return goal_->look(candidates, whole_baseline(), static_cast<double>(measured_ns_) / 1e9) ||
         is_over;
}

void Comparison::measure() {
  ProgressLine line(STDERR_FILENO, progress_);
  Progress progress;
  progress.duration_s = static_cast<double>(limit_ns_) / 1e9;
  for (unsigned i = 0; i < kWarmUpBlocks; ++i) block(false);
  while (!is_enough() && !is_cut_short()) {
    block(true);
    if (!line.is_due(static_cast<double>(measured_ns_) / 1e9)) continue;
    tell(progress);
    line.update(progress);
  }
}

/// Both halves of each block.
std::vector<BlockCost> Comparison::whole_baseline() const {
  std::vector<BlockCost> whole = blocks_[kBaseline];
  for (std::size_t i = 0; i < whole.size(); ++i) {
    whole[i].cost += blocks_[kControl][i].cost;
    whole[i].count += blocks_[kControl][i].count;
  }
  return whole;
}

ArmResult Comparison::arm_result(std::initializer_list<std::size_t> slots,
                                 const std::string& name) const {
  ArmResult result;
  result.name = name;
  double cost = 0, count = 0, ended = 0, enters = 0, sleeps = 0;
  KernelCounters moved{};
  for (const std::size_t number : slots) {
    for (const BlockCost& block : blocks_[number]) {
      cost += block.cost;
      count += block.count;
    }
    const Slot& slot = slots_[number];
    moved += slot.moved;
    ended += static_cast<double>(slot.ended);
    enters += static_cast<double>(slot.enters);
    sleeps += static_cast<double>(slot.sleeps);
  }
  result.connections = static_cast<std::uint64_t>(count);
  result.cpu_us_per_connection = count > 0 ? cost / count / 1e3 : 0;
  if (ended == 0) return result;
  const auto per_connection = [&](const std::optional<std::uint64_t>& sum) {
    return sum ? std::optional(static_cast<double>(*sum) / ended) : std::nullopt;
  };
  result.segments_per_connection = per_connection(moved["OutSegs"]);
  result.time_wait_per_connection = per_connection(moved["TW"]);
  result.pure_acks_per_connection = per_connection(pure_acks(moved));
  // A server's arm: what is counted below is the client's.
  if (slots_[*slots.begin()].ground->network) return result;
  result.syscalls_per_connection = enters / ended;
  result.wake_ups_per_connection = sleeps / ended;
  return result;
}

std::optional<CostComparison> Comparison::against_baseline(std::size_t arm) const {
  return compare_at_95_percent(blocks_[arm],
                               arm == kControl ? blocks_[kBaseline] : whole_baseline(),
                               goal_ ? goal_->answer() : Bootstrap{.seed = seed_});
}

void Comparison::tell_difference(std::size_t arm, ArmResult& candidate) const {
  const auto comparison = against_baseline(arm);
  if (!comparison) return;
  candidate.cpu_us_per_connection = comparison->candidate_cost / 1e3;
  candidate.ratio = estimate(comparison->ratio, 1);
  candidate.difference_us = estimate(comparison->difference, 1e3);
  candidate.baseline_us = comparison->baseline_cost / 1e3;
  candidate.p_value = comparison->p_value;
  candidate.minimum_detectable_effect = comparison->minimum_detectable_effect;
  candidate.left_out_dearer = static_cast<unsigned>(comparison->candidate_outliers);
  candidate.blocks_left_out =
      static_cast<unsigned>(comparison->candidate_outliers + comparison->baseline_outliers);
}

void Comparison::report(const std::vector<std::string>& names, CompareResult& result) const {
  result.blocks = static_cast<unsigned>(blocks_[kBaseline].size());
  result.slices = slices_;
  result.slice_ms = static_cast<double>(slice_ns_) / 1e6;
  result.measured_s = static_cast<double>(measured_ns_) / 1e9;
  if (const auto control = against_baseline(kControl)) {
    result.a_a = estimate(control->ratio, 1);
    result.a_a_p_value = control->p_value;
  }
  result.arms.push_back(arm_result({kBaseline, kControl}, names[0]));
  for (std::size_t arm = kFirstCandidate; arm < candidates_end(); ++arm) {
    tell_difference(arm, result.arms.emplace_back(arm_result({arm}, names[arm - kControl])));
  }
  tell_resolution(result);
  tell_bills(result);
  if (!goal_) return;
  result.resolution.reached = goal_->is_reached();
  result.resolution.looks = goal_->looks();
}

void Comparison::tell_bills(CompareResult& result) const {
  for (const Slot& slot : slots_) {
    if (!slot.billed) continue;
    const BilledPlay& billed = *slot.billed;
    result.arms[*arm_of(billed.slot)].bill = make_bill(
        billed.scenario, billed.slot == kBaseline ? whole_baseline() : blocks_[billed.slot],
        billed.blocks);
  }
}

}  // namespace ringchurn
