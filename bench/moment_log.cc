// How much is kept of what, and what is there: see moment_log.h.
#include "bench/moment_log.h"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace ringchurn {
namespace {

/// True if an end that is at `whose` sees the end at `side` go down.
bool is_seen(const Scenario& scenario, Side whose, Side side) {
  if (whose == Side::server) return side == Side::server && scenario.unmatched.empty();
  const std::vector<Step>& steps = scenario.client.steps;
  return std::any_of(steps.begin(), steps.end(), [&](const Step& step) {
    const Side end = (step.marks & kOfPeer) != 0 ? Side::server : Side::client;
    return (step.marks & kTakesDown) != 0 && end == side;
  });
}

}  // namespace

MomentLog::MomentLog(std::span<const Scenario> scenarios, Side whose, std::size_t room) {
  std::size_t seen = 0;
  for (const Side side : {Side::client, Side::server}) {
    seen += static_cast<std::size_t>(
        std::count_if(scenarios.begin(), scenarios.end(),
                      [&](const Scenario& scenario) { return is_seen(scenario, whose, side); }));
  }
  const std::size_t each =
      std::clamp(std::bit_floor(room / std::max<std::size_t>(seen, 1)), kFewest, kMost);
  for (const Side side : {Side::client, Side::server}) {
    for (const Scenario& scenario : scenarios) {
      ends_[static_cast<std::size_t>(side)].emplace_back(is_seen(scenario, whose, side) ? each : 0);
    }
  }
}

std::vector<Moments> MomentLog::all(unsigned scenario, Side side) const {
  std::vector<Moments> kept;
  for (const Moments& moments : ends_[static_cast<std::size_t>(side)][scenario]) {
    if (is_kept(moments)) kept.push_back(moments);
  }
  return kept;
}

const Moments* MomentLog::find(unsigned scenario, Side side, std::uint64_t ordinal) const {
  const Records& records = ends_[static_cast<std::size_t>(side)][scenario];
  if (records.empty()) return nullptr;
  const Moments& moments = records[ordinal & (records.size() - 1)];
  return moments.ordinal == ordinal && is_kept(moments) ? &moments : nullptr;
}

}  // namespace ringchurn
