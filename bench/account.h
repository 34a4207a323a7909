// From what the threads counted and what was read around them to the result: pure arithmetic.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bench/kernel_counters.h"
#include "bench/plan.h"
#include "bench/result.h"
#include "bench/worker.h"

namespace ringchurn {

/// What was read around a load, or around a part of it.
struct Metered {
  double elapsed_s = 0;
  std::uint64_t process_cpu_ns = 0;
  double user_share = 0;
  std::optional<std::uint64_t> client_cpu_ns, server_cpu_ns;  ///< threads of one end only
  std::optional<std::uint64_t> ksoftirqd_ns;
  std::optional<std::uint64_t> steal_ns;
  std::optional<std::uint64_t> wake_ups;  ///< of the threads that play
  bool irq_time_accounting = false;       ///< softirq work is not on any process's clock
  KernelCounters kernel;  ///< deltas, read after everything had settled, of all networks together
};

/// What came after a warm-up. Its cost is what is told; the account is of the whole load.
struct MeasuredPart : Metered {
  std::uint64_t connections = 0;  ///< that ended in it
  std::uint64_t ring_enters = 0;
};

/// Everything that is known about a load.
struct LoadFacts : Metered {
  std::vector<WorkerReport> workers;
  std::optional<MeasuredPart> measured;  ///< empty: all of it
};

/// Fills in scenarios, errors, kernel and cost of `result`. `weights` go by Plan::scenarios. Where
/// result.context.side is one end, `facts` are that end's, and connections are those that ended
/// there.
void account(const Plan& plan, const std::vector<double>& weights, const LoadFacts& facts,
             RunResult& result);

/// Fills in `kernel` and `asked_for` of a result whose scenarios are there: what `counted` moved
/// by, against what they declare. Of one side, nothing is declared, and what a merged result needs
/// is there besides. `ends_apart`: each end had a CPU of its own (CounterRow::allowed_extra).
void account_kernel(const KernelCounters& counted, bool ends_apart, RunResult& result);

/// The counters that RunResult::kernel will have when `plan` has been played.
std::set<std::string> account_counters(const Plan& plan, PlayedSide side);

/// RunResult::asked_for, from what the result's scenarios declare.
std::map<std::string, std::uint64_t> asked_for(const RunResult& result);

}  // namespace ringchurn
