// A table of names, and what goes with what: see ways.h.
#include "bench/ways.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "bench/text.h"
#include "ring/error.h"
#include "workloads/suggestion.h"
#include "workloads/words.h"

namespace ringchurn {
namespace {

struct WayName {
  std::string_view name;
  Ways way;
};

// A way says one thing: what it changes of Ways{}.
const WayName kNames[] = {
    {"plain", {.plain = true}},
    {"shutdown-call", {.shutdown_call = true}},
    {"sqpoll", {.sqpoll = true}},
    {"accept-one", {.accept_one = true}},
    {"wait-one", {.waiting = Waiting::one}},
    {"wait-batch", {.waiting = Waiting::batch}},
    {"never-sleep", {.waiting = Waiting::never}},
};

bool has(const Ways& ways, const Ways& way) {
  return (way.plain && ways.plain) || (way.shutdown_call && ways.shutdown_call) ||
         (way.sqpoll && ways.sqpoll) || (way.accept_one && ways.accept_one) ||
         (way.waiting != Waiting::automatic && way.waiting == ways.waiting);
}

void add(const Ways& way, Ways& ways) {
  ways.plain |= way.plain;
  ways.shutdown_call |= way.shutdown_call;
  ways.sqpoll |= way.sqpoll;
  ways.accept_one |= way.accept_one;
  if (way.waiting != Waiting::automatic) ways.waiting = way.waiting;
}

[[noreturn]] void reject(std::string_view name) {
  std::vector<std::string> names;
  for (const WayName& known : kNames) names.emplace_back(known.name);
  throw Error(kExitUsage,
              fmt::format("'{}' is no way to use the ring{}; known are {}", printable(name),
                          did_you_mean(name, names), fmt::join(names, ", ")));
}

const Ways& way_called(std::string_view name) {
  const auto* found = std::find_if(std::begin(kNames), std::end(kNames),
                                   [&](const WayName& known) { return known.name == name; });
  if (found == std::end(kNames)) reject(name);
  return found->way;
}

bool is_linked(const std::vector<Step>& steps, std::size_t number) {
  return steps[number].overlap != Overlap::none ||
         (number > 0 && steps[number - 1].overlap != Overlap::none);
}

/// Why a script cannot be played so, or null.
const char* obstacle(const Script& script, const Ways& ways) {
  for (std::size_t i = 0; i < script.steps.size(); ++i) {
    const Step& step = script.steps[i];
    const bool picks_slot =
        step.op == Op::accept_multi ||
        (step.op == Op::accept_from && (step.detail == kSlotBeyond || step.detail == kNoSlotFree));
    if (ways.plain && picks_slot) return "is about the table of direct descriptors: leave plain";
    if (ways.shutdown_call && step.op == Op::shutdown && is_linked(script.steps, i)) {
      return "shuts down within a batch of other operations: leave shutdown-call";
    }
  }
  return nullptr;
}

}  // namespace

Ways parse_ways(std::string_view text) {
  Ways ways;
  for (const std::string& name : split(text, '+')) {
    const Ways& way = way_called(name);
    if (has(ways, way)) {
      throw Error(kExitUsage, fmt::format("'{}' names {} twice: once is enough", text, name));
    }
    if (way.waiting != Waiting::automatic && ways.waiting != Waiting::automatic) {
      throw Error(kExitUsage, fmt::format("'{}' waits in two ways: leave {} out", text, name));
    }
    add(way, ways);
  }
  if (ways.shutdown_call && !ways.plain) {
    throw Error(kExitUsage, fmt::format("'{}': shutdown(2) needs an ordinary descriptor: give "
                                        "plain+shutdown-call",
                                        text));
  }
  return ways;
}

std::string ways_text(const Ways& ways) {
  std::string text;
  for (const auto& [name, way] : kNames) {
    if (has(ways, way)) text += fmt::format("{}{}", text.empty() ? "" : "+", name);
  }
  return text;
}

ArmText split_arm(const std::string& text) {
  const auto at = text.rfind('@');
  if (at == text.npos || text.find_first_of("/.,=", at) != text.npos) return {text, "", false};
  return {text.substr(0, at), text.substr(at + 1), true};
}

void require_playable(const Scenario& scenario, const Ways& ways) {
  for (const Side side : {Side::client, Side::server}) {
    if (side == Side::server && !scenario.has_server()) continue;
    const char* why = obstacle(scenario.script(side), ways);
    if (!why) continue;
    throw Error(kExitUsage,
                fmt::format("scenario '{}' {} out, or play another", scenario.name, why));
  }
}

int cpu_beside(std::span<const int> cpus, int own) {
  const auto found = std::find(cpus.begin(), cpus.end(), own);
  if (found == cpus.end()) return own;
  return std::next(found) == cpus.end() ? cpus.front() : *std::next(found);
}

}  // namespace ringchurn
