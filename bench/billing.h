// What a comparison needs for bills beside its arms: lockstep slices, and words for the arms that
// have none.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/account.h"
#include "bench/comparison.h"
#include "bench/ground.h"
#include "bench/lockstep.h"
#include "bench/options.h"
#include "bench/plan.h"
#include "bench/result.h"
#include "workloads/endpoint.h"

namespace ringchurn {

/// What plays a comparison's lockstep slices. A mix has no bill, its scenarios have; and an arm
/// that uses io_uring in other ways has none. Must be made, used and destroyed by the thread that
/// plays the comparison.
class Billing {
 public:
  /// `endpoints` and those `of_trial`: of the plan's scenarios, and of nobody else. Those of the
  /// trial are needed no more when it returns; `plan` must outlive it. Plays a batch of every
  /// scenario that may have a bill, to see whether it can, and rests for kSettleTime. Throws Error.
  Billing(const Options& options, const Plan& plan, std::vector<Endpoint> endpoints,
          std::span<const Endpoint> of_trial);

  /// Adds a slot for each arm that can have a bill, behind those of the arms, which `slots` must
  /// have already. All of them stand on `ground` and refer to this object, which must outlive them.
  void add_slots(Ground& ground, std::vector<Slot>& slots);

  /// Adds the account of the lockstep slices to `facts`; and to `result`, when Comparison::report()
  /// has filled it in, each bill's name, what an arm leaves for later, and why an arm has no bill.
  void finish(LoadFacts& facts, CompareResult& result) const;

 private:
  /// In a trial whose connections are in nobody's account. Its listeners are its own: the kernel
  /// takes a ring apart when it finds the time, and until then its accept takes connections away.
  void look_for_obstacles(unsigned concurrency, std::span<const Endpoint> endpoints);

  const Plan& plan_;
  int domain_;
  std::vector<Endpoint> endpoints_;
  std::vector<std::string> obstacles_;  ///< by arm
  std::optional<Lockstep> lockstep_;
};

}  // namespace ringchurn
