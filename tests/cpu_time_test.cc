// The CPU clocks count what they say, and what the machine does not tell stays unknown.
#include "bench/cpu_time.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "ring/error.h"
#include "ring/ring.h"

namespace ringchurn {
namespace {

std::vector<std::size_t> allowed_cpus() {
  cpu_set_t set;
  std::vector<std::size_t> cpus;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

/// Binds the calling thread to `cpus`.
void run_on(const std::vector<std::size_t>& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const std::size_t cpu : cpus) CPU_SET(cpu, &set);
  ASSERT_EQ(sched_setaffinity(0, sizeof set, &set), 0);
}

/// A thread that runs on `cpu`, and makes no further system call, until it is destroyed.
class Spinner {
 public:
  explicit Spinner(std::size_t cpu)
      : thread_([this, cpu] {
          run_on({cpu});
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
  const std::vector<std::size_t> cpus = allowed_cpus();
  if (cpus.size() < 2) GTEST_SKIP() << "needs two CPUs";
  // Ticks are at least 1 ms apart (CONFIG_HZ=1000): a clock that counts by them has longer steps.
  constexpr std::uint64_t kShortStepNs = 500'000;
  // On a busy machine context switches shorten some: 200 in the 2 s, with a clock that counts by
  // ticks.
  constexpr int kEnoughSteps = 1000;
  // More than what this thread itself spends between its own clock and the process's.
  constexpr std::uint64_t kOwnNs = 20'000;
  constexpr std::uint64_t kGiveUpNs = 2'000'000'000;
  const Spinner spinner(cpus[0]);
  run_on({cpus[1]});
  ProcessCpuClock clock;
  const auto others_ns = [&clock] {
    const std::uint64_t own_ns = thread_cpu_ns();
    return clock.now_ns() - own_ns;
  };
  const std::uint64_t start_ns = others_ns();
  std::uint64_t last_ns = start_ns;
  int short_steps = 0;
  while (short_steps < kEnoughSteps && last_ns - start_ns < kGiveUpNs) {
    const std::uint64_t now_ns = others_ns();
    if (now_ns < last_ns + kOwnNs) continue;
    short_steps += now_ns - last_ns < kShortStepNs;
    last_ns = now_ns;
  }
  run_on(cpus);
  EXPECT_EQ(short_steps, kEnoughSteps) << "in " << (last_ns - start_ns) / 1'000'000 << " ms";
}

/// CPU time of the kernel's thread that a ring made in this process, by what the scheduler tells.
std::uint64_t poller_cpu_ns() {
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::uint64_t ns = 0;
    std::ifstream(thread.path() / "comm") >> name;
    if (name.starts_with("iou-sqp") && std::ifstream(thread.path() / "schedstat") >> ns) return ns;
  }
  return 0;
}

TEST(ProcessCpuClock, CountsTheThreadThatPollsForARing) {
  constexpr std::uint64_t kWorkNs = 5'000'000;
  std::optional<Ring> ring;
  try {
    ring.emplace(RingSettings{.submissions = 64, .completions = 256, .sqpoll = true});
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  ProcessCpuClock clock;
  const std::uint64_t before = clock.now_ns(), own_before = thread_cpu_ns();
  const std::uint64_t poller_before = poller_cpu_ns();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  std::uint64_t polled = 0;
  while (polled < kWorkNs && std::chrono::steady_clock::now() < deadline) {
    ring->nop(1);
    ring->submit_and_wait(1, std::chrono::seconds(1));
    ring->reap(64, [](const Completion&) {});
    polled = poller_cpu_ns() - poller_before;
  }
  ASSERT_GE(polled, kWorkNs);
  const std::uint64_t own = thread_cpu_ns() - own_before;
  EXPECT_GE(clock.now_ns() - before, own + polled);
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

TEST(Sleeps, CountAThreadsOwnAndTheProcesss) {
  const std::uint64_t process = process_sleeps(), own = thread_sleeps();
  std::thread worker([] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); });
  worker.join();
  const std::uint64_t between = thread_sleeps();
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_GE(thread_sleeps() - between, 1U);
  // The other thread's is the process's, and not this one's.
  EXPECT_GE(process_sleeps() - process, thread_sleeps() - own + 1);
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
