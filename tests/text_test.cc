// Numbers, widths, wrapping and tables.
#include "bench/text.h"

#include <gtest/gtest.h>

namespace ringchurn {
namespace {

TEST(Text, NumbersHaveThousandsSeparators) {
  EXPECT_EQ(grouped(std::uint64_t{0}), "0");
  EXPECT_EQ(grouped(std::uint64_t{999}), "999");
  EXPECT_EQ(grouped(std::uint64_t{1000}), "1,000");
  EXPECT_EQ(grouped(UINT64_MAX), "18,446,744,073,709,551,615");
  EXPECT_EQ(grouped(1234567.891, 2), "1,234,567.89");
  EXPECT_EQ(grouped(-1234.5, 1), "-1,234.5");
  EXPECT_EQ(grouped(-0.004, 2), "0.00");
  EXPECT_EQ(grouped(-0.006, 2), "-0.01");
}

TEST(Text, WidthCountsColumnsAndNotBytes) {
  EXPECT_EQ(display_width(""), 0u);
  EXPECT_EQ(display_width("close"), 5u);
  EXPECT_EQ(display_width("fermé…"), 6u);
  EXPECT_EQ(display_width("閉じる"), 6u);
  EXPECT_EQ(display_width("e\u0301"), 1u);
  EXPECT_EQ(display_width("🔌"), 2u);
}

TEST(Text, WhatCannotBePrintedBecomesAQuestionMark) {
  EXPECT_EQ(printable("a\nb\x1b[31m\x7f"), "a?b?[31m?");
  EXPECT_EQ(printable("fermé 閉 🔌"), "fermé 閉 🔌");
  EXPECT_EQ(printable("\xff|\xc3|\xc3"), "?|?|?");
  EXPECT_EQ(printable("\xc0\xaf"), "??") << "overlong";
  EXPECT_EQ(printable("\xe0\x80\xaf"), "???") << "overlong";
  EXPECT_EQ(printable("\xed\xa0\x80"), "???") << "a surrogate";
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "????") << "beyond U+10FFFF";
  EXPECT_EQ(printable("\xc2\x9b"), "??") << "a C1 control character";
  EXPECT_EQ(printable("\xe2\x80"), "??") << "cut short";
}

TEST(Text, LongNamesLoseTheirMiddle) {
  EXPECT_EQ(shorten("graceful", 8), "graceful");
  EXPECT_EQ(shorten("graceful-server", 8), "grac…ver");
  EXPECT_EQ(shorten("/home/me/scenarios/half-close.toml", 16), "/home/me…se.toml");
  EXPECT_EQ(shorten("閉じる閉じる", 6), "閉…る");
  EXPECT_EQ(shorten("abc", 1), "…");
  EXPECT_EQ(shorten("abc", 0), "");
  for (std::size_t width = 0; width < 20; ++width) {
    EXPECT_LE(display_width(shorten("aé閉bじcるd閉eじfる", width)), width);
  }
}

TEST(Text, WrapsAtSpacesAndBreaksWhatFitsNowhere) {
  EXPECT_EQ(wrap("one two three", 7), "one two\nthree\n");
  EXPECT_EQ(wrap("one two three", 8, 2), "one two\n  three\n");
  EXPECT_EQ(wrap("a 0123456789 b", 6, 2), "a\n  0123\n  4567\n  89 b\n");
  EXPECT_EQ(wrap("", 10), "\n");
  EXPECT_EQ(wrap("éééé éééé", 4), "éééé\néééé\n");
}

TEST(Text, TableAlignsAndShrinks) {
  Table table({{"name", false, true}, {"count", true}});
  EXPECT_TRUE(table.empty());
  table.add({"fermé", "1"});
  table.add({"a-very-long-name.toml", "1,000,000"});
  EXPECT_EQ(table.text({false, 80}),
            "  name                       count\n"
            "  fermé                          1\n"
            "  a-very-long-name.toml  1,000,000\n");
  EXPECT_EQ(table.text({false, 25}),
            "  name              count\n"
            "  fermé                 1\n"
            "  a-very….toml  1,000,000\n");
}

TEST(Text, TintIsWrittenOnlyInColour) {
  EXPECT_EQ(tinted("FAIL", Tint::bad, {false, 80}), "FAIL");
  EXPECT_EQ(tinted("FAIL", Tint::bad, {true, 80}), "\x1b[31mFAIL\x1b[0m");
  EXPECT_EQ(tinted("so so", Tint::none, {true, 80}), "so so");
}

TEST(Text, AHangingTextIsIndentedAndPrintable) {
  EXPECT_EQ(hanging("one two three", 10, 3), "   one two\n   three\n");
  EXPECT_EQ(hanging("a\nb", 10, 2), "  a?b\n");
}

TEST(Text, PaddingCountsColumns) {
  EXPECT_EQ(padded("閉", 4), "閉  ");
  EXPECT_EQ(padded("closed", 4), "closed");
}

}  // namespace
}  // namespace ringchurn
