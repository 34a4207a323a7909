// A story in, text out: see report_story.h.
#include "bench/report_story.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "bench/atlas_words.h"

namespace ringchurn {
namespace {

/// "recv" of "t: start recv 1 peek".
std::string verb_of(const std::string& text) {
  std::string_view rest = text;
  const std::size_t name = rest.substr(0, rest.find('"')).find(": ");
  if (name != rest.npos) rest.remove_prefix(name + 2);
  for (const std::string_view overlap : {"start ", "link ", "hardlink "}) {
    if (rest.starts_with(overlap)) rest.remove_prefix(overlap.size());
  }
  return std::string(rest.substr(0, rest.find(' ')));
}

bool moves_bytes(const Moment& moment) {
  const std::string verb = verb_of(moment.text);
  return verb == "send" || verb == "send-file" || verb == "recv" || verb == "read" ||
         verb == "write" || verb == "fill";
}

std::string outcome_text(const Moment& moment) {
  const Outcome outcome = outcome_named(moment.outcome).value_or(Outcome::ok);
  if (is_errno(outcome)) {
    return fmt::format("{} ({})", moment.outcome, static_cast<int>(outcome));
  }
  if (outcome == Outcome::ok && moment.result > 0 && moves_bytes(moment)) {
    return fmt::format("ok, {} byte{}", grouped(static_cast<std::uint64_t>(moment.result)),
                       moment.result == 1 ? "" : "s");
  }
  return moment.outcome;
}

std::string duration_text(std::uint64_t us) {
  if (us < 1'000) return fmt::format("{}us", us);
  return us < 1'000'000 ? grouped(static_cast<double>(us) / 1e3, 1) + "ms"
                        : grouped(static_cast<double>(us) / 1e6, 2) + "s";
}

std::string moment_text(const Moment& moment) {
  const std::string number = moment.number == 0 ? "" : fmt::format("{} ", moment.number);
  std::string text = fmt::format("{}{} -> {}", number, moment.text, outcome_text(moment));
  if (moment.took_us > 0) text += fmt::format(", {}", duration_text(moment.took_us));
  if (moment.expected) return text;
  const bool is_mistimed = is_declared(moment.declared, moment.outcome);
  return text + (is_mistimed ? "; too early or too late" : "; expected " + moment.declared);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

/// The two ends side by side; one column if there is only one.
std::string moments(const std::vector<Moment>& story, const TextStyle& style) {
  constexpr std::size_t kTimeColumns = 11, kGap = 2;
  const bool has_server = std::any_of(
      story.begin(), story.end(), [](const Moment& moment) { return moment.side == Side::server; });
  const std::size_t room = style.width - kTimeColumns - kGap;
  const std::size_t column = has_server ? (room - kGap) / 2 : room;
  std::string text = tinted(fmt::format("\n{:>{}}  {}{}", "at, ms", kTimeColumns,
                                        has_server ? padded("client", column + kGap) : "client",
                                        has_server ? "server" : ""),
                            Tint::bold, style) +
                     '\n';
  std::string states;
  for (const Moment& moment : story) {
    std::string time = grouped(static_cast<double>(moment.at_us) / 1000, 3);
    for (const std::string& line : lines_of(wrap(printable(moment_text(moment)), column, 2))) {
      const std::string cell = moment.expected ? line : tinted(line, Tint::bad, style);
      const std::size_t offset = moment.side == Side::server ? column + kGap : 0;
      text += fmt::format("{:>{}}  {}{}\n", time, kTimeColumns, std::string(offset, ' '), cell);
      time.clear();
    }
    if (moment.states == states) continue;
    states = moment.states;
    const std::string line = states.empty() ? "no connection has a socket" : states;
    for (const std::string& part : lines_of(wrap("= " + line, room, 2))) {
      text += fmt::format("{:>{}}  {}\n", "", kTimeColumns, part);
    }
  }
  return text;
}

/// Declared counters first, then those that moved without being named.
std::string counters(const Performance& performance, const TextStyle& style) {
  Table table({{"counter", false, true}, {"moved by", true}, {"declared", true}, {"agrees"}});
  std::set<std::string> declared;
  for (const CounterRow& row : performance.counters) {
    declared.insert(row.name);
    table.add({row.name, row.measured ? grouped(*row.measured) : "no such counter", range_text(row),
               row.agrees() ? Cell("yes", Tint::good) : Cell("NO", Tint::bad)});
  }
  for (const auto& [name, value] : performance.moved) {
    if (value > 0 && !declared.contains(name)) table.add({name, grouped(value), "-", ""});
  }
  return table.empty() ? "" : '\n' + table.text(style);
}

std::string never_reached(const Performance& performance, const TextStyle& style) {
  std::string steps;
  for (const StepAnswers& step : performance.steps) {
    if (!step.answers.empty() || step.number == 0) continue;
    steps += fmt::format("{}{} {}", steps.empty() ? "" : "; ", place_text(step), step.text);
  }
  return steps.empty() ? "" : '\n' + hanging("never reached: " + steps, style.width, 2);
}

std::string told_by(const Performance& performance, bool is_ring, const TextStyle& style) {
  std::string text = fmt::format(
      "\n{}, {}\n", tinted(is_ring ? "by io_uring" : "by plain system calls", Tint::bold, style),
      performance.expected ? tinted("as expected", Tint::good, style)
                           : tinted("NOT as expected", Tint::bad, style));
  if (!performance.story.empty()) text += moments(performance.story, style);
  text += never_reached(performance, style) + counters(performance, style);
  if (performance.expected) return text;
  text += '\n';
  for (const std::string& line : complaints(performance))
    text += hanging("! " + line, style.width, 2);
  return text;
}

std::string evidence_text(const AtlasEntry& entry) {
  std::string text;
  for (const auto& [id, evidence] : entry.claims) {
    const char* word = evidence == Evidence::holds   ? "holds"
                       : evidence == Evidence::wrong ? "does not hold"
                                                     : "only if";
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", id, word);
  }
  return text;
}

}  // namespace

std::string atlas_story(const AtlasEntry& entry, const Context& context, const TextStyle& style) {
  std::string about = entry.about;
  std::replace(about.begin(), about.end(), '\n', ' ');
  about.erase(0, about.find_first_not_of(' '));
  const std::string name = entry.folder.empty() ? entry.name : entry.folder + "/" + entry.name;
  std::string text = tinted(shorten(printable(name), style.width), Tint::bold, style) + '\n';
  text += hanging(about, style.width, 2) + hanging(machine(context), style.width, 2) +
          hanging(context.command, style.width, 2);
  if (entry.racy) text += hanging("A race: another connection may end otherwise.", style.width, 2);
  if (entry.ring) text += told_by(*entry.ring, true, style);
  if (entry.syscall) text += told_by(*entry.syscall, false, style);
  if (!entry.skipped.empty()) text += '\n' + hanging("skipped: " + entry.skipped, style.width, 2);
  if (!entry.claims.empty()) {
    text += '\n' + hanging("evidence on claims: " + evidence_text(entry), style.width, 2);
  }
  return text;
}

}  // namespace ringchurn
