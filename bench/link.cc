// Adding up what the threads tell: see link.h.
#include "bench/link.h"

#include <algorithm>

namespace ringchurn {

void OutcomeCounts::add_to(std::map<std::string, std::uint64_t>& by_class) const {
  for (std::size_t i = 0; i <= kOther; ++i) {
    const std::uint64_t count = by_outcome_[i].load(std::memory_order_relaxed);
    if (count == 0) continue;
    const auto outcome = static_cast<Outcome>(i < kErrnos ? i : i - kErrnos + kNoErrno);
    by_class[i == kOther ? "other" : outcome_class(outcome)] += count;
  }
}

std::uint64_t GroupOfLinks::sum(std::atomic<std::uint64_t> Link::*counter) const {
  std::uint64_t sum = 0;
  for (const Link& link : links_) sum += (link.*counter).load(std::memory_order_relaxed);
  return sum;
}

std::uint64_t GroupOfLinks::servers_lag() const {
  // A server may be ahead: it ends a connection before its client has, or knows that it has.
  const std::uint64_t parted = sum(&Link::client_parted);
  return parted - std::min(parted, server_ended());
}

unsigned GroupOfLinks::server_backlog() const {
  unsigned most = 0;
  for (const Link& link : links_) {
    most = std::max(most, link.server_backlog.load(std::memory_order_relaxed));
  }
  return most;
}

std::uint64_t GroupOfLinks::to_serve() const {
  std::uint64_t sum = 0;
  for (const Link& link : links_) {
    const std::uint64_t of_one = link.to_serve.load(std::memory_order_acquire);
    if (of_one == UINT64_MAX) return of_one;
    sum += of_one;
  }
  return sum;
}

void GroupOfLinks::abandon() {
  for (Link& link : links_) link.abandoned.store(true, std::memory_order_relaxed);
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
