// A place in a stream of bytes that is known by a text: the end of a response's header, say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ringchurn {

/// The place `behind` bytes after the end of a text's first occurrence. The stream may come in any
/// pieces, the text split over any number of them: how much of the text the stream's end matches is
/// carried on, and no byte is looked at twice (Knuth, Morris, Pratt, "Fast Pattern Matching in
/// Strings", SIAM Journal on Computing 6, 1977). Read-only; may be shared between threads.
class Landmark {
 public:
  /// How far a stream has come.
  struct Position {
    std::uint32_t matched = 0;  ///< bytes of the text, at the stream's end or, if whole, before it
    std::uint32_t behind = 0;   ///< bytes behind the text
  };

  Landmark() = default;
  Landmark(std::string text, std::uint32_t behind);

  /// Moves `position` on over the stream's next bytes, to the landmark at most. Returns how many of
  /// them lie before it.
  std::size_t pass(std::span<const std::byte> bytes, Position& position) const;
  /// The same, to the end of the text at most.
  std::size_t pass_text(std::span<const std::byte> bytes, Position& position) const;

  bool has_text_before(const Position& position) const { return position.matched == text_.size(); }
  /// The least number of bytes that are still to come.
  std::uint32_t least_left(const Position& position) const;
  std::uint32_t text_bytes() const { return static_cast<std::uint32_t>(text_.size()); }
  std::uint32_t bytes_behind() const { return behind_; }

 private:
  std::string text_;
  /// By the length of a beginning of the text, less 1: how much of its end is a beginning, too.
  std::vector<std::uint32_t> borders_;
  std::uint32_t behind_ = 0;
};

}  // namespace ringchurn
