// The atlas: every scenario played some times on this kernel, each in a lab and a process of its
// own, and what came of it held against what its file expects.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/options.h"
#include "bench/result.h"
#include "workloads/scenario_file.h"

namespace ringchurn {

/// How often one step ended in one way.
struct AnswerCount {
  std::string outcome;  ///< outcome_name()
  std::uint64_t count = 0;
  bool expected = true;  ///< by the file; a step that took too short or too long is not
};

/// One step of a scenario, with every answer that the kernel gave to it.
struct StepAnswers {
  Side side = Side::client;
  unsigned number = 0;  ///< in the file's list, from 1; 0: put there by the compiler ("socket")
  std::string text;
  std::string declared;              ///< the outcomes that the file allows, as "EPIPE | ECONNRESET"
  std::vector<AnswerCount> answers;  ///< most frequent first; empty: the step was never reached
};

/// A moment of one connection, for the story.
struct Moment {
  Side side = Side::client;
  unsigned number = 0;
  std::string text, declared, outcome;
  std::int32_t result = 0;  ///< bytes, or -errno
  bool expected = true;
  std::uint64_t at_us = 0, took_us = 0;  ///< since the first step; from issue to answer
  /// Every connection's two TCP states right then: "client FIN_WAIT2, server CLOSE_WAIT"; more than
  /// one with semicolons. "" if there is none.
  std::string states{};
};

/// What one engine made of a scenario.
struct Performance {
  unsigned runs = 0;      ///< connections begun
  unsigned finished = 0;  ///< both ends as written
  bool expected = false;  ///< every answer, every counter, every byte
  std::string failure;    ///< why there is no answer: the lab refused, the process died, a stall
  std::vector<StepAnswers> steps;    ///< client first, then server
  std::vector<CounterRow> counters;  ///< the kernel's, declared and measured
  std::vector<Moment> story;         ///< of the first connection, in time order; on request
  /// On request, counters of this lab that moved at all, declared or not, by one connection.
  std::map<std::string, std::uint64_t> moved;
};

struct AtlasEntry {
  std::string name, folder;  ///< folder "" for a user's own file
  std::string about;         ///< all of it
  bool racy = false;         ///< some step may end in several ways
  std::map<std::string, Evidence> claims;
  std::string skipped;  ///< why it could not be played here, or ""
  std::optional<Performance> ring, syscall;

  bool expected() const;
};

/// A claim and what the entries that were played say about it.
struct ClaimResult {
  enum class Verdict { holds, partly, wrong, not_applicable, not_shown };
  std::string id, claim, note;
  Verdict verdict = Verdict::not_shown;  ///< not_shown: evidence is missing, or came out otherwise
  std::vector<std::string> shown_by;     ///< scenarios
};
/// For programs: "holds", "partly", "wrong", "not_applicable", "not_shown".
const char* verdict_name(ClaimResult::Verdict verdict);
/// For people: "holds", "only if", "does not hold", "n/a", "not shown".
const char* verdict_words(ClaimResult::Verdict verdict);

struct AtlasResult {
  Context context;
  std::vector<AtlasEntry> entries;
  std::vector<ClaimResult> claims;  ///< every one that the entries bear on, by id
  double elapsed_s = 0;
  bool interrupted = false;
};

/// A scenario, compiled for the engines that are to play it.
struct PlannedScenario {
  ScenarioFile file;
  Scenario ring;
  std::optional<Scenario> syscall;  ///< empty if only the ring was asked for, or only it can
};

/// What there is to say about a scenario before it is played.
AtlasEntry entry_of(const PlannedScenario& planned);

/// Plays them all, `options.runs` connections of each, several scenarios at the same time; with
/// `options.explain`, one connection, whose story is told. Must be called before the process has a
/// second thread. Throws Error if not even a process can be had.
AtlasResult play_atlas(const Options& options, const std::vector<PlannedScenario>& planned);

}  // namespace ringchurn
