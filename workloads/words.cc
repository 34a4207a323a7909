// See words.h.
#include "workloads/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <stdexcept>

namespace ringchurn {

void refuse_step(const std::string& message) { throw std::invalid_argument(message); }

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

Words split(std::string_view text, char separator) {
  Words words;
  while (true) {
    const auto end = text.find(separator);
    words.emplace_back(trim(text.substr(0, end)));
    if (end == std::string_view::npos) return words;
    text.remove_prefix(end + 1);
  }
}

Words split_words(std::string_view text) {
  Words words = split(text, ' ');
  std::erase(words, "");
  return words;
}

std::uint32_t parse_number(const std::string& word, const char* what, std::uint32_t most) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size() || value > most) {
    refuse_step(fmt::format("'{}' is not {} from 0 to {}", word, what, most));
  }
  return value;
}

bool is_time(const std::string& word) {
  return !word.empty() && std::isdigit(static_cast<unsigned char>(word[0])) != 0 &&
         word.back() == 's';
}

__kernel_timespec parse_time(const std::string& word) {
  const auto unit_at = std::min(word.find_first_not_of("0123456789"), word.size());
  const std::string unit = word.substr(unit_at);
  const std::int64_t nanoseconds = unit == "us"   ? 1'000
                                   : unit == "ms" ? 1'000'000
                                   : unit == "s"  ? 1'000'000'000
                                                  : 0;
  if (unit_at == 0 || nanoseconds == 0) {
    refuse_step(fmt::format(
        "'{}' is not a time: write a whole number with us, ms or s, as in 200ms", word));
  }
  const std::int64_t total =
      parse_number(word.substr(0, unit_at), "a time in whole units", 86'400'000) * nanoseconds;
  return {total / 1'000'000'000, total % 1'000'000'000};
}

std::string joined(const Words& words, std::size_t first) {
  std::string text;
  for (std::size_t i = first; i < words.size(); ++i) text += (text.empty() ? "" : " ") + words[i];
  return text;
}

void want(const Words& words, std::size_t least, std::size_t most, const char* usage) {
  if (words.size() - 1 < least || words.size() - 1 > most)
    refuse_step(fmt::format("write '{}'", usage));
}

int parse_signed(const std::string& word) {
  const bool negative = word.starts_with('-');
  const auto value =
      static_cast<int>(parse_number(negative ? word.substr(1) : word, "a value", 1U << 30));
  return negative ? -value : value;
}

}  // namespace ringchurn
