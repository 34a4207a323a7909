// See recorded.h. The account itself is read by read_result.cc; here is what stands beside it.
#include "bench/recorded.h"

#include <utility>

#include "bench/json_field.h"
#include "bench/read_result.h"

namespace ringchurn {
namespace {

std::optional<Estimate> read_estimate(const JsonField& json, const char* value, const char* low,
                                      const char* high) {
  if (json[value].is_null()) return std::nullopt;
  return Estimate{json[value].number(), json[low].number(), json[high].number()};
}

ArmResult read_arm(const JsonField& json) {
  ArmResult arm;
  arm.name = json["name"].text();
  arm.connections = json["connections"].count();
  arm.cpu_us_per_connection = json["value"].number();
  arm.ratio = read_estimate(json, "ratio", "ci_low", "ci_high");
  arm.difference_us = read_estimate(json, "difference", "difference_ci_low", "difference_ci_high");
  arm.blocks_left_out = json["blocks_left_out"].small_count();
  arm.segments_per_connection = read_younger(json, "segments_per_connection");
  arm.time_wait_per_connection = read_younger(json, "time_wait_per_connection");
  arm.p_value = read_younger(json, "p_value");
  arm.p_holm = read_younger(json, "p_holm");
  arm.minimum_detectable_effect = read_younger(json, "minimum_detectable_effect");
  arm.pure_acks_per_connection = read_younger(json, "pure_acks_per_connection");
  arm.syscalls_per_connection = read_younger(json, "syscalls_per_connection");
  arm.wake_ups_per_connection = read_younger(json, "wake_ups_per_connection");
  return arm;
}

/// The rows of comparison.slices; their columns are those of the schema_version.
std::vector<Slice> read_slices(const JsonField& json, std::size_t arms) {
  std::vector<Slice> slices;
  for (const JsonField& row : json["rows"].elements()) {
    const std::vector<JsonField> cells = row.elements();
    if (cells.size() != 5) row.reject("is not [block, arm, began_s, cpu_us, connections]");
    Slice slice;
    slice.block = cells[0].small_count();
    slice.arm = unless_null(cells[1], &JsonField::small_count);
    if (slice.arm && *slice.arm >= arms) cells[1].reject("is no arm of this comparison");
    slice.began_s = cells[2].number();
    slice.cpu_us = cells[3].number();
    slice.connections = cells[4].count();
    slices.push_back(slice);
  }
  return slices;
}

void read_comparison(const JsonField& json, CompareResult& result) {
  ArmResult baseline;
  baseline.name = json["baseline"].text();
  baseline.connections = json["baseline_connections"].count();
  baseline.cpu_us_per_connection = json["baseline_value"].number();
  baseline.segments_per_connection = read_younger(json, "baseline_segments_per_connection");
  baseline.time_wait_per_connection = read_younger(json, "baseline_time_wait_per_connection");
  baseline.pure_acks_per_connection = read_younger(json, "baseline_pure_acks_per_connection");
  baseline.syscalls_per_connection = read_younger(json, "baseline_syscalls_per_connection");
  baseline.wake_ups_per_connection = read_younger(json, "baseline_wake_ups_per_connection");
  result.arms = {baseline};
  for (const JsonField& arm : json["arms"].elements()) result.arms.push_back(read_arm(arm));
  const JsonField a_a = json["a_a"];
  if (!a_a.is_null()) {
    result.a_a = read_estimate(a_a, "ratio", "ci_low", "ci_high");
    result.a_a_p_value = read_younger(a_a, "p_value");
  }
  result.whose = json["whose"].text();
  result.blocks = json["blocks"].small_count();
  result.slice_ms = json["slice_ms"].number();
  result.measured_s = json["measured_s"].number();
  result.sentence = json["sentence"].text();
  if (const auto slices = json.find("slices")) {
    result.slices = read_slices(*slices, result.arms.size());
  }
}

/// A figure and, beside it, [low, high].
std::optional<Estimate> read_estimate(const JsonField& value, const JsonField& ends) {
  if (value.is_null()) return std::nullopt;
  const std::vector<JsonField> interval = ends.elements();
  if (interval.size() != 2) ends.reject("is not [low, high]");
  return Estimate{value.number(), interval[0].number(), interval[1].number()};
}

Sweep read_sweep(const JsonField& json) {
  Sweep sweep{json["scenario"].text(), {}};
  for (const JsonField& row : json["points"].elements()) {
    SweepPoint point;
    point.arm = row["arm"].text();
    for (const auto& [name, value] : row["values"].members()) {
      point.values.emplace_back(name, value.text());
    }
    point.cpu_us_per_connection = read_estimate(row["cpu_us_per_connection"], row["cpu_us_ci"]);
    point.teardown_p99_us = read_estimate(row["teardown_p99_us"], row["teardown_p99_us_ci"]);
    point.time_wait_per_connection =
        unless_null(row["time_wait_per_connection"], &JsonField::number);
    point.lost_bytes_per_connection = row["lost_bytes_per_connection"].number();
    point.errors_per_connection = row["errors_per_connection"].number();
    point.on_front = row["on_front"].flag();
    sweep.points.push_back(std::move(point));
  }
  return sweep;
}

Bill read_bill(const JsonField& json) {
  Bill bill;
  bill.scenario = json["of"].text();
  bill.obstacle = unless_null(json["obstacle"], &JsonField::text).value_or("");
  if (!bill.obstacle.empty()) return bill;
  const auto figure = [](const JsonField& row) {
    return Estimate{row["us"].number(), row["ci_low"].number(), row["ci_high"].number()};
  };
  bill.whole_us = figure(json["whole"]);
  for (const JsonField& part : json["parts"].elements()) {
    bill.parts.push_back({part["name"].text(), figure(part)});
  }
  return bill;
}

GateVerdict read_gate_verdict(const JsonField& json) {
  const std::string name = json.text();
  using enum GateVerdict;
  for (const GateVerdict verdict : {fine, regression, undecided}) {
    if (name == gate_verdict_name(verdict)) return verdict;
  }
  json.reject("is none of fine, regression, undecided");
}

Gate read_gate(const JsonField& json) {
  Gate gate;
  gate.verdict = read_gate_verdict(json["verdict"]);
  gate.method = json["method"].text();
  gate.baseline = unless_null(json["baseline"], &JsonField::text).value_or("");
  gate.candidate = json["candidate"].text();
  gate.margin = json["margin"].number();
  gate.baseline_value = unless_null(json["baseline_value"], &JsonField::number);
  gate.candidate_value = unless_null(json["candidate_value"], &JsonField::number);
  const JsonField ratio = json["ratio"];
  if (!ratio.is_null()) gate.ratio = read_estimate(ratio, "value", "ci_low", "ci_high");
  gate.pairs = json["pairs"].small_count();
  for (const JsonField& row : json["requirements"].elements()) {
    gate.requirements.push_back(
        {row["text"].text(), unless_null(row["value"], &JsonField::number), row["ok"].flag()});
  }
  gate.sentence = json["sentence"].text();
  return gate;
}

// -- the atlas ------------------------------------------------------------------------------------

Performance read_performance(const JsonField& json) {
  Performance performance;
  performance.runs = json["runs"].small_count();
  performance.finished = json["finished"].small_count();
  performance.expected = json["expected"].flag();
  performance.failure = unless_null(json["failure"], &JsonField::text).value_or("");
  for (const auto& [name, row] : json["counters"].members()) {
    performance.counters.push_back(read_counter(name, row));
  }
  return performance;
}

StepAnswers read_step(const JsonField& json) {
  StepAnswers step;
  step.side = json["side"].text() == "client" ? Side::client : Side::server;
  step.number = json["step_number"].small_count();
  step.text = json["step"].text();
  step.declared = json["declared"].text();
  for (const JsonField& answer : json["answers"].elements()) {
    step.answers.push_back(
        {answer["outcome"].text(), answer["count"].count(), answer["expected"].flag()});
  }
  return step;
}

AtlasEntry read_entry(const JsonField& json) {
  AtlasEntry entry;
  entry.name = json["name"].text();
  entry.folder = json["folder"].text();
  entry.about = json["about"].text();
  entry.racy = json["racy"].flag();
  entry.skipped = unless_null(json["skipped"], &JsonField::text).value_or("");
  const auto engine = [&](const JsonField& row) -> std::optional<Performance>& {
    return row["engine"].text() == "ring" ? entry.ring : entry.syscall;
  };
  for (const JsonField& row : json["engines"].elements()) engine(row) = read_performance(row);
  for (const JsonField& row : json["outcomes"].elements()) {
    if (!engine(row)) row.reject("is of an engine that did not play");
    engine(row)->steps.push_back(read_step(row));
  }
  return entry;
}

AtlasResult read_atlas(const JsonField& json) {
  AtlasResult atlas;
  atlas.context = read_origin(json["context"]);
  atlas.elapsed_s = json["context"]["elapsed_s"].number();
  for (const JsonField& row : json["scenarios"].elements())
    atlas.entries.push_back(read_entry(row));
  atlas.interrupted = json["interrupted"].flag();
  return atlas;
}

}  // namespace

RecordedResult read_recorded(const std::string& path) {
  const JsonField json = open_result(path);
  RecordedResult recorded;
  recorded.path = path;
  recorded.context = read_origin(json["context"]);
  recorded.interrupted = json["interrupted"].flag();
  if (json.find("claims")) {
    recorded.atlas = read_atlas(json);
    return recorded;
  }
  if (const auto gate = json.find("gate")) recorded.gate = read_gate(*gate);
  if (!recorded.gate || json.find("scenarios")) {
    CompareResult& load = recorded.load.emplace();
    load.run = read_run(json);
    if (const auto comparison = json.find("comparison")) read_comparison(*comparison, load);
    if (const auto sweep = json.find("sweep")) load.sweep = read_sweep(*sweep);
    if (const auto bills = json.find("bills")) {
      for (const JsonField& bill : bills->elements()) recorded.bills.push_back(read_bill(bill));
    }
    recorded.context = load.run.context;
  }
  for (const JsonField& verdict : json["verdicts"].elements()) {
    recorded.verdicts.push_back(read_verdict(verdict));
  }
  return recorded;
}

}  // namespace ringchurn
