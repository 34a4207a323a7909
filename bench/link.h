// What the threads of a load tell each other and the main thread while it runs.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "bench/result.h"
#include "workloads/outcome.h"
#include "workloads/script.h"

namespace ringchurn {

/// How many outcomes other than ok one end of one thread met. That thread alone counts; any thread
/// may read at any time. Nothing is locked and nothing allocated: counting is a plain addition.
class OutcomeCounts {
 public:
  void count(Outcome outcome, bool expected) {
    add_one(by_outcome_[slot(outcome)]);
    add_one(expected ? expected_ : unexpected_);
  }

  std::uint64_t expected() const { return expected_.load(std::memory_order_relaxed); }
  std::uint64_t unexpected() const { return unexpected_.load(std::memory_order_relaxed); }
  /// Adds them up by errno class, as outcome_class() names it.
  void add_to(std::map<std::string, std::uint64_t>& by_class) const;

 private:
  using Counter = std::atomic<std::uint64_t>;

  // Errnos below 256 (and ok, where it was not expected) have the slots of their numbers, what is
  // no errno has those behind. Linux has no errno above 133 that a program may see; one that came
  // all the same is counted in the last slot.
  static constexpr std::size_t kErrnos = 256;
  static constexpr std::size_t kNoErrno = static_cast<std::size_t>(Outcome::eof);
  static constexpr std::size_t kOther =
      kErrnos + static_cast<std::size_t>(Outcome::state) + 16 - kNoErrno;

  static std::size_t slot(Outcome outcome) {
    const auto number = static_cast<std::size_t>(outcome);
    if (number >= kNoErrno) return number - kNoErrno + kErrnos;
    return number < kErrnos ? number : kOther;
  }

  /// There is but one writer.
  static void add_one(Counter& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  std::array<Counter, kOther + 1> by_outcome_{};
  Counter expected_{0}, unexpected_{0};
};

/// What a client's thread and a server's thread publish, each its own part. Relaxed counters and
/// flags; nothing here orders the steps of any connection. Threads that serve each other are a
/// group: one of each and one link, or in layout wide as many links as the side that has more.
struct Link {
  /// Connections that the server end has ended. The client end does not run away from it, so that
  /// neither the accept queue nor the server's table can overflow.
  alignas(64) std::atomic<std::uint64_t> server_ended{0};
  std::atomic<unsigned> server_backlog{0};  ///< completions of the server end's last turn
  std::atomic<unsigned> server_in_flight{0};
  std::atomic<std::uint64_t> server_enters{0};  ///< of a ring that has the server's end alone
  /// For the live line and the time series; set once a turn.
  alignas(64) std::atomic<std::uint64_t> client_ended{0};
  /// Of them, those that had been established: a server's end has them, too.
  std::atomic<std::uint64_t> client_parted{0};
  std::atomic<unsigned> in_flight{0};    ///< at the client end
  std::atomic<std::uint64_t> enters{0};  ///< system calls of the ring that has the client
  alignas(64) OutcomeCounts client_outcomes;
  alignas(64) OutcomeCounts server_outcomes;
  /// Connections of this client that servers have to see before they may stop; set when it is done.
  alignas(64) std::atomic<std::uint64_t> to_serve{UINT64_MAX};
  std::atomic<bool> abandoned{false};  ///< one end gave up waiting: so must the other
};

/// A group as a whole, by its links. Each link is read on its own: what is added up may be as old
/// as the last turn of the thread that published it.
class GroupOfLinks {
 public:
  /// `links` must outlive it.
  explicit GroupOfLinks(std::span<Link> links) : links_(links) {}

  std::uint64_t client_ended() const { return sum(&Link::client_ended); }
  std::uint64_t server_ended() const { return sum(&Link::server_ended); }
  /// Connections that the clients are done with and the servers are not.
  std::uint64_t servers_lag() const;
  /// Completions of a server end's last turn, where they were most.
  unsigned server_backlog() const;
  /// What all clients leave for the servers to see; UINT64_MAX while one of them still plays.
  std::uint64_t to_serve() const;
  /// Everybody in the group gives up.
  void abandon();

 private:
  std::uint64_t sum(std::atomic<std::uint64_t> Link::*counter) const;

  std::span<Link> links_;
};

/// What the threads of `links` have done so far. Connections are those of the end `whose`, errors
/// those of both. While they run, the counts are read one after the other: they may differ by what
/// happened meanwhile.
LoadCounts load_counts(std::span<const Link* const> links, Side whose);

}  // namespace ringchurn
