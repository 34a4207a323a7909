// Atlas results in, text out: see report_atlas.h.
//
// A name is printed whole, because it is what the user types next; what gives way on a narrow
// terminal is the step.
#include "bench/report_atlas.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/atlas_words.h"

namespace ringchurn {
namespace {

constexpr std::size_t kNameColumns = 36;  // longer names lose their middle
constexpr std::size_t kLeastColumns = 6;  // a column that had fewer would say nothing
constexpr std::size_t kDetailIndent = 6;
constexpr std::size_t kAnswerColumns = 20;  // "IN+OUT+RDHUP+ERR+HUP"; longer ones push the step

// -- one line for each scenario -------------------------------------------------------------------

bool was_played(const AtlasEntry& entry) { return entry.ring || entry.syscall; }

/// A scenario's line, in parts.
struct Line {
  const AtlasEntry* entry = nullptr;
  std::string mark, name, ring, syscall, place, step;
};

Line line_of(const AtlasEntry& entry, const TextStyle& style) {
  const std::size_t most = std::min<std::size_t>(kNameColumns, style.width / 2);
  Line line{&entry, "skipped", shorten(printable(entry.name), most), "-", "", "", ""};
  if (!was_played(entry)) return line;
  const Telling telling = telling_step(entry);
  const bool has_answers = !shown(entry).steps.empty();
  line.mark = entry.expected() ? "ok" : "UNEXPECTED";
  line.ring = has_answers ? answers_text(telling.step) : "-";
  if (telling.step != nullptr) {
    line.place = place_text(*telling.step);
    line.step = telling.step->text;
  }
  if (!entry.ring) std::swap(line.ring, line.syscall);
  if (!entry.ring || !entry.syscall) return line;
  line.syscall = telling.step == nullptr ? "ok" : answers_text(telling.other);
  if (telling.step != nullptr && telling.other == nullptr) line.syscall = "-";
  if (line.syscall == line.ring) line.syscall = "same";
  return line;
}

struct Widths {
  std::size_t mark = 0, name = 0, ring = 0, place = 0;
  std::size_t syscall = 0;  ///< 0 if there is no such column
  std::size_t limit = 0;    ///< of the whole line
};

Widths widths_of(const std::vector<Line>& lines, const TextStyle& style) {
  Widths widths;
  widths.limit = style.width;
  widths.mark = std::string_view("ok").size();  // a longer one pushes its line out, to be seen
  for (const Line& line : lines) {
    widths.name = std::max(widths.name, display_width(line.name));
    widths.place = std::max(widths.place, display_width(line.place));
    widths.ring = std::max(widths.ring, std::min(display_width(line.ring), kAnswerColumns));
    widths.syscall =
        std::max(widths.syscall, std::min(display_width(line.syscall), kAnswerColumns));
  }
  if (widths.syscall == 0) return widths;
  widths.ring = std::max(widths.ring, std::string_view("io_uring").size());
  widths.syscall = std::max(widths.syscall, std::string_view("system calls").size());
  const std::size_t used = 8 + widths.mark + widths.name;
  const std::size_t each = (widths.limit - std::min(widths.limit, used)) / 2;
  if (widths.ring + widths.syscall > 2 * each) widths.ring = widths.syscall = each;
  return widths;
}

/// Appends the parts to `text`, padded to their widths as long as there is room.
void append_columns(std::string& text, std::size_t columns, const Widths& widths,
                    const std::vector<std::pair<std::string, std::size_t>>& parts) {
  for (const auto& [part, width] : parts) {
    if (columns + 2 + kLeastColumns > widths.limit) break;
    const std::string shown_part =
        padded(shorten(printable(part), widths.limit - columns - 2), width);
    text += "  " + shown_part;
    columns += 2 + display_width(shown_part);
  }
  text.erase(text.find_last_not_of(' ') + 1);
  text += '\n';
}

std::string line_text(const Line& line, const Widths& widths, const TextStyle& style) {
  const Tint tint = line.mark == "ok"        ? Tint::good
                    : line.mark == "skipped" ? Tint::none
                                             : Tint::bad;
  std::string text = "  " + tinted(line.mark, tint, style);
  const std::size_t mark = std::max(widths.mark, display_width(line.mark));
  text.append(mark - display_width(line.mark), ' ');
  std::vector<std::pair<std::string, std::size_t>> parts = {{line.name, widths.name},
                                                            {line.ring, widths.ring}};
  if (widths.syscall > 0) {
    parts.emplace_back(line.syscall.empty() ? "-" : line.syscall, widths.syscall);
  }
  parts.emplace_back(line.place, widths.place);
  parts.emplace_back(line.step, 0);
  append_columns(text, 2 + mark, widths, parts);
  return text;
}

/// A folder's name, and above the answers whose they are if there are two.
std::string heading(const std::string& folder, const Widths& widths, const TextStyle& style) {
  const std::string title = folder.empty() ? "files of your own" : folder + "/";
  std::string text = '\n' + tinted(title, Tint::bold, style);
  if (widths.syscall == 0) return text + '\n';
  const std::size_t column = 4 + widths.mark + widths.name;
  text.append(column - std::min(column, display_width(title)), ' ');
  append_columns(text, column, widths,
                 {{"io_uring", widths.ring}, {"system calls", widths.syscall}});
  return text;
}

std::string scenarios(const AtlasResult& result, const TextStyle& style) {
  std::map<std::string, std::vector<Line>> folders;
  std::vector<Line> all;
  for (const AtlasEntry& entry : result.entries) {
    if (result.interrupted && !was_played(entry)) continue;
    all.push_back(line_of(entry, style));
    folders[entry.folder].push_back(all.back());
  }
  const Widths widths = widths_of(all, style);
  std::string text;
  for (const auto& [folder, lines] : folders) {
    text += heading(folder, widths, style);
    for (const Line& line : lines) {
      text += line_text(line, widths, style);
      for (const std::string& detail : details(*line.entry)) {
        text += hanging(detail, style.width, kDetailIndent);
      }
    }
  }
  return text;
}

// -- claims ---------------------------------------------------------------------------------------

/// Up to so many claims are shown with all that is known about them.
constexpr std::size_t kFewClaims = 12;
constexpr std::size_t kMostNames = 3;

std::string names_text(const std::vector<std::string>& names, std::size_t most) {
  std::string text;
  const std::size_t count = std::min(names.size(), most);
  for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > count) text += fmt::format(" and {} more", names.size() - count);
  return text;
}

/// The entries that should have shown something of a claim, and did not.
std::vector<std::string> silent(const ClaimResult& claim, const std::vector<AtlasEntry>& entries) {
  std::vector<std::string> names;
  for (const AtlasEntry& entry : entries) {
    const bool has_shown =
        std::find(claim.shown_by.begin(), claim.shown_by.end(), entry.name) != claim.shown_by.end();
    if (entry.claims.contains(claim.id) && !has_shown) names.push_back(entry.name);
  }
  return names;
}

std::string claim_text(const ClaimResult& claim, const AtlasResult& result,
                       const TextStyle& style) {
  constexpr std::size_t kIdColumns = 9, kVerdictColumns = 15, kIndent = 2 + kIdColumns;
  const bool is_few = result.claims.size() <= kFewClaims;
  const std::size_t most = is_few ? claim.shown_by.size() : kMostNames;
  const Tint tint = claim.verdict == ClaimResult::Verdict::holds       ? Tint::good
                    : claim.verdict == ClaimResult::Verdict::not_shown ? Tint::bad
                                                                       : Tint::none;
  const std::string word = verdict_words(claim.verdict);
  const std::string what = claim.claim.empty() ? "(a claim of your own)" : claim.claim;
  std::string text = fmt::format(
      "  {}{}{}{}", padded(shorten(printable(claim.id), kIdColumns - 2), kIdColumns),
      tinted(word, tint, style), std::string(kVerdictColumns - word.size(), ' '),
      hanging(what, style.width, kIndent + kVerdictColumns).substr(kIndent + kVerdictColumns));
  if (!claim.note.empty() && (is_few || claim.verdict != ClaimResult::Verdict::holds)) {
    text += hanging(claim.note, style.width, kIndent);
  }
  if (!claim.shown_by.empty()) {
    text += hanging("by " + names_text(claim.shown_by, most), style.width, kIndent);
  }
  const std::vector<std::string> without = silent(claim, result.entries);
  if (without.empty()) return text;
  return text + hanging("see above: " + names_text(without, kMostNames), style.width, kIndent);
}

/// Not all that bears on it was played: it is no failure that nothing shows it.
bool is_open(const ClaimResult& claim, const AtlasResult& result) {
  return claim.verdict == ClaimResult::Verdict::not_shown &&
         (result.interrupted || !claim.shown_by.empty());
}

std::string claims(const AtlasResult& result, const TextStyle& style) {
  std::string judged, open, example;
  for (const ClaimResult& claim : result.claims) {
    if (!is_open(claim, result)) {
      judged += claim_text(claim, result, style);
      continue;
    }
    if (example.empty()) example = claim.id;
    open += (open.empty() ? "" : ", ") + claim.id;
  }
  std::string text;
  if (!judged.empty()) text = '\n' + tinted("CLAIMS", Tint::bold, style) + '\n' + judged;
  if (open.empty() || result.interrupted) return text;
  return text + '\n' +
         wrap(printable(fmt::format("Part of the evidence on {}: 'ringchurn atlas {}' plays all "
                                    "that bears on it.",
                                    open, example)),
              style.width);
}

// -- head and foot --------------------------------------------------------------------------------

std::string count_of(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", grouped(std::uint64_t{count}), what, count == 1 ? "" : "s");
}

std::string claim_counts(const AtlasResult& result) {
  std::map<ClaimResult::Verdict, std::size_t> counts;
  for (const ClaimResult& claim : result.claims) {
    if (!is_open(claim, result)) ++counts[claim.verdict];
  }
  std::string text;
  for (const auto& [verdict, count] : counts) {
    const bool is_many = verdict == ClaimResult::Verdict::holds && count != 1;
    const bool is_wrong = verdict == ClaimResult::Verdict::wrong && count != 1;
    text += fmt::format("{}{} {}", text.empty() ? "; claims: " : ", ", count,
                        is_many    ? "hold"
                        : is_wrong ? "do not hold"
                                   : verdict_words(verdict));
  }
  return text;
}

std::string summary(const AtlasResult& result, const TextStyle& style) {
  std::size_t unexpected = 0, skipped = 0;
  for (const AtlasEntry& entry : result.entries) {
    if (!was_played(entry)) ++skipped;
    if (was_played(entry) && !entry.expected()) ++unexpected;
  }
  std::string text = result.interrupted ? "Interrupted: " : "";
  text += count_of(result.entries.size(), "scenario");
  if (unexpected + skipped == 0) {
    text += result.entries.size() == 1 ? ", as expected" : ", all as expected";
  } else {
    text += fmt::format(": {} as expected", result.entries.size() - unexpected - skipped);
    if (unexpected > 0) text += fmt::format(", {} NOT as expected", unexpected);
    const char* word = result.interrupted ? "not played" : "skipped";
    if (skipped > 0) text += fmt::format(", {} {}", skipped, word);
  }
  text += fmt::format("{} ({} s)", claim_counts(result), grouped(result.elapsed_s, 1));
  const bool is_good = unexpected == 0 && !result.interrupted;
  return '\n' + tinted(wrap(text, style.width), is_good ? Tint::good : Tint::bad, style);
}

/// Where to look further, if something is not as expected.
std::string advice(const std::vector<AtlasEntry>& entries, const TextStyle& style) {
  for (const AtlasEntry& entry : entries) {
    if (entry.expected()) continue;
    const std::string what =
        entry.folder.empty() ? fmt::format("FOLDER/{}.toml", entry.name) : entry.name;
    return '\n' + wrap(printable("Step by step: ringchurn atlas --explain " + what), style.width);
  }
  return "";
}

std::string title(const AtlasResult& result) {
  unsigned runs = 0;
  for (const AtlasEntry& entry : result.entries) {
    if (was_played(entry)) runs = std::max(runs, shown(entry).runs);
  }
  return fmt::format("What this kernel answers: {}, {} each",
                     count_of(result.entries.size(), "scenario"), count_of(runs, "connection"));
}

}  // namespace

std::string atlas_report(const AtlasResult& result, const TextStyle& style) {
  std::string text = tinted(title(result), Tint::bold, style) + '\n';
  for (const std::string& line : {result.context.command, machine(result.context)}) {
    text += hanging(line, style.width, 2);
  }
  return text + scenarios(result, style) + claims(result, style) + advice(result.entries, style) +
         summary(result, style);
}

std::string atlas_failures(const AtlasResult& result) {
  std::string lines;
  for (const AtlasEntry& entry : result.entries) {
    if (!was_played(entry) || entry.expected()) continue;
    std::string how;
    for (const std::string& detail : details(entry)) how += (how.empty() ? "" : "; ") + detail;
    lines += printable(fmt::format("ringchurn: FAIL {}: {}", entry.name, how)) + '\n';
  }
  return lines;
}

}  // namespace ringchurn
