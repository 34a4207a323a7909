// See landmark.h.
#include "workloads/landmark.h"

#include <algorithm>
#include <utility>

namespace ringchurn {

Landmark::Landmark(std::string text, std::uint32_t behind)
    : text_(std::move(text)), borders_(text_.size(), 0), behind_(behind) {
  std::uint32_t border = 0;
  for (std::size_t end = 1; end < text_.size(); ++end) {
    while (border > 0 && text_[border] != text_[end]) border = borders_[border - 1];
    if (text_[border] == text_[end]) ++border;
    borders_[end] = border;
  }
}

std::size_t Landmark::pass_text(std::span<const std::byte> bytes, Position& position) const {
  std::uint32_t& matched = position.matched;
  std::size_t passed = 0;
  for (; passed < bytes.size() && matched < text_.size(); ++passed) {
    const auto next = static_cast<char>(bytes[passed]);
    while (matched > 0 && text_[matched] != next) matched = borders_[matched - 1];
    if (text_[matched] == next) ++matched;
  }
  return passed;
}

std::size_t Landmark::pass(std::span<const std::byte> bytes, Position& position) const {
  const std::size_t passed = pass_text(bytes, position);
  if (!has_text_before(position)) return passed;
  const std::size_t behind =
      std::min<std::size_t>(bytes.size() - passed, behind_ - position.behind);
  position.behind += static_cast<std::uint32_t>(behind);
  return passed + behind;
}

std::uint32_t Landmark::least_left(const Position& position) const {
  return text_bytes() - position.matched + behind_ - position.behind;
}

}  // namespace ringchurn
