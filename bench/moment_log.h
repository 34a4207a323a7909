// The last connections of an end, by scenario: how each went down. What an end's thread writes
// while a load runs, and matching.h reads when it is over.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "workloads/moments.h"
#include "workloads/script.h"

namespace ringchurn {

/// Holds the moments of each scenario's last connections at one end. How many of them: as many as
/// share its room evenly, but at least kFewest and at most kMost. All memory is there from the
/// beginning; write() takes constant time. One thread at a time.
class MomentLog {
 public:
  static constexpr std::size_t kRoom = std::size_t{1} << 18;  // for a process; 40 bytes each
  static constexpr std::size_t kFewest = std::size_t{1} << 8;
  static constexpr std::size_t kMost = std::size_t{1} << 16;

  /// The room of each of `threads` logs of a process with so many connections in flight: none, if
  /// they are more than there could be places.
  static constexpr std::size_t room(unsigned concurrency, unsigned threads = 1) {
    return concurrency <= kMost ? kRoom / threads : 0;
  }

  /// Of the end that is at `whose`, which at the client plays both ends of some scenarios. Has room
  /// for `room` connections, all scenarios together.
  MomentLog(std::span<const Scenario> scenarios, Side whose, std::size_t room = kRoom);

  /// Keeps `moments`, whose ordinal is not 0, instead of an earlier connection's.
  void write(unsigned scenario, Side side, const Moments& moments) {
    Records& records = ends_[static_cast<std::size_t>(side)][scenario];
    if (records.empty()) return;
    Moments& place = records[moments.ordinal & (records.size() - 1)];
    // With more connections open than there are places, an earlier one may be the last to end.
    if (moments.ordinal > place.ordinal) place = moments;
  }

  /// Forgets every connection that was gone before `moment`: it belonged to a warm-up.
  void forget_before(Nanoseconds moment) { begin_ = moment; }

  /// The connections that are kept, in no order.
  std::vector<Moments> all(unsigned scenario, Side side) const;
  /// One of them; null if it is not kept.
  const Moments* find(unsigned scenario, Side side, std::uint64_t ordinal) const;

 private:
  using Records = std::vector<Moments>;  ///< by the lower bits of the ordinal; empty: not kept

  bool is_kept(const Moments& moments) const {
    return moments.ordinal != 0 && moments.gone >= begin_;
  }

  std::array<std::vector<Records>, 2> ends_;  ///< by side and scenario
  Nanoseconds begin_ = 0;
};

}  // namespace ringchurn
