// Numbers, widths, wrapped lines and tables: see text.h.
#include "bench/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <iterator>
#include <locale>
#include <utility>

namespace ringchurn {
namespace {

class Thousands : public std::numpunct<char> {
  char do_thousands_sep() const override { return ','; }
  std::string do_grouping() const override { return "\3"; }
};

/// The classic locale with thousands separators: the user's own would make reports differ between
/// machines, and a comma be a decimal point.
const std::locale& with_thousands() {
  static const std::locale locale(std::locale::classic(), new Thousands);
  return locale;
}

/// One character of a text: where it stands, how many bytes and columns it takes.
struct Character {
  std::size_t offset, bytes, columns;
};

std::size_t columns_of(char32_t code) {
  struct Range {
    char32_t first, last;
  };
  constexpr Range kZero[] = {{0x300, 0x36f}, {0x200b, 0x200f}, {0xfe00, 0xfe0f}};
  constexpr Range kWide[] = {{0x1100, 0x115f},  {0x2e80, 0xa4cf},   {0xac00, 0xd7a3},
                             {0xf900, 0xfaff},  {0xfe30, 0xfe6f},   {0xff00, 0xff60},
                             {0xffe0, 0xffe6},  {0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff},
                             {0x20000, 0x3fffd}};
  const auto holds = [code](const Range& range) {
    return range.first <= code && code <= range.last;
  };
  if (std::any_of(std::begin(kZero), std::end(kZero), holds)) return 0;
  return std::any_of(std::begin(kWide), std::end(kWide), holds) ? 2 : 1;
}

/// Decodes the character at `offset`. `bytes` is 0 if there is no printable one (RFC 3629: shortest
/// form only, no surrogates, up to U+10FFFF; and no control characters, C1 included).
Character decode(std::string_view text, std::size_t offset) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[offset + i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {offset, lead >= ' ' && lead != 0x7f ? 1u : 0u, 1};
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || offset + bytes > text.size()) return {offset, 0, 1};
  char32_t code = lead & (0xffu >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {offset, 0, 1};
    code = code << 6 | (byte(i) & 0x3fu);
  }
  constexpr char32_t kLeast[] = {0, 0, 0xa0, 0x800, 0x10000};
  const bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < kLeast[bytes] || code > 0x10ffff || is_surrogate) return {offset, 0, 1};
  return {offset, bytes, columns_of(code)};
}

std::vector<Character> characters(std::string_view printable_text) {
  std::vector<Character> found;
  for (std::size_t at = 0; at < printable_text.size();) {
    found.push_back(decode(printable_text, at));
    at += std::max<std::size_t>(found.back().bytes, 1);
  }
  return found;
}

/// How many bytes of the text's start fit into `width` columns.
std::size_t bytes_within(std::string_view text, std::size_t width) {
  std::size_t used = 0;
  for (const Character& character : characters(text)) {
    used += character.columns;
    if (used > width) return character.offset;
  }
  return text.size();
}

}  // namespace

std::string grouped(std::uint64_t number) { return fmt::format(with_thousands(), "{:L}", number); }

std::string grouped(double number, int decimals) {
  const double unit = std::pow(10, -decimals);
  if (std::abs(number) < unit / 2) number = 0;
  return fmt::format(with_thousands(), "{:.{}Lf}", number, decimals);
}

std::string signed_percent(double percent, int decimals) {
  const std::string number = grouped(percent, decimals);
  const bool is_positive = number.find_first_of("123456789") != number.npos && percent > 0;
  return fmt::format("{}{}%", is_positive ? "+" : "", number);
}

std::string printable(std::string_view text) {
  std::string safe;
  for (const Character& character : characters(text)) {
    if (character.bytes == 0) safe += '?';
    safe += text.substr(character.offset, character.bytes);
  }
  return safe;
}

std::string markdown(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (std::string_view("|<>*[]").find(c) != std::string_view::npos) safe += '\\';
    safe += c;
  }
  return safe;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (const Character& character : characters(text)) width += character.columns;
  return width;
}

