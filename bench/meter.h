// Clocks and counters around a load: read before, read after, subtracted.
#pragma once

#include "bench/account.h"
#include "bench/cpu_time.h"
#include "bench/kernel_counters.h"
#include "bench/worker.h"

namespace ringchurn {

/// How long the last packets may take to be counted after the last close returned.
inline constexpr std::chrono::milliseconds kSettleTime{100};

class Meter {
 public:
  /// Whether the calling thread plays the load itself or looks on while others do.
  enum class Caller { plays, looks_on };
  /// Reads everything: the load begins now.
  explicit Meter(Caller caller = Caller::looks_on);
  /// The load is over: reads the clocks at once, and the kernel's counters when they have settled.
  void stop(Metered& facts);

  /// What has moved so far; the load goes on.
  struct SoFar {
    std::uint64_t process_cpu_ns = 0;
    KernelCounters kernel;  ///< of the calling thread's network
  };
  SoFar so_far();

 private:
  std::uint64_t sleeps() const;

  ProcessCpuClock process_;
  KsoftirqdClock ksoftirqd_;
  KernelCounters kernel_;
  std::optional<std::uint64_t> ksoftirqd_ns_;
  MachineTime machine_;
  CpuSplit split_;
  Caller caller_;
  std::uint64_t sleeps_;
  std::uint64_t process_ns_;
};

}  // namespace ringchurn
