// From what the threads counted and what was read around them to the result: pure arithmetic.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bench/kernel_counters.h"
#include "bench/plan.h"
#include "bench/result.h"
#include "bench/worker.h"

namespace ringchurn {

/// Everything that was read around a load.
struct LoadFacts {
  std::vector<WorkerReport> workers;
  double elapsed_s = 0;
  std::uint64_t process_cpu_ns = 0;
  double user_share = 0;
  std::optional<std::uint64_t> client_cpu_ns, server_cpu_ns;  ///< threads of one end only
  std::optional<std::uint64_t> ksoftirqd_ns;
  std::optional<std::uint64_t> steal_ns;
  bool irq_time_accounting = false;  ///< softirq work is not on any process's clock
  KernelCounters kernel;  ///< deltas, read after everything had settled, of all networks together
};

/// Fills in scenarios, errors, kernel and cost of `result`. `weights` go by Plan::scenarios.
void account(const Plan& plan, const std::vector<double>& weights, const LoadFacts& facts,
             RunResult& result);

}  // namespace ringchurn
