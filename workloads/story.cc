// See story.h.
#include "workloads/story.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace ringchurn {
namespace {

/// True for an operation that is over when what it waits for has come, without a clock.
bool ends_by_itself(const Step& step) {
  const bool rare = step.op == Op::accept_from || step.op == Op::accept_multi ||
                    step.op == Op::receive_multi || step.op == Op::fill || step.op == Op::pause ||
                    step.op == Op::cancel || step.op == Op::await || step.op == Op::plain;
  return !rare && step.overlap == Overlap::none && step.socket == 0 && step.at_least_ns == 0 &&
         step.place == Place::server;
}

bool moves_bytes(const Step& step) {
  const bool transfers = sends(step.op) || (receives(step.op) && step.op != Op::recv_eof);
  return transfers && !step.expect.allows_error();
}

unsigned opening(const Script& script) {
  const auto opens = [](const Step& step) {
    return step.op == Op::connect || step.op == Op::accept;
  };
  return static_cast<unsigned>(std::find_if(script.steps.begin(), script.steps.end(), opens) -
                               script.steps.begin());
}

/// Where a turn of the story stands in its script. A listener's options have no place there.
std::optional<unsigned> index_of(const Scenario& scenario, const Turn& turn) {
  const Script& script = scenario.script(turn.side);
  for (unsigned index = 0; index < script.length(); ++index) {
    if (script.steps[index].number == turn.step_number) return index;
  }
  return std::nullopt;
}

bool is_teardown(const Script& script, unsigned index) {
  return index > opening(script) && index >= script.teardown && !moves_bytes(script.steps[index]);
}

void accept_at_once(const Scenario& scenario, std::vector<StoryTurn>& turns) {
  const auto plays = [&](Op op) {
    return std::find_if(turns.begin(), turns.end(), [&](const StoryTurn& turn) {
      return scenario.script(turn.side).steps[turn.step].op == op;
    });
  };
  std::rotate(plays(Op::connect) + 1, plays(Op::accept), plays(Op::accept) + 1);
}

}  // namespace

const char* life_part_name(LifePart part) {
  switch (part) {
    case LifePart::establishing:
      return "establishing";
    case LifePart::exchange:
      return "exchange";
    case LifePart::teardown_active:
      return "teardown, active side";
    case LifePart::teardown_passive:
      return "teardown, passive side";
  }
  return "";
}

std::string lockstep_obstacle(const Scenario& scenario) {
  if (!scenario.has_server()) return "nobody listens: there is no second end";
  if (scenario.server.accept_pause) return "the server pauses before it accepts";
  for (const Side side : {Side::client, Side::server}) {
    const Script& script = scenario.script(side);
    if (script.sockets.size() > 1)
      return fmt::format("the {} has several sockets", side_name(side));
    for (unsigned index = 0; index < script.length(); ++index) {
      const Step& step = script.steps[index];
      const bool connects_again = step.op == Op::connect && index != opening(script);
      if (ends_by_itself(step) && !connects_again) continue;
      return fmt::format("the {}'s step {} \"{}\" does not end by what came before it",
                         side_name(side), step.number, step.text);
    }
  }
  return "";
}

std::vector<StoryTurn> story_turns(const Scenario& scenario) {
  std::vector<StoryTurn> turns;
  for (const Turn& turn : scenario.story) {
    if (const auto index = index_of(scenario, turn)) turns.push_back({turn.side, *index});
  }
  accept_at_once(scenario, turns);
  const auto is_end = [&](const StoryTurn& turn) {
    return is_teardown(scenario.script(turn.side), turn.step);
  };
  const auto first = std::find_if(turns.begin(), turns.end(), is_end);
  for (StoryTurn& turn : turns) {
    if (turn.step <= opening(scenario.script(turn.side))) continue;
    turn.part = !is_end(turn)              ? LifePart::exchange
                : turn.side == first->side ? LifePart::teardown_active
                                           : LifePart::teardown_passive;
  }
  return turns;
}

}  // namespace ringchurn
