// Reading and drawing from a mix: see mix.h.
#include "workloads/mix.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "ring/error.h"

namespace ringchurn {
namespace {

double parse_weight(std::string_view text, std::string_view entry) {
  double weight = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), weight);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(weight) ||
      weight <= 0) {
    throw Error(kExitUsage,
                fmt::format("mix entry '{}': weight '{}' must be a number above 0, as in "
                            "graceful=70",
                            entry, text));
  }
  return weight;
}

}  // namespace

std::vector<MixEntry> parse_mix(std::string_view text) {
  std::vector<MixEntry> entries;
  const bool single = text.find_first_of(",=") == std::string_view::npos;
  for (bool more = true; more;) {
    const auto comma = text.find(',');
    const std::string_view entry = text.substr(0, comma);
    const auto equals = entry.rfind('=');
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
    const std::string name(entry.substr(0, equals));
    if (name.empty()) {
      throw Error(kExitUsage, fmt::format("mix entry '{}' names no scenario: write it as "
                                          "graceful=70,rst-client=30",
                                          entry));
    }
    if (!single && equals == std::string_view::npos) {
      throw Error(kExitUsage,
                  fmt::format("mix entry '{}' has no weight: write it as {}=50", entry, entry));
    }
    if (std::any_of(entries.begin(), entries.end(),
                    [&](const MixEntry& other) { return other.scenario == name; })) {
      throw Error(kExitUsage,
                  fmt::format("the mix names scenario '{}' twice: add its weights up", name));
    }
    entries.push_back({name, single ? 1.0 : parse_weight(entry.substr(equals + 1), entry)});
  }
  return entries;
}

Mix::Mix(std::vector<std::uint16_t> scenarios, const std::vector<double>& weights,
         std::uint64_t seed)
    : scenarios_(std::move(scenarios)), random_(seed) {
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  double sum = 0;
  for (double weight : weights) {
    sum += weight;
    thresholds_.push_back(static_cast<std::uint64_t>(std::ldexp(sum / total, 32)));
  }
  thresholds_.back() = std::uint64_t{1} << 32;
}

std::uint16_t Mix::draw() {
  if (scenarios_.size() == 1) return scenarios_[0];
  const std::uint64_t z = random_.next() >> 32;
  std::size_t drawn = 0;
  while (z >= thresholds_[drawn]) ++drawn;
  return scenarios_[drawn];
}

}  // namespace ringchurn
