// What our own parts cost: the ring's round trip, a step of the state machine, a histogram's and a
// tally's record. Everything else that a connection costs is the kernel's.
#include <benchmark/benchmark.h>

#include <cerrno>

#include "bench/histogram.h"
#include "bench/recorder.h"
#include "bench/sampler.h"
#include "ring/ring.h"
#include "workloads/connection.h"
#include "workloads/mix.h"
#include "workloads/random.h"
#include "workloads/scenario_file.h"

namespace ringchurn {
namespace {

using std::chrono_literals::operator""s;

/// One batch of NOPs: prepared, submitted, completed, reaped. Time is per operation.
void nop_round_trip(benchmark::State& state) {
  Ring ring({});
  const auto batch = static_cast<unsigned>(state.range(0));
  for (auto _ : state) {
    for (unsigned i = 0; i < batch; ++i) ring.nop(i);
    ring.submit_and_wait(batch, 1s);
    benchmark::DoNotOptimize(ring.reap(batch, [](const Completion&) {}));
  }
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(nop_round_trip)->Arg(1)->Arg(16)->Arg(64);

/// The same operations as one linked chain.
void nop_linked_chain(benchmark::State& state) {
  Ring ring({});
  const auto length = static_cast<unsigned>(state.range(0));
  for (auto _ : state) {
    for (unsigned i = 0; i < length; ++i) ring.nop(i, i + 1 < length);
    ring.submit_and_wait(length, 1s);
    benchmark::DoNotOptimize(ring.reap(length, [](const Completion&) {}));
  }
  state.SetItemsProcessed(state.iterations() * length);
}
BENCHMARK(nop_linked_chain)->Arg(5)->Arg(16);

/// A whole client script through advance(). Time is per step.
void advance_step(benchmark::State& state) {
  const Scenario scenario = compile(find_scenario("graceful"));
  const Script& script = scenario.client;
  Connection connection;
  for (auto _ : state) {
    begin(connection, script, 0, 0);
    for (Transition transition; transition.next != Transition::Next::finished;) {
      const std::int32_t result = script.steps[connection.step].bytes > 0 ? 1 : 0;
      transition = advance(connection, script, connection.step, result);
      benchmark::DoNotOptimize(transition);
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(script.length()));
}
BENCHMARK(advance_step);

void histogram_record(benchmark::State& state) {
  Histogram histogram;
  Random random(1);
  for (auto _ : state) histogram.record(random.below(1U << 24));
  benchmark::DoNotOptimize(histogram);
}
BENCHMARK(histogram_record);

/// An error row that is already there; the first one of its kind allocates.
void tally_record(benchmark::State& state) {
  OutcomeCounts heard;
  Recorder recorder(1, heard);
  for (auto _ : state) recorder.error(0, 4, errno_outcome(ECONNRESET), true);
  benchmark::DoNotOptimize(recorder);
}
BENCHMARK(tally_record);

/// One sample of a load over time, of one network and one thread; not handed on.
void load_sample(benchmark::State& state) {
  const Link link;
  Meter meter;
  const std::list<SideNetwork> none;
  LoadSampler sampler({{&link}, Side::client, meter, none, {"OutRsts", "TW"}}, 1'000'000'000, {});
  sampler.begin(0);
  for (auto _ : state) sampler.take(sampler.due());
}
BENCHMARK(load_sample);

void mix_draw(benchmark::State& state) {
  Mix mix({0, 1, 2, 3, 4}, {60, 20, 10, 5, 5}, 1);
  for (auto _ : state) benchmark::DoNotOptimize(mix.draw());
}
BENCHMARK(mix_draw);

}  // namespace
}  // namespace ringchurn
