// Connections in lockstep: a batch of them, all at the same step of their scenario's story, so that
// the thread's clock can be read between two steps and each step has the CPU time that it took.
// Both ends live on the calling thread, as in layout single; what differs from the ordinary play is
// the order in which the same steps are played.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bench/cpu_time.h"
#include "bench/recorder.h"
#include "bench/worker.h"
#include "ring/ring.h"
#include "workloads/end.h"
#include "workloads/story.h"

namespace ringchurn {

/// What one slice of lockstep play took, nanoseconds of CPU time of all its connections together.
struct LockstepSlice {
  std::uint64_t connections = 0;
  std::vector<double> turns_ns;  ///< of the playing thread, by story_turns()
  double workers_ns = 0;         ///< of the process's other threads: io-wq workers

  /// Of two slices of one scenario. What lacks its turns leaves none.
  LockstepSlice& operator+=(const LockstepSlice& other);
};

class Lockstep {
 public:
  /// Must be made, used and destroyed by one thread; what is referred to must outlive it. Batches
  /// have `concurrency` connections; the listeners need a backlog of Worker::backlog(concurrency),
  /// and no other ring may have accepted from them: the kernel takes one apart after it was closed.
  /// `stop` may be set by any thread or signal handler at any time. Throws Error.
  Lockstep(std::span<const Scenario> scenarios, std::span<const Endpoint> endpoints,
           unsigned concurrency, const std::atomic<bool>& stop);

  /// Why scenario number `index` cannot be played in lockstep, or "": lockstep_obstacle(), and what
  /// a batch that is played here and now shows. Plays that batch.
  std::string obstacle(std::uint16_t index);

  /// Plays batches of a scenario without an obstacle until `until` of clock_ns(), or until `stop`
  /// is set; all their connections have ended when it returns. No turns if a step waited for
  /// something that comes later: then the connections ended in their own order.
  LockstepSlice play(std::uint16_t index, Nanoseconds until);

  /// The account of everything that was played. It has no times: a connection's were its batch's.
  WorkerReport report() const;
  std::uint64_t ended() const { return client_.ended(); }

 private:
  /// Plays a batch and adds each turn's time to `spent_ns_`. False if a turn did not come to its
  /// end; then `waited_` is that turn.
  bool play_batch(std::uint16_t scenario);
  bool play_turn(const StoryTurn& turn);
  unsigned behind(const StoryTurn& turn);
  bool is_drained() const;
  void go_on();
  void drain();
  void release();
  void enter(unsigned want);
  void end_turn(std::size_t turn);
  void measure_reading();

  std::span<const Scenario> scenarios_;
  unsigned concurrency_;
  const std::atomic<bool>& stop_;
  OutcomeCounts client_heard_, server_heard_;
  Recorder client_recorder_, server_recorder_;
  Ring ring_;
  End client_, server_;
  ProcessCpuClock process_;
  std::vector<std::vector<StoryTurn>> turns_;  ///< by scenario; empty: it has an obstacle
  std::vector<std::uint64_t> spent_ns_;        ///< by turn of the scenario that is being played
  StoryTurn waited_;
  double reading_ns_ = 0;  ///< what it costs to read the thread's clock
  std::uint64_t read_ns_ = 0;
  std::uint64_t accepted_before_ = 0;
  Nanoseconds now_ = 0;
  bool abandoned_ = false;  ///< some connections never ended: nothing more is played
};

}  // namespace ringchurn
