// Reasons to trust a result or not: the three promises and the rules of validity, judged from the
// numbers alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/account.h"
#include "bench/result.h"

namespace ringchurn {

/// What a result is for.
enum class Judgement : std::uint8_t { run, comparison };

/// Judges an accounted result. On the host's own namespace other programs' connections are counted
/// too, so the kernel's verdicts are advisory there. One side alone is not asked what takes both:
/// whether the ends agree, and whether the kernel does. Of a comparison, much steal is more than a
/// warning: its outliers are no exceptions any more (bench/README.md).
std::vector<Verdict> judge(const RunResult& result, const LoadFacts& facts,
                           Judgement judged = Judgement::run);

/// The part of it that needs no more than the result and what the kernel counted. In a merged
/// result, the kernel's verdicts are advisory: neither machine's network is known to be private.
std::vector<Verdict> judge_account(const RunResult& result, const KernelCounters& counted);

/// Whether everything was begun that was `asked` for (connections; empty: as many as come), and
/// nothing broke: `failure` says what did, or is "". An interrupted load advises.
Verdict judge_load(const RunResult& result, std::optional<std::uint64_t> asked,
                   const std::string& failure);

/// Judges what only some loads have: an open loop's pace, and a port space that may run out. Both
/// advise: the times that they doubt are honest.
std::vector<Verdict> judge_pace(const RunResult& result);

/// Judges what a comparison adds: whether its control found a difference where there is none,
/// whether outliers were left out even-handedly, and whether the resolution that was asked for was
/// reached. All advise, but for a control that chance would let differ so far once in a thousand
/// comparisons: at 95% it errs once in twenty runs by design.
std::vector<Verdict> judge_comparison(const CompareResult& result);

/// True unless a verdict that is not advisory says no.
bool trusted(const std::vector<Verdict>& verdicts);

}  // namespace ringchurn
