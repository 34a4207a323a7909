// See report_arms.h.
#include "bench/report_arms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/sweep.h"

namespace ringchurn {
namespace {

/// A share of a cost as "0.65%", so that half a percent can be told from a third.
std::string percent_of_cost(double share) { return grouped(100 * share, 2) + "%"; }

/// What the comparison could have seen; nothing with too few blocks.
std::string detectable(const CompareResult& result) {
  const std::optional<double>& effect = result.resolution.minimum_detectable_effect;
  if (!effect) return "";
  return fmt::format(
      " The smallest difference that four of five such comparisons would have shown: {}{}.",
      percent_of_cost(*effect), result.arms.size() > 2 ? ", of the arm that varies most" : "");
}

std::string arms(const CompareResult& result, const TextStyle& style) {
  const std::string heading = result.sweep ? point_heading(*result.sweep) : "arm";
  Table table({{heading.c_str(), false, true},
               {"connections", true},
               {"CPU us", true},
               {"ratio [95% interval]", true},
               {"difference us [95%]", true}});
  for (const ArmResult& arm : result.arms) {
    const bool is_baseline = &arm == &result.arms.front();
    const auto index = static_cast<std::size_t>(&arm - result.arms.data());
    table.add({result.sweep ? point_label(result.sweep->points[index]) : arm.name,
               grouped(arm.connections), grouped(arm.cpu_us_per_connection, 2),
               is_baseline ? "baseline" : interval_text(arm.ratio, 3),
               is_baseline ? "" : interval_text(arm.difference_us, 2)});
  }
  table.add({"A/A control", "", "", interval_text(result.a_a, 3), ""});
  std::string method = fmt::format(
      "{} blocks, slices of {} ms, {} s measured; the account above has the warm-up, lead-ins and "
      "control, too. The control is one half of the baseline's slices against the other: what the "
      "method calls a difference where there is none.",
      grouped(std::uint64_t{result.blocks}), grouped(result.slice_ms, 1),
      grouped(result.measured_s, 1));
  method += detectable(result);
  return section("CPU OF A CONNECTION, us, " + result.whose,
                 table.text(style) + wrap("  " + method, style.width, 2), style);
}

/// Beside the bills: what else a connection of each arm does.
std::string beside(const CompareResult& result, const TextStyle& style) {
  if (std::none_of(result.arms.begin(), result.arms.end(),
                   [](const ArmResult& arm) { return arm.bill.has_value(); })) {
    return "";
  }
  Table table({{"arm", false, true},
               {"segments", true},
               {"acknowledgements", true},
               {"TIME_WAIT", true},
               {"io_uring_enter", true},
               {"wake-ups", true}});
  const auto number = [](const std::optional<double>& figure) {
    return figure ? grouped(*figure, 2) : "-";
  };
  for (const ArmResult& arm : result.arms) {
    table.add({arm.name, number(arm.segments_per_connection), number(arm.pure_acks_per_connection),
               number(arm.time_wait_per_connection), number(arm.syscalls_per_connection),
               number(arm.wake_ups_per_connection)});
  }
  return section("BESIDE IT, per connection", table, style);
}

std::string points(const CompareResult& result, const TextStyle& style) {
  if (!result.sweep) return "";
  return section("THE SWEEP", sweep_table(*result.sweep, style), style);
}

}  // namespace

std::string interval_text(const std::optional<Estimate>& estimate, int decimals) {
  if (!estimate) return "-";
  return fmt::format("{} [{}, {}]", grouped(estimate->value, decimals),
                     grouped(estimate->ci_low, decimals), grouped(estimate->ci_high, decimals));
}

std::string arms_text(const CompareResult& result, const TextStyle& style) {
  return arms(result, style) + points(result, style) + beside(result, style);
}

std::string comparison_sentence(const ArmResult& arm, const ArmResult& baseline) {
  const std::string cpu = fmt::format(
      "{} us against {} us", grouped(arm.cpu_us_per_connection, 1),
      grouped(arm.baseline_us > 0 ? arm.baseline_us : baseline.cpu_us_per_connection, 1));
  if (!arm.ratio) {
    return fmt::format("no answer for {} against {}: too few blocks were measured; {}", arm.name,
                       baseline.name, cpu);
  }
  const double percent = 100 * (arm.ratio->value - 1);
  const double half_width = 50 * (arm.ratio->ci_high - arm.ratio->ci_low);
  const int decimals = half_width < 0.1 ? 2 : 1;
  if (!arm.differs()) {
    const std::string among_arms =
        arm.ratio->includes(1)
            ? ""
            : fmt::format("; among so many arms chance does that, p {:.2g} by Holm", *arm.p_holm);
    return fmt::format("no difference found between {} and {}: {} (95% interval {} to {}{}), {}",
                       arm.name, baseline.name, signed_percent(percent, decimals),
                       signed_percent(100 * (arm.ratio->ci_low - 1), decimals),
                       signed_percent(100 * (arm.ratio->ci_high - 1), decimals), among_arms, cpu);
  }
  // A skewed interval is told by its ends, the nearer one to 0 first.
  const double low = 100 * (arm.ratio->ci_low - 1), high = 100 * (arm.ratio->ci_high - 1);
  const bool is_skewed = std::abs((low + high) / 2 - percent) > half_width / 4;
  const std::string error =
      is_skewed
          ? fmt::format("{} to {}", grouped(std::min(std::abs(low), std::abs(high)), decimals),
                        grouped(std::max(std::abs(low), std::abs(high)), decimals))
          : "±" + grouped(half_width, decimals);
  return fmt::format("{} costs {}% ({}) {} CPU per connection than {}: {}", arm.name,
                     grouped(std::abs(percent), decimals), error, percent < 0 ? "less" : "more",
                     baseline.name, cpu);
}

}  // namespace ringchurn