std::string shorten(std::string_view text, std::size_t width) {
  std::size_t surplus = display_width(text);
  if (surplus <= width) return std::string(text);
  if (width == 0) return "";
  const std::size_t head = bytes_within(text, width / 2);
  const std::size_t tail_columns = width - 1 - display_width(text.substr(0, head));
  std::size_t tail = 0;
  for (const Character& character : characters(text)) {
    if (surplus <= tail_columns) break;
    surplus -= character.columns;
    tail = character.offset + character.bytes;
  }
  return fmt::format("{}…{}", text.substr(0, head), text.substr(tail));
}

std::string wrap(std::string_view text, std::size_t width, std::size_t indent) {
  std::string lines, line;
  const auto flush = [&] {
    lines += line + '\n';
    line.assign(indent, ' ');
  };
  bool is_empty = true;  // nothing but the indent stands on the line
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t used = display_width(line) + (is_empty ? 0 : 1);
    if (!is_empty && used + display_width(word) > width) {
      flush();
      is_empty = true;
    }
    while (is_empty && display_width(line) + display_width(word) > width) {
      const std::size_t fits = std::max<std::size_t>(
          bytes_within(word, width - std::min(width, display_width(line))), 1);
      line += word.substr(0, fits);
      word.remove_prefix(fits);
      flush();
    }
    if (!is_empty) line += ' ';
    line += word;
    is_empty = false;
  }
  flush();
  return lines;
}

std::string hanging(std::string_view text, std::size_t width, std::size_t indent) {
  return wrap(std::string(indent, ' ') + printable(text), width, indent);
}

std::string padded(std::string_view text, std::size_t width) {
  return std::string(text) + std::string(width - std::min(width, display_width(text)), ' ');
}

std::string tinted(std::string_view text, Tint tint, const TextStyle& style) {
  constexpr const char* kCodes[] = {"", "\x1b[1m", "\x1b[32m", "\x1b[31m"};
  if (!style.color || tint == Tint::none) return std::string(text);
  return fmt::format("{}{}\x1b[0m", kCodes[static_cast<std::size_t>(tint)], text);
}

void Table::add(std::vector<Cell> row) {
  assert(row.size() == columns_.size());
  for (Cell& cell : row) cell.text = printable(cell.text);
  rows_.push_back(std::move(row));
}

std::vector<std::size_t> Table::widths(std::size_t limit) const {
  constexpr std::size_t kLeast = 8;
  std::vector<std::size_t> widths;
  std::size_t total = 0;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].heading);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i].text));
    widths.push_back(width);
    total += width + 2;
  }
  for (; total > limit; --total) {
    std::size_t* widest = nullptr;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (!columns_[i].shrinks || widths[i] <= kLeast) continue;
      if (widest == nullptr || widths[i] > *widest) widest = &widths[i];
    }
    if (widest == nullptr) break;
    --*widest;
  }
  return widths;
}

std::string Table::text(const TextStyle& style) const {
  const auto widths = this->widths(style.width);
  std::string text;
  const auto add_line = [&](const std::vector<Cell>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string shown = shorten(row[i].text, widths[i]);
      const std::string padding(widths[i] - display_width(shown), ' ');
      const std::string cell = tinted(shown, row[i].tint, style);
      line += "  " + (columns_[i].is_number ? padding + cell : cell + padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  };
  std::vector<Cell> headings;
  for (const Column& column : columns_) headings.emplace_back(column.heading);
  if (std::any_of(headings.begin(), headings.end(),
                  [](const Cell& c) { return !c.text.empty(); })) {
    add_line(headings);
  }
  for (const auto& row : rows_) add_line(row);
  return text;
}

std::string section(std::string_view title, const std::string& body, const TextStyle& style) {
  return fmt::format("\n{}\n{}", tinted(title, Tint::bold, style), body);
}

std::string section(std::string_view title, const Table& table, const TextStyle& style) {
  return section(title, table.empty() ? "  none\n" : table.text(style), style);
}

}  // namespace ringchurn
