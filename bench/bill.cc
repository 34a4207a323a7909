// See bill.h.
#include "bench/bill.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <numeric>
#include <sstream>

#include "workloads/story.h"

namespace ringchurn {

const char* const kWhoPays =
    "With both ends on one CPU the side that sends pays for what the other side's socket does with "
    "it, so a part is what its steps set off at both ends; 'run --lab veth' has each end pay for "
    "its "
    "own.";
const char* const kRetireCommand = "ringchurn_benchmarks --benchmark_filter=time_wait/retire";

namespace {

/// A figure per connection, and how far each block moves it: the blocks' influence adds up where
/// figures are added up.
struct Figure {
  double value = 0;
  std::vector<double> influence;

  Figure& operator-=(const Figure& other) {
    value -= other.value;
    for (std::size_t i = 0; i < influence.size(); ++i) influence[i] -= other.influence[i];
    return *this;
  }
};

/// Total over total, by block. The influence of a block is the linear part of the ratio's error
/// (the delta method).
Figure per_connection(const std::vector<BlockCost>& blocks) {
  BlockCost total;
  for (const BlockCost& block : blocks) {
    total.cost += block.cost;
    total.count += block.count;
  }
  Figure figure{total.cost / total.count, {}};
  const double mean_count = total.count / static_cast<double>(blocks.size());
  for (const BlockCost& block : blocks) {
    figure.influence.push_back((block.cost - figure.value * block.count) / mean_count);
  }
  return figure;
}

Estimate estimate_us(const Figure& figure) {
  const auto blocks = static_cast<double>(figure.influence.size());
  const double squares = std::inner_product(figure.influence.begin(), figure.influence.end(),
                                            figure.influence.begin(), 0.0);
  const double error = std::sqrt(squares / (blocks * (blocks - 1)));
  const double reach =
      student_t_quantile(0.975, static_cast<int>(figure.influence.size()) - 1) * error;
  return {figure.value / 1e3, (figure.value - reach) / 1e3, (figure.value + reach) / 1e3};
}

/// All turns and the workers.
BlockCost lockstep_total(const LockstepSlice& slice) {
  return {std::accumulate(slice.turns_ns.begin(), slice.turns_ns.end(), slice.workers_ns),
          static_cast<double>(slice.connections)};
}

/// The blocks that count, and figures over them.
class Ledgers {
 public:
  Ledgers(std::span<const BlockCost> whole, std::span<const LockstepSlice> lockstep)
      : whole_(whole), lockstep_(lockstep) {
    std::vector<BlockCost> totals;
    for (const LockstepSlice& slice : lockstep) totals.push_back(lockstep_total(slice));
    taken_ = ordinary_blocks(totals, whole);
  }

  const std::vector<bool>& taken() const { return taken_; }

  Figure whole() const {
    return over([this](std::size_t i) { return whole_[i]; });
  }
  /// What `cost_ns` takes of a lockstep slice.
  template <typename F>
  Figure lockstep(F&& cost_ns) const {
    return over([&](std::size_t i) {
      return BlockCost{cost_ns(lockstep_[i]), static_cast<double>(lockstep_[i].connections)};
    });
  }

 private:
  template <typename F>
  Figure over(F&& cost) const {
    std::vector<BlockCost> blocks;
    for (std::size_t i = 0; i < taken_.size(); ++i) {
      if (taken_[i]) blocks.push_back(cost(i));
    }
    return per_connection(blocks);
  }

