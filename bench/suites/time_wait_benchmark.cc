// What a connection's TIME_WAIT costs the CPU a minute later, when nobody's connection pays for it:
// many such sockets are made, and while they expire, a thread on the same CPU spins and notices
// what the timer's softirq takes from it.
//
// A gap between two looks at the clock is time that something took. What other threads took is told
// apart by the spinning thread's own CPU clock, which stands still meanwhile, but runs on in a
// softirq. What ticks take in any case is measured before the first socket expires.
#include <benchmark/benchmark.h>

#include <algorithm>

#include "bench/cpu_time.h"
#include "bench/kernel_counters.h"
#include "bench/suites/floor.h"
#include "bench/suites/suite_lab.h"
#include "bench/worker.h"
#include "workloads/scenario_file.h"

namespace ringchurn {
namespace {

constexpr unsigned kSockets = 50'000;
constexpr Nanoseconds kSecond = 1'000'000'000;
constexpr Nanoseconds kTimeWait = 60 * kSecond;  // TCP_TIMEWAIT_LEN in Linux's include/net/tcp.h
constexpr Nanoseconds kControl = 10 * kSecond;
/// The timer wheel fires timers of a minute up to some seconds late.
constexpr Nanoseconds kPatience = 30 * kSecond;
/// No look at the clock takes so long.
constexpr Nanoseconds kGap = 1'000;

/// Time that softirqs took from the calling thread.
struct Taken {
  Nanoseconds taken = 0, looked = 0;
};

/// Spins until `until` of clock_ns().
void spin(Nanoseconds until, Taken& taken) {
  const Nanoseconds began = clock_ns();
  Nanoseconds asleep = began - thread_cpu_ns();  // grows while the thread does not run
  for (Nanoseconds last = clock_ns(); last < until;) {
    const Nanoseconds now = clock_ns();
    const Nanoseconds gap = now - last;
    last = now;
    if (gap < kGap) continue;
    const Nanoseconds asleep_before = asleep;
    last = clock_ns();
    asleep = last - thread_cpu_ns();
    const Nanoseconds others = asleep > asleep_before ? asleep - asleep_before : 0;
    taken.taken += gap - std::min(gap, others);
  }
  taken.looked += clock_ns() - began;
}

/// `kSockets` of them, beginning and ending now.
void make_time_wait_sockets() {
  const Scenario scenario =
      compile(find_scenario("graceful"), {{"request", "0"}, {"response", "0"}});
  const Endpoint endpoint(scenario, AF_INET, Worker::backlog(1), suite_lab().ipv4_destinations);
  Floor floor(scenario, endpoint, AF_INET);
  for (unsigned i = 0; i < kSockets; ++i) floor.play();
}

std::uint64_t alive() { return TcpSockets::read().time_wait.value_or(0); }

void retire_time_wait(benchmark::State& state) {
  const std::uint64_t before = alive();
  for (auto _ : state) {
    const Nanoseconds began = clock_ns();
    make_time_wait_sockets();
    const auto made = static_cast<double>(alive() - std::min(before, alive()));
    const KsoftirqdClock ksoftirqd;
    Taken control, retiring;
    spin(clock_ns() + kControl, control);
    timespec rest{static_cast<time_t>((began + kTimeWait - clock_ns()) / kSecond), 0};
    nanosleep(&rest, nullptr);
    const std::optional<std::uint64_t> helped = ksoftirqd.cpu_ns();
    // Looks at the number now and then, outside the spinning.
    while (alive() > before && clock_ns() < began + kTimeWait + kPatience) {
      spin(clock_ns() + kSecond / 10, retiring);
    }
    if (alive() > before || made < kSockets / 2) {
      state.SkipWithError("the sockets did not expire, or were not there");
      return;
    }
    const double idle_share =
        static_cast<double>(control.taken) / static_cast<double>(control.looked);
    const double taken_ns =
        static_cast<double>(retiring.taken) - idle_share * static_cast<double>(retiring.looked);
    state.counters["sockets"] = made;
    state.counters["cpu_us_per_socket"] = taken_ns / 1e3 / made;
    state.counters["ticks_share"] = idle_share;
    if (helped) {
      state.counters["ksoftirqd_us_per_socket"] =
          static_cast<double>(ksoftirqd.cpu_ns().value_or(*helped) - *helped) / 1e3 / made;
    }
  }
}
BENCHMARK(retire_time_wait)
    ->Name("time_wait/retire")
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ringchurn
