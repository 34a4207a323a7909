// Text for a terminal: numbers, widths in columns, wrapped lines, aligned tables. Knows nothing of
// connections.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ringchurn {

/// How text is to look. Colour never carries a meaning of its own: every coloured word says it too.
struct TextStyle {
  bool color = false;   ///< bold headings, red and green words, as ANSI escapes
  unsigned width = 80;  ///< columns
};

/// 1234567 as "1,234,567".
std::string grouped(std::uint64_t number);

/// 1234.567 with 2 decimals as "1,234.57". A number that rounds to zero has no sign.
std::string grouped(double number, int decimals);

/// "+0.4%", and "0.0%" without a sign.
std::string signed_percent(double percent, int decimals);

/// Safe to print: control characters and what is not UTF-8 become '?'.
std::string printable(std::string_view text);

/// Text that Markdown would read as markup, in a table. Backticks stay: they mean code there, too.
std::string markdown(std::string_view text);

/// Columns that printable `text` takes: 2 for East Asian wide characters and emoji, 0 for combining
/// marks (most of them), 1 for the rest.
std::size_t display_width(std::string_view text);

/// Printable `text`, at most `width` columns wide: what is too long loses its middle to "…",
/// because file names differ at their end and scenario names at their start.
std::string shorten(std::string_view text, std::size_t width);

/// Breaks printable `text` at spaces into lines of at most `width` columns, each ended by '\n'.
/// Lines after the first begin with `indent` spaces. A word that fits on no line is broken.
std::string wrap(std::string_view text, std::size_t width, std::size_t indent = 0);

/// Any text, made printable and wrapped, with `indent` spaces in front of every line.
std::string hanging(std::string_view text, std::size_t width, std::size_t indent);

/// `text` with spaces behind it, up to `width` columns.
std::string padded(std::string_view text, std::size_t width);

enum class Tint { none, bold, good, bad };

/// `text` in a colour, if the style has colours.
std::string tinted(std::string_view text, Tint tint, const TextStyle& style);

/// One cell of a table.
struct Cell {
  std::string text;
  Tint tint = Tint::none;
  Cell(std::string value, Tint color = Tint::none) : text(std::move(value)), tint(color) {}
  Cell(const char* value, Tint color = Tint::none) : text(value), tint(color) {}
};

struct Column {
  const char* heading;
  bool is_number = false;  ///< aligned to the right
  bool shrinks = false;    ///< loses its middle where the table is too wide
};

/// An aligned table, two spaces between columns, indented by two.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// As many cells as columns.
  void add(std::vector<Cell> row);
  bool empty() const { return rows_.empty(); }

  /// Headings, unless all are empty, and rows, each line ended by '\n'. Fits into style.width
  /// unless the columns that may not shrink are wider than that.
  std::string text(const TextStyle& style) const;

 private:
  std::vector<std::size_t> widths(std::size_t limit) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

/// A section of a report: an empty line, its title, and its body; a table without rows is "none".
std::string section(std::string_view title, const std::string& body, const TextStyle& style);
std::string section(std::string_view title, const Table& table, const TextStyle& style);

}  // namespace ringchurn
