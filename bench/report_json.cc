// Result structs in, JSON out: see report_json.h. Every field is explained in
// result.schema.json or atlas.schema.json.
#include "bench/report_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "bench/json.h"
#include "bench/phase.h"
#include "bench/report_bill.h"
#include "bench/text.h"
#include "ring/error.h"

namespace ringchurn {
namespace {

constexpr int kSchemaVersion = 1;

using ringchurn::or_null;
Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

/// What every kind of result says about where it was made.
Json origin_json(const Context& context) {
  return {{"version", context.version},
          {"command", context.command},
          {"kernel", context.kernel},
          {"liburing", context.liburing},
          {"compiler", context.compiler},
          {"cpu_model", context.cpu_model},
          {"cpus", context.cpus},
          {"lab", context.lab},
          {"family", context.family},
          {"congestion_control", context.congestion_control},
          {"started_at", context.started_at}};
}

Json context_json(const Context& context) {
  Json sysctls = Json::object();
  for (const auto& [name, value] : context.sysctls) sysctls[name] = value;
  Json json = origin_json(context);
  json.update({{"elapsed_s", context.elapsed_s},
               {"received_by", or_null(context.received_by)},
               {"layout", context.layout},
               {"ring", or_null(context.ways)},
               {"threads", context.threads},
               {"server_threads", or_null(context.server_threads)},
               {"concurrency", context.concurrency},
               {"seed", context.seed},
               {"side", side_name(context.side)},
               {"run_id", or_null(context.run_id)},
               {"host", or_null(context.host)},
               {"network", or_null(context.network)},
               {"target", or_null(context.target)},
               {"sysctls", sysctls}});
  return json;
}

Json ledger_json(const Ledger& ledger) {
  return {{"opened", ledger.opened},
          {"finished", ledger.finished},
          {"unexpected", ledger.unexpected},
          {"open_at_deadline", ledger.open_at_deadline}};
}

Json ledger_or_null(bool is_known, const Ledger& ledger) {
  return is_known ? ledger_json(ledger) : Json(nullptr);
}

Json count_or_null(bool is_known, std::int64_t count) {
  return is_known ? Json(count) : Json(nullptr);
}

Json count_or_null(bool is_known, std::uint64_t count) {
  return is_known ? Json(count) : Json(nullptr);
}

/// What `from` sent to `to`, as far as the ends that were `side` know.
Json bytes_json(const Bytes& bytes, PlayedSide from, PlayedSide to, PlayedSide side) {
  return {{"sent", count_or_null(side != to, bytes.sent)},
          {"received", count_or_null(side != from, bytes.received)},
          {"lost", count_or_null(side == PlayedSide::both, bytes.lost)},
          {"declared", or_null(bytes.declared)}};
}

Json range_json(std::uint64_t least, std::uint64_t most) {
  return least == most ? Json(least) : Json::array({least, most});
}

Json declared_json(const Declared& declared) {
  Json kernel = Json::object();
  for (const auto& [name, range] : declared.kernel) kernel[name] = range_json(range.min, range.max);
  return {{"kernel", kernel},
          {"bytes",
           {{"client_to_server", declared.client_to_server},
            {"server_to_client", declared.server_to_client}}}};
}

Json percentiles_json(const Percentiles& time) {
  return {{"p50", or_null(time.p50)},   {"p90", or_null(time.p90)},     {"p99", or_null(time.p99)},
          {"p999", or_null(time.p999)}, {"p9999", or_null(time.p9999)}, {"max", or_null(time.max)},
          {"count", time.count},        {"buckets", time.buckets}};
}

Json scenario_json(const ScenarioResult& scenario, PlayedSide side) {
  const auto [client, server] = std::pair(PlayedSide::client, PlayedSide::server);
  Json json = {{"name", scenario.name}, {"about", scenario.about}, {"weight", scenario.weight}};
  const Json ledger = ledger_json(scenario.client);
  for (const auto& [name, number] : ledger.items()) {
    json[name] = side == server ? Json(nullptr) : number;
  }
  json["established"] = count_or_null(side != server, scenario.established);
  json["client"] = ledger_or_null(side != server, scenario.client);
  json["server"] = ledger_or_null(side != client && scenario.has_server, scenario.server);
  json["bytes"] = {
      {"client_to_server", bytes_json(scenario.client_to_server, client, server, side)},
      {"server_to_client", bytes_json(scenario.server_to_client, server, client, side)}};
  for (const Phase& phase : kPhases) {
    json["latency_ns"][phase.name] = percentiles_json(scenario.latency.*phase.times);
  }
  json["matched"] = {{"connections", scenario.matched.connections},
                     {"why_not", or_null(scenario.matched.why_not)}};
  json["declared"] = declared_json(scenario.declared);
  return json;
}

Json error_json(const ErrorRow& row) {
  return {{"scenario", row.scenario},       {"side", row.side},           {"step", row.step},
          {"step_number", row.step_number}, {"operation", row.operation}, {"errno", row.error},
          {"class", row.errno_class},       {"expected", row.expected},   {"count", row.count}};
}

Json counter_json(const CounterRow& row) {
  return {{"measured", or_null(row.measured)},
          {"declared",
           row.is_declared ? range_json(row.declared_min, row.declared_max) : Json(nullptr)},
          {"allowed_extra", row.allowed_extra},
          {"agrees", row.is_declared ? Json(row.agrees()) : Json(nullptr)}};
}

Json cost_json(const Cost& cost) {
  return {{"connections", cost.connections},
          {"connections_per_second", cost.connections_per_second},
          {"cpu_us_per_connection", cost.cpu_us_per_connection},
          {"client_us", or_null(cost.client_us)},
          {"server_us", or_null(cost.server_us)},
          {"worker_us", cost.worker_us},
          {"ksoftirqd_us", or_null(cost.ksoftirqd_us)},
          {"user_share", cost.user_share},
          {"segments_per_connection", cost.segments_per_connection},
          {"pure_acks_per_connection", or_null(cost.pure_acks_per_connection)},
          {"time_wait_per_connection", cost.time_wait_per_connection},
          {"syscalls_per_connection", cost.syscalls_per_connection},
          {"wake_ups_per_connection", or_null(cost.wake_ups_per_connection)},
          {"memory_bytes_per_connection", or_null(cost.memory_bytes_per_connection)}};
}

Json open_loop_json(const OpenLoop& loop) {
  return {{"asked_per_s", loop.asked_per_s},
          {"arrivals", loop.arrivals},
          {"begun", loop.begun},
          {"held_back", loop.held_back},
          {"never_begun", loop.never_begun},
          {"lag_ns", percentiles_json(loop.lag)}};
}

Json pace_json(const RunResult& result) {
  return {{"warm_up_s", result.context.warm_up_s},
          {"longest_silence_s", result.longest_silence_s},
          {"port_limited", result.port_limited},
          {"open_loop", result.open_loop ? open_loop_json(*result.open_loop) : Json(nullptr)}};
}

Json verdict_json(const Verdict& verdict) {
  return {{"name", verdict.name},
          {"ok", verdict.ok},
          {"advisory", verdict.advisory},
          {"evidence", verdict.evidence},
          {"remedy", verdict.remedy}};
}

Json arm_json(const ArmResult& arm) {
  const auto& [ratio, difference] = std::tie(arm.ratio, arm.difference_us);
  Json json = {{"name", arm.name},
               {"connections", arm.connections},
               {"metric", "cpu_us_per_connection"},
               {"value", arm.cpu_us_per_connection}};
  json["ratio"] = ratio ? Json(ratio->value) : Json(nullptr);
  json["ci_low"] = ratio ? Json(ratio->ci_low) : Json(nullptr);
  json["ci_high"] = ratio ? Json(ratio->ci_high) : Json(nullptr);
  json["difference"] = difference ? Json(difference->value) : Json(nullptr);
  json["difference_ci_low"] = difference ? Json(difference->ci_low) : Json(nullptr);
  json["difference_ci_high"] = difference ? Json(difference->ci_high) : Json(nullptr);
  json["unit"] = "us";
  json["segments_per_connection"] = or_null(arm.segments_per_connection);
  json["time_wait_per_connection"] = or_null(arm.time_wait_per_connection);
  json["pure_acks_per_connection"] = or_null(arm.pure_acks_per_connection);
  json["syscalls_per_connection"] = or_null(arm.syscalls_per_connection);
  json["wake_ups_per_connection"] = or_null(arm.wake_ups_per_connection);
  json["blocks_left_out"] = arm.blocks_left_out;
  json["p_value"] = or_null(arm.p_value);
  json["p_holm"] = or_null(arm.p_holm);
  json["minimum_detectable_effect"] = or_null(arm.minimum_detectable_effect);
  json["verdict"] = nullptr;
  if (ratio) json["verdict"] = ratio->value < 1 ? "less" : "more";
  if (ratio && !arm.differs()) json["verdict"] = "no difference found";
  return json;
}

Json slices_json(const std::vector<Slice>& slices) {
  Json rows = Json::array();
  for (const Slice& slice : slices) {
    rows.push_back(
        {slice.block, or_null(slice.arm), slice.began_s, slice.cpu_us, slice.connections});
  }
  return {{"columns", {"block", "arm", "began_s", "cpu_us", "connections"}}, {"rows", rows}};
}

Json look_json(const Look& look) {
  return {
      {"blocks", look.blocks}, {"measured_s", look.measured_s}, {"half_width", look.half_width}};
}

Json resolution_json(const Resolution& resolution) {
  Json json = {{"half_width", or_null(resolution.half_width)},
               {"minimum_detectable_effect", or_null(resolution.minimum_detectable_effect)},
               {"asked", or_null(resolution.asked)},
               {"reached", nullptr},
               {"max_time_s", nullptr},
               {"looks", Json::array()}};
  for (const Look& look : resolution.looks) json["looks"].push_back(look_json(look));
  if (!resolution.asked) return json;
  json["reached"] = resolution.reached;
  json["max_time_s"] = resolution.max_time_s;
  return json;
}

Json comparison_json(const CompareResult& result) {
  const ArmResult& baseline = result.arms.at(0);
  Json arms = Json::array();
  for (std::size_t i = 1; i < result.arms.size(); ++i) arms.push_back(arm_json(result.arms[i]));
  Json a_a = nullptr;
  if (result.a_a) {
    a_a = {{"ratio", result.a_a->value},
           {"ci_low", result.a_a->ci_low},
           {"ci_high", result.a_a->ci_high},
           {"p_value", or_null(result.a_a_p_value)}};
  }
  return {{"baseline", baseline.name},
          {"whose", result.whose},
          {"baseline_connections", baseline.connections},
          {"baseline_value", baseline.cpu_us_per_connection},
          {"baseline_segments_per_connection", or_null(baseline.segments_per_connection)},
          {"baseline_time_wait_per_connection", or_null(baseline.time_wait_per_connection)},
          {"baseline_pure_acks_per_connection", or_null(baseline.pure_acks_per_connection)},
          {"baseline_syscalls_per_connection", or_null(baseline.syscalls_per_connection)},
          {"baseline_wake_ups_per_connection", or_null(baseline.wake_ups_per_connection)},
          {"arms", arms},
          {"a_a", a_a},
          {"blocks", result.blocks},
          {"slice_ms", result.slice_ms},
          {"measured_s", result.measured_s},
          {"resolution", resolution_json(result.resolution)},
          {"slices", slices_json(result.slices)},
          {"sentence", result.sentence}};
}

Json value_json(const std::optional<Estimate>& estimate) {
  return estimate ? Json(estimate->value) : Json(nullptr);
}

/// [low, high]
Json ends_json(const std::optional<Estimate>& estimate) {
  return estimate ? Json::array({estimate->ci_low, estimate->ci_high}) : Json(nullptr);
}

Json sweep_json(const Sweep& sweep) {
  Json points = Json::array();
  for (const SweepPoint& point : sweep.points) {
    Json values = Json::object();
    for (const auto& [param, value] : point.values) values[param] = value;
    points.push_back({{"arm", point.arm},
                      {"values", values},
                      {"cpu_us_per_connection", value_json(point.cpu_us_per_connection)},
                      {"cpu_us_ci", ends_json(point.cpu_us_per_connection)},
                      {"teardown_p99_us", value_json(point.teardown_p99_us)},
                      {"teardown_p99_us_ci", ends_json(point.teardown_p99_us)},
                      {"time_wait_per_connection", or_null(point.time_wait_per_connection)},
                      {"lost_bytes_per_connection", point.lost_bytes_per_connection},
                      {"errors_per_connection", point.errors_per_connection},
                      {"on_front", point.on_front}});
  }
  return {{"scenario", sweep.scenario}, {"points", points}};
}

Json moment_json(const Sample& sample) {
  Json kernel = Json::object();
  for (const auto& [name, count] : sample.kernel) kernel[name] = or_null(count);
  const LoadCounts& counts = sample.counts;
  return {{"t_s", sample.t_s},
          {"connections", counts.connections},
          {"in_flight", counts.in_flight},
          {"cpu_us", sample.cpu_us},
          {"time_wait", or_null(sample.time_wait)},
          {"errors", counts.errors},
          {"expected_errors", counts.expected_errors},
          {"unexpected_errors", counts.unexpected_errors},
          {"kernel", kernel}};
}

template <typename Row>
Json rows_json(const std::vector<Row>& rows, Json (*convert)(const Row&)) {
  Json json = Json::array();
  for (const Row& row : rows) json.push_back(convert(row));
  return json;
}

Json series_json(const Series& series) {
  return {{"interval_s", series.interval_s}, {"samples", rows_json(series.samples, moment_json)}};
}

Json merged_json(const Merged& merged) {
  const auto part_json = [](const Merged::Part& part) {
    Json json = {{"file", part.file}, {"context", context_json(part.context)}};
    if (part.series) json["series"] = series_json(*part.series);
    return json;
  };
  return {{"client", part_json(merged.client)},
          {"server", part_json(merged.server)},
          {"same_network", merged.same_network}};
}

Json result_json(const RunResult& result, Json comparison) {
  Json scenarios = Json::array();
  for (const ScenarioResult& scenario : result.scenarios) {
    scenarios.push_back(scenario_json(scenario, result.context.side));
  }
  Json kernel = Json::object();
  for (const CounterRow& row : result.kernel) kernel[row.name] = counter_json(row);
  Json json = {{"schema_version", kSchemaVersion},
               {"context", context_json(result.context)},
               {"scenarios", scenarios},
               {"errors", rows_json(result.errors, error_json)},
               {"kernel", kernel},
               {"pace", pace_json(result)},
               {"cost", cost_json(result.cost)}};
  if (result.server) {
    json["server"] = survival_json(result.server->facts, result.server->verdict);
  }
  if (!comparison.is_null()) json["comparison"] = std::move(comparison);
  if (result.series) json["series"] = series_json(*result.series);
  if (result.merged) json["merged"] = merged_json(*result.merged);
  json["verdicts"] = rows_json(result.verdicts, verdict_json);
  json["interrupted"] = result.interrupted;
  return json;
}

Json requirement_json(const RequirementResult& requirement) {
  return {
      {"text", requirement.text}, {"value", or_null(requirement.value)}, {"ok", requirement.ok}};
}

Json gate_part(const Gate& gate) {
  Json ratio = nullptr;
  if (gate.ratio) {
    ratio = {{"value", gate.ratio->value},
             {"ci_low", gate.ratio->ci_low},
             {"ci_high", gate.ratio->ci_high}};
  }
  return {{"verdict", gate_verdict_name(gate.verdict)},
          {"metric", "cpu_us_per_connection"},
          {"margin", gate.margin},
          {"method", gate.method},
          {"baseline", or_null(gate.baseline)},
          {"candidate", gate.candidate},
          {"baseline_value", or_null(gate.baseline_value)},
          {"candidate_value", or_null(gate.candidate_value)},
          {"ratio", ratio},
          {"pairs", gate.pairs},
          {"requirements", rows_json(gate.requirements, requirement_json)},
          {"sentence", gate.sentence}};
}

Json atlas_context_json(const AtlasResult& result) {
  Json json = origin_json(result.context);
  json["elapsed_s"] = result.elapsed_s;
  return json;
}

Json step_json(const char* engine, const StepAnswers& step) {
  Json answers = Json::array();
  for (const AnswerCount& answer : step.answers) {
    answers.push_back(
        {{"outcome", answer.outcome}, {"count", answer.count}, {"expected", answer.expected}});
  }
  return {{"engine", engine},           {"side", side_name(step.side)}, {"step", step.text},
          {"step_number", step.number}, {"declared", step.declared},    {"answers", answers}};
}

Json performance_json(const char* engine, const Performance& performance) {
  Json counters = Json::object();
  for (const CounterRow& row : performance.counters) {
    counters[row.name] = counter_json(row);
    counters[row.name].erase("allowed_extra");  // both ends share a thread: there is none
  }
  return {{"engine", engine},
          {"runs", performance.runs},
          {"finished", performance.finished},
          {"expected", performance.expected},
          {"failure", performance.failure.empty() ? Json(nullptr) : Json(performance.failure)},
          {"counters", counters}};
}

Json entry_json(const AtlasEntry& entry) {
  Json outcomes = Json::array(), engines = Json::array();
  unsigned runs = 0;
  for (const auto& [engine, performance] :
       {std::pair{"ring", &entry.ring}, std::pair{"syscall", &entry.syscall}}) {
    if (!*performance) continue;
    runs = std::max(runs, (*performance)->runs);
    engines.push_back(performance_json(engine, **performance));
    for (const StepAnswers& step : (*performance)->steps) {
      if (step.number > 0) outcomes.push_back(step_json(engine, step));
    }
  }
  Json claims = Json::object();
  for (const auto& [id, evidence] : entry.claims) {
    claims[id] = evidence == Evidence::holds   ? "holds"
                 : evidence == Evidence::wrong ? "wrong"
                                               : "partly";
  }
  return {{"name", entry.name},
          {"folder", entry.folder},
          {"about", entry.about},
          {"racy", entry.racy},
          {"runs", runs},
          {"expected", runs > 0 && entry.expected()},
          {"skipped", entry.skipped.empty() ? Json(nullptr) : Json(entry.skipped)},
          {"claims", claims},
          {"engines", engines},
          {"outcomes", outcomes}};
}

Json claim_json(const ClaimResult& claim) {
  return {{"id", claim.id},
          {"claim", claim.claim},
          {"note", claim.note},
          {"verdict", verdict_name(claim.verdict)},
          {"shown_by", claim.shown_by}};
}

Json feature_json(const RingFeature& feature) {
  return {{"name", feature.name},
          {"since", feature.since},
          {"needed", feature.needed},
          {"available", feature.available}};
}

void require_finite(const Json& json, const std::string& path) {
  if (json.is_number_float() && !std::isfinite(json.get<double>())) {
    throw std::logic_error("not a finite number: " + path);
  }
  if (!json.is_structured()) return;
  for (const auto& [key, value] : json.items())
    require_finite(value, fmt::format("{}/{}", path, key));
}

std::string dump(const Json& json) {
  require_finite(json, "");  // nlohmann would write null in its place
  return pretty(json) + '\n';
}

}  // namespace

std::string run_json(const RunResult& result) {
  Json json = result_json(result, nullptr);
  if (!result.bills.empty()) json["bills"] = bills_json(result.bills);
  return dump(json);
}

std::string compare_json(const CompareResult& result) {
  Json json = result_json(result.run, comparison_json(result));
  if (const auto bills = bills_of(result); !bills.empty()) json["bills"] = bills_json(bills);
  if (result.sweep) json["sweep"] = sweep_json(*result.sweep);
  return dump(json);
}

std::string gate_json(const GateResult& result) {
  Json json;
  if (result.comparison) {
    json = result_json(result.comparison->run, comparison_json(*result.comparison));
  } else {
    json = {{"schema_version", kSchemaVersion},
            {"context", context_json(result.context)},
            {"verdicts", rows_json(result.verdicts, verdict_json)},
            {"interrupted", result.interrupted}};
  }
  json["gate"] = gate_part(result.gate);
  return dump(json);
}

std::string sample_json(const Sample& sample) {
  const Json json = moment_json(sample);
  require_finite(json, "");
  return json.dump();
}

std::string atlas_json(const AtlasResult& result) {
  return dump({{"schema_version", kSchemaVersion},
               {"context", atlas_context_json(result)},
               {"scenarios", rows_json(result.entries, entry_json)},
               {"claims", rows_json(result.claims, claim_json)},
               {"interrupted", result.interrupted}});
}

std::string doctor_json(const MachineFacts& facts, const std::vector<Verdict>& verdicts) {
  return dump({{"schema_version", kSchemaVersion},
               {"version", RINGCHURN_VERSION},
               {"kernel", facts.kernel},
               {"io_uring", rows_json(facts.features, feature_json)},
               {"verdicts", rows_json(verdicts, verdict_json)}});
}

}  // namespace ringchurn
