// Parsing, and looking a metric up in a result: see requirement.h.
#include "bench/requirement.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/json.h"
#include "bench/report_json.h"
#include "bench/text.h"
#include "ring/error.h"
#include "workloads/outcome.h"
#include "workloads/suggestion.h"
#include "workloads/words.h"

namespace ringchurn {
namespace {

using Relation = Requirement::Relation;

// Longer ones first: "<=" begins with "<".
constexpr std::pair<std::string_view, Relation> kRelations[] = {
    {"==", Relation::equal},    {"!=", Relation::unequal}, {"<=", Relation::at_most},
    {">=", Relation::at_least}, {"<", Relation::less},     {">", Relation::more}};

constexpr std::pair<std::string_view, double> kTimes[] = {
    {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};

[[noreturn]] void fail(const std::string& text, std::string_view why) {
  throw Error(kExitUsage, printable(fmt::format("'{}' {}", text, why)));
}

const Json& account_of_nothing() {
  static const Json json = [] {
    RunResult result;
    result.scenarios.emplace_back();
    return Json::parse(run_json(result));
  }();
  return json;
}

std::vector<std::string> fields(const Json& object) {
  std::vector<std::string> names;
  for (const auto& [name, unused] : object.items()) names.push_back(name);
  return names;
}

void require_known(const std::string& text, const std::string& name,
                   const std::vector<std::string>& known) {
  if (std::count(known.begin(), known.end(), name) > 0) return;
  fail(text, fmt::format("asks for '{}'{}; known are {}", name, did_you_mean(name, known),
                         fmt::join(known, ", ")));
}

/// A phase and a quantile at the end, and perhaps a scenario before them.
void check_latency(const std::string& text, const std::vector<std::string>& parts) {
  if (parts.size() < 3) fail(text, "needs a phase and a quantile: latency.teardown.p99");
  const Json& latency = account_of_nothing()["scenarios"][0]["latency_ns"];
  require_known(text, parts[parts.size() - 2], fields(latency));
  std::vector<std::string> quantiles = fields(latency["teardown"]);
  std::erase(quantiles, "count");
  std::erase(quantiles, "buckets");
  require_known(text, parts.back(), quantiles);
}

/// An error that cannot occur would be a requirement that cannot fail.
void check_error(const std::string& text, const std::string& name) {
  std::set<std::string> known = {"unexpected", "expected"};
  constexpr int kErrnos = 134;
  for (int number = 1; number < kErrnos; ++number) {
    known.insert(outcome_class(errno_outcome(number)));
    known.insert(outcome_name(errno_outcome(number)));
  }
  for (const Outcome outcome : {Outcome::eof, Outcome::timeout, Outcome::cut_short}) {
    known.insert(outcome_class(outcome));
    known.insert(outcome_name(outcome));
  }
  if (known.contains(name)) return;
  const std::vector<std::string> names(known.begin(), known.end());
  fail(text, fmt::format("asks for '{}'{}; give unexpected, expected, an errno or its class", name,
                         did_you_mean(name, names)));
}

void check_metric(const std::string& text, const std::string& metric) {
  const std::vector<std::string> parts = split(metric, '.');
  require_known(text, parts[0], {"errors", "latency", "cost", "pace", "kernel", "connections"});
  if (parts[0] == "latency") return check_latency(text, parts);
  if (parts.size() != 2 || parts[1].empty()) {
    fail(text, fmt::format("needs one name after '{}.', as in errors.unexpected", parts[0]));
  }
  if (parts[0] == "errors") check_error(text, parts[1]);
  if (parts[0] == "connections") {
    require_known(text, parts[1], fields(account_of_nothing()["scenarios"][0]["client"]));
  }
  if (parts[0] == "cost" || parts[0] == "pace") {
    std::vector<std::string> known = fields(account_of_nothing()[parts[0]]);
    std::erase(known, "open_loop");
    require_known(text, parts[1], known);
  }
}

/// A number, with a unit of time if it is one.
double value_of(const std::string& text, const std::string& value, bool is_time) {
  double number = 0;
  const char* end = value.data() + value.size();
  const auto [rest, error] = std::from_chars(value.data(), end, number);
  const std::string_view unit = trim({rest, static_cast<std::size_t>(end - rest)});
  if (error != std::errc() || !std::isfinite(number)) {
    fail(text, fmt::format("has no number at its end but '{}'", value));
  }
  if (!is_time && !unit.empty()) {
    fail(text, fmt::format("has a unit, '{}', where the metric's name has it", unit));
  }
  if (!is_time) return number;
  for (const auto& [name, ns] : kTimes) {
    if (unit == name) return number * ns;
  }
  fail(text, "compares a time: end it with ns, us, ms or s, as in 5ms");
}

std::optional<double> number(const Json& json) {
  if (!json.is_number()) return std::nullopt;
  return json.get<double>();
}

std::optional<double> errors(const std::string& which, const RunResult& result) {
  std::uint64_t count = 0;
  for (const ErrorRow& row : result.errors) {
    const bool is_meant = which == "unexpected" ? !row.expected
                          : which == "expected" ? row.expected
                                                : which == row.errno_class || which == row.error;
    if (is_meant) count += row.count;
  }
  return static_cast<double>(count);
}

/// The worst of those scenarios that have such a time.
std::optional<double> latency(const std::vector<std::string>& parts, const Json& json) {
  std::string scenario;  // its name may have dots
  for (std::size_t i = 1; i + 2 < parts.size(); ++i) {
    scenario += (scenario.empty() ? "" : ".") + parts[i];
  }
  std::optional<double> worst;
  for (const Json& row : json["scenarios"]) {
    if (!scenario.empty() && row["name"] != scenario) continue;
    const auto value = number(row["latency_ns"][parts[parts.size() - 2]][parts.back()]);
    if (value && (!worst || *value > *worst)) worst = value;
  }
  return worst;
}

std::optional<double> connections(const std::string& field, const Json& json) {
  std::optional<double> total;
  for (const Json& row : json["scenarios"]) {
    if (const auto value = number(row[field])) total = total.value_or(0) + *value;
  }
  return total;
}

}  // namespace

Requirement parse_requirement(const std::string& text) {
  const std::string_view whole = text;
  for (const auto& [sign, relation] : kRelations) {
    const std::size_t at = text.find(sign);
    if (at == text.npos) continue;
    Requirement requirement{std::string(trim(text)), std::string(trim(whole.substr(0, at))),
                            relation, 0};
    check_metric(text, requirement.metric);
    requirement.value = value_of(text, std::string(trim(whole.substr(at + sign.size()))),
                                 requirement.metric.starts_with("latency."));
    return requirement;
  }
  fail(text, "has no relation: == != < <= > or >=, as in 'errors.unexpected == 0'");
}

std::optional<double> metric_value(const std::string& metric, const RunResult& result) {
  const std::vector<std::string> parts = split(metric, '.');
  if (parts[0] == "errors") return errors(parts[1], result);
  const Json json = Json::parse(run_json(result));
  if (parts[0] == "latency") return latency(parts, json);
  if (parts[0] == "connections") return connections(parts[1], json);
  if (parts[0] == "kernel") {
    const auto row = json["kernel"].find(parts[1]);
    return row == json["kernel"].end() ? std::nullopt : number((*row)["measured"]);
  }
  return number(json[parts[0]][parts[1]]);
}

bool is_met(const Requirement& requirement, std::optional<double> value) {
  if (!value) return false;
  switch (requirement.relation) {
    case Relation::equal:
      return *value == requirement.value;
    case Relation::unequal:
      return *value != requirement.value;
    case Relation::less:
      return *value < requirement.value;
    case Relation::at_most:
      return *value <= requirement.value;
    case Relation::more:
      return *value > requirement.value;
    case Relation::at_least:
      return *value >= requirement.value;
  }
  return false;
}

std::string measured_text(const RequirementResult& result) {
  if (!result.value) return "not measured";
  if (result.text.starts_with("latency.")) return grouped(*result.value / 1e3, 1) + " us";
  const bool is_whole = *result.value == std::floor(*result.value);
  return grouped(*result.value, is_whole ? 0 : 3);
}

}  // namespace ringchurn
