// Clocks of the process, and what /proc tells about the rest of the machine.
#include "bench/cpu_time.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <sstream>
#include <system_error>

#include "ring/error.h"

namespace ringchurn {
namespace {

std::uint64_t read_clock_ns(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

/// The clock of any thread's CPU time, by thread id: io_uring's workers have no pthread_t, as
/// pthread_getcpuclockid(3) would want. Its bits, from Linux's include/linux/posix-timers.h:
///
///     31 .. 3     2                      1 .. 0
///     ~thread     1: not a whole process 10: time as the scheduler counts it
clockid_t cpu_clock_of(int thread) {
  return static_cast<clockid_t>(~static_cast<unsigned>(thread) << 3 | 0b110U);
}

std::uint64_t nanoseconds(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_usec) * 1'000;
}

std::uint64_t sleeps(int whose) {
  rusage usage{};
  getrusage(whose, &usage);
  return static_cast<std::uint64_t>(usage.ru_nvcsw);
}

std::string first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

ProcessCpuClock::ProcessCpuClock() : threads_(opendir("/proc/self/task")) {
  if (!threads_) {
    throw Error(kExitCannotRun,
                std::string("cannot list this process's threads: /proc/self/task: ") +
                    std::strerror(errno) + "; /proc must be mounted");
  }
}

std::uint64_t ProcessCpuClock::now_ns() {
  rewinddir(threads_.get());
  while (const dirent* entry = readdir(threads_.get())) {
    const int thread = std::atoi(entry->d_name);  // 0 for "." and ".."
    if (thread > 0) read_clock_ns(cpu_clock_of(thread));
  }
  return read_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

std::uint64_t thread_cpu_ns() { return read_clock_ns(CLOCK_THREAD_CPUTIME_ID); }

std::uint64_t thread_cpu_ns(pthread_t thread) {
  clockid_t clock{};
  return pthread_getcpuclockid(thread, &clock) == 0 ? read_clock_ns(clock) : 0;
}

CpuSplit process_cpu_split() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return {nanoseconds(usage.ru_utime), nanoseconds(usage.ru_stime)};
}

std::uint64_t process_sleeps() { return sleeps(RUSAGE_SELF); }

std::uint64_t thread_sleeps() { return sleeps(RUSAGE_THREAD); }

KsoftirqdClock::KsoftirqdClock() {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    if (first_line(entry.path() / "comm").starts_with("ksoftirqd/")) {
      schedstat_paths_.push_back(entry.path() / "schedstat");
    }
  }
}

std::optional<std::uint64_t> KsoftirqdClock::cpu_ns() const {
  if (schedstat_paths_.empty()) return std::nullopt;
  std::uint64_t total_ns = 0;
  for (const std::string& path : schedstat_paths_) {
    // Time on the CPU, time waiting for it, times scheduled; "0 0 0" where the kernel keeps none.
    std::uint64_t running_ns = 0;
    std::uint64_t waiting_ns = 0;
    std::uint64_t times = 0;
    std::ifstream file(path);
    if (!(file >> running_ns >> waiting_ns >> times) || times == 0) return std::nullopt;
    total_ns += running_ns;
  }
  return total_ns;
}

MachineTime MachineTime::read() { return parse(first_line("/proc/stat")); }

MachineTime MachineTime::parse(std::string_view proc_stat) {
  // proc(5): user nice system idle iowait irq softirq (Linux 2.6.0) steal (2.6.11)
  constexpr std::size_t kIdle = 3;
  constexpr std::size_t kIoWait = 4;
  constexpr std::size_t kSoftirq = 6;
  constexpr std::size_t kSteal = 7;
  std::istringstream fields{std::string(proc_stat.substr(0, proc_stat.find('\n')))};
  std::string cpu;
  fields >> cpu;
  if (cpu != "cpu") return {};
  const std::vector<std::uint64_t> ticks(std::istream_iterator<std::uint64_t>(fields), {});
  const auto tick_ns = 1'000'000'000 / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
  MachineTime time;
  if (ticks.size() > kSoftirq) time.softirq_ns = ticks[kSoftirq] * tick_ns;
  if (ticks.size() <= kSteal) return time;
  time.steal_ns = ticks[kSteal] * tick_ns;
  // What follows steal, of guests, is part of user and nice.
  const std::uint64_t all = std::accumulate(ticks.begin(), ticks.begin() + kSteal + 1, 0UL);
  time.total_ns = all * tick_ns;
  time.busy_ns = (all - ticks[kIdle] - ticks[kIoWait] - ticks[kSteal]) * tick_ns;
  return time;
}

IrqTimeAccounting irq_time_accounting() {
  std::ifstream kallsyms("/proc/kallsyms");
  const IrqTimeAccounting by_symbols = irq_time_accounting_by_symbols(kallsyms);
  if (by_symbols != IrqTimeAccounting::unknown) return by_symbols;
  utsname system{};
  uname(&system);
  std::ifstream config(std::string("/boot/config-") + system.release);
  return irq_time_accounting_by_config(config);
}

IrqTimeAccounting irq_time_accounting_by_symbols(std::istream& kallsyms) {
  bool listed = false;
  for (std::string line; std::getline(kallsyms, line);) {
    // In kernel/sched/cputime.c, under CONFIG_IRQ_TIME_ACCOUNTING alone, since Linux 3.8.
    if (line.ends_with(" irqtime_account_irq")) return IrqTimeAccounting::present;
    // In the same file in any case: the list is one of this kernel's functions, and not cut short.
    listed = listed || line.ends_with(" account_process_tick");
  }
  return listed ? IrqTimeAccounting::absent : IrqTimeAccounting::unknown;
}

IrqTimeAccounting irq_time_accounting_by_config(std::istream& config) {
  for (std::string line; std::getline(config, line);) {
    if (line == "CONFIG_IRQ_TIME_ACCOUNTING=y") return IrqTimeAccounting::present;
    if (line == "# CONFIG_IRQ_TIME_ACCOUNTING is not set") return IrqTimeAccounting::absent;
  }
  return IrqTimeAccounting::unknown;
}

}  // namespace ringchurn
