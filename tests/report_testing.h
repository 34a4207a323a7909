// What the tests of every report for people share: looking at its lines.
#pragma once

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "bench/text.h"

namespace ringchurn {

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// The text with runs of spaces made one.
inline std::string squeezed(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c != ' ' || !result.ends_with(' ')) result += c;
  }
  return result;
}

/// The text without escape sequences, each of which ends with 'm'.
inline std::string plain(const std::string& text) {
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\x1b')
      at = text.find('m', at);
    else
      result += text[at];
  }
  return result;
}

/// The report's line that holds `part`, runs of spaces made one.
inline std::string line_with(const std::string& report, const std::string& part) {
  for (const std::string& line : lines_of(report)) {
    if (line.find(part) == line.npos) continue;
    return squeezed(line);
  }
  ADD_FAILURE() << "no line with " << part << " in\n" << report;
  return "";
}

inline void expect_fits(const std::string& report, std::size_t width) {
  for (const std::string& line : lines_of(report)) EXPECT_LE(display_width(line), width) << line;
}

}  // namespace ringchurn
