// Markdown for a job's summary ($GITHUB_STEP_SUMMARY), a merge request or a chat: the verdict
// first, then what was compared, what it cost, and the errors.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>

#include "bench/atlas_words.h"
#include "bench/exports/exports.h"
#include "bench/phase.h"
#include "bench/recorded.h"
#include "bench/requirement.h"
#include "bench/text.h"

namespace ringchurn {
namespace {

using Row = std::vector<std::string>;

/// Text of others, which must not become markup.
std::string plain(std::string_view text) { return markdown(printable(text)); }

std::string row_text(const Row& cells) { return fmt::format("| {} |\n", fmt::join(cells, " | ")); }

/// A heading and a table under it; nothing if there are no rows. Cells are Markdown. The columns
/// after the first `words` hold numbers, and are aligned to the right.
std::string table(std::string_view heading, const Row& columns, std::size_t words,
                  const std::vector<Row>& rows) {
  if (rows.empty()) return "";
  Row rule(columns.size(), "---:");
  std::fill_n(rule.begin(), std::min(words, rule.size()), "---");
  std::string text = fmt::format("\n### {}\n\n{}{}", heading, row_text(columns), row_text(rule));
  for (const Row& row : rows) text += row_text(row);
  return text;
}

std::string number_or_dash(const std::optional<double>& number, int decimals) {
  return number ? grouped(*number, decimals) : "-";
}

std::string interval_or_dash(const std::optional<Estimate>& estimate, int decimals) {
  if (!estimate) return "-";
  return fmt::format("{:.{}f} \\[{:.{}f}, {:.{}f}\\]", estimate->value, decimals, estimate->ci_low,
                     decimals, estimate->ci_high, decimals);
}

// -- the verdict ----------------------------------------------------------------------------------

bool was_played(const AtlasEntry& entry) { return entry.ring || entry.syscall; }

std::string atlas_answer(const AtlasResult& atlas) {
  const auto& entries = atlas.entries;
  const auto played = std::count_if(entries.begin(), entries.end(), was_played);
  const auto expected = std::count_if(entries.begin(), entries.end(), [](const AtlasEntry& entry) {
    return was_played(entry) && entry.expected();
  });
  return fmt::format("{} of {} scenarios as expected, {} not, {} skipped", expected, entries.size(),
                     played - expected, static_cast<std::ptrdiff_t>(entries.size()) - played);
}

std::string load_answer(const Cost& cost) {
  if (cost.connections == 0) return "no connection ended";
  return fmt::format("{} connections, {} a second, {} us CPU each", grouped(cost.connections),
                     grouped(cost.connections_per_second, 0),
                     grouped(cost.cpu_us_per_connection, 2));
}

/// The answer in a heading, and what there is to quote below it.
std::string answer(const RecordedResult& result) {
  if (result.atlas) return fmt::format("## ringchurn: {}\n", atlas_answer(*result.atlas));
  const std::string sentence = result.gate              ? result.gate->sentence
                               : result.is_comparison() ? result.load->sentence
                                                        : "";
  const std::string heading = result.gate              ? gate_verdict_name(result.gate->verdict)
                              : result.is_comparison() ? "comparison"
                                                       : load_answer(result.load->run.cost);
  std::string text = fmt::format("## ringchurn: {}\n", heading);
  // One arm a line.
  for (std::size_t at = 0; at < sentence.size();) {
    const std::size_t end = std::min(sentence.find('\n', at), sentence.size());
    text += fmt::format("\n**{}**\n", plain(sentence.substr(at, end - at)));
    at = end + 1;
  }
  if (result.is_comparison() && sentence.empty()) {
    text += "\n**No answer: a verdict forbids it, or there were too few blocks.**\n";
  }
  return text;
}

std::string trust(const RecordedResult& result) {
  std::string text;
  if (result.interrupted) text += "\n**Interrupted: this is the part that was done.**\n";
  const auto holding = std::count_if(result.verdicts.begin(), result.verdicts.end(),
                                     [](const Verdict& verdict) { return verdict.ok; });
  if (!result.verdicts.empty()) {
    text += fmt::format("\n{} of {} verdicts hold.\n", holding, result.verdicts.size());
  }
  std::string list;
  for (const Verdict& verdict : result.verdicts) {
    if (verdict.ok) continue;
    list += fmt::format("- {}: **{}**: {}. {}\n", verdict.advisory ? "warning" : "FAILED",
                        plain(verdict.name), plain(verdict.evidence), plain(verdict.remedy));
  }
  return list.empty() ? text : text + '\n' + list;
}

// -- the tables -----------------------------------------------------------------------------------

std::string requirements(const Gate& gate) {
  std::vector<Row> rows;
  for (const RequirementResult& requirement : gate.requirements) {
    rows.push_back({plain(requirement.text), requirement.ok ? "holds" : "**FAILED**",
                    measured_text(requirement)});
  }
  return table("Requirements", {"requirement", "", "measured"}, 2, rows);
}

/// What was compared; of arms and servers the comparison says the same.
std::string gate_ratio(const Gate& gate) {
  if (gate.baseline.empty()) return "";
  return table("CPU of a connection, us",
               {"candidate", "baseline", "candidate us", "baseline us", "ratio \\[95%\\]", "pairs"},
               2,
               {{plain(gate.candidate), plain(gate.baseline),
                 number_or_dash(gate.candidate_value, 2), number_or_dash(gate.baseline_value, 2),
                 interval_or_dash(gate.ratio, 4), grouped(std::uint64_t{gate.pairs})}});
}

std::string comparison(const CompareResult& result) {
  std::vector<Row> rows;
  for (const ArmResult& arm : result.arms) {
    const bool is_baseline = &arm == &result.arms.front();
    rows.push_back({plain(arm.name), grouped(arm.connections),
                    grouped(arm.cpu_us_per_connection, 2),
                    is_baseline ? "baseline" : interval_or_dash(arm.ratio, 3),
                    is_baseline ? "" : interval_or_dash(arm.difference_us, 2)});
  }
  if (result.a_a) rows.push_back({"A/A control", "", "", interval_or_dash(result.a_a, 3), ""});
  return table(
      fmt::format("CPU of a connection, us, {}", plain(result.whose)),
      {"arm", "connections", "CPU us", "ratio \\[95% interval\\]", "difference us \\[95%\\]"}, 1,
      rows);
}

std::string sweep(const Sweep& swept) {
  std::vector<Row> rows;
  for (const SweepPoint& point : swept.points) {
    rows.push_back({plain(point.arm), point.on_front ? "yes" : "",
                    interval_or_dash(point.cpu_us_per_connection, 2),
                    interval_or_dash(point.teardown_p99_us, 1),
                    number_or_dash(point.time_wait_per_connection, 3),
                    grouped(point.lost_bytes_per_connection, 1),
                    grouped(point.errors_per_connection, 3)});
  }
  return table(fmt::format("Sweep of {}", plain(swept.scenario)),
               {"arm", "on the front", "CPU us \\[95%\\]", "teardown p99 us \\[95%\\]", "TIME_WAIT",
                "lost bytes", "errors"},
               2, rows);
}

std::string cost(const Cost& of) {
  if (of.connections == 0) return "";
  std::vector<Row> rows = {{"CPU us", grouped(of.cpu_us_per_connection, 2)}};
  const auto part = [&](const char* name, const std::optional<double>& us) {
    if (us) rows.push_back({name, grouped(*us, 2)});
  };
  part("of it, client", of.client_us);
  part("of it, server", of.server_us);
  part("of it, workers", of.worker_us);
  part("beside it, ksoftirqd", of.ksoftirqd_us);
  rows.push_back({"segments", grouped(of.segments_per_connection, 2)});
  rows.push_back({"TIME_WAIT", grouped(of.time_wait_per_connection, 3)});
  rows.push_back({"io_uring_enter", grouped(of.syscalls_per_connection, 3)});
  return table("Cost of a connection", {"what", "per connection"}, 1, rows);
}

std::string latency(const RunResult& run) {
  std::vector<Row> rows;
  const auto add = [&](const ScenarioResult& scenario, const char* phase, const Percentiles& time) {
    if (time.count == 0) return;
    const auto us = [](const std::optional<std::uint64_t>& ns) {
      return ns ? grouped(static_cast<double>(*ns) / 1e3, 1) : "-";
    };
    rows.push_back({plain(scenario.name), phase, us(time.p50), us(time.p99), us(time.p999),
                    us(time.max), grouped(time.count)});
  };
  for (const ScenarioResult& scenario : run.scenarios) {
    for (const Phase& phase : kPhases) {
      const bool is_beginning =
          phase.times == &LatencySummary::connect || phase.times == &LatencySummary::first_byte;
      if (!is_beginning) add(scenario, phase.title, scenario.latency.*phase.times);
    }
  }
  return table("Latency, us", {"scenario", "phase", "p50", "p99", "p99.9", "max", "connections"}, 2,
               rows);
}

/// Unexpected ones first.
std::string errors(std::vector<ErrorRow> all) {
  std::stable_partition(all.begin(), all.end(), [](const ErrorRow& row) { return !row.expected; });
  std::vector<Row> rows;
  for (const ErrorRow& row : all) {
    rows.push_back({plain(row.scenario), row.side, plain(row.step), plain(row.error),
                    row.expected ? "expected" : "**UNEXPECTED**", grouped(row.count)});
  }
  return table("Errors", {"scenario", "side", "step", "errno", "", "count"}, 5, rows);
}

std::string atlas_table(const AtlasResult& atlas) {
  std::vector<Row> rows;
  for (const AtlasEntry& entry : atlas.entries) {
    if (was_played(entry) && entry.expected()) continue;
    std::vector<std::string> lines;
    for (const std::string& line : details(entry)) lines.push_back(plain(line));
    if (lines.empty()) lines.emplace_back("not played");
    rows.push_back({plain(entry.folder), plain(entry.name),
                    was_played(entry) ? "**NOT as expected**" : "skipped",
                    fmt::format("{}", fmt::join(lines, "; "))});
  }
  return table("Not as expected, or skipped", {"folder", "scenario", "", "what"}, 4, rows);
}

}  // namespace

std::string markdown_export(const RecordedResult& result) {
  std::string text = answer(result) + trust(result);
  if (result.gate) {
    text += requirements(*result.gate);
    if (!result.load) text += gate_ratio(*result.gate);
  }
  if (result.load) {
    const CompareResult& load = *result.load;
    if (load.sweep) text += sweep(*load.sweep);
    text += result.is_comparison() ? comparison(load) : cost(load.run.cost);
    text += latency(load.run) + errors(load.run.errors);
  }
  if (result.atlas) text += atlas_table(*result.atlas);
  const Context& context = result.context;
  return text + fmt::format("\nringchurn {}, {}, {}, {} CPUs, started {}: {}\n",
                            plain(context.version), plain(context.kernel), plain(context.cpu_model),
                            context.cpus, plain(context.started_at), plain(context.command));
}

}  // namespace ringchurn
