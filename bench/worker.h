// One thread's work: a ring, the ends that live on it, and the closed loop that keeps a fixed
// number of connections in flight.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "bench/link.h"
#include "bench/pacer.h"
#include "bench/recorder.h"
#include "bench/ways.h"
#include "ring/ring.h"
#include "workloads/end.h"
#include "workloads/mix.h"

namespace ringchurn {

/// How much to open.
struct Load {
  std::optional<std::uint64_t> connections;  ///< so many, or ...
  Nanoseconds until = 0;  ///< ... as many as begin before this moment of clock_ns()
  Pacer* pacer =
      nullptr;  ///< open loop: when they are meant to begin. Else as soon as there is room
  Nanoseconds ramp_from = 0, ramp_until = 0;  ///< closed loop: meanwhile the room grows
  Nanoseconds warm_until = 0;  ///< times that are recorded before are forgotten; 0: none
};

/// How an open loop's generator kept its own pace.
struct PaceReport {
  Histogram lag;  ///< from the intended start to the real one, ns, of each connection
  std::uint64_t held_back =
      0;  ///< of those begun, the ones that were due while all `concurrency` were in flight
  std::uint64_t never_begun = 0;  ///< were due when the load's time was over
};

/// CLOCK_MONOTONIC in nanoseconds.
Nanoseconds clock_ns();

/// What one worker did, when it is done or broke off.
struct WorkerReport {
  std::vector<ScenarioRecord> client, server;  ///< by scenario; empty for an end that was not there
  PaceReport pace;
  std::uint64_t client_ended = 0;
  Nanoseconds longest_silence = 0;  ///< no connection ended at the client, though some were open
  std::uint64_t ring_enters = 0;
  bool ring_overflowed = false;
  std::uint64_t stale_completions = 0;
  /// How the last connections went down; null for an end that was not there, or if nobody wanted to
  /// know. Not to be read while the worker plays.
  std::shared_ptr<const MomentLog> client_moments, server_moments;
  bool in_lockstep = false;  ///< no connection had times of its own: see lockstep.h
  unsigned group = 0;        ///< workers of one group have the same listeners, and no other has those
};

class Worker {
 public:
  enum class Ends { client, server, both };
  struct Settings {
    Ends ends = Ends::both;
    unsigned concurrency = 64;
    /// Hears every answer; must outlive the worker.
    const std::function<void(const Answer&)>* witness = nullptr;
    /// Give up when none begins nor ends for so long.
    Nanoseconds stall_limit = 10'000'000'000;
    bool peer_is_elsewhere =
        false;               ///< the other end is not this program's, or not in this process
    bool open_loop = false;  ///< connections never rest: see End::Settings::rests
    /// The links of all threads that serve each other, the worker's own among them. Empty: its own
    /// is the only one. They must outlive the worker.
    std::span<Link> group{};
    /// Connections that the clients of a server's end have in flight together, which may all come
    /// to this one; 0: `concurrency`. See Worker::room() for how many its table must hold.
    unsigned most_at_once = 0;
    Ways ways{};
    std::optional<int> sqpoll_cpu{};  ///< RingSettings::sqpoll_cpu
    /// Connections of each end of which WorkerReport::client_moments and server_moments have the
    /// last ones, all scenarios together; 0: none.
    std::size_t moments = 0;
  };

  /// Must be made, used and destroyed by one thread: the ring belongs to it. What is referred to
  /// must outlive the worker; `stop` may be set by any thread or signal handler at any time. `link`
  /// is where it publishes; of a group's threads on one side, each has a link of its own. Throws
  /// Error.
  Worker(const Settings& settings, std::span<const Scenario> scenarios,
         std::span<const Endpoint> endpoints, Link& link, const std::atomic<bool>& stop);
  ~Worker();

  /// The accept queue that `concurrency` connections may need.
  static unsigned backlog(unsigned concurrency);

  /// With a client end: opens connections of `mix` until `load` is done, `stop` is set, or nothing
  /// moves any more; returns when every one of them has ended or was given up. Can be called again.
  void play(Mix& mix, const Load& load);

  /// With a server end alone: serves until the group's servers have ended what its clients left
  /// them to serve, and if its clients are elsewhere, until `stop` is set.
  void serve();

  WorkerReport report() const;
  std::uint64_t client_ended() const { return client_ ? client_->ended() : 0; }

 private:
  void forget_warm_up();
  bool more_to_begin(const Load& load, std::uint64_t left) const;
  void admit(Mix& mix, const Load& load, std::uint64_t at_most);
  void begin_when_due(Mix& mix, const Load& load, std::uint64_t room);
  std::uint64_t room(const Load& load) const;
  bool drained() const;
  bool keeps_up() const;
  void turn();
  void wait();
  std::chrono::nanoseconds patience() const;
  unsigned reap();
  void publish();
  bool stalled();
  void abandon();

  Settings settings_;
  const bool batches_;    ///< waits for several completions at once
  unsigned backlog_ = 0;  ///< completions of the last turn
  Link& link_;
  GroupOfLinks group_;
  const std::atomic<bool>& stop_;
  // The ring comes last, so that it goes first: its operations point into the ends' buffers.
  std::unique_ptr<Recorder> client_recorder_, server_recorder_;
  std::unique_ptr<End> client_, server_;
  Ring ring_;
  Nanoseconds now_ = 0;
  Nanoseconds last_end_ = 0;
  const Pacer* pacer_ = nullptr;  ///< of the load that is being played
  PaceReport pace_;
  Nanoseconds admitted_ = 0;  ///< when it was last looked which connections of a pacer are due
  Nanoseconds full_ = 0;      ///< when one of them was last held back
  Nanoseconds longest_silence_ = 0;
  bool idled_ = false;       ///< at the last look none was open, and more were to come
  Nanoseconds stopped_ = 0;  ///< when `stop` was first seen; 0: not yet
  std::uint64_t ended_then_ = 0;
  Nanoseconds last_move_ = 0;  ///< when a connection was last established, or ended
  std::uint64_t moved_then_ = 0;
};

}  // namespace ringchurn
