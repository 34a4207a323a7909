// A text that is looked for in a stream, whatever pieces the stream comes in.
#include "workloads/landmark.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>

namespace ringchurn {
namespace {

/// Bytes of `stream`, in pieces of `piece` bytes, that lie before the landmark.
std::size_t passed(const Landmark& landmark, std::string_view stream, std::size_t piece,
                   Landmark::Position& position) {
  std::size_t total = 0;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    const std::string_view bytes = stream.substr(at, piece);
    total += landmark.pass(std::as_bytes(std::span(bytes)), position);
  }
  return total;
}

std::size_t passed(const Landmark& landmark, std::string_view stream, std::size_t piece = 1) {
  Landmark::Position position;
  return passed(landmark, stream, piece, position);
}

TEST(Landmark, IsBehindTheFirstOccurrenceOfItsText) {
  const Landmark blank_line("\r\n\r\n", 0);
  EXPECT_EQ(passed(blank_line, "a: b\r\nc: d\r\n\r\nbody\r\n\r\n", 100), 14U);
  EXPECT_EQ(passed(Landmark("ab", 3), "xxabcdefg", 100), 7U);
}

TEST(Landmark, NothingIsPassedBehindIt) {
  const Landmark landmark("ab", 1);
  Landmark::Position position;
  EXPECT_EQ(passed(landmark, "abc", 3, position), 3U);
  EXPECT_TRUE(landmark.has_text_before(position));
  EXPECT_EQ(passed(landmark, "abc", 3, position), 0U);
}

TEST(Landmark, TheLeastThatIsLeftKnowsABeginningOfTheText) {
  const Landmark landmark("\r\n\r\n", 10);
  Landmark::Position position;
  EXPECT_EQ(landmark.least_left(position), 14U);
  passed(landmark, "x\r\n\r", 4, position);
  EXPECT_EQ(landmark.least_left(position), 11U);
  EXPECT_FALSE(landmark.has_text_before(position));
  passed(landmark, "\r\n", 1, position);  // \r\n\r\r\n: half of the text again
  EXPECT_EQ(landmark.least_left(position), 12U);
  passed(landmark, "\r\n1234567", 3, position);
  EXPECT_EQ(landmark.least_left(position), 3U);
}

TEST(Landmark, ATextThatRepeatsItselfIsFoundInWhateverPieces) {
  // Texts and streams of two letters: full of false starts.
  std::mt19937 random(1);
  const auto letters = [&](std::size_t count) {
    std::string text;
    while (text.size() < count) text += random() % 2 == 0 ? 'a' : 'b';
    return text;
  };
  for (int round = 0; round < 2'000; ++round) {
    const std::string text = letters(1 + random() % 8), stream = letters(random() % 60);
    const std::size_t found = stream.find(text);
    const std::size_t expected = found == stream.npos ? stream.size() : found + text.size();
    for (const std::size_t piece : {1U, 2U, 3U, 7U, 60U}) {
      ASSERT_EQ(passed(Landmark(text, 0), stream, piece), expected)
          << text << " in " << stream << " by " << piece;
    }
  }
}

}  // namespace
}  // namespace ringchurn
