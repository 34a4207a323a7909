// What every report in JSON needs.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace ringchurn {

/// Fields in the order they were written in.
using Json = nlohmann::ordered_json;

/// What was not measured is null, never 0.
template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

/// JSON to be read and diffed by people: an indented line for each member; numbers, and rows of
/// numbers, as many on a line as fit. What is not UTF-8 is replaced.
std::string pretty(const Json& json);

}  // namespace ringchurn
