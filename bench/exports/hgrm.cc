// HdrHistogram's percentile text, for its plotter (plotFiles.html), hdr-plot and the like. These
// draw one curve for each file and take the percentiles of the first file for those of all, so a
// file holds one histogram, at the percentiles at which HdrHistogram itself prints them.
#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <utility>

#include "bench/exports/exports.h"
#include "bench/phase.h"
#include "bench/recorded.h"
#include "bench/text.h"

namespace ringchurn {
namespace {

constexpr double kNsPerUs = 1e3;

// How bench/histogram.h is laid out, in HdrHistogram's words.
constexpr int kSubBuckets = 256;
constexpr int kBuckets = std::bit_width(Histogram::kMaxRecordableNs) - 7;

/// "SCENARIO/PHASE", as far as it is given. A scenario's name may hold a slash itself.
struct Wanted {
  std::string_view scenario;
  Phase phase = kPhases.back();  // lifetime
};

Wanted parse(std::string_view which) {
  for (const Phase& phase : kPhases) {
    const std::string suffix = fmt::format("/{}", phase.name);
    if (which.ends_with(suffix)) {
      return {which.substr(0, which.size() - suffix.size()), phase};
    }
  }
  return {which};
}

std::string phase_list() {
  std::string list;
  for (const Phase& phase : kPhases)
    list += fmt::format("{}/{}", list.empty() ? "" : ", ", phase.name);
  return list;
}

const ScenarioResult& find_scenario(const RecordedResult& result, std::string_view wanted) {
  const std::vector<ScenarioResult>& scenarios = result.load->run.scenarios;
  if (wanted.empty() && scenarios.size() == 1) return scenarios[0];
  std::string names;
  for (const ScenarioResult& scenario : scenarios) {
    if (scenario.name == wanted) return scenario;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", scenario.name);
  }
  if (wanted.empty()) {
    refuse_export(result, fmt::format("has several scenarios, and a .hgrm file holds one: give "
                                      "--histogram SCENARIO or SCENARIO/PHASE with one of {}",
                                      names));
  }
  refuse_export(result, fmt::format("has no scenario '{}'; give --histogram one of {}, and one of "
                                    "{} behind it",
                                    wanted, names, phase_list()));
}

/// The next percentile to print: 5 to each halving of what is left up to 100.
double next_percentile(double percentile) {
  constexpr double kTicksPerHalfDistance = 5;
  const double halvings = std::floor(std::log2(100 / (100 - percentile))) + 1;
  return percentile + 100 / (kTicksPerHalfDistance * std::exp2(halvings));
}

std::string line(std::uint64_t ns, double percentile, std::uint64_t count) {
  const std::string start = fmt::format(
      "{:12.3f} {:.12f} {:10}", static_cast<double>(ns) / kNsPerUs, percentile / 100, count);
  return percentile < 100 ? fmt::format("{} {:14.2f}\n", start, 100 / (100 - percentile))
                          : start + '\n';
}

/// As HdrHistogram's PercentileIterator: a line for each percentile that a bucket reaches, but one
/// only for the last bucket, and then the maximum.
std::string percentile_lines(const Percentiles& times) {
  std::string text;
  double percentile = 0;
  std::uint64_t total = 0;
  for (const auto& [ns, count] : times.buckets) {
    total += count;
    const double reached = 100 * static_cast<double>(total) / static_cast<double>(times.count);
    while (percentile <= reached) {
      text += line(ns, percentile, total);
      percentile = next_percentile(percentile);
      if (total >= times.count) break;
    }
  }
  return text + line(times.max.value_or(times.buckets.back().first), 100, total);
}

/// Mean and standard deviation, ns, of the buckets: 0.39% exact.
std::pair<double, double> moments(const Percentiles& times) {
  const auto count = static_cast<double>(times.count);
  double mean = 0, squares = 0;
  for (const auto& [ns, n] : times.buckets) {
    mean += static_cast<double>(ns) * static_cast<double>(n) / count;
  }
  for (const auto& [ns, n] : times.buckets) {
    const double off = static_cast<double>(ns) - mean;
    squares += off * off * static_cast<double>(n) / count;
  }
  return {mean, std::sqrt(squares)};
}

}  // namespace

std::string hgrm_export(const RecordedResult& result, std::string_view which) {
  if (!result.load)
    refuse_export(result, "has no histograms: give the result of a load or a comparison");
  const Wanted wanted = parse(which);
  const ScenarioResult& scenario = find_scenario(result, wanted.scenario);
  const Percentiles& times = scenario.latency.*wanted.phase.times;
  if (times.count > 0 && times.buckets.empty()) {
    refuse_export(result,
                  "has no buckets: an earlier version of ringchurn wrote it; measure again");
  }
  if (times.count == 0) {
    refuse_export(result, fmt::format("recorded no {} time of {}: give another phase",
                                      wanted.phase.name, scenario.name));
  }
  const auto [mean, deviation] = moments(times);
  return fmt::format(
      "{:>12} {:>14} {:>10} {:>14}\n\n{}"
      "#[Mean    = {:12.3f}, StdDeviation   = {:12.3f}]\n"
      "#[Max     = {:12.3f}, Total count    = {:12}]\n"
      "#[Buckets = {:12}, SubBuckets     = {:12}]\n"
      "#[ringchurn: {} of {}, microseconds]\n",
      "Value", "Percentile", "TotalCount", "1/(1-Percentile)", percentile_lines(times),
      mean / kNsPerUs, deviation / kNsPerUs,
      static_cast<double>(times.max.value_or(times.buckets.back().first)) / kNsPerUs, times.count,
      kBuckets, kSubBuckets, wanted.phase.name, printable(scenario.name));
}

}  // namespace ringchurn
