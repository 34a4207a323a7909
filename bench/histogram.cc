// The histogram's slow half: merging, and finding a quantile by walking the buckets.
#include "bench/histogram.h"

#include <cassert>
#include <cmath>
#include <functional>

namespace ringchurn {
namespace {

/// ceil(q * count), at least 1. In binary 0.07 * 100 is a little more than 7, and its ceiling would
/// be 8: hence the last factor, some eight times the rounding error of a product.
std::uint64_t rank_of(double q, std::uint64_t count) {
  const double rank = std::ceil(q * static_cast<double>(count) * (1 - 1e-15));
  return std::clamp(static_cast<std::uint64_t>(rank), std::uint64_t{1}, count);
}

}  // namespace

Histogram& Histogram::operator+=(const Histogram& other) {
  std::transform(buckets_.begin(), buckets_.end(), other.buckets_.begin(), buckets_.begin(),
                 std::plus<>());
  count_ += other.count_;
  overflow_ += other.overflow_;
  max_ns_ = std::max(max_ns_, other.max_ns_);
  return *this;
}

std::optional<std::uint64_t> Histogram::max() const {
  if (count_ == 0) return std::nullopt;
  return max_ns_;
}

std::optional<std::uint64_t> Histogram::quantile(double q) const {
  assert(q >= 0 && q <= 1);
  if (count_ == 0) return std::nullopt;
  const std::uint64_t rank = rank_of(q, count_);
  if (rank == count_) return max_ns_;
  if (rank > count_ - overflow_) return std::nullopt;
  std::size_t index = 0;
  for (std::uint64_t seen = buckets_[0]; seen < rank; seen += buckets_[index]) ++index;
  return std::min(middle_of(index), max_ns_);
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> Histogram::filled() const {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> filled;
  for (std::size_t index = 0; index < buckets_.size(); ++index) {
    if (buckets_[index] == 0) continue;
    filled.emplace_back(std::min(middle_of(index), max_ns_), buckets_[index]);
  }
  return filled;
}

std::uint64_t Histogram::middle_of(std::size_t index) {
  if (index < 2 * kSubBuckets) return index;
  const std::size_t shift = index / kSubBuckets - 1;
  const std::uint64_t lowest = (index - shift * kSubBuckets) << shift;
  return lowest + (std::uint64_t{1} << (shift - 1));
}

}  // namespace ringchurn
