// An indented print that keeps tables of numbers short: nlohmann's puts every number on a line of
// its own, and a histogram has hundreds.
#include "bench/json.h"

#include <algorithm>
#include <string>

namespace ringchurn {
namespace {

constexpr std::size_t kWidth = 100;

std::string compact(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Nothing in it has a name.
bool is_table(const Json& json) {
  return json.is_array() && std::all_of(json.begin(), json.end(), [](const Json& element) {
           return !element.is_structured() || is_table(element);
         });
}

void print(const Json& json, std::size_t indent, std::string& text);

/// Elements side by side, wrapped.
void print_table(const Json& json, std::size_t indent, std::string& text) {
  std::size_t line = text.rfind('\n') + 1;
  text += '[';
  bool first = true;
  for (const Json& element : json) {
    const std::string item = compact(element);
    if (!first) text += ',';
    if (!first && text.size() - line + item.size() + 2 > kWidth) {
      line = text.size() + 1;
      text += '\n' + std::string(indent + 1, ' ');
    } else if (!first) {
      text += ' ';
    }
    text += item;
    first = false;
  }
  text += ']';
}

void print_members(const Json& json, std::size_t indent, std::string& text) {
  text += json.is_object() ? '{' : '[';
  bool first = true;
  for (const auto& [key, value] : json.items()) {
    text += (first ? "\n" : ",\n") + std::string(indent + 2, ' ');
    if (json.is_object()) text += compact(key) + ": ";
    print(value, indent + 2, text);
    first = false;
  }
  text += '\n' + std::string(indent, ' ') + (json.is_object() ? '}' : ']');
}

void print(const Json& json, std::size_t indent, std::string& text) {
  if (is_table(json)) return print_table(json, indent, text);
  if (!json.is_structured() || json.empty()) {
    text += compact(json);
  } else {
    print_members(json, indent, text);
  }
}

}  // namespace

std::string pretty(const Json& json) {
  std::string text;
  print(json, 0, text);
  return text;
}

}  // namespace ringchurn
