// See meter.h.
#include "bench/meter.h"

#include <thread>

namespace ringchurn {
namespace {

std::optional<std::uint64_t> grown(std::optional<std::uint64_t> from,
                                   std::optional<std::uint64_t> to) {
  if (!from || !to || *to < *from) return std::nullopt;
  return *to - *from;
}

}  // namespace

Meter::Meter(Caller caller)
    : kernel_(KernelCounters::read()),
      ksoftirqd_ns_(ksoftirqd_.cpu_ns()),
      machine_(MachineTime::read()),
      split_(process_cpu_split()),
      caller_(caller),
      sleeps_(sleeps()),
      process_ns_(process_.now_ns()) {}

/// Of the threads that play.
std::uint64_t Meter::sleeps() const {
  return process_sleeps() - (caller_ == Caller::plays ? 0 : thread_sleeps());
}

Meter::SoFar Meter::so_far() {
  return {process_.now_ns() - process_ns_, KernelCounters::read().since(kernel_)};
}

void Meter::stop(Metered& facts) {
  facts.process_cpu_ns = process_.now_ns() - process_ns_;
  facts.wake_ups = sleeps() - sleeps_;
  const CpuSplit split = process_cpu_split();
  const auto user = static_cast<double>(split.user_ns - split_.user_ns);
  const auto total = user + static_cast<double>(split.system_ns - split_.system_ns);
  facts.user_share = total > 0 ? user / total : 0;
  facts.ksoftirqd_ns = grown(ksoftirqd_ns_, ksoftirqd_.cpu_ns());
  facts.steal_ns = grown(machine_.steal_ns, MachineTime::read().steal_ns);
  facts.irq_time_accounting = irq_time_accounting() == IrqTimeAccounting::present;
  std::this_thread::sleep_for(kSettleTime);
  facts.kernel = KernelCounters::read().since(kernel_);
}

}  // namespace ringchurn
