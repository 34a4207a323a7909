// See json_field.h.
#include "bench/json_field.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "bench/text.h"
#include "ring/error.h"

namespace ringchurn {

using Json = nlohmann::ordered_json;

struct JsonField::Document {
  std::string path, kind, remedy;
  Json root;
};

namespace {

[[noreturn]] void fail(std::string_view path, std::string_view what, std::string_view remedy) {
  throw Error(kExitUsage, printable(fmt::format("'{}' {}; {}", path, what, remedy)));
}

/// A result of all scenarios has half a megabyte; what is endless must not fill the memory.
std::string read_text(const std::string& path, std::string_view remedy) {
  constexpr std::size_t kMostBytes = std::size_t{64} << 20;
  std::ifstream file(path, std::ios::binary);
  std::error_code ignored;
  if (!file || std::filesystem::is_directory(path, ignored)) {
    fail(path, "cannot be read", "check the path and its permissions");
  }
  std::string text;
  for (char part[65536]; file.read(part, sizeof part) || file.gcount() > 0;) {
    text.append(part, static_cast<std::size_t>(file.gcount()));
    if (text.size() > kMostBytes) fail(path, "is larger than 64 MiB", remedy);
  }
  return text;
}

}  // namespace

JsonField::JsonField(std::shared_ptr<const Document> document, const Json& value, std::string place)
    : document_(std::move(document)), value_(&value), place_(std::move(place)) {}

JsonField JsonField::read(const std::string& path, std::string kind, std::string remedy) {
  const std::string text = read_text(path, remedy);
  return parse(text, path, std::move(kind), std::move(remedy));
}

JsonField JsonField::parse(const std::string& text, const std::string& path, std::string kind,
                           std::string remedy) {
  auto document =
      std::make_shared<Document>(Document{path, std::move(kind), std::move(remedy), {}});
  try {
    document->root = Json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    fail(path, fmt::format("is not a {}: no JSON at byte {}", document->kind, error.byte),
         document->remedy);
  } catch (const nlohmann::json::exception&) {  // a number that no double holds
    fail(path, fmt::format("is not a {}: a number in it is too large", document->kind),
         document->remedy);
  }
  const Json& root = document->root;
  return {std::move(document), root, ""};
}

void JsonField::reject(std::string_view why) const {
  fail(document_->path,
       fmt::format("is not a {}: {} {}", document_->kind, place_.empty() ? "the whole" : place_,
                   why),
       document_->remedy);
}

std::optional<JsonField> JsonField::find(const std::string& key) const {
  if (!value_->is_object()) reject("is not an object");
  const auto member = value_->find(key);
  if (member == value_->end()) return std::nullopt;
  return JsonField(document_, *member, place_.empty() ? key : fmt::format("{}.{}", place_, key));
}

JsonField JsonField::operator[](const std::string& key) const {
  if (auto member = find(key)) return *member;
  reject(fmt::format("has no '{}'", key));
}

std::vector<std::pair<std::string, JsonField>> JsonField::members() const {
  if (!value_->is_object()) reject("is not an object");
  std::vector<std::pair<std::string, JsonField>> all;
  for (const auto& [key, value] : value_->items()) {
    all.emplace_back(key, JsonField(document_, value, fmt::format("{}.{}", place_, key)));
  }
  return all;
}

void JsonField::require_only(std::initializer_list<std::string_view> known) const {
  for (const auto& [key, value] : members()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      reject(fmt::format("has '{}', which is not known here", key));
    }
  }
}

std::vector<JsonField> JsonField::elements() const {
  if (!value_->is_array()) reject("is not an array");
  std::vector<JsonField> all;
  for (const Json& value : *value_) {
    all.push_back(JsonField(document_, value, fmt::format("{}[{}]", place_, all.size())));
  }
  return all;
}

bool JsonField::is_null() const { return value_->is_null(); }

bool JsonField::is_array() const { return value_->is_array(); }

std::uint64_t JsonField::count() const {
  if (!value_->is_number_unsigned()) reject("is not a whole number, zero or more");
  return value_->get<std::uint64_t>();
}

std::int64_t JsonField::signed_count() const {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (!value_->is_number_integer() || (value_->is_number_unsigned() && count() > kMost)) {
    reject("is not a whole number below 2^63");
  }
  return value_->get<std::int64_t>();
}

unsigned JsonField::small_count() const {
  if (count() > std::numeric_limits<unsigned>::max()) reject("is not a whole number below 2^32");
  return static_cast<unsigned>(count());
}

double JsonField::number() const {
  constexpr double kMost = 1e15;
  const double number = value_->is_number() ? value_->get<double>() : HUGE_VAL;
  if (!(std::abs(number) <= kMost)) reject("is not a number up to 10^15");
  return number;
}

bool JsonField::flag() const {
  if (!value_->is_boolean()) reject("is neither true nor false");
  return value_->get<bool>();
}

std::string JsonField::text() const {
  if (!value_->is_string()) reject("is not a string");
  return value_->get<std::string>();
}

}  // namespace ringchurn
