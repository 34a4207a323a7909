// What there is to say about one scenario of the atlas, in words; how it is laid out is the
// reports' business.
#pragma once

#include <string>
#include <vector>

#include "bench/atlas.h"

namespace ringchurn {

/// What an entry that was played is listed by: the ring's performance, if there is one.
const Performance& shown(const AtlasEntry& entry);

/// The step that says most about a scenario.
struct Telling {
  const StepAnswers* step = nullptr;   ///< null: every step ended `ok`
  const StepAnswers* other = nullptr;  ///< the same step by plain system calls, if they played
};

/// The first step with an answer that nothing expects; else the last one where the engines differ;
/// else the one that expects an errno, then EOF or a timeout, then events or a state; of several
/// such the one with the most different answers, or the last. Points into `entry`, which must have
/// been played.
Telling telling_step(const AtlasEntry& entry);

/// True if `outcome` is one of those that `declared` allows ("EPIPE | ECONNRESET"): if nothing
/// expected it all the same, it came too early or too late.
bool is_declared(const std::string& declared, const std::string& outcome);

/// "EPIPE", or "EPIPE 13, ECONNRESET 7" where it is a race; "ok" for null, "-" for a step that was
/// never reached.
std::string answers_text(const StepAnswers* step);

/// Where a step stands: "client 5".
std::string place_text(const StepAnswers& step);

/// What a counter is declared to move by: "20", "0 to 40".
std::string range_text(const CounterRow& row);

/// Everything that is not as expected in what one engine did, a line each.
std::vector<std::string> complaints(const Performance& performance);

/// What an entry's own line does not say: why it was skipped, what is not as expected, and where
/// the engines differ but at the telling step.
std::vector<std::string> details(const AtlasEntry& entry);

/// What it all was played on.
std::string machine(const Context& context);

}  // namespace ringchurn
