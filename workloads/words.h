// A step's words, and the numbers and times among them.
#pragma once

#include <linux/time_types.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace ringchurn {

using Words = std::vector<std::string>;

/// Throws std::invalid_argument: what is wrong with a step, and what would be right.
[[noreturn]] void refuse_step(const std::string& message);

/// `text` without the blanks around it.
std::string_view trim(std::string_view text);
/// The pieces between separators, trimmed, empty ones included.
Words split(std::string_view text, char separator);
Words split_words(std::string_view text);
/// The words from `first` on, with a blank between them.
std::string joined(const Words& words, std::size_t first);

/// A whole number up to `most`; `what` names it in the refusal.
std::uint32_t parse_number(const std::string& word, const char* what, std::uint32_t most);
/// A whole number that may be negative.
int parse_signed(const std::string& word);
/// True for a word that looks like a time: "20ms".
bool is_time(const std::string& word);
/// "50us", "200ms", "1s".
__kernel_timespec parse_time(const std::string& word);

/// Refuses a verb that has not `least` to `most` arguments.
void want(const Words& words, std::size_t least, std::size_t most, const char* usage);

/// A value as system calls take it.
std::vector<std::byte> bytes_of(const auto& value) {
  std::vector<std::byte> bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

}  // namespace ringchurn
