// A queue of slot numbers that never grows: a slot stands in it at most once.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace ringchurn {

class Fifo {
 public:
  Fifo() = default;
  /// Room for `capacity` entries; more is a programmer's error and overwrites.
  explicit Fifo(std::uint32_t capacity)
      : entries_(std::bit_ceil(capacity + 1)), mask_(std::bit_ceil(capacity + 1) - 1) {}

  bool empty() const { return head_ == tail_; }
  void push(std::uint32_t value) { entries_[tail_++ & mask_] = value; }
  std::uint32_t pop() { return entries_[head_++ & mask_]; }

 private:
  std::vector<std::uint32_t> entries_;
  std::uint32_t mask_ = 0, head_ = 0, tail_ = 0;
};

}  // namespace ringchurn
