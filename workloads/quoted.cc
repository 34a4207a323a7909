// See quoted.h.
#include "workloads/quoted.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "workloads/words.h"

namespace ringchurn {
namespace {

constexpr std::size_t kMostBytes = 64 * 1024;

/// Behind its backslash, the escape with the same place in kBytes.
constexpr std::string_view kNames = "rnt0\\\"{}";
constexpr std::string_view kBytes("\r\n\t\0\\\"{}", 8);

/// The byte that the escape at `at` stands for, behind its backslash; moves `at` behind the escape.
char unescaped(std::string_view text, std::size_t& at) {
  const char name = text[at++];
  if (const std::size_t known = kNames.find(name); known != kNames.npos) return kBytes[known];
  const std::string_view digits = text.substr(at, 2);
  unsigned value = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), value, 16);
  if (name != 'x' || digits.size() < 2 || error != std::errc{} || end != digits.end()) {
    refuse_step(
        fmt::format("'\\{}' is no escape: write \\r, \\n, \\t, \\0, \\\\, \\\", \\{{, "
                    "\\}} or \\xHH with two hexadecimal digits",
                    name));
  }
  at += 2;
  return static_cast<char>(value);
}

}  // namespace

std::string take_quoted(std::string& step) {
  const std::size_t open = step.find('"');
  if (open == step.npos) return "";
  std::string bytes;
  std::size_t at = open + 1;
  while (at < step.size() && step[at] != '"') {
    const char next = step[at++];
    const bool escapes = next == '\\' && at < step.size();
    bytes += escapes ? unescaped(step, at) : next;
  }
  if (at == step.size()) refuse_step("its text has no closing '\"'");
  if (bytes.empty()) refuse_step("its text is empty: write at least one byte between the quotes");
  if (bytes.size() > kMostBytes) {
    refuse_step(fmt::format("its text has {} bytes; {} is the most, 'send-file PATH' takes more",
                            bytes.size(), kMostBytes));
  }
  if (step.find('"', at + 1) != step.npos) {
    refuse_step("it has a second text: a '\"' within a text is written \\\"");
  }
  step.replace(open, at + 1 - open, fmt::format(" {} ", kQuoted));
  return bytes;
}

std::string escaped(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    if (const std::size_t known = kBytes.find(byte); known != kBytes.npos) {
      text += {'\\', kNames[known]};
    } else if (value < 0x20 || value > 0x7e) {
      text += fmt::format("\\x{:02x}", value);
    } else {
      text += byte;
    }
  }
  return text;
}

}  // namespace ringchurn
