// See pacer.h.
#include "bench/pacer.h"

#include <cmath>

namespace ringchurn {

Pacer::Pacer(const Pace& pace, unsigned share, unsigned of, std::uint64_t began_ns,
             std::uint64_t seed)
    : per_ns_(pace.per_s / 1e9 / of),
      ramp_ns_(static_cast<double>(pace.ramp_ns)),
      arrivals_(pace.arrivals),
      began_ns_(began_ns),
      random_(seed),
      expected_(static_cast<double>(share) / of) {
  if (arrivals_ == Arrivals::poisson) expected_ = -std::log1p(-random_.unit());
  next_ns_ = time_of(expected_);
}

void Pacer::advance() {
  expected_ += arrivals_ == Arrivals::constant ? 1 : -std::log1p(-random_.unit());
  next_ns_ = time_of(expected_);
}

std::uint64_t Pacer::time_of(double expected) const {
  const double in_ramp = per_ns_ * ramp_ns_ / 2;
  const double ns = expected < in_ramp ? std::sqrt(2 * ramp_ns_ * expected / per_ns_)
                                       : ramp_ns_ / 2 + expected / per_ns_;
  return began_ns_ + static_cast<std::uint64_t>(ns + 0.5);
}

double Pacer::expected_by(std::uint64_t time_ns) const {
  const auto ns = static_cast<double>(time_ns - began_ns_);
  return ns < ramp_ns_ ? per_ns_ * ns * ns / (2 * ramp_ns_) : per_ns_ * (ns - ramp_ns_ / 2);
}

std::uint64_t Pacer::due_before(std::uint64_t time_ns) const {
  if (next_ns_ >= time_ns) return 0;
  auto more = static_cast<std::uint64_t>(expected_by(time_ns) - expected_);
  // The one that is meant to begin at that very moment does not begin before it.
  const bool is_late = time_of(expected_ + static_cast<double>(more)) >= time_ns;
  if (arrivals_ == Arrivals::constant && more > 0 && is_late) --more;
  return 1 + more;
}

}  // namespace ringchurn
