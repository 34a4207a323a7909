// What a comparison plays: arms in slices, slices in blocks, until enough has been measured; and
// what the arms cost, with the error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "bench/ground.h"
#include "bench/kernel_counters.h"
#include "bench/lockstep.h"
#include "bench/options.h"
#include "bench/progress.h"
#include "bench/resolution.h"
#include "bench/result.h"
#include "bench/statistics.h"
#include "workloads/mix.h"
#include "workloads/moments.h"
#include "workloads/random.h"
#include "workloads/script.h"

namespace ringchurn {

/// The arms as they are scheduled: the baseline, the baseline again, the others. One half of the
/// baseline's slices against the other half is the A/A control; the others are held against both
/// halves, which makes their intervals an eighth narrower than one would.
inline constexpr std::size_t kBaseline = 0, kControl = 1, kFirstCandidate = 2;

/// Which arm of the result a slot belongs to: none, if it is the control.
std::optional<unsigned> arm_of(std::size_t slot);

/// The lockstep slices that an arm's bill needs beside its ordinary ones. What it refers to must
/// outlive it.
struct BilledPlay {
  Lockstep& lockstep;
  const Scenario& scenario;
  std::uint16_t index;                  ///< of the scenario
  std::size_t slot;                     ///< where the ordinary slices are
  std::vector<LockstepSlice> blocks{};  ///< a measured block's two slices together
};

/// One arm as it is scheduled, and what its measured slices moved. `ground` must outlive it.
struct Slot {
  Ground* ground;  ///< several slots may stand on one
  Mix mix;
  KernelCounters moved{};
  std::uint64_t ended = 0;               ///< connections, lead-ins included, as `moved` has them
  std::uint64_t enters = 0, sleeps = 0;  ///< io_uring_enter calls and wake-ups, likewise
  std::optional<BilledPlay> billed{};    ///< instead of ordinary slices
};

/// Plays slots against each other and tells what they cost. Must be made, used and destroyed by the
/// thread that its grounds belong to.
class Comparison {
 public:
  /// `slots`: the baseline, the control, the others, and behind them those with lockstep slices.
  /// What they refer to must outlive it.
  Comparison(const Options& options, std::vector<Slot> slots);

  /// Plays blocks, at least kMinBlocks, until options.duration was measured, lead-ins not counted,
  /// or options.resolution is reached. Ends early when interrupted() or when a worker gives up: the
  /// block that was under way is left out. Shows its progress. Throws Error.
  void measure();

  /// Fills in what was measured: arms, control, resolution, slices and bills. `names` of the arms,
  /// the baseline first.
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

}  // namespace ringchurn
