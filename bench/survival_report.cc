// The verdict on a server as text and as JSON: see survival.h.
#include <fmt/format.h>

#include "bench/json.h"
#include "bench/survival.h"
#include "workloads/outcome.h"

namespace ringchurn {
namespace {

Json totals_json(const ProcessTotals& totals) {
  return {{"processes", totals.processes}, {"stopped", totals.stopped},
          {"ended", totals.ended},         {"threads", totals.threads},
          {"rss_bytes", totals.rss_bytes}, {"cpu_ns", totals.cpu_ns},
          {"fds", or_null(totals.fds)}};
}

Json sample_json(const ServerSample& sample) {
  Json json = totals_json(sample.totals);
  json["sockets"] = nullptr;
  if (const auto& sockets = sample.sockets) {
    json["sockets"] = {{"ESTABLISHED", sockets->established},
                       {"CLOSE_WAIT", sockets->close_wait},
                       {"FIN_WAIT2", sockets->fin_wait2},
                       {"FIN_WAIT2_orphans", sockets->fin_wait2_orphans},
                       {"reset", or_null(sample.reset_sockets)}};
  }
  json["accept_queue"] = nullptr;
  if (const auto& queue = sample.accept_queue) {
    json["accept_queue"] = {{"listeners", queue->listeners},
                            {"queue", queue->queue},
                            {"limit", queue->limit},
                            {"drops", or_null(queue->drops)}};
  }
  return json;
}

Json server_json(const WatchedServer& server) {
  return {{"before", sample_json(server.before)},
          {"worst", server.samples > 0 ? sample_json(server.worst) : Json(nullptr)},
          {"after", sample_json(server.after.sample)},
          {"rest_s", server.after.rest_s},
          {"samples", server.samples},
          {"stopped_samples", server.stopped_samples}};
}

}  // namespace

std::string survival_text(const SurvivalVerdict& verdict, const TextStyle& style) {
  constexpr std::size_t kIndent = 2;
  const Tint tint = verdict.survival == Survival::survived  ? Tint::good
                    : verdict.survival == Survival::unknown ? Tint::none
                                                            : Tint::bad;
  const std::string name = survival_name(verdict.survival);
  std::string text = fmt::format("Server: {}\n", tinted(name, tint, style));
  text += hanging(verdict.evidence, style.width, kIndent);
  for (const std::string& remark : verdict.remarks) text += hanging(remark, style.width, kIndent);
  return text;
}

Json survival_json(const SurvivalFacts& facts, const SurvivalVerdict& verdict) {
  const ProbeResult& probe = facts.probe;
  return {{"survival", survival_name(verdict.survival)},
          {"evidence", verdict.evidence},
          {"remarks", verdict.remarks},
          {"connections", facts.connections},
          {"in_flight", facts.in_flight},
          {"longest_silence_s", facts.longest_silence_s},
          {"cpu_us_per_connection", or_null(server_cpu_us(facts))},
          {"probe",
           {{"error",
             probe.error == 0 ? Json(nullptr) : Json(outcome_name(errno_outcome(probe.error)))},
            {"is_taken", or_null(probe.is_taken)},
            {"elapsed_s", probe.elapsed_s}}},
          {"script_finished", or_null(facts.script_finished)},
          {"server", facts.server ? server_json(*facts.server) : Json(nullptr)}};
}

}  // namespace ringchurn
