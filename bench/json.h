// What every report in JSON needs.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

namespace ringchurn {

/// Fields in the order they were written in.
using Json = nlohmann::ordered_json;

/// What was not measured is null, never 0.
template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

}  // namespace ringchurn
