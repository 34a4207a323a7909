// Every built-in teardown beside its floor, in one run: mirrored random blocks of 30 ms slices, as
// in `ringchurn compare`. One iteration is one block. Counters: CPU us per connection of the ring
// and of the floor, and their ratio with its 95% interval.
#include <benchmark/benchmark.h>

#include <memory>

#include "bench/cpu_time.h"
#include "bench/schedule.h"
#include "bench/statistics.h"
#include "bench/suites/floor.h"
#include "bench/suites/suite_lab.h"
#include "bench/worker.h"
#include "workloads/scenario_file.h"

namespace ringchurn {
namespace {

/// Few enough that their sockets stay in the CPU's caches, as the floor's one connection does.
constexpr unsigned kConcurrency = 16;
constexpr int kBlocks = 50;  // 10.5 s, 6 of them measured

/// A scenario's two contestants and what they spent.
class Contest {
 public:
  explicit Contest(const Scenario& scenario)
      : scenarios_{scenario}, mix_({0}, {1.0}, 1), random_(1) {
    endpoints_.emplace_back(scenario, AF_INET, Worker::backlog(kConcurrency),
                            suite_lab().ipv4_destinations);
    floor_endpoint_ = std::make_unique<Endpoint>(scenario, AF_INET, Worker::backlog(kConcurrency),
                                                 suite_lab().ipv4_destinations);
    worker_ = std::make_unique<Worker>(Worker::Settings{Worker::Ends::both, kConcurrency},
                                       scenarios_, endpoints_, link_, stop_);
    floor_ = std::make_unique<Floor>(scenarios_[0], *floor_endpoint_, AF_INET);
  }

  void block(bool measured) {
    BlockCost costs[2];
    LeadIns lead_ins;
    for (const std::uint8_t arm : mirrored_block(2, random_)) {
      if (const Nanoseconds time = lead_ins.before(arm); time > 0) play(arm, time);
      const std::uint64_t before = clock_.now_ns();
      const std::uint64_t connections = play(arm, kSlice_ns);
      costs[arm].cost += static_cast<double>(clock_.now_ns() - before);
      costs[arm].count += static_cast<double>(connections);
    }
    if (!measured) return;
    ring_costs_.push_back(costs[0]);
    floor_costs_.push_back(costs[1]);
  }

  std::optional<CostComparison> result() const { return compare_costs(ring_costs_, floor_costs_); }

 private:
  std::uint64_t play(std::uint8_t arm, Nanoseconds time) {
    return arm == 0 ? play_ring(time) : play_floor(time);
  }

  std::uint64_t play_ring(Nanoseconds time) {
    const std::uint64_t before = worker_->client_ended();
    worker_->play(mix_, {std::nullopt, clock_ns() + time});
    return worker_->client_ended() - before;
  }

  std::uint64_t play_floor(Nanoseconds time) {
    std::uint64_t connections = 0;
    for (const Nanoseconds until = clock_ns() + time; clock_ns() < until;) {
      for (int i = 0; i < 16; ++i, ++connections) floor_->play();
    }
    return connections;
  }

  std::vector<Scenario> scenarios_;
  std::vector<Endpoint> endpoints_;
  std::unique_ptr<Endpoint> floor_endpoint_;
  Mix mix_;
  Random random_;
  ProcessCpuClock clock_;
  Link link_;
  std::atomic<bool> stop_{false};
  std::unique_ptr<Worker> worker_;
  std::unique_ptr<Floor> floor_;
  std::vector<BlockCost> ring_costs_, floor_costs_;
};

void teardown_beside_floor(benchmark::State& state, const Scenario& scenario) {
  Contest contest(scenario);
  contest.block(false);
  for (auto _ : state) contest.block(true);
  const std::optional<CostComparison> result = contest.result();
  if (!result) {
    state.SkipWithError("too few blocks for an interval");
    return;
  }
  state.counters["ring_cpu_us"] = result->candidate_cost / 1e3;
  state.counters["floor_cpu_us"] = result->baseline_cost / 1e3;
  state.counters["ratio"] = result->ratio.value;
  state.counters["ratio_ci_low"] = result->ratio.low;
  state.counters["ratio_ci_high"] = result->ratio.high;
}

/// "graceful" with its exchange of one byte each way, "graceful/connect_close" without.
void register_scenario(const ScenarioFile& file) {
  std::map<std::string, std::string> none;
  for (const auto& [name, value] : scenario_params(file)) {
    const bool must_ask = file.text.find("least = 1") != std::string::npos;
    if (name == "response" && !must_ask) none["request"] = none["response"] = "0";
  }
  const Scenario scenario = compile(file);
  if (!Floor::can_play(scenario)) return;
  const auto add = [](const std::string& name, const Scenario& played) {
    benchmark::RegisterBenchmark(name.c_str(), teardown_beside_floor, played)
        ->Iterations(kBlocks)
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  };
  add("teardown/" + file.name, scenario);
  if (!none.empty()) add("teardown/" + file.name + "/connect_close", compile(file, none));
}

}  // namespace

void register_teardowns() {
  for (const ScenarioFile& file : builtin_scenarios()) register_scenario(file);
}

}  // namespace ringchurn
