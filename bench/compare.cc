// Slices of a few milliseconds, in mirrored random blocks, the baseline twice: see compare.h.
#include "bench/compare.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <list>
#include <numeric>
#include <optional>
#include <set>
#include <thread>

#include "bench/account.h"
#include "bench/bill.h"
#include "bench/context.h"
#include "bench/cpu_time.h"
#include "bench/interrupt.h"
#include "bench/lockstep.h"
#include "bench/meter.h"
#include "bench/progress.h"
#include "bench/report_text.h"
#include "bench/resolution.h"
#include "bench/schedule.h"
#include "bench/server_process.h"
#include "bench/side_network.h"
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
/// Not measured: caches, slabs and the CPU's clock warm up.
constexpr unsigned kWarmUpBlocks = 2;

/// The arms as they are scheduled: the baseline, the baseline again, the others. One half of the
/// baseline's slices against the other half is the A/A control; the others are held against both
/// halves, which makes their intervals an eighth narrower than one would.
constexpr std::size_t kBaseline = 0, kControl = 1, kFirstCandidate = 2;

/// Which arm of the result a slot belongs to: none, if it is the control.
std::optional<unsigned> arm_of(std::size_t slot) {
  if (slot == kControl) return std::nullopt;
  return static_cast<unsigned>(slot == kBaseline ? 0 : slot - kControl);
}

/// What an arm is played by, and whose CPU time it costs.
struct Ground {
  Worker& worker;
  Link& link;
  const SideNetwork* network;             ///< where its clients are; null: here
  const SideNetwork* servers;             ///< where its servers are; null: with the clients
  std::function<std::uint64_t()> cpu_ns;  ///< the clock whose time is the cost

  /// Of the calling thread's network, which is that of the clients, and of the servers'.
  KernelCounters counters() const {
    KernelCounters counters = KernelCounters::read();
    if (servers) counters += servers->moved();
    return counters;
  }
};

/// Listeners in the network of the servers, or here if they have none of their own.
std::vector<Endpoint> endpoints_in(const SideNetwork* servers, const Options& options,
                                   const Plan& plan, const Lab& lab) {
  std::optional<SideNetwork::Visit> visit;
  if (servers) visit.emplace(*servers);
  return make_endpoints(plan.scenarios, servers ? servers->lab() : lab, domain(options.family),
                        Worker::backlog(options.concurrency));
}

/// Where both ends of every connection are on this thread.
struct Home {
  const Options& options;
  const Plan& plan;
  const Lab& lab;
  const SideNetwork* servers;  ///< where the listeners are; null: in the lab
  std::optional<int> sqpoll_cpu;

  std::vector<Endpoint> endpoints() const { return endpoints_in(servers, options, plan, lab); }

  Worker::Settings settings(const Ways& ways) const {
    Worker::Settings settings{Worker::Ends::both, options.concurrency};
    settings.stall_limit += plan.longest_rest_ns();
    settings.moments = MomentLog::room(options.concurrency);
    settings.ways = ways;
    settings.sqpoll_cpu = sqpoll_cpu;
    return settings;
  }
};

/// Both ends, by a ring that is used in certain ways, with listeners of its own: two rings would
/// take connections from each other. Everything refers to what stands above it.
struct HomeGround {
  HomeGround(const Home& home, const Ways& played_by, ProcessCpuClock& clock)
      : ways(played_by),
        endpoints(home.endpoints()),
        worker(home.settings(ways), home.plan.scenarios, endpoints, link, interrupted()),
        ground{worker, link, nullptr, home.servers, [&clock] { return clock.now_ns(); }} {}

  Ways ways;
  std::vector<Endpoint> endpoints;
  Link link;
  Worker worker;
  Ground ground;
};

/// The lockstep slices that an arm's bill needs beside its ordinary ones.
struct BilledPlay {
  Lockstep& lockstep;
  const Scenario& scenario;
  std::uint16_t index;  ///< of the scenario
  std::size_t slot;     ///< where the ordinary slices are
  std::vector<LockstepSlice> blocks{};
};

