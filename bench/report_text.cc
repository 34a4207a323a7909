// Result structs in, aligned text out: see report_text.h.
//
// The verdicts stand at the end, and a comparison's sentence after them. A report is longer than a
// screen: what was printed last is where the eye is when the prompt returns, and whoever asks for
// the reasons scrolls up from there. A reader must never meet a number without the doubt about it,
// so the very last line says whether to trust the report.
#include "bench/report_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "bench/phase.h"
#include "bench/report_arms.h"
#include "bench/report_bill.h"
#include "bench/requirement.h"

namespace ringchurn {
namespace {

std::string ends_text(const Context& context) {
  if (context.side == PlayedSide::both) return "layout " + context.layout;
  return fmt::format("the {}'s end alone{}{}", side_name(context.side),
                     context.target.empty() ? "" : ", against ", context.target);
}

std::string threads_text(const Context& context) {
  if (!context.server_threads) return fmt::format("threads {}", context.threads);
  return fmt::format("threads {} + {}", context.threads, *context.server_threads);
}

/// ", ring plain+sqpoll", or "" by default.
std::string ways_told(const Context& context) {
  return context.ways.empty() ? "" : ", ring " + context.ways;
}

/// The first lines: of what, in what setting, on what machine.
std::string header(std::string_view title, const Context& context, const TextStyle& style) {
  const char* received_by =
      context.received_by == "receiver" ? " (each end's CPU processes what that end receives)" : "";
  const std::string what =
      fmt::format("{} lab{}, {}, {}, {}{}, {}, concurrency {}, seed {}, started {}", context.lab,
                  received_by, context.family, context.congestion_control, ends_text(context),
                  ways_told(context), threads_text(context),
                  grouped(std::uint64_t{context.concurrency}), context.seed, context.started_at);
  const std::string warm_up = context.warm_up_s == 0
                                  ? ""
                                  : fmt::format(
                                        "the first {} s are a warm-up: in the ledger and the "
                                        "counters, not in latency, rate or cost",
                                        grouped(context.warm_up_s, 1));
  const std::string where =
      fmt::format("ringchurn {}, {}, liburing {}, {}, {} CPUs: {}", context.version, context.kernel,
                  context.liburing, context.compiler, context.cpus, context.cpu_model);
  std::string text = tinted(title, Tint::bold, style) + '\n';
  for (const std::string& line : {context.command, what, warm_up, where}) {
    if (line.empty()) continue;
    text += wrap(printable(line), style.width, 2);
  }
  return text;
}

/// The first lines of a merged result: which files, and where each was written.
std::string header(std::string_view title, const std::string& command, const Merged& merged,
                   const TextStyle& style) {
  std::string text = tinted(title, Tint::bold, style) + '\n';
  text += wrap(printable(command), style.width, 2);
  for (const Merged::Part* part : {&merged.client, &merged.server}) {
    const Context& context = part->context;
    text += wrap(
        printable(fmt::format(
            "{}: {}, {}, {} lab, {}, {}{}, threads {}, started {}, ringchurn {}, {}, {} "
            "CPUs: {}",
            side_name(context.side), part->file, context.host, context.lab, context.family,
            context.congestion_control, ways_told(context), context.threads, context.started_at,
            context.version, context.kernel, context.cpus, context.cpu_model)),
        style.width, 2);
  }
  if (!merged.same_network) return text;
  return text + wrap(
                    "Both sides were in one network namespace: what its kernel counted stands here "
                    "once, as the server's side has it.",
                    style.width, 2);
}

Cell count(std::uint64_t number, Tint if_not_zero = Tint::none) {
  return {grouped(number), number == 0 ? Tint::none : if_not_zero};
}

void add_ledger(Table& table, const ScenarioResult& scenario, PlayedSide side, bool is_first,
                const Ledger& ledger) {
  table.add({is_first ? scenario.name : "", is_first ? grouped(100 * scenario.weight, 1) + "%" : "",
             side_name(side), count(ledger.opened), count(ledger.finished),
             count(ledger.unexpected, Tint::bad), count(ledger.open_at_deadline)});
}

std::string ledgers(const RunResult& result, const TextStyle& style) {
  const auto [client, server] = std::pair(PlayedSide::client, PlayedSide::server);
  const PlayedSide side = result.context.side;
  Table table({{"scenario", false, true},
               {"share", true},
               {"side"},
               {"opened", true},
               {"finished", true},
               {"unexpected", true},
               {"open", true}});
  for (const ScenarioResult& scenario : result.scenarios) {
    if (side != server) add_ledger(table, scenario, client, true, scenario.client);
    if (side == client) continue;
    if (scenario.has_server) add_ledger(table, scenario, server, side == server, scenario.server);
    if (!scenario.has_server) {
      table.add({side == server ? scenario.name : "", "", "server", "-", "-", "-", "-"});
    }
  }
  return section("CONNECTIONS: opened = finished + unexpected + open", table, style);
}

std::string bytes(const RunResult& result, const TextStyle& style) {
  const auto [client, server] = std::pair(PlayedSide::client, PlayedSide::server);
  const PlayedSide side = result.context.side;
  Table table({{"scenario", false, true},
               {"direction"},
               {"sent", true},
               {"received", true},
               {"lost", true}});
  for (const ScenarioResult& scenario : result.scenarios) {
    bool is_first = true;
    for (const auto& [from, to, moved] : {std::tuple{client, server, &scenario.client_to_server},
                                          std::tuple{server, client, &scenario.server_to_client}}) {
      if (moved->sent == 0 && moved->received == 0) continue;
      table.add({is_first ? scenario.name : "",
                 fmt::format("{} to {}", side_name(from), side_name(to)),
                 side == to ? "-" : count(moved->sent), side == from ? "-" : count(moved->received),
                 side == PlayedSide::both ? grouped(static_cast<double>(moved->lost), 0) : "-"});
      is_first = false;
    }
  }
  return section("BYTES", table, style);
}

/// The rows that were expected, or those that were not: two tables, because the first are data and
/// the second are failures.
std::string errors(std::vector<ErrorRow> rows, bool expected, const TextStyle& style) {
  std::erase_if(rows, [&](const ErrorRow& row) { return row.expected != expected; });
  std::stable_sort(rows.begin(), rows.end(),
                   [](const ErrorRow& a, const ErrorRow& b) { return a.count > b.count; });
  Table table({{"scenario", false, true},
               {"side"},
               {"step", false, true},
               {"error"},
               {"class"},
               {"count", true}});
  for (const ErrorRow& row : rows) {
    table.add({row.scenario,
               row.side,
               fmt::format("{} {}", row.step_number, row.step),
               {row.error, expected ? Tint::none : Tint::bad},
               row.errno_class,
               count(row.count)});
  }
  return section(expected ? "EXPECTED ERRORS, part of the scenarios" : "UNEXPECTED ERRORS", table,
                 style);
}

/// Nanoseconds as microseconds, with a decimal where it says something.
std::string microseconds(std::optional<std::uint64_t> ns) {
  if (!ns) return "-";
  return grouped(static_cast<double>(*ns) / 1000, *ns < 1'000'000 ? 1 : 0);
}

/// Of which scenarios it is not known when the peer heard and when both ends were gone, and why.
std::string unmatched(const std::vector<ScenarioResult>& scenarios, const TextStyle& style) {
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const ScenarioResult& scenario : scenarios) {
    if (!scenario.matched.why_not.empty()) {
      by_reason[scenario.matched.why_not].push_back(scenario.name);
    }
  }
  std::string text;
  for (const auto& [reason, names] : by_reason) {
    text += wrap(fmt::format("  When the peer heard and when both were gone is not known of {}, "
                             "because {}.",
                             fmt::join(names, ", "), reason),
                 style.width, 2);
  }
  return text;
}

/// What the times count from.
std::string latency_note(bool is_open_loop, bool has_matched) {
  std::string note = is_open_loop ? "Since a connection was meant to begin."
                                  : "Since the first step was issued, resting left out.";
  if (has_matched) {
    note +=
        " Teardown step, peer heard and gone count from the active side's first teardown step, at "
        "both ends, of the last connections.";
  }
  return note +
         " A teardown ends with the client's script: compare it over time, not across scenarios.";
}

std::string latencies(const RunResult& result, const TextStyle& style) {
  const std::vector<ScenarioResult>& scenarios = result.scenarios;
  Table table({{"scenario", false, true},
               {"phase"},
               {"p50", true},
               {"p90", true},
               {"p99", true},
               {"p99.9", true},
               {"max", true},
               {"samples", true}});
  bool has_matched = false;
  for (const ScenarioResult& scenario : scenarios) {
    bool is_first = true;
    for (const Phase& phase : kPhases) {
      const Percentiles& time = scenario.latency.*phase.times;
      if (phase.is_matched && time.count == 0) continue;
      has_matched |= phase.is_matched;
      std::vector<Cell> row = {is_first ? scenario.name : "", phase.title};
      for (const auto& ns : {time.p50, time.p90, time.p99, time.p999, time.max}) {
        row.emplace_back(microseconds(ns));
      }
      row.push_back(count(time.count));
      table.add(std::move(row));
      is_first = false;
    }
  }
  const std::string note = latency_note(result.open_loop.has_value(), has_matched);
  return section(
      "LATENCY, us",
      table.text(style) + wrap("  " + note, style.width, 2) + unmatched(scenarios, style), style);
}

std::string counters(const std::vector<CounterRow>& rows, const TextStyle& style) {
  Table table({{"counter", false, true}, {"measured", true}, {"declared", true}, {"agrees"}});
  for (const CounterRow& row : rows) {
    const std::string least = grouped(row.declared_min);
    const std::string most = grouped(row.declared_max);
    if (!row.is_declared) {
      table.add({row.name, row.measured ? grouped(*row.measured) : "-", "-", "-"});
      continue;
    }
    Cell agrees = row.agrees() ? Cell("yes", Tint::good) : Cell("NO", Tint::bad);
    if (row.used_extra()) agrees = Cell("WARN", Tint::bad);
    if (!row.measured) agrees = Cell("unknown: this kernel has none", Tint::bad);
    table.add({row.name, row.measured ? grouped(*row.measured) : "-",
               least == most ? least : fmt::format("{} to {}", least, most), agrees});
  }
  return section("KERNEL COUNTERS, over the whole run", table, style);
}

std::string cost(const RunResult& result, const TextStyle& style) {
  const Cost& cost = result.cost;
  const PlayedSide side = result.context.side;
  const bool both = side == PlayedSide::both;
  const auto is_played_by = [&ways = result.context.ways](const char* way) {
    return ways.find(way) != ways.npos;
  };
  Table table({{""}, {"", true}, {""}});
  table.add({"CPU", grouped(cost.cpu_us_per_connection, 2) + " us",
             both ? "both ends" : fmt::format("the {}'s end", side_name(side))});
  if (cost.client_us) {
    table.add({"  client", grouped(*cost.client_us, 2) + " us", "the clients' threads"});
  }
  if (cost.server_us) {
    table.add({"  server", grouped(*cost.server_us, 2) + " us", "the servers' threads"});
  }
  if (cost.client_us || cost.server_us) {
    table.add({"  other", grouped(cost.worker_us, 2) + " us",
               is_played_by("sqpoll") ? "sqpoll's threads, io-wq workers, the main thread"
                                      : "io-wq workers, the main thread"});
  }
  table.add({"in user mode", grouped(100 * cost.user_share, 1) + " % ", ""});
  if (cost.ksoftirqd_us) {
    table.add({"ksoftirqd", grouped(*cost.ksoftirqd_us, 2) + " us",
               "of the whole machine, not in the CPU above"});
  }
  table.add({"segments", grouped(cost.segments_per_connection, 2) + "   ",
             both ? "sent by both ends" : "sent from this network"});
  if (cost.pure_acks_per_connection) {
    table.add({"  acknowledgements", grouped(*cost.pure_acks_per_connection, 2) + "   ",
               "of them, without anything else"});
  }
  table.add({"TIME_WAIT", grouped(cost.time_wait_per_connection, 2) + "   ", "sockets made"});
  table.add(
      {"io_uring_enter", grouped(cost.syscalls_per_connection, 2) + "   ",
       is_played_by("shutdown-call") ? "system calls, shutdown(2) among them" : "system calls"});
  if (cost.wake_ups_per_connection) {
    table.add({"wake-ups", grouped(*cost.wake_ups_per_connection, 2) + "   ",
               "of threads that play, io-wq workers included"});
  }
  if (cost.memory_bytes_per_connection) {
    const unsigned in_flight = result.context.concurrency;
    table.add({"memory", grouped(*cost.memory_bytes_per_connection * in_flight / 1e6, 1) + " MB",
               fmt::format("ringchurn's own: {} B for each of {} at a time",
                           grouped(*cost.memory_bytes_per_connection, 0),
                           grouped(std::uint64_t{in_flight}))});
  }
  const std::string whose = result.merged ? "both processes" : "the whole process";
  return section("COST OF A CONNECTION, CPU of " + whose, table, style);
}

/// Without the warm-up.
double measured_s(const Context& context) { return context.elapsed_s - context.warm_up_s; }

std::string pace(const OpenLoop& loop, double elapsed_s, const TextStyle& style) {
  Table table({{""}, {"", true}, {""}});
  const double begun_per_s = elapsed_s > 0 ? static_cast<double>(loop.begun) / elapsed_s : 0;
  table.add({"asked", grouped(loop.asked_per_s, 0), "connections a second, " + loop.arrivals});
  table.add({"begun", grouped(begun_per_s, 0), "connections a second"});
  table.add({"held back", grouped(loop.held_back), "due while --concurrency were in flight"});
  table.add({"never begun", grouped(loop.never_begun), "due when the time was over"});
  table.add({"lag p50", microseconds(loop.lag.p50), "us from intended to real start"});
  table.add({"lag p99", microseconds(loop.lag.p99), ""});
  table.add({"lag max", microseconds(loop.lag.max), ""});
  return section("OPEN LOOP, what the generator itself did", table, style);
}

Cell count(const std::optional<std::uint64_t>& number) {
  return number ? count(*number) : Cell("-");
}

/// What the server had, before the load, at most while it ran, and when it was left alone again.
std::string held(const WatchedServer& server, const TextStyle& style) {
  Table table({{""}, {"before", true}, {"at most", true}, {"after", true}});
  const auto row = [&](const char* what, auto read) {
    table.add({what, read(server.before), read(server.worst), read(server.after.sample)});
  };
  const auto sockets = [&](const char* what, std::uint64_t ServerSockets::*number) {
    row(what, [number](const ServerSample& sample) {
      return sample.sockets ? count((*sample.sockets).*number) : Cell("-");
    });
  };
  row("descriptors", [](const ServerSample& sample) { return count(sample.totals.fds); });
  row("threads", [](const ServerSample& sample) { return count(sample.totals.threads); });
  row("memory, MiB", [](const ServerSample& sample) {
    return Cell(grouped(static_cast<double>(sample.totals.rss_bytes) / (1 << 20), 1));
  });
  sockets("ESTABLISHED", &ServerSockets::established);
  sockets("CLOSE_WAIT", &ServerSockets::close_wait);
  sockets("FIN_WAIT2", &ServerSockets::fin_wait2);
  row("accept queue", [](const ServerSample& sample) {
    return sample.accept_queue ? count(sample.accept_queue->queue) : Cell("-");
  });
  return table.text(style);
}

std::string server(const RunResult& result, const TextStyle& style) {
  if (!result.server) return "";
  const SurvivalFacts& facts = result.server->facts;
  std::string text;
  if (facts.server) {
    text = held(*facts.server, style);
    if (const auto us = server_cpu_us(facts)) {
      text += fmt::format("  {} us of the server's CPU per connection, over the whole load\n",
                          grouped(*us, 2));
    }
    text += '\n';
  }
  return section("THE SERVER", text + survival_text(result.server->verdict, style), style);
}

/// "name: evidence; remedy"
std::string said(const Verdict& verdict) {
  const char* separator = verdict.remedy.empty() ? "" : "; ";
  return printable(
      fmt::format("{}: {}{}{}", verdict.name, verdict.evidence, separator, verdict.remedy));
}

std::string verdicts(const std::vector<Verdict>& all, const TextStyle& style) {
  return section("VERDICTS", all.empty() ? "  none\n" : verdict_lines(all, style), style);
}

/// The last line of a report: whether to trust it.
std::string conclusion(const RunResult& result, const TextStyle& style) {
  std::string failed, warned;
  for (const Verdict& verdict : result.verdicts) {
    if (verdict.ok) continue;
    std::string& names = verdict.advisory ? warned : failed;
    names += (names.empty() ? "" : ", ") + verdict.name;
  }
  std::string text = "Every verdict holds.";
  if (result.verdicts.empty()) text = "Nothing was judged.";
  if (!warned.empty()) text = "No verdict failed. Warnings: " + warned + ".";
  if (!failed.empty()) text = "Do not trust these numbers. Failed: " + failed + ".";
  if (result.interrupted) text = "Interrupted: this is the part that was done. " + text;
  const bool is_good = text == "Every verdict holds.";
  return tinted(wrap(printable(text), style.width), is_good ? Tint::good : Tint::bad, style);
}

std::string account(const RunResult& result, const TextStyle& style) {
  const bool has_client = result.context.side != PlayedSide::server;
  return ledgers(result, style) + bytes(result, style) + errors(result.errors, false, style) +
         errors(result.errors, true, style) + (has_client ? latencies(result, style) : "") +
         counters(result.kernel, style);
}

}  // namespace

