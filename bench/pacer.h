// When connections of an open loop are meant to begin. A pure schedule: no clock, no sleep.
#pragma once

#include <cstdint>

#include "workloads/random.h"

namespace ringchurn {

/// How far arrivals of an open loop are apart.
enum class Arrivals {
  constant,  ///< evenly
  poisson,   ///< independently of each other: exponential gaps, as many users of a server make them
};

/// A rate that is reached by a straight line.
struct Pace {
  double per_s = 1;           ///< connections begun a second, above 0
  std::uint64_t ramp_ns = 0;  ///< from no rate at all to that one; 0: at once
  Arrivals arrivals = Arrivals::constant;
};

/// The intended starts of one thread's connections, one after the other.
///
/// Up to time t, Λ(t) = r t²/2T arrivals are expected while the rate grows to r over T, and r more
/// in each second after that. The n-th arrival is where Λ(t) has grown by n, or, for Poisson
/// arrivals, by a sum of n exponential draws: either process, ramp or none, is the inverse of one
/// line.
class Pacer {
 public:
  /// `share` of `of` threads that keep the pace together; evenly spaced arrivals interleave.
  Pacer(const Pace& pace, unsigned share, unsigned of, std::uint64_t began_ns, std::uint64_t seed);

  /// When the next connection is meant to begin, on the clock of `began_ns`.
  std::uint64_t next_ns() const { return next_ns_; }
  /// It has begun.
  void advance();
  /// How many are meant to begin before `time_ns`, the next one included; the mean, if they are
  /// Poisson arrivals.
  std::uint64_t due_before(std::uint64_t time_ns) const;

 private:
  std::uint64_t time_of(double expected) const;
  double expected_by(std::uint64_t time_ns) const;

  double per_ns_, ramp_ns_;
  Arrivals arrivals_;
  std::uint64_t began_ns_;
  Random random_;
  double expected_;  ///< Λ at the next arrival
  std::uint64_t next_ns_;
};

}  // namespace ringchurn