/// One arm as it is scheduled, and what its slices moved.
struct Slot {
  Ground* ground;
  Mix mix;
  KernelCounters moved{};
  std::uint64_t ended = 0;               ///< connections, lead-ins included, as `moved` has them
  std::uint64_t enters = 0, sleeps = 0;  ///< io_uring_enter calls and wake-ups, likewise
  std::optional<BilledPlay> billed{};    ///< instead of ordinary slices
};

class Comparison {
 public:
  /// `slots`: the baseline, the control, the others; what they refer to must outlive it.
  Comparison(const Options& options, std::vector<Slot> slots);
  void measure();
  /// `names` of the arms, the baseline first.
  void report(const std::vector<std::string>& names, CompareResult& result) const;

 private:
  void block(bool measured);
  void slice(std::size_t arm, Nanoseconds lead_in_ns, bool measured);
  void lockstep_slice(BilledPlay& billed, Nanoseconds lead_in_ns, bool measured);
  bool is_cut_short() const;
  bool is_enough();
  std::size_t candidates_end() const;
  void tell(Progress& progress) const;
  std::vector<BlockCost> whole_baseline() const;
  ArmResult arm_result(std::initializer_list<std::size_t> slots, const std::string& name) const;
  void tell_bills(CompareResult& result) const;
  void tell_difference(std::size_t arm, ArmResult& candidate) const;
  std::optional<CostComparison> against_baseline(std::size_t arm) const;