std::string verdict_lines(const std::vector<Verdict>& verdicts, const TextStyle& style) {
  constexpr std::size_t kIndent = 8;
  std::string lines;
  for (const Verdict& verdict : verdicts) {
    const char* word = verdict.ok ? "ok" : verdict.advisory ? "WARN" : "FAIL";
    const Tint tint = verdict.ok ? Tint::good : Tint::bad;
    const std::string text = wrap(std::string(kIndent, ' ') + said(verdict), style.width, kIndent);
    lines += fmt::format("  {}{}", tinted(fmt::format("{:<6}", word), tint, style),
                         text.substr(kIndent));
  }
  return lines;
}

std::string failures(const std::vector<Verdict>& verdicts) {
  std::string lines;
  for (const Verdict& verdict : verdicts) {
    if (verdict.ok || verdict.advisory) continue;
    lines += fmt::format("ringchurn: FAIL {}\n", said(verdict));
  }
  return lines;
}

std::string doctor_report(const MachineFacts& facts, const std::vector<Verdict>& verdicts,
                          const TextStyle& style) {
  const auto count = [&verdicts](bool advisory) {
    return std::count_if(verdicts.begin(), verdicts.end(), [advisory](const Verdict& verdict) {
      return !verdict.ok && verdict.advisory == advisory;
    });
  };
  const std::string title = fmt::format("ringchurn {} on {}", RINGCHURN_VERSION, facts.kernel);
  std::string conclusion = "This machine can measure.";
  if (count(true) > 0) conclusion += fmt::format(" Warnings: {}.", count(true));
  if (count(false) > 0) conclusion = "This machine cannot measure as it is: see what says FAIL.";
  const Tint tint = count(false) > 0 ? Tint::bad : Tint::good;
  return tinted(title, Tint::bold, style) + '\n' + verdict_lines(verdicts, style) + '\n' +
         tinted(conclusion, tint, style) + '\n';
}

