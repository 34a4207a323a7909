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

#include "bench/recorder.h"
#include "ring/ring.h"
#include "workloads/end.h"
#include "workloads/mix.h"

namespace ringchurn {

/// What a load's threads and the main thread tell each other while it runs. Relaxed counters and
/// flags; nothing here orders the steps of any connection.
struct Link {
  /// Connections that the server end has ended. The client end does not run away from it, so that
  /// neither the accept queue nor the server's table can overflow.
  alignas(64) std::atomic<std::uint64_t> server_ended{0};
  std::atomic<unsigned> server_backlog{0};  ///< completions of the server end's last turn
  /// For the live line: the client end's connections and outcomes other than ok.
  alignas(64) std::atomic<std::uint64_t> client_ended{0};
  std::atomic<std::uint64_t> errors{0}, unexpected_errors{0};
  std::atomic<unsigned> in_flight{0};
  /// Connections that the server end has to see before it may stop; set when the clients are done.
  alignas(64) std::atomic<std::uint64_t> to_serve{UINT64_MAX};
  std::atomic<bool> abandoned{false};  ///< one end gave up waiting: so must the other
};

/// How much to open.
struct Load {
  std::optional<std::uint64_t> connections;  ///< so many, or ...
  Nanoseconds until = 0;  ///< ... as many as begin before this moment of clock_ns()
};

/// CLOCK_MONOTONIC in nanoseconds.
Nanoseconds clock_ns();

/// What one worker did, when it is done or broke off.
struct WorkerReport {
  std::vector<ScenarioRecord> client, server;  ///< by scenario; empty for an end that was not there
  std::uint64_t client_ended = 0;
  std::uint64_t ring_enters = 0;
  bool ring_overflowed = false;
  std::uint64_t stale_completions = 0;
};

class Worker {
 public:
  enum class Ends { client, server, both };
  struct Settings {
    Ends ends = Ends::both;
    unsigned concurrency = 64;
    /// Hears every answer; must outlive the worker.
    const std::function<void(const Answer&)>* witness = nullptr;
    Nanoseconds stall_limit = 10'000'000'000;  ///< give up when nothing ends for so long
  };

  /// Must be made, used and destroyed by one thread: the ring belongs to it. What is referred to
  /// must outlive the worker; `stop` may be set by any thread or signal handler at any time. Throws
  /// Error.
  Worker(const Settings& settings, std::span<const Scenario> scenarios,
         std::span<const Endpoint> endpoints, Link& link, const std::atomic<bool>& stop);
  ~Worker();

  /// The accept queue that `concurrency` connections may need.
  static unsigned backlog(unsigned concurrency);

  /// With a client end: opens connections of `mix` until `load` is done, `stop` is set, or nothing
  /// moves any more; returns when every one of them has ended or was given up. Can be called again.
  void play(Mix& mix, const Load& load);

  /// With a server end alone: serves until link.to_serve connections have ended.
  void serve();

  WorkerReport report() const;
  std::uint64_t client_ended() const { return client_ ? client_->ended() : 0; }

 private:
  void admit(Mix& mix, std::uint64_t at_most);
  bool drained() const;
  bool keeps_up() const;
  void turn();
  void wait();
  unsigned reap();
  void publish();
  bool stalled();
  void abandon();

  Settings settings_;
  const bool batches_;    ///< waits for several completions at once
  unsigned backlog_ = 0;  ///< completions of the last turn
  Link& link_;
  const std::atomic<bool>& stop_;
  // The ring comes last, so that it goes first: its operations point into the ends' buffers.
  std::unique_ptr<Recorder> client_recorder_, server_recorder_;
  std::unique_ptr<End> client_, server_;
  Ring ring_;
  Nanoseconds now_ = 0;
  Nanoseconds last_end_ = 0;
  Nanoseconds stopped_ = 0;  ///< when `stop` was first seen; 0: not yet
  std::uint64_t ended_then_ = 0;
};

}  // namespace ringchurn
