// `ringchurn doctor`: whether this machine can measure, before anybody waits for a measurement.
// What can be tried is tried; what cannot is read from /proc. Judging is apart from looking, so
// that every finding is tested on machines that do not have it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/cpu_time.h"
#include "bench/result.h"
#include "ring/error.h"
#include "ring/features.h"

namespace ringchurn {

/// What the machine shows of itself. What it does not tell is nullopt, or absent from `settings`.
struct MachineFacts {
  std::string kernel;                 ///< kernel_name()
  std::string ring_error;             ///< why no ring can be made; "" if one can
  std::vector<RingFeature> features;  ///< empty if no ring can be made
  std::string lab_error;              ///< why there is no private network; "" if one was entered
  /// Of kernel, user and net, by the names of sysctl(8); fields are separated by one space.
  std::map<std::string, std::string> settings;
  int seccomp_mode = 0;                            ///< of prctl(2): 2 is a filter
  std::uint64_t nofile_soft = 0, nofile_hard = 0;  ///< RLIMIT_NOFILE
  std::uint64_t memlock_bytes = 0;                 ///< RLIMIT_MEMLOCK, soft
  unsigned cpus = 1;                               ///< that this process may run on
  std::optional<double> stolen_share, busy_share;  ///< of all CPUs' time while it was looked
  std::optional<double> cpu_pressure_percent;      ///< PSI: some, of the last 10 s
  IrqTimeAccounting irq_time_accounting = IrqTimeAccounting::unknown;
  bool sees_ksoftirqd = true;
  std::optional<std::uint64_t> time_wait;  ///< in the network that it was started in
};

/// Looks for a second. Makes a ring, and a private network in a child process; changes nothing.
/// Call it while the process has one thread.
MachineFacts examine_machine();

/// One verdict for each thing that matters, good ones included. The evidence is what was found and,
/// unless that is good, what follows from it. Those that fail keep it from measuring.
std::vector<Verdict> diagnose(const MachineFacts& facts);

/// kExitGood, kExitVerdictFailed, or kExitRingUnavailable.
ExitCode doctor_exit_code(const MachineFacts& facts, const std::vector<Verdict>& verdicts);

}  // namespace ringchurn