std::string run_report(const RunResult& result, const TextStyle& style) {
  const std::string title = fmt::format(
      "{} connections in {} s: {} a second", grouped(result.cost.connections),
      grouped(measured_s(result.context), 2), grouped(result.cost.connections_per_second, 0));
  const std::string loop =
      result.open_loop ? pace(*result.open_loop, measured_s(result.context), style) : "";
  return (result.merged ? header(title, result.context.command, *result.merged, style)
                        : header(title, result.context, style)) +
         account(result, style) + loop + cost(result, style) +
         bills_text(result.bills, true, style) + server(result, style) +
         verdicts(result.verdicts, style) + '\n' + conclusion(result, style);
}

std::string compare_report(const CompareResult& result, const TextStyle& style) {
  std::string names;
  for (const ArmResult& arm : result.arms) {
    names += fmt::format("{}{}", names.empty() ? "" : " vs ", arm.name);
  }
  std::string text = header(shorten(printable(names), style.width), result.run.context, style) +
                     account(result.run, style) + arms_text(result, style) +
                     bills_text(bills_of(result), false, style) +
                     verdicts(result.run.verdicts, style) + '\n' + conclusion(result.run, style);
  std::string_view sentences = result.sentence;  // one a line
  while (!sentences.empty()) {
    const std::size_t end = std::min(sentences.find('\n'), sentences.size());
    text += tinted(wrap(printable(sentences.substr(0, end)), style.width), Tint::bold, style);
    sentences.remove_prefix(std::min(end + 1, sentences.size()));
  }
  return text;
}

