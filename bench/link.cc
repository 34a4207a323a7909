// Adding up what the threads tell: see link.h.
#include "bench/link.h"

namespace ringchurn {

void OutcomeCounts::add_to(std::map<std::string, std::uint64_t>& by_class) const {
  for (std::size_t i = 0; i <= kOther; ++i) {
    const std::uint64_t count = by_outcome_[i].load(std::memory_order_relaxed);
    if (count == 0) continue;
    const auto outcome = static_cast<Outcome>(i < kErrnos ? i : i - kErrnos + kNoErrno);
    by_class[i == kOther ? "other" : outcome_class(outcome)] += count;
  }
}

LoadCounts load_counts(std::span<const Link* const> links, Side whose) {
  LoadCounts counts;
  for (const Link* link : links) {
    const bool serves = whose == Side::server;
    const auto& ended = serves ? link->server_ended : link->client_ended;
    const auto& in_flight = serves ? link->server_in_flight : link->in_flight;
    counts.connections += ended.load(std::memory_order_relaxed);
    counts.in_flight += in_flight.load(std::memory_order_relaxed);
    for (const OutcomeCounts* outcomes : {&link->client_outcomes, &link->server_outcomes}) {
      counts.expected_errors += outcomes->expected();
      counts.unexpected_errors += outcomes->unexpected();
      outcomes->add_to(counts.errors);
    }
  }
  return counts;
}

}  // namespace ringchurn
