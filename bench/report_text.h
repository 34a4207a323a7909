// The result for a person at a terminal.
#pragma once

#include <string>

#include "bench/doctor.h"
#include "bench/result.h"
#include "bench/text.h"

namespace ringchurn {

/// A run: what was run, each scenario's ledger and bytes, errors, latencies, kernel counters, cost,
/// and at the end the verdicts and whether to trust it all. Lines end with '\n' and fit into
/// style.width (60 or more).
std::string run_report(const RunResult& result, const TextStyle& style);

/// A comparison: the same account, then the arms with their intervals, the verdicts, and at the
/// very end the sentence.
std::string compare_report(const CompareResult& result, const TextStyle& style);

/// A gate: its comparison's report if there is one, both costs, each requirement, and at the very
/// end the sentence.
std::string gate_report(const GateResult& result, const TextStyle& style);

/// Each verdict with its evidence and remedy, below "ok", "WARN" or "FAIL".
std::string verdict_lines(const std::vector<Verdict>& verdicts, const TextStyle& style);

/// What --quiet leaves of a report: the verdicts that fail and do more than advise, one line each,
/// unwrapped and without colour, begun as an error is. Of a gate, its sentence too, unless it is
/// fine.
std::string failures(const std::vector<Verdict>& verdicts);
std::string gate_failures(const GateResult& result);

/// What the doctor found, and at the end whether this machine can measure.
std::string doctor_report(const MachineFacts& facts, const std::vector<Verdict>& verdicts,
                          const TextStyle& style);

}  // namespace ringchurn