std::string gate_failures(const GateResult& result) {
  std::string lines = failures(result.verdicts);
  if (result.gate.verdict == GateVerdict::fine) return lines;
  return lines + fmt::format("ringchurn: FAIL gate: {}\n", printable(result.gate.sentence));
}

std::string gate_report(const GateResult& result, const TextStyle& style) {
  const Gate& gate = result.gate;
  std::string text = result.comparison ? compare_report(*result.comparison, style)
                                       : header("A gate of " + gate.method, result.context, style);
  Table costs({{"", false}, {"", false, true}, {"CPU us", true}});
  const auto cost = [](const std::optional<double>& us) { return us ? grouped(*us, 2) : "-"; };
  if (!gate.baseline.empty()) costs.add({"baseline", gate.baseline, cost(gate.baseline_value)});
  costs.add({"candidate", gate.candidate, cost(gate.candidate_value)});
  std::string body = costs.text(style);
  if (gate.ratio) {
    body += fmt::format("  ratio {}, {} pairs, margin {:g}%\n", interval_text(gate.ratio, 3),
                        gate.pairs, 100 * gate.margin);
  }
  Table requirements({{""}, {"required", false, true}, {"it is", true}});
  for (const RequirementResult& row : gate.requirements) {
    requirements.add(
        {row.ok ? Cell("ok", Tint::good) : Cell("FAIL", Tint::bad), row.text, measured_text(row)});
  }
  if (!requirements.empty()) body += '\n' + requirements.text(style);
  const Tint tint = gate.verdict == GateVerdict::fine ? Tint::good : Tint::bad;
  return text + section("THE GATE", body, style) + '\n' +
         tinted(wrap(printable(gate.sentence), style.width), tint, style);
}

}  // namespace ringchurn
