// The CPU clocks count what they say, and what the machine does not tell stays unknown.
#include "bench/cpu_time.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

namespace ringchurn {
namespace {

/// A thread that runs, and makes no system call, until it is destroyed.
class Spinner {
 public:
  Spinner()
      : thread_([this] {
          while (!stop_) continue;
        }) {}
  ~Spinner() {
    stop_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

TEST(ProcessCpuClock, CountsAllThreadsThoseThatEndedIncluded) {
  constexpr std::uint64_t kWorkNs = 20'000'000;
  ProcessCpuClock clock;
  const std::uint64_t before = clock.now_ns();
  std::thread worker([] {
    while (thread_cpu_ns() < kWorkNs) continue;
  });
  worker.join();
  EXPECT_GE(clock.now_ns() - before, kWorkNs);
}

TEST(ProcessCpuClock, SeesARunningThreadAdvanceBetweenItsTicks) {
  cpu_set_t cpus;
  ASSERT_EQ(sched_getaffinity(0, sizeof cpus, &cpus), 0);
  if (CPU_COUNT(&cpus) < 2) GTEST_SKIP() << "needs two CPUs";
  // 50 ms hold 50 ticks at most (CONFIG_HZ=1000), and a clock that counts by ticks as many steps.
  constexpr std::uint64_t kEnoughNs = 50'000'000;
  const Spinner spinner;
  ProcessCpuClock clock;
  int steps = 0;
  std::uint64_t last_ns = 0;
  for (std::uint64_t spun_ns = 0; spun_ns < kEnoughNs;) {
    const std::uint64_t own_ns = thread_cpu_ns();
    const std::uint64_t all_ns = clock.now_ns();
    const std::uint64_t others_ns = all_ns - own_ns;
    // What this thread itself does between the two readings is well below 20 us.
    if (last_ns != 0 && others_ns > last_ns + 20'000) {
      ++steps;
      spun_ns += others_ns - last_ns;
      last_ns = others_ns;
    }
    if (last_ns == 0) last_ns = others_ns;
  }
  EXPECT_GT(steps, 200);
}

TEST(ThreadCpu, CountsTheCallingThreadAlone) {
  std::uint64_t spinner_ns = 0;
  const std::uint64_t before = thread_cpu_ns();
  std::thread worker([&spinner_ns] {
    while (thread_cpu_ns() < 20'000'000) continue;
    spinner_ns = thread_cpu_ns();
  });
  worker.join();
  EXPECT_LT(thread_cpu_ns() - before, spinner_ns);
}

TEST(ProcessCpuSplit, AddsUpToNoMoreThanTheClock) {
  ProcessCpuClock clock;
  while (clock.now_ns() < 30'000'000) continue;
  const CpuSplit split = process_cpu_split();
  EXPECT_GT(split.user_ns + split.system_ns, 0U);
  EXPECT_LE(split.user_ns + split.system_ns, clock.now_ns());
}

TEST(KsoftirqdClock, NeverRunsBackwards) {
  const KsoftirqdClock clock;
  const auto before = clock.cpu_ns();
  if (!before) GTEST_SKIP() << "ksoftirqd cannot be seen here";
  EXPECT_GT(*before, 0U);
  EXPECT_GE(clock.cpu_ns().value(), *before);
}

TEST(MachineTime, IsReadFromTheLineOfAllCpus) {
  const MachineTime time = MachineTime::parse(
      "cpu  1177 0 930 134611 261 0 30 8 0 0\ncpu0 444 0 343 67690 4 0 9 2 0 0\n");
  const auto tick_ns = 1'000'000'000 / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
  EXPECT_EQ(time.softirq_ns, 30 * tick_ns);
  EXPECT_EQ(time.steal_ns, 8 * tick_ns);
}

TEST(MachineTime, IsUnknownWhereTheKernelDoesNotSay) {
  const MachineTime without_steal = MachineTime::parse("cpu  1177 0 930 134611 261 0 30\n");
  EXPECT_TRUE(without_steal.softirq_ns.has_value());
  EXPECT_EQ(without_steal.steal_ns, std::nullopt);
  for (const char* text : {"", "cpu", "cpu x", "intr 1 2 3 4 5 6 7 8 9\n"}) {
    EXPECT_EQ(MachineTime::parse(text).softirq_ns, std::nullopt) << text;
    EXPECT_EQ(MachineTime::parse(text).steal_ns, std::nullopt) << text;
  }
}

TEST(MachineTime, IsToldByThisKernel) {
  const MachineTime before = MachineTime::read();
  ASSERT_TRUE(before.steal_ns.has_value());
  ASSERT_TRUE(before.softirq_ns.has_value());
  EXPECT_GE(MachineTime::read().softirq_ns.value(), *before.softirq_ns);
}

IrqTimeAccounting by_symbols(const std::string& text) {
  std::istringstream stream(text);
  return irq_time_accounting_by_symbols(stream);
}

TEST(IrqTimeAccounting, IsJudgedByTheKernelsSymbols) {
  EXPECT_EQ(by_symbols("0000000000000000 T account_process_tick\n"
                       "0000000000000000 T irqtime_account_irq\n"
                       "0000000000000000 T account_idle_ticks\n"),
            IrqTimeAccounting::present);
  EXPECT_EQ(by_symbols("0000000000000000 T account_process_tick\n"
                       "0000000000000000 t not_irqtime_account_irq_either\n"
                       "0000000000000000 r __ksymtab_irqtime_account_irq\n"),
            IrqTimeAccounting::absent);
  EXPECT_EQ(by_symbols("0000000000000000 T _stext\n"), IrqTimeAccounting::unknown) << "cut short";
  EXPECT_EQ(by_symbols(""), IrqTimeAccounting::unknown);
}

IrqTimeAccounting by_config(const std::string& text) {
  std::istringstream stream(text);
  return irq_time_accounting_by_config(stream);
}

TEST(IrqTimeAccounting, IsJudgedByTheKernelsConfiguration) {
  EXPECT_EQ(by_config("CONFIG_HZ=250\nCONFIG_IRQ_TIME_ACCOUNTING=y\n"), IrqTimeAccounting::present);
  EXPECT_EQ(
      by_config("# CONFIG_IRQ_TIME_ACCOUNTING is not set\nCONFIG_HAVE_IRQ_TIME_ACCOUNTING=y\n"),
      IrqTimeAccounting::absent);
  EXPECT_EQ(by_config("CONFIG_HAVE_IRQ_TIME_ACCOUNTING=y\n"), IrqTimeAccounting::unknown);
  EXPECT_EQ(by_config(""), IrqTimeAccounting::unknown);
}

}  // namespace
}  // namespace ringchurn
