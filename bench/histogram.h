// Latencies by the million in a fixed 35 kB: a log-linear histogram in the manner of HdrHistogram,
// cut down to what a benchmark records (nanoseconds) and asks (count, maximum, quantiles).
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace ringchurn {

/// Counts durations of 0 to kMaxRecordableNs nanoseconds (18 minutes) in buckets of 1/128 of a
/// power of two.
///
///     index = shift * 128 + (ns >> shift), shift = how often ns must be halved to be below 256
///
///     ns         0 .. 255   256 .. 511   512 .. 1023   ...   2^39 .. 2^40-1
///     shift      0          1            2             ...   32
///     index      0 .. 255   256 .. 383   384 .. 511    ...   4224 .. 4351
///
/// Durations below 256 ns are kept exactly. A longer one is reported as the middle of its bucket,
/// at most 1/256 = 0.39% away from what was recorded.
///
/// Every question about values answers nullopt where nothing was measured, so that no report can
/// print a number that never happened. One thread at a time; merge copies with `+=`.
class Histogram {
 public:
  static constexpr std::uint64_t kMaxRecordableNs = (std::uint64_t{1} << 40) - 1;

  /// Counts one duration, in constant time and without allocating. A duration longer than
  /// kMaxRecordableNs goes into the last bucket and is counted in overflow() as well.
  void record(std::uint64_t ns) {
    ++buckets_[index_of(std::min(ns, kMaxRecordableNs))];
    ++count_;
    overflow_ += ns > kMaxRecordableNs;
    max_ns_ = std::max(max_ns_, ns);
  }

  /// Adds what `other` recorded: the sum is equal to a histogram that recorded both.
  Histogram& operator+=(const Histogram& other);

  /// How many durations were recorded, those in overflow() included.
  std::uint64_t count() const { return count_; }

  /// How many of them were longer than kMaxRecordableNs.
  std::uint64_t overflow() const { return overflow_; }

  /// The longest duration, exactly, even in overflow. nullopt when nothing was recorded.
  std::optional<std::uint64_t> max() const;

  /// The smallest recorded duration that at least ceil(q * count()) recorded durations do not
  /// exceed (at least one, so that q = 0 is the shortest), to within 0.39%, and never above max();
  /// q = 1 is max() exactly. `q` must be from 0 to 1.
  ///
  /// nullopt when nothing was recorded, and when the answer lies in overflow(), where only the
  /// longest duration is known.
  std::optional<std::uint64_t> quantile(double q) const;

  /// What quantile() tells for each bucket that is not empty, in ascending order, and how many it
  /// holds; together count(). What lies in overflow() is in the last bucket of all.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> filled() const;

  bool operator==(const Histogram&) const = default;

 private:
  static constexpr int kSubBucketBits = 7;
  static constexpr std::size_t kSubBuckets = std::size_t{1} << kSubBucketBits;
  static constexpr std::size_t kBuckets =
      (std::size_t{std::bit_width(kMaxRecordableNs)} - kSubBucketBits + 1) * kSubBuckets;

  static constexpr std::size_t index_of(std::uint64_t ns) {
    const int shift = std::max(0, static_cast<int>(std::bit_width(ns)) - (kSubBucketBits + 1));
    return static_cast<std::size_t>(shift) * kSubBuckets + static_cast<std::size_t>(ns >> shift);
  }

  static std::uint64_t middle_of(std::size_t index);

  std::vector<std::uint64_t> buckets_ = std::vector<std::uint64_t>(kBuckets);
  std::uint64_t count_ = 0;
  std::uint64_t overflow_ = 0;
  std::uint64_t max_ns_ = 0;
};

/// What a report tells of a histogram, in nanoseconds: all that is left of it in a JSON result.
/// Empty as Histogram::quantile() and max() are.
struct Percentiles {
  std::optional<std::uint64_t> p50, p90, p99, p999, p9999, max;
  std::uint64_t count = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> buckets;  ///< Histogram::filled()

  Percentiles() = default;
  Percentiles(const Histogram& histogram)
      : p50(histogram.quantile(0.5)),
        p90(histogram.quantile(0.9)),
        p99(histogram.quantile(0.99)),
        p999(histogram.quantile(0.999)),
        p9999(histogram.quantile(0.9999)),
        max(histogram.max()),
        count(histogram.count()),
        buckets(histogram.filled()) {}
};

}  // namespace ringchurn
