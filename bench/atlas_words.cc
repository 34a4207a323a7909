// See atlas_words.h.
#include "bench/atlas_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "bench/text.h"

namespace ringchurn {
namespace {

bool is_racy(const StepAnswers& step) { return step.declared.find(" | ") != std::string::npos; }

bool is_unexpected(const StepAnswers& step) {
  return std::any_of(step.answers.begin(), step.answers.end(),
                     [](const AnswerCount& answer) { return !answer.expected; });
}

std::set<std::string> outcomes(const StepAnswers& step) {
  std::set<std::string> names;
  for (const AnswerCount& answer : step.answers) names.insert(answer.outcome);
  return names;
}

/// How much an outcome says about the kernel.
unsigned weight_of(std::string_view name) {
  const Outcome outcome = outcome_named(name).value_or(Outcome::ok);
  if (is_errno(outcome)) return 3;
  if (is_error(outcome)) return 2;
  return outcome == Outcome::ok ? 0 : 1;
}

/// The weight of the outcomes that the file allows: so that a race's telling step does not depend
/// on how the race ended.
unsigned weight_of(const StepAnswers& step) {
  unsigned weight = 0;
  std::string_view names = step.declared;
  while (!names.empty()) {
    const std::size_t end = std::min(names.find(" | "), names.size());
    weight = std::max(weight, weight_of(names.substr(0, end)));
    names.remove_prefix(std::min(end + 3, names.size()));
  }
  return 2 * weight + (is_racy(step) ? 1 : 0);
}

/// What a difference between the engines adds: more than all that one engine can say.
constexpr unsigned kDifference = 100;

/// The same step, as the other engine played it.
const StepAnswers* same_step(const std::optional<Performance>& other, const StepAnswers& step) {
  if (!other) return nullptr;
  const auto found =
      std::find_if(other->steps.begin(), other->steps.end(), [&](const StepAnswers& candidate) {
        return candidate.side == step.side && candidate.number == step.number &&
               candidate.text == step.text;
      });
  return found == other->steps.end() ? nullptr : &*found;
}

/// True if two engines got answers to a step that are more than the luck of a race.
bool differs(const StepAnswers& step, const StepAnswers* other) {
  if (other == nullptr || step.answers.empty() || other->answers.empty()) return false;
  const bool may_differ = is_racy(step) && step.declared == other->declared;
  return !may_differ && outcomes(step) != outcomes(*other);
}

const char* engine_name(bool is_ring) { return is_ring ? "io_uring" : "system calls"; }

/// What the answers to one step were that nothing expected.
std::string surprise(const StepAnswers& step, unsigned runs) {
  std::string got;
  for (const AnswerCount& answer : step.answers) {
    if (answer.expected) continue;
    const bool is_mistimed = is_declared(step.declared, answer.outcome);
    got += fmt::format("{}{}{} in {} of {}", got.empty() ? "" : ", ", answer.outcome,
                       is_mistimed ? " too early or too late" : "", answer.count, runs);
  }
  return fmt::format("{} {}: expected {}, got {}", place_text(step), step.text, step.declared, got);
}

}  // namespace

bool is_declared(const std::string& declared, const std::string& outcome) {
  return (" | " + declared + " | ").find(" | " + outcome + " | ") != std::string::npos;
}

const Performance& shown(const AtlasEntry& entry) {
  return entry.ring ? *entry.ring : *entry.syscall;
}

Telling telling_step(const AtlasEntry& entry) {
  Telling telling;
  std::pair<unsigned, std::size_t> most{1, 0};  // weight, different answers
  for (const StepAnswers& step : shown(entry).steps) {
    const StepAnswers* other = entry.ring ? same_step(entry.syscall, step) : nullptr;
    const bool is_wrong = is_unexpected(step) || (other != nullptr && is_unexpected(*other));
    if (is_wrong) return {&step, other};  // the first: what follows may follow from it
    const unsigned weight = weight_of(step) + (differs(step, other) ? kDifference : 0);
    const std::pair here{weight, step.answers.size()};
    if (step.answers.empty() || here < most) continue;
    most = here;
    telling = {&step, other};
  }
  return telling;
}

std::string answers_text(const StepAnswers* step) {
  if (step == nullptr) return "ok";
  if (step->answers.empty()) return "-";
  if (step->answers.size() == 1 && !is_racy(*step)) return step->answers[0].outcome;
  std::string text;
  for (const AnswerCount& answer : step->answers) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", answer.outcome, answer.count);
  }
  return text;
}

std::string place_text(const StepAnswers& step) {
  const std::string number = step.number == 0 ? "" : fmt::format(" {}", step.number);
  return side_name(step.side) + number;
}

std::string range_text(const CounterRow& row) {
  if (row.declared_min == row.declared_max) return grouped(row.declared_min);
  return fmt::format("{} to {}", grouped(row.declared_min), grouped(row.declared_max));
}

std::vector<std::string> complaints(const Performance& performance) {
  std::vector<std::string> lines;
  if (!performance.failure.empty()) lines.push_back(performance.failure);
  for (const StepAnswers& step : performance.steps) {
    if (is_unexpected(step)) lines.push_back(surprise(step, performance.runs));
  }
  for (const CounterRow& row : performance.counters) {
    if (row.agrees()) continue;
    const std::string measured = row.measured ? grouped(*row.measured) : "no such counter here";
    lines.push_back(
        fmt::format("{}: expected {}, measured {}", row.name, range_text(row), measured));
  }
  if (lines.empty() && !performance.expected) {
    lines.push_back(fmt::format("{} of {} connections ended as written", performance.finished,
                                performance.runs));
  }
  return lines;
}

std::vector<std::string> details(const AtlasEntry& entry) {
  std::vector<std::string> lines;
  if (!entry.skipped.empty()) lines.push_back("skipped: " + entry.skipped);
  for (const bool is_ring : {true, false}) {
    const std::optional<Performance>& performance = is_ring ? entry.ring : entry.syscall;
    if (!performance || performance->expected) continue;
    const std::string who = entry.syscall ? fmt::format("{}: ", engine_name(is_ring)) : "";
    for (const std::string& line : complaints(*performance)) lines.push_back(who + line);
  }
  if (!entry.ring || !entry.syscall) return lines;
  const StepAnswers* told = telling_step(entry).step;
  for (const StepAnswers& step : entry.ring->steps) {
    const StepAnswers* other = same_step(entry.syscall, step);
    if (&step == told || is_unexpected(step) || !differs(step, other)) continue;
    lines.push_back(fmt::format("{} {}: {} by io_uring, {} by system calls", place_text(step),
                                step.text, answers_text(&step), answers_text(other)));
  }
  return lines;
}

std::string machine(const Context& context) {
  return fmt::format("ringchurn {}, {}, {}, {} lab, {} CPUs, started {}", context.version,
                     context.kernel, context.family, context.lab, context.cpus, context.started_at);
}

}  // namespace ringchurn