  std::span<const BlockCost> whole_;
  std::span<const LockstepSlice> lockstep_;
  std::vector<bool> taken_;
};

void add_parts(const std::vector<StoryTurn>& turns, const Ledgers& ledgers, Bill& bill) {
  Figure residual = ledgers.whole();
  bill.whole_us = estimate_us(residual);
  const auto add = [&](const char* name, const Figure& figure) {
    bill.parts.push_back({name, estimate_us(figure)});
    residual -= figure;
  };
  for (std::size_t i = 0; i < kLifeParts; ++i) {
    const auto part = static_cast<LifePart>(i);
    add(life_part_name(part), ledgers.lockstep([&](const LockstepSlice& slice) {
      double sum_ns = 0;
      for (std::size_t turn = 0; turn < turns.size(); ++turn) {
        if (turns[turn].part == part) sum_ns += slice.turns_ns[turn];
      }
      return sum_ns;
    }));
  }
  add("io-wq workers",
      ledgers.lockstep([](const LockstepSlice& slice) { return slice.workers_ns; }));
  bill.parts.push_back({"waiting and wake-ups", estimate_us(residual)});
}

void add_steps(const Scenario& scenario, const std::vector<StoryTurn>& turns,
               const Ledgers& ledgers, Bill& bill) {
  for (std::size_t turn = 0; turn < turns.size(); ++turn) {
    const Step& step = scenario.script(turns[turn].side).steps[turns[turn].step];
    const Figure figure =
        ledgers.lockstep([turn](const LockstepSlice& slice) { return slice.turns_ns[turn]; });
    bill.steps.push_back({side_name(turns[turn].side), step.text, step.number,
                          life_part_name(turns[turn].part), estimate_us(figure)});
  }
}

}  // namespace

Bill no_bill(const std::string& scenario, const std::string& why) {
  Bill bill;
  bill.scenario = scenario;
  bill.obstacle = why;
  return bill;
}

Bill make_bill(const Scenario& scenario, std::span<const BlockCost> whole,
               std::span<const LockstepSlice> lockstep) {
  const std::vector<StoryTurn> turns = story_turns(scenario);
  const bool is_whole = std::all_of(
      lockstep.begin(), lockstep.end(),
      [&](const LockstepSlice& slice) { return slice.turns_ns.size() == turns.size(); });
  if (!is_whole) return no_bill(scenario.name, "a step waited for something that comes later");
  const Ledgers ledgers(whole, lockstep);
  if (ledgers.taken().empty()) return no_bill(scenario.name, "too few blocks were measured");
  Bill bill;
  bill.scenario = scenario.name;
  add_parts(turns, ledgers, bill);
  add_steps(scenario, turns, ledgers, bill);
  for (std::size_t i = 0; i < lockstep.size(); ++i) {
    const auto us = [](double ns) { return ns / 1e3; };
    BillBlock& block = bill.blocks.emplace_back();
    block.whole_us = us(whole[i].cost);
    block.connections = static_cast<std::uint64_t>(whole[i].count);
    std::transform(lockstep[i].turns_ns.begin(), lockstep[i].turns_ns.end(),
                   std::back_inserter(block.steps_us), us);
    block.workers_us = us(lockstep[i].workers_ns);
    block.lockstep_connections = lockstep[i].connections;
    block.left_out = !ledgers.taken()[i];
    if (block.left_out) ++bill.blocks_left_out;
  }
  return bill;
}

// -- what comes later -----------------------------------------------------------------------------

std::optional<std::uint64_t> slab_object_bytes(const std::string& name, const std::string& sysfs,
                                               const std::string& slabinfo, std::string& why) {
  std::uint64_t bytes = 0;
  const std::string path = sysfs + "/" + name + "/slab_size";
  std::ifstream size(path);
  if (size >> bytes) return bytes;
  why = fmt::format("{}: {}", path, std::strerror(errno));
  std::ifstream caches(slabinfo);
  for (std::string line; std::getline(caches, line);) {
    std::istringstream fields(line);
    std::string cache;
    std::uint64_t active = 0, objects = 0;
    if (fields >> cache >> active >> objects >> bytes && cache == name) return bytes;
  }
  return std::nullopt;
}

DeferredCost deferred_cost(std::optional<double> time_wait_per_connection, int domain) {
  DeferredCost cost;
  cost.time_wait_per_connection = time_wait_per_connection;
  const char* cache = domain == AF_INET6 ? "tw_sock_TCPv6" : "tw_sock_TCP";
  cost.object_bytes =
      slab_object_bytes(cache, "/sys/kernel/slab", "/proc/slabinfo", cost.object_unknown);
  if (time_wait_per_connection && cost.object_bytes) {
    cost.byte_seconds =
        *time_wait_per_connection * static_cast<double>(*cost.object_bytes) * cost.seconds;
  }
  return cost;
}

}  // namespace ringchurn