  std::uint64_t seed_;
  Nanoseconds limit_ns_;  ///< to be measured; with a goal, at most
  std::optional<ResolutionGoal> goal_;
  ProgressStyle progress_;
  Nanoseconds slice_ns_;
  Random random_;
  std::vector<Slot> slots_;
  std::vector<std::vector<BlockCost>> blocks_;  ///< by slot
  std::vector<Slice> slices_;
  Nanoseconds began_ = 0;  ///< the first measured slice; 0: none yet
  Nanoseconds measured_ns_ = 0;
};

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
  std::optional<std::size_t> before;
  for (std::size_t arm : mirrored_block(static_cast<std::uint8_t>(slots_.size()), random_)) {
    const std::size_t played = arm == kControl ? kBaseline : arm;
    slice(arm, played == before ? 0 : kLeadIn_ns, measured);
    before = played;
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

Estimate estimate(const Interval& interval, double unit) {
  return {interval.value / unit, interval.low / unit, interval.high / unit};
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

// -- bills ----------------------------------------------------------------------------------------

/// What plays a comparison's lockstep slices. A mix has no bill, its scenarios have; and an arm
/// that uses io_uring in other ways has none.
class Billing {
 public:
  /// `endpoints` and those `of_trial`: of the plan's scenarios, and of nobody else.
  Billing(const Options& options, const Plan& plan, std::vector<Endpoint> endpoints,
          std::span<const Endpoint> of_trial)
      : plan_(plan), domain_(domain(options.family)), endpoints_(std::move(endpoints)) {
    look_for_obstacles(options.concurrency, of_trial);
    lockstep_.emplace(plan.scenarios, endpoints_, options.concurrency, interrupted());
  }

  /// Behind those of the arms. All of them stand on `ground`.
  void add_slots(Ground& ground, std::vector<Slot>& slots) {
    for (std::size_t arm = 0; arm < plan_.arms.size(); ++arm) {
      if (!obstacles_[arm].empty()) continue;
      const std::uint16_t index = plan_.arms[arm].scenarios.front();
      const std::size_t played_by = arm == 0 ? kBaseline : arm + kControl;
      slots.push_back({&ground, plan_.arms[arm].mix(1)});
      slots.back().billed.emplace(BilledPlay{*lockstep_, plan_.scenarios[index], index, played_by});
    }
  }

  void finish(LoadFacts& facts, CompareResult& result) const {
    facts.workers.push_back(lockstep_->report());
    for (std::size_t i = 0; i < result.arms.size(); ++i) {
      ArmResult& arm = result.arms[i];
      if (!obstacles_[i].empty()) arm.bill = no_bill(arm.name, obstacles_[i]);
      arm.bill->scenario = arm.name;
      const int family = plan_.scenarios[plan_.arms[i].scenarios.front()].domain;
      arm.bill->deferred =
          deferred_cost(arm.time_wait_per_connection, family == 0 ? domain_ : family);
    }
  }

 private:
  /// In a trial whose connections are in nobody's account. Its listeners are its own: the kernel
  /// takes a ring apart when it finds the time, and until then its accept takes connections away.
  void look_for_obstacles(unsigned concurrency, std::span<const Endpoint> endpoints) {
    Lockstep trial(plan_.scenarios, endpoints, concurrency, interrupted());
    for (const Arm& arm : plan_.arms) {
      if (arm.scenarios.size() > 1) {
        obstacles_.push_back("it is a mix: compare its scenarios to see their bills");
      } else if (arm.ways != Ways{}) {
        obstacles_.push_back("lockstep is played in the default way to use io_uring alone");
      } else {
        obstacles_.push_back(trial.obstacle(arm.scenarios.front()));
      }
    }
    std::this_thread::sleep_for(kSettleTime);
  }

  const Plan& plan_;
  int domain_;
  std::vector<Endpoint> endpoints_;
  std::vector<std::string> obstacles_;  ///< by arm
  std::optional<Lockstep> lockstep_;
};

// -- servers as arms ------------------------------------------------------------------------------

/// A server that was started in a network of its own, and what plays against it. Everything refers
/// to what stands above it.
struct ServerArm {
  ServerArm(const std::string& command, const Options& options, const Plan& plan)
      : network(plan.scenarios.front()), server(command, network) {
    for (const Scenario& scenario : plan.scenarios) {
      endpoints.push_back(
          Endpoint::of_others(scenario, server.address(), server.address_length(), {}));
    }
    const SideNetwork::Visit visit(network);
    Worker::Settings settings{Worker::Ends::client, options.concurrency};
    settings.stall_limit += plan.longest_rest_ns();
    settings.moments = MomentLog::room(options.concurrency);
    settings.peer_is_elsewhere = true;
    settings.ways = plan.arms.front().ways;
    worker.emplace(settings, plan.scenarios, endpoints, link, interrupted());
    ground.emplace(Ground{*worker, link, &network, nullptr, [this] { return server.cpu_ns(); }});
  }

  SideNetwork network;
  ServerProcess server;
  std::vector<Endpoint> endpoints;
  Link link;
  std::optional<Worker> worker;
  std::optional<Ground> ground;
};

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
  const Home home{options, plan, lab, listening, sqpoll_cpu};
  ProcessCpuClock clock;
  std::list<HomeGround> grounds;  // arms that are played in the same ways share one
  const auto ground_of = [&](const Arm& arm) {
    const auto known = std::find_if(grounds.begin(), grounds.end(), [&](const HomeGround& ground) {
      return ground.ways == arm.ways;
    });
    if (known != grounds.end()) return &known->ground;
    return &grounds.emplace_back(home, arm.ways, clock).ground;
  };

  std::vector<Slot> slots = {{ground_of(plan.arms[0]), plan.arms[0].mix(options.seed)}};
  std::vector<std::string> names;
  for (const Arm& arm : plan.arms) {
    slots.push_back({ground_of(arm), arm.mix(options.seed + slots.size())});
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
  for (const HomeGround& ground : grounds) {
    facts.workers.push_back(ground.worker.report());
    facts.workers.back().group = static_cast<unsigned>(facts.workers.size());
  }
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

}  // namespace ringchurn
