// OpenMetrics text, of the part that Prometheus' older format reads alike, so that one file serves
// both: node_exporter's textfile collector and promtool know the older one only. All are gauges and
// summaries: a result is a moment, which the next result replaces, and not a counter that grows.
//
// The kernel's counters keep their spelling as a label: in a name, `promtool check metrics` finds
// fault with capitals.
#include <fmt/format.h>

#include <map>
#include <string_view>

#include "bench/exports/exports.h"
#include "bench/exports/metrics.h"
#include "bench/text.h"

namespace ringchurn {
namespace {

using Labels = std::vector<std::pair<std::string, std::string>>;

std::string label_value(std::string_view text) {
  std::string safe;
  for (const char c : printable(text)) {
    if (c == '"' || c == '\\') safe += '\\';
    safe += c;
  }
  return safe;
}

std::string sample(std::string_view name, const Labels& labels, double value) {
  std::string text;
  for (const auto& [label, of] : labels) {
    text += fmt::format("{}{}=\"{}\"", text.empty() ? "" : ",", label, label_value(of));
  }
  return fmt::format("{}{} {}\n", name, text.empty() ? "" : "{" + text + "}", value);
}

/// "p999" as "0.999"; the maximum is the quantile 1.
std::string quantile_of(const std::string& percentile) {
  if (percentile == "max") return "1";
  return percentile == "p50" || percentile == "p90" ? "0." + percentile.substr(1, 1)
                                                    : "0." + percentile.substr(1);
}

/// Families in the order in which they came first, each with its samples: they must stand together.
class Exposition {
 public:
  void add(const std::string& name, const char* type, std::string_view unit, std::string_view help,
           const std::string& lines) {
    std::string& family = families_[name];
    if (family.empty()) {
      order_.push_back(name);
      family = fmt::format("# HELP {0} {1}.\n# TYPE {0} {2}\n", name, help, type);
      if (!unit.empty()) family += fmt::format("# UNIT {} {}\n", name, unit);
    }
    family += lines;
  }

  std::string text() const {
    std::string text;
    for (const std::string& name : order_) text += families_.at(name);
    return text + "# EOF\n";
  }

 private:
  std::vector<std::string> order_;
  std::map<std::string, std::string> families_;
};

bool is_quantile(const Metric& metric) {
  return !metric.labels.empty() && metric.labels.back().first == "quantile";
}

Labels labels_of(const Metric& metric) {
  Labels labels;
  if (metric.kind == SubjectKind::control) labels.emplace_back("control", "A/A");
  if (!metric.subject.empty()) labels.emplace_back(subject_kind_name(metric.kind), metric.subject);
  labels.insert(labels.end(), metric.labels.begin(), metric.labels.end());
  if (is_quantile(metric)) labels.back().second = quantile_of(labels.back().second);
  return labels;
}

/// The metric's samples; a summary's count stands behind the last of its quantiles, the maximum.
std::string samples_of(const Metric& metric, const std::string& name) {
  Labels labels = labels_of(metric);
  std::string text;
  if (metric.interval) {
    const Estimate& interval = *metric.interval;
    for (const auto& [estimate, number] :
         {std::pair{"ci_low", interval.ci_low}, std::pair{"ci_high", interval.ci_high}}) {
      labels.emplace_back("estimate", estimate);
      text += sample(name, labels, metric.in_base_units(number));
      labels.pop_back();
    }
    labels.emplace_back("estimate", "value");
  }
  text += sample(name, labels, metric.in_base_units(metric.value));
  if (is_quantile(metric) && metric.labels.back().second == "max") {
    labels.pop_back();
    text += sample(name + "_count", labels, static_cast<double>(metric.samples));
  }
  return text;
}

void add_facts(const RecordedResult& result, Exposition& to) {
  const Context& context = result.context;
  to.add("ringchurn_result", "gauge", "", "Always 1; its labels say what the result is about",
         sample("ringchurn_result",
                {{"version", context.version},
                 {"kernel", context.kernel},
                 {"cpu_model", context.cpu_model},
                 {"started_at", context.started_at},
                 {"interrupted", result.interrupted ? "true" : "false"}},
                1));
  for (const Verdict& verdict : result.verdicts) {
    to.add("ringchurn_verdict_ok", "gauge", "", "1 if it holds; 0 on what is advisory is a warning",
           sample("ringchurn_verdict_ok",
                  {{"verdict", verdict.name}, {"advisory", verdict.advisory ? "true" : "false"}},
                  verdict.ok ? 1 : 0));
  }
  if (!result.gate) return;
  using enum GateVerdict;
  for (const GateVerdict verdict : {fine, regression, undecided}) {
    to.add("ringchurn_gate", "gauge", "", "1 for what the gate decided",
           sample("ringchurn_gate", {{"verdict", gate_verdict_name(verdict)}},
                  result.gate->verdict == verdict));
  }
}

}  // namespace

std::string openmetrics_export(const RecordedResult& result) {
  Exposition exposition;
  add_facts(result, exposition);
  for (const Metric& metric : metrics_of(result)) {
    const std::string name = fmt::format("ringchurn_{}", metric.family->openmetrics);
    exposition.add(name, is_quantile(metric) ? "summary" : "gauge",
                   metric.is_time() ? "seconds" : "", metric.family->help,
                   samples_of(metric, name));
  }
  return exposition.text();
}

}  // namespace ringchurn
