// A made-up atlas that every report test prints: a plain answer, a race, an answer that nothing
// expected, engines that differ, a scenario that was skipped.
#pragma once

#include "bench/atlas.h"
#include "tests/sample_results.h"

namespace ringchurn {

inline StepAnswers sample_step(Side side, unsigned number, const char* text, const char* declared,
                               std::vector<AnswerCount> answers) {
  return {side, number, text, declared, std::move(answers)};
}

inline Performance sample_performance(std::vector<StepAnswers> steps) {
  Performance performance;
  performance.runs = 20;
  performance.finished = 20;
  performance.expected = true;
  performance.steps = std::move(steps);
  performance.counters = {{"OutRsts", 20, 20, 20, 0}, {"TW", 0, 0, 0, 0}};
  return performance;
}

inline AtlasEntry sample_entry(const char* folder, const char* name, Performance ring) {
  AtlasEntry entry;
  entry.folder = folder;
  entry.name = name;
  entry.about =
      "\nWhat happens, in a sentence. And why, in another one that is rather longer than\n"
      "a line of the terminal.";
  entry.ring = std::move(ring);
  return entry;
}

/// recv ends with ECONNRESET, then with EOF, and a send with EPIPE.
inline AtlasEntry sample_reset() {
  AtlasEntry entry = sample_entry(
      "reset", "recv-after-reset",
      sample_performance(
          {sample_step(Side::client, 0, "socket", "ok", {{"ok", 20, true}}),
           sample_step(Side::client, 1, "connect", "ok", {{"ok", 20, true}}),
           sample_step(Side::client, 2, "recv", "ECONNRESET", {{"ECONNRESET", 20, true}}),
           sample_step(Side::client, 3, "recv", "EOF", {{"EOF", 20, true}}),
           sample_step(Side::server, 1, "accept", "ok", {{"ok", 20, true}}),
           sample_step(Side::server, 2, "close", "ok", {{"ok", 20, true}})}));
  entry.claims = {{"S000-05", Evidence::holds}, {"S000-02", Evidence::wrong}};
  entry.ring->story = {
      {Side::client, 0, "socket", "ok", "ok", 0, true, 12, 12},
      {Side::client, 1, "connect", "ok", "ok", 0, true, 104, 92},
      {Side::server, 1, "accept", "ok", "ok", 0, true, 131, 0},
      {Side::server, 2, "close", "ok", "ok", 0, true, 190, 40},
      {Side::client, 2, "recv", "ECONNRESET", "ECONNRESET", -104, true, 1'240, 1'136},
      {Side::client, 3, "recv", "EOF", "EOF", 0, true, 1'250, 10}};
  entry.ring->moved = {{"OutRsts", 1}, {"TCPAbortOnClose", 1}};
  return entry;
}

/// EPIPE or ECONNRESET.
inline AtlasEntry sample_race() {
  AtlasEntry entry = sample_entry(
      "reset", "race-send-close",
      sample_performance({sample_step(Side::client, 6, "send 1", "ok | EPIPE | ECONNRESET",
                                      {{"EPIPE", 13, true}, {"ECONNRESET", 7, true}}),
                          sample_step(Side::client, 7, "state", "CLOSE", {{"CLOSE", 20, true}})}));
  entry.racy = true;
  return entry;
}

/// A kernel that answers otherwise than the file says, and counts otherwise.
inline AtlasEntry sample_surprise() {
  AtlasEntry entry = sample_entry(
      "half-close", "send-after-shutdown",
      sample_performance({sample_step(Side::client, 3, "send 1", "EPIPE",
                                      {{"ENOTCONN", 19, false}, {"EPIPE", 1, true}}),
                          sample_step(Side::client, 4, "close", "ok", {{"ok", 20, false}})}));
  entry.ring->expected = false;
  entry.ring->finished = 1;
  entry.ring->counters = {{"OutRsts", 19, 20, 20, 0}, {"Imaginary", {}, 0, 20, 0}};
  entry.claims = {{"S000-08", Evidence::wrong}};
  return entry;
}

/// io_uring and the plain call answer differently, at two steps.
inline AtlasEntry sample_difference() {
  AtlasEntry entry = sample_entry(
      "options", "cancel",
      sample_performance(
          {sample_step(Side::client, 2, "recv", "ECANCELED", {{"ECANCELED", 20, true}}),
           sample_step(Side::client, 3, "recv dontwait", "EAGAIN", {{"EAGAIN", 20, true}}),
           sample_step(Side::client, 4, "poll IN", "IN+RDHUP", {{"IN+RDHUP", 20, true}})}));
  entry.syscall = entry.ring;
  entry.syscall->steps[0] = sample_step(Side::client, 2, "recv", "EINTR", {{"EINTR", 20, true}});
  entry.syscall->steps[2] = sample_step(Side::client, 4, "poll IN", "IN", {{"IN", 20, true}});
  return entry;
}

inline AtlasEntry sample_skipped() {
  AtlasEntry entry;
  entry.folder = "process";
  entry.name = "process-killed-linger-zero";
  entry.about = "A process dies.";
  entry.skipped = "no user namespace may be made here: set kernel.unprivileged_userns_clone to 1";
  entry.claims = {{"S004-05", Evidence::wrong}};
  return entry;
}

inline AtlasEntry sample_graceful() {
  return sample_entry(
      "teardown", "graceful",
      sample_performance({sample_step(Side::client, 1, "connect", "ok", {{"ok", 20, true}}),
                          sample_step(Side::server, 2, "recv-eof", "ok", {{"ok", 20, true}})}));
}

inline AtlasResult sample_atlas() {
  AtlasResult atlas;
  atlas.context = sample_context();
  atlas.context.command = "ringchurn atlas --engine syscall";
  atlas.entries = {sample_difference(), sample_graceful(), sample_race(),
                   sample_reset(),      sample_skipped(),  sample_surprise()};
  using enum ClaimResult::Verdict;
  atlas.claims = {
      {"S000-02",
       "every call on a broken connection says ENOTCONN",
       "only shutdown; recv gives the stored error once, then EOF; send gives it once, then EPIPE",
       wrong,
       {"recv-after-reset"}},
      {"S000-05",
       "a received RST shows as ECONNRESET",
       "in CLOSE_WAIT it is EPIPE to send",
       partly,
       {"recv-after-reset", "race-send-close"}},
      {"S000-08", "a send says EPIPE where others say ENOTCONN", "", not_shown, {}},
      {"S000-10", "close never says ENOTCONN", "", holds, {"graceful"}},
      {"S002-04",
       "ECONNABORTED has different numbers on different machines",
       "The numbers are a matter of header files.",
       not_applicable,
       {}}};
  atlas.elapsed_s = 38.24;
  return atlas;
}

}  // namespace ringchurn
