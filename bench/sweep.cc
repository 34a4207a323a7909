// Figures by point, the Pareto front over them, and both as text: see sweep.h.
#include "bench/sweep.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace ringchurn {
namespace {

/// What a point is judged by; less is better. Counts are exact.
std::array<std::optional<Estimate>, 5> figures(const SweepPoint& point) {
  const auto exact = [](double value) { return Estimate{value, value, value}; };
  std::optional<Estimate> time_wait;
  if (point.time_wait_per_connection) time_wait = exact(*point.time_wait_per_connection);
  return {point.cpu_us_per_connection, point.teardown_p99_us, time_wait,
          exact(point.lost_bytes_per_connection), exact(point.errors_per_connection)};
}

/// A figure that one of them lacks does not decide, and neither does a difference that is smaller
/// than its error.
bool beats(const SweepPoint& one, const SweepPoint& other) {
  const auto ours = figures(one), theirs = figures(other);
  bool is_better = false;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (!ours[i] || !theirs[i]) continue;
    if (ours[i]->ci_low > theirs[i]->ci_high) return false;
    is_better = is_better || ours[i]->ci_high < theirs[i]->ci_low;
  }
  return is_better;
}

void mark_front(std::vector<SweepPoint>& points) {
  for (SweepPoint& point : points) {
    point.on_front = point.cpu_us_per_connection &&
                     std::none_of(points.begin(), points.end(),
                                  [&](const SweepPoint& other) { return beats(other, point); });
  }
}

/// The arm's cost with its error: that of its ratio, the baseline's being the control's.
std::optional<Estimate> cost_of(const ArmResult& arm, const CompareResult& result) {
  const bool is_baseline = &arm == &result.arms.front();
  const std::optional<Estimate>& ratio = is_baseline ? result.a_a : arm.ratio;
  if (!ratio) return std::nullopt;
  const double cost = arm.cpu_us_per_connection;
  return Estimate{cost, cost * ratio->ci_low / ratio->value, cost * ratio->ci_high / ratio->value};
}

/// The time that `rank` durations do not exceed, in microseconds.
double at_rank(const Percentiles& times, double rank) {
  double seen = 0;
  for (const auto& [ns, count] : times.buckets) {
    seen += static_cast<double>(count);
    if (seen >= rank) return static_cast<double>(ns) / 1e3;
  }
  return static_cast<double>(times.buckets.back().first) / 1e3;
}

/// The 99th percentile with a 95% interval from the binomial distribution of its rank. Connections
/// that were in flight together were slow together, so only so many of them count for one.
std::optional<Estimate> p99_of(const Percentiles& times, unsigned concurrency) {
  if (!times.p99 || times.buckets.empty()) return std::nullopt;
  constexpr double kQuantile = 0.99, kNormal = 1.96;
  const auto count = static_cast<double>(times.count);
  const double independent = std::max(1.0, count / concurrency);
  const double reach = kNormal * std::sqrt(kQuantile * (1 - kQuantile) / independent) * count;
  return Estimate{static_cast<double>(*times.p99) / 1e3,
                  at_rank(times, std::max(1.0, kQuantile * count - reach)),
                  at_rank(times, std::min(count, kQuantile * count + reach))};
}

double errors_of(const std::string& scenario, const std::vector<ErrorRow>& rows) {
  std::uint64_t errors = 0;
  for (const ErrorRow& row : rows) {
    if (row.scenario == scenario && row.error != "EOF") errors += row.count;
  }
  return static_cast<double>(errors);
}

std::string with_error(const std::optional<Estimate>& estimate, int decimals) {
  if (!estimate) return "-";
  return fmt::format("{} [{}, {}]", grouped(estimate->value, decimals),
                     grouped(estimate->ci_low, decimals), grouped(estimate->ci_high, decimals));
}

}  // namespace

Sweep make_sweep(const Options& options, const Plan& plan, const CompareResult& result) {
  Sweep sweep{plan.files.front().name, {}};
  for (std::size_t i = 0; i < result.arms.size(); ++i) {
    const ArmResult& arm = result.arms[i];
    const ScenarioResult& scenario = result.run.scenarios[i];
    SweepPoint point;
    point.arm = arm.name;
    point.cpu_us_per_connection = cost_of(arm, result);
    point.teardown_p99_us = p99_of(scenario.latency.teardown, result.run.context.concurrency);
    for (const auto& [param, unused] : options.variations) {
      point.values.emplace_back(param, plan.settings[i].at(param));
    }
    point.time_wait_per_connection = arm.time_wait_per_connection;
    const auto ended = static_cast<double>(std::max<std::uint64_t>(scenario.client.opened, 1));
    point.lost_bytes_per_connection =
        static_cast<double>(scenario.client_to_server.lost + scenario.server_to_client.lost) /
        ended;
    point.errors_per_connection = errors_of(scenario.name, result.run.errors) / ended;
    sweep.points.push_back(std::move(point));
  }
  mark_front(sweep.points);
  return sweep;
}

std::string point_label(const SweepPoint& point) {
  std::string text;
  for (const auto& [unused, value] : point.values) text += (text.empty() ? "" : " / ") + value;
  return text;
}

std::string point_heading(const Sweep& sweep) {
  std::string text;
  for (const auto& [param, unused] : sweep.points.front().values) {
    text += (text.empty() ? "" : " / ") + param;
  }
  return text;
}

std::string sweep_table(const Sweep& sweep, const TextStyle& style) {
  const std::string heading = point_heading(sweep);
  Table table({{heading.c_str(), false, true},
               {"CPU us [95%]", true},
               {"p99 us [95%]", true},
               {"TW", true},
               {"lost", true},
               {"errors", true},
               {"front"}});
  for (const SweepPoint& point : sweep.points) {
    const auto& time_wait = point.time_wait_per_connection;
    table.add({point_label(point), with_error(point.cpu_us_per_connection, 1),
               with_error(point.teardown_p99_us, 0), time_wait ? grouped(*time_wait, 2) : "-",
               grouped(point.lost_bytes_per_connection, 0), grouped(point.errors_per_connection, 2),
               point.on_front ? Cell("yes", Tint::good) : Cell("")});
  }
  return table.text(style) +
         wrap(
             "  By connection; p99 is the teardown's, lost is in bytes. front: no other point is "
             "surely better in one column, by more than the error, and surely worse in none.",
             style.width, 2);
}

std::string front_sentence(const Sweep& sweep) {
  std::vector<std::string> names;
  for (const SweepPoint& point : sweep.points) {
    if (point.on_front) names.push_back(point.arm);
  }
  if (names.empty()) return "";
  return fmt::format("{}: of {} points, {} {} beaten by no other one: {}", sweep.scenario,
                     sweep.points.size(), names.size(), names.size() == 1 ? "is" : "are",
                     fmt::join(names, "; "));
}

}  // namespace ringchurn
