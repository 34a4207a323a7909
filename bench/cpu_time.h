// Who spent CPU time: this process, and the parts of the machine that work for it on another bill.
// All in nanoseconds since some fixed moment: subtract two readings.
#pragma once

#include <dirent.h>
#include <pthread.h>

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringchurn {

/// CPU time of the whole process, exact to a few microseconds.
///
/// io_uring's worker and SQPOLL threads are threads of the process and are in it, those that have
/// ended included. So is the softirq work that the kernel does on the back of the process's system
/// calls (on loopback: the receiving end of every packet), unless irq_time_accounting() says
/// otherwise. What ksoftirqd took over is not: see KsoftirqdClock.
///
/// CLOCK_PROCESS_CPUTIME_ID alone won't do. For threads that are running on other CPUs it counts up
/// to their last timer tick, as much as 10 ms ago (thread_group_cputime() in Linux's
/// kernel/sched/cputime.c). With one such thread, 20 ms slices were wrong by up to 3 ms each, and
/// what one slice lacks the next one has too much. Reading a thread's own clock brings it up to
/// date, so this clock first reads those of all threads: 0.7 us per thread.
///
/// Made and used in one process (not across a fork), one thread at a time.
class ProcessCpuClock {
 public:
  /// Throws Error (kExitCannotRun) if /proc cannot be read.
  ProcessCpuClock();

  std::uint64_t now_ns();

 private:
  struct CloseDirectory {
    void operator()(DIR* directory) const { closedir(directory); }
  };
  std::unique_ptr<DIR, CloseDirectory> threads_;
};

/// CPU time of the calling thread (CLOCK_THREAD_CPUTIME_ID).
std::uint64_t thread_cpu_ns();
/// The same of another thread of this process, which must not have been joined
/// (pthread_getcpuclockid(3)).
std::uint64_t thread_cpu_ns(pthread_t thread);

/// How the process's CPU time divides between the program and the kernel (getrusage). On most
/// kernels the timer tick samples it: over less than a second it means little, and a process in
/// which no tick hit the kernel is said to be all user (cputime_adjust() in Linux's
/// kernel/sched/cputime.c).
struct CpuSplit {
  std::uint64_t user_ns = 0;
  std::uint64_t system_ns = 0;
};
CpuSplit process_cpu_split();

/// How often threads went to sleep of their own accord, each of which is a wake-up later (voluntary
/// context switches, getrusage): of all threads of the process, those that have ended included
/// (io-wq workers are among them), and of the calling thread.
std::uint64_t process_sleeps();
std::uint64_t thread_sleeps();

/// The CPU time of the machine's ksoftirqd threads. Packets land there when softirq work outgrows
/// its budget, and then no process is charged for them; a benchmark must say how much that was.
/// The figure counts everybody's packets, not this process's alone.
class KsoftirqdClock {
 public:
  /// Looks the threads up once, by their names, in /proc. A CPU that is plugged in later is missed.
  KsoftirqdClock();

  /// nullopt if the threads cannot be seen, as in a PID namespace (containers), or their time
  /// cannot be read (kernels without CONFIG_SCHED_INFO).
  std::optional<std::uint64_t> cpu_ns() const;

 private:
  std::vector<std::string> schedstat_paths_;
};

/// Machine-wide times of /proc/stat, all CPUs together, in steps of 10 ms.
struct MachineTime {
  /// Time that the hypervisor gave to others while this machine wanted to run. Any more than a
  /// little, and a measurement is about the neighbours. nullopt if the kernel does not say.
  std::optional<std::uint64_t> steal_ns;
  /// Time in softirqs, in whatever context. Exact with irq_time_accounting(), else sampled by the
  /// timer tick, and then already part of the bill of the process that the tick hit.
  std::optional<std::uint64_t> softirq_ns;
  /// Time in which a CPU ran something, steal left out; and all time, of idle CPUs, too.
  std::optional<std::uint64_t> busy_ns, total_ns;

  static MachineTime read();
  static MachineTime parse(std::string_view proc_stat);
};

/// Whether this kernel takes softirq time off the clock of the process that it interrupts.
enum class IrqTimeAccounting {
  absent,   ///< no: the process's CPU time is the whole bill (Debian's kernels)
  present,  ///< yes: on loopback a large part of TCP's work is missing from ProcessCpuClock
  unknown,
};

/// Whether the running kernel was built with CONFIG_IRQ_TIME_ACCOUNTING, judged by its symbols in
/// /proc/kallsyms, which any user may list, else by /boot/config-<release>. Takes 40 ms.
IrqTimeAccounting irq_time_accounting();

/// The two judgements, for a text of the form of either file.
IrqTimeAccounting irq_time_accounting_by_symbols(std::istream& kallsyms);
IrqTimeAccounting irq_time_accounting_by_config(std::istream& config);

}  // namespace ringchurn
