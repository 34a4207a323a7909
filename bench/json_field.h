// JSON that somebody else may have written, taken apart with the complaint at hand: a value knows
// its file and its place in it, so that readers ask for what they need and no answer is wrong.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringchurn {

/// One value of a JSON file, and where it stands. A question that it does not answer throws Error
/// (kExitUsage): one printable line with the file, the field and the remedy. Copies are cheap and
/// share the document, which lives as long as any of them.
class JsonField {
 public:
  /// Reads the file `path`, at most 64 MiB. What is not JSON is told to be no `kind` ("result of
  /// ringchurn"); every complaint ends with `remedy` ("give a file that --json wrote").
  static JsonField read(const std::string& path, std::string kind, std::string remedy);

  /// The same of a text that `name` brought.
  static JsonField parse(const std::string& text, const std::string& name, std::string kind,
                         std::string remedy);

  /// The member `key` of an object, which must be there.
  JsonField operator[](const std::string& key) const;
  /// The same, or nullopt if it is not there.
  std::optional<JsonField> find(const std::string& key) const;
  /// All members, in the file's order.
  std::vector<std::pair<std::string, JsonField>> members() const;
  /// Refuses an object with a member that is not among `known`.
  void require_only(std::initializer_list<std::string_view> known) const;
  /// The elements of an array.
  std::vector<JsonField> elements() const;

  bool is_null() const;
  bool is_array() const;
  std::uint64_t count() const;        ///< a whole number, 0 to 2^64-1
  std::int64_t signed_count() const;  ///< a whole number, -2^63 to 2^63-1
  unsigned small_count() const;       ///< a whole number, 0 to 2^32-1
  /// Any number up to 10^15 in size: no more was ever measured, and sums and products stay finite.
  double number() const;
  bool flag() const;
  std::string text() const;

  /// Throws Error: "'PATH' is not a KIND: FIELD WHY; REMEDY".
  [[noreturn]] void reject(std::string_view why) const;

 private:
  struct Document;
  JsonField(std::shared_ptr<const Document> document, const nlohmann::ordered_json& value,
            std::string place);

  std::shared_ptr<const Document> document_;
  const nlohmann::ordered_json* value_;  ///< within the document
  std::string place_;                    ///< "scenarios[0].weight"; "" for the whole
};

/// What `read` makes of the field, or an empty optional for null.
template <typename T>
std::optional<T> unless_null(const JsonField& field, T (JsonField::*read)() const) {
  if (field.is_null()) return std::nullopt;
  return (field.*read)();
}

}  // namespace ringchurn
