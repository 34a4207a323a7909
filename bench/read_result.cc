// The mirror image of report_json.cc, field by field: see read_result.h.
#include "bench/read_result.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "bench/account.h"
#include "bench/json_field.h"
#include "bench/phase.h"
#include "bench/text.h"
#include "ring/error.h"

namespace ringchurn {
namespace {

constexpr std::uint64_t kSchemaVersion = 1;

std::string text_or_empty(const JsonField& field) {
  return unless_null(field, &JsonField::text).value_or("");
}

/// Null stands for what this side cannot know, and for nothing else.
std::uint64_t count_if(bool is_known, const JsonField& field) {
  if (is_known) return field.count();
  if (!field.is_null()) field.reject("is not null, though it is the other side's");
  return 0;
}

std::string one_of(const JsonField& field, std::initializer_list<std::string_view> known) {
  std::string word = field.text();
  if (std::find(known.begin(), known.end(), word) != known.end()) return word;
  field.reject(fmt::format("is none of {}", fmt::join(known, ", ")));
}

PlayedSide read_side(const JsonField& field) {
  const std::string name = field.text();
  for (const PlayedSide side : {PlayedSide::both, PlayedSide::client, PlayedSide::server}) {
    if (name == side_name(side)) return side;
  }
  field.reject("is none of both, client, server");
}

Context read_context(const JsonField& json) {
  Context context = read_origin(json);
  if (const auto field = json.find("received_by"); field && !field->is_null()) {
    context.received_by = one_of(*field, {"sender", "receiver"});
  }
  context.layout = one_of(json["layout"], {"pair", "single", "wide"});
  // Younger than the rest.
  if (const auto ways = json.find("ring")) context.ways = text_or_empty(*ways);
  context.threads = json["threads"].small_count();
  if (const auto servers = json.find("server_threads")) {
    context.server_threads = unless_null(*servers, &JsonField::small_count);
  }
  context.concurrency = json["concurrency"].small_count();
  context.seed = json["seed"].count();
  context.elapsed_s = json["elapsed_s"].number();
  context.side = read_side(json["side"]);
  context.run_id = text_or_empty(json["run_id"]);
  context.host = text_or_empty(json["host"]);
  context.network = text_or_empty(json["network"]);
  context.target = text_or_empty(json["target"]);
  for (const auto& [name, value] : json["sysctls"].members()) {
    context.sysctls.emplace_back(name, value.text());
  }
  return context;
}

Ledger read_ledger(const JsonField& json) {
  return {json["opened"].count(), json["finished"].count(), json["unexpected"].count(),
          json["open_at_deadline"].count()};
}

Bytes read_bytes(const JsonField& json, PlayedSide from, PlayedSide to, PlayedSide side) {
  Bytes bytes;
  bytes.sent = count_if(side != to, json["sent"]);
  bytes.received = count_if(side != from, json["received"]);
  if (side == PlayedSide::both) bytes.lost = json["lost"].signed_count();
  bytes.declared = unless_null(json["declared"], &JsonField::count);
  return bytes;
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> read_buckets(const JsonField& json) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> buckets;
  for (const JsonField& element : json.elements()) {
    const std::vector<JsonField> pair = element.elements();
    if (pair.size() != 2) element.reject("is not a pair of a time and a count");
    buckets.emplace_back(pair[0].count(), pair[1].count());
  }
  return buckets;
}

Percentiles read_percentiles(const JsonField& json) {
  Percentiles time;
  time.p50 = unless_null(json["p50"], &JsonField::count);
  time.p90 = unless_null(json["p90"], &JsonField::count);
  time.p99 = unless_null(json["p99"], &JsonField::count);
  time.p999 = unless_null(json["p999"], &JsonField::count);
  // Younger than the rest: a file that an earlier version wrote has neither.
  if (const auto p9999 = json.find("p9999")) time.p9999 = unless_null(*p9999, &JsonField::count);
  time.max = unless_null(json["max"], &JsonField::count);
  time.count = json["count"].count();
  if (const auto buckets = json.find("buckets")) time.buckets = read_buckets(*buckets);
  return time;
}

LatencySummary read_latency(const JsonField& json) {
  LatencySummary latency;
  for (const Phase& phase : kPhases) {
    if (phase.is_matched && !json.find(phase.name)) continue;  // an earlier version wrote it
    latency.*phase.times = read_percentiles(json[phase.name]);
  }
  return latency;
}

Matched read_matched(const JsonField& json) {
  return {json["connections"].count(), unless_null(json["why_not"], &JsonField::text).value_or("")};
}

/// A number, or [least, most].
CounterRange read_range(const JsonField& json) {
  if (!json.is_array()) return {json.count(), json.count(), ""};
  const std::vector<JsonField> ends = json.elements();
  if (ends.size() != 2 || ends[0].count() > ends[1].count()) json.reject("is not [least, most]");
  return {ends[0].count(), ends[1].count(), ""};
}

Declared read_declared(const JsonField& json) {
  Declared declared;
  for (const auto& [name, range] : json["kernel"].members()) {
    declared.kernel[name] = read_range(range);
  }
  declared.client_to_server = json["bytes"]["client_to_server"].count();
  declared.server_to_client = json["bytes"]["server_to_client"].count();
  return declared;
}

ScenarioResult read_scenario(const JsonField& json, PlayedSide side) {
  const auto [client, server] = std::pair(PlayedSide::client, PlayedSide::server);
  ScenarioResult scenario;
  scenario.name = json["name"].text();
  scenario.about = json["about"].text();
  scenario.weight = json["weight"].number();
  scenario.established = count_if(side != server, json["established"]);
  if (side != server) scenario.client = read_ledger(json["client"]);
  scenario.has_server = side == client || !json["server"].is_null();
  if (side != client && scenario.has_server) scenario.server = read_ledger(json["server"]);
  const JsonField bytes = json["bytes"];
  scenario.client_to_server = read_bytes(bytes["client_to_server"], client, server, side);
  scenario.server_to_client = read_bytes(bytes["server_to_client"], server, client, side);
  scenario.latency = read_latency(json["latency_ns"]);
  scenario.declared = read_declared(json["declared"]);
  if (const auto matched = json.find("matched")) scenario.matched = read_matched(*matched);
  return scenario;
}

ErrorRow read_error(const JsonField& json) {
  return {json["scenario"].text(),  one_of(json["side"], {"client", "server"}),
          json["step"].text(),      json["step_number"].small_count(),
          json["operation"].text(), json["errno"].text(),
          json["class"].text(),     json["expected"].flag(),
          json["count"].count()};
}

void read_pace(const JsonField& json, RunResult& result) {
  result.context.warm_up_s = json["warm_up_s"].number();
  result.longest_silence_s = json["longest_silence_s"].number();
  result.port_limited = json["port_limited"].count();
  const JsonField loop = json["open_loop"];
  if (loop.is_null()) return;
  result.open_loop = {
      loop["asked_per_s"].number(), one_of(loop["arrivals"], {"constant", "poisson"}),
      loop["begun"].count(),        loop["held_back"].count(),
      loop["never_begun"].count(),  read_percentiles(loop["lag_ns"])};
}

Cost read_cost(const JsonField& json) {
  Cost cost;
  cost.connections = json["connections"].count();
  cost.connections_per_second = json["connections_per_second"].number();
  cost.cpu_us_per_connection = json["cpu_us_per_connection"].number();
  cost.client_us = unless_null(json["client_us"], &JsonField::number);
  cost.server_us = unless_null(json["server_us"], &JsonField::number);
  cost.worker_us = json["worker_us"].number();
  cost.user_share = json["user_share"].number();
  cost.ksoftirqd_us = unless_null(json["ksoftirqd_us"], &JsonField::number);
  cost.segments_per_connection = json["segments_per_connection"].number();
  cost.pure_acks_per_connection = read_younger(json, "pure_acks_per_connection");
  cost.time_wait_per_connection = json["time_wait_per_connection"].number();
  cost.wake_ups_per_connection = read_younger(json, "wake_ups_per_connection");
  cost.syscalls_per_connection = json["syscalls_per_connection"].number();
  if (const auto memory = json.find("memory_bytes_per_connection")) {
    cost.memory_bytes_per_connection = unless_null(*memory, &JsonField::number);
  }
  return cost;
}

/// The names and values of an object.
template <typename T>
std::map<std::string, T> read_map(const JsonField& json, T (*read)(const JsonField&)) {
  std::map<std::string, T> map;
  for (const auto& [name, value] : json.members()) map[name] = read(value);
  return map;
}

Sample read_sample(const JsonField& json) {
  const auto count = [](const JsonField& field) { return field.count(); };
  const auto known = [](const JsonField& field) { return unless_null(field, &JsonField::count); };
  Sample sample;
  sample.t_s = json["t_s"].number();
  sample.counts.connections = json["connections"].count();
  sample.counts.in_flight = json["in_flight"].count();
  sample.cpu_us = json["cpu_us"].number();
  sample.time_wait = known(json["time_wait"]);
  sample.counts.errors = read_map<std::uint64_t>(json["errors"], count);
  sample.counts.expected_errors = json["expected_errors"].count();
  sample.counts.unexpected_errors = json["unexpected_errors"].count();
  sample.kernel = read_map<std::optional<std::uint64_t>>(json["kernel"], known);
  return sample;
}

/// Results of comparisons and merges, and those of earlier versions, have none.
std::optional<Series> read_series(const std::optional<JsonField>& json) {
  if (!json) return std::nullopt;
  Series series{(*json)["interval_s"].number(), {}};
  for (const JsonField& sample : (*json)["samples"].elements()) {
    series.samples.push_back(read_sample(sample));
  }
  return series;
}

Merged read_merged(const JsonField& json) {
  const auto part = [](const JsonField& side) {
    return Merged::Part{side["file"].text(), read_context(side["context"]),
                        read_series(side.find("series"))};
  };
  return {part(json["client"]), part(json["server"]), json["same_network"].flag()};
}

[[noreturn]] void refuse(const std::string& path, std::string_view what, std::string_view remedy) {
  throw Error(kExitUsage, printable(fmt::format("'{}' is {}; {}", path, what, remedy)));
}

/// What is JSON of ours, but no account of a run that can be read back.
void require_run(const std::string& path, const JsonField& json) {
  constexpr std::string_view kRemedy = "give the result of run, drive, serve or merge";
  if (json.find("claims")) refuse(path, "the result of an atlas", kRemedy);
  if (json.find("comparison")) refuse(path, "the result of a comparison", kRemedy);
}

}  // namespace

namespace {

void require_version(const std::string& path, const JsonField& json) {
  const std::uint64_t version = json["schema_version"].count();
  if (version != kSchemaVersion) {
    refuse(path,
           fmt::format("a result of schema_version {}, this ringchurn reads {}", version,
                       kSchemaVersion),
           "use the version that wrote it");
  }
}

}  // namespace

JsonField open_result(const std::string& path) {
  JsonField json =
      JsonField::read(path, "result of ringchurn", "give a file that ringchurn's --json wrote");
  require_version(path, json);
  return json;
}

std::optional<double> read_younger(const JsonField& json, const char* name) {
  const auto field = json.find(name);
  return field ? unless_null(*field, &JsonField::number) : std::nullopt;
}

Context read_origin(const JsonField& json) {
  Context context;
  context.version = json["version"].text();
  context.command = json["command"].text();
  context.kernel = json["kernel"].text();
  context.liburing = json["liburing"].text();
  context.compiler = json["compiler"].text();
  context.cpu_model = json["cpu_model"].text();
  context.cpus = json["cpus"].small_count();
  context.lab = one_of(json["lab"], {"private", "veth", "host"});
  context.family = one_of(json["family"], {"ipv4", "ipv6", "unix"});
  context.congestion_control = json["congestion_control"].text();
  context.started_at = json["started_at"].text();
  return context;
}

CounterRow read_counter(const std::string& name, const JsonField& json) {
  CounterRow row{.name = name, .measured = unless_null(json["measured"], &JsonField::count)};
  if (const auto extra = json.find("allowed_extra")) row.allowed_extra = extra->count();
  row.is_declared = !json["declared"].is_null();
  if (!row.is_declared) return row;
  const CounterRange range = read_range(json["declared"]);
  row.declared_min = range.min;
  row.declared_max = range.max;
  return row;
}

Verdict read_verdict(const JsonField& json) {
  return {json["name"].text(), json["ok"].flag(), json["advisory"].flag(), json["evidence"].text(),
          json["remedy"].text()};
}

RunResult read_run(const JsonField& json) {
  RunResult result;
  result.context = read_context(json["context"]);
  for (const JsonField& scenario : json["scenarios"].elements()) {
    result.scenarios.push_back(read_scenario(scenario, result.context.side));
  }
  if (result.scenarios.empty()) json["scenarios"].reject("is empty");
  for (const JsonField& row : json["errors"].elements()) result.errors.push_back(read_error(row));
  for (const auto& [name, row] : json["kernel"].members()) {
    result.kernel.push_back(read_counter(name, row));
  }
  result.asked_for = asked_for(result);
  read_pace(json["pace"], result);
  result.cost = read_cost(json["cost"]);
  for (const JsonField& verdict : json["verdicts"].elements()) {
    result.verdicts.push_back(read_verdict(verdict));
  }
  result.interrupted = json["interrupted"].flag();
  result.series = read_series(json.find("series"));
  if (const auto merged = json.find("merged")) result.merged = read_merged(*merged);
  return result;
}

RunResult read_result(const std::string& path) {
  const JsonField json = open_result(path);
  require_run(path, json);
  return read_run(json);
}

RunResult parse_result(const std::string& text, const std::string& program) {
  const JsonField json =
      JsonField::parse(text, program, "result of ringchurn", "let it print one by --json -");
  require_version(program, json);
  require_run(program, json);
  return read_run(json);
}

}  // namespace ringchurn
