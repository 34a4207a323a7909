// Obstacles first, then slots, then what only the end knows: see billing.h.
#include "bench/billing.h"

#include <thread>
#include <utility>

#include "bench/bill.h"
#include "bench/interrupt.h"
#include "bench/meter.h"
#include "bench/ways.h"
#include "workloads/script.h"

namespace ringchurn {

Billing::Billing(const Options& options, const Plan& plan, std::vector<Endpoint> endpoints,
                 std::span<const Endpoint> of_trial)
    : plan_(plan), domain_(domain(options.family)), endpoints_(std::move(endpoints)) {
  look_for_obstacles(options.concurrency, of_trial);
  lockstep_.emplace(plan.scenarios, endpoints_, options.concurrency, interrupted());
}

void Billing::add_slots(Ground& ground, std::vector<Slot>& slots) {
  for (std::size_t arm = 0; arm < plan_.arms.size(); ++arm) {
    if (!obstacles_[arm].empty()) continue;
    const std::uint16_t index = plan_.arms[arm].scenarios.front();
    const std::size_t played_by = arm == 0 ? kBaseline : arm + kControl;
    slots.push_back({&ground, plan_.arms[arm].mix(1)});
    slots.back().billed.emplace(BilledPlay{*lockstep_, plan_.scenarios[index], index, played_by});
  }
}

void Billing::finish(LoadFacts& facts, CompareResult& result) const {
  facts.workers.push_back(lockstep_->report());
  for (std::size_t i = 0; i < result.arms.size(); ++i) {
    ArmResult& arm = result.arms[i];
    if (!obstacles_[i].empty()) arm.bill = no_bill(arm.name, obstacles_[i]);
    arm.bill->scenario = arm.name;
    const int family = plan_.scenarios[plan_.arms[i].scenarios.front()].domain;
    arm.bill->deferred =
        deferred_cost(arm.time_wait_per_connection, family == 0 ? domain_ : family);
  }
}

void Billing::look_for_obstacles(unsigned concurrency, std::span<const Endpoint> endpoints) {
  Lockstep trial(plan_.scenarios, endpoints, concurrency, interrupted());
  for (const Arm& arm : plan_.arms) {
    if (arm.scenarios.size() > 1) {
      obstacles_.push_back("it is a mix: compare its scenarios to see their bills");
    } else if (arm.ways != Ways{}) {
      obstacles_.push_back("lockstep is played in the default way to use io_uring alone");
    } else {
      obstacles_.push_back(trial.obstacle(arm.scenarios.front()));
    }
  }
  std::this_thread::sleep_for(kSettleTime);
}

}  // namespace ringchurn
