// Texts in quotes: what they stand for, what takes their place, and what is refused.
#include "workloads/quoted.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace ringchurn {
namespace {

using namespace std::string_literals;

/// What stands in quotes in `step`, and what is left of that.
std::pair<std::string, std::string> taken(std::string step) {
  std::string bytes = take_quoted(step);
  return {bytes, step};
}

std::string refusal(const std::string& step) {
  try {
    taken(step);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "(accepted)";
}

TEST(Quoted, AStepWithoutATextIsLeftAsItIs) {
  EXPECT_EQ(taken("send 10 -> ok"), std::pair(""s, "send 10 -> ok"s));
}

TEST(Quoted, AWordTakesThePlaceOfTheText) {
  EXPECT_EQ(taken(R"(send "a -> b; c" zc)"), std::pair("a -> b; c"s, "send  \"  zc"s));
  EXPECT_EQ(taken(R"(send"a"zc)"), std::pair("a"s, "send \" zc"s));
}

TEST(Quoted, EscapesStandForBytes) {
  EXPECT_EQ(taken(R"("\r\n\t\0\\\"\{\}\x00\x7F\xff1")").first, "\r\n\t\0\\\"{}\0\x7f\xff\x31"s);
  EXPECT_EQ(taken("\"\r\n {}\"").first, "\r\n {}") << "control characters and braces may be there";
}

TEST(Quoted, WhatIsEscapedComesBack) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const std::string text = escaped(all);
  EXPECT_EQ(taken("\"" + text + "\"").first, all);
  for (const char c : text) EXPECT_TRUE(c >= 0x20 && c <= 0x7e);
  EXPECT_EQ(escaped("GET /\r\n\x01"), R"(GET /\r\n\x01)");
}

TEST(Quoted, WhatIsNoTextIsRefused) {
  EXPECT_EQ(refusal("send \"abc"), "its text has no closing '\"'");
  EXPECT_EQ(refusal(R"(send "abc\)"), "its text has no closing '\"'");
  EXPECT_EQ(refusal(R"(send "")"), "its text is empty: write at least one byte between the quotes");
  EXPECT_EQ(refusal(R"(send "a" "b")"),
            R"(it has a second text: a '"' within a text is written \")");
  for (const char escape : {'q', 'R', '1', ' ', 'u'}) {
    EXPECT_EQ(refusal("send \"\\"s + escape + "\""),
              "'\\"s + escape +
                  "' is no escape: write \\r, \\n, \\t, \\0, \\\\, \\\", \\{, \\} or "
                  "\\xHH with two hexadecimal digits");
  }
  for (const char* digits : {"", "4", "4g", "-1", "+1", " 1"}) {
    EXPECT_EQ(refusal("\"\\x"s + digits + "\"").substr(0, 18), "'\\x' is no escape:") << digits;
  }
}

TEST(Quoted, ATextHasALargestSize) {
  EXPECT_EQ(taken('"' + std::string(65536, 'a') + '"').first.size(), 65536U);
  EXPECT_EQ(refusal('"' + std::string(65537, 'a') + '"'),
            "its text has 65537 bytes; 65536 is the most, 'send-file PATH' takes more");
}

}  // namespace
}  // namespace ringchurn
