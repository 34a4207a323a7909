// Ways to use io_uring: what is a property of the engine, and not of a connection. `run --ring
// WAYS` has them, and an arm of a comparison behind its name: "graceful@plain+wait-batch".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "workloads/script.h"

namespace ringchurn {

/// What a thread waits for when nothing is due.
enum class Waiting : std::uint8_t {
  automatic,  ///< a batch where the other end has a CPU of its own, else one completion
  one,        ///< for one completion
  batch,      ///< for several, a little longer than for the first
  never,      ///< it asks again and again
};

/// All of them off, and automatic: how this program uses io_uring unless told otherwise.
struct Ways {
  bool plain = false;          ///< ordinary descriptors, not direct ones
  bool shutdown_call = false;  ///< shutdown(2) by the thread itself; only with `plain`
  bool sqpoll = false;         ///< IORING_SETUP_SQPOLL
  bool accept_one = false;     ///< one accept at a time on a listener, not a multishot one
  Waiting waiting = Waiting::automatic;

  bool operator==(const Ways&) const = default;
};

/// Reads "plain+wait-batch". Throws Error (exit code 2) for a way that is unknown, given twice, or
/// that does not go with another.
Ways parse_ways(std::string_view text);

/// The other way round, in the order in which the help has them; "" for none.
std::string ways_text(const Ways& ways);

/// An arm as typed, in two: "graceful=7,refused=1@plain" plays "graceful=7,refused=1" by "plain".
struct ArmText {
  std::string played;
  std::string ways;       ///< as typed; "" without any
  bool has_ways = false;  ///< an '@' was there
};

/// What stands behind the last '@' is a way unless it can be part of a file's name or a mix: it has
/// a '/', '.', ',' or '='.
ArmText split_arm(const std::string& text);

/// Throws Error (exit code 2) if `scenario` is about what `ways` leave out: the table of direct
/// descriptors, or the place of a shutdown among other operations of a batch.
void require_playable(const Scenario& scenario, const Ways& ways);

/// Where the kernel's thread of `sqpoll` goes if ours is pinned to `own`: the next of `cpus`, or
/// `own` if there is no other.
int cpu_beside(std::span<const int> cpus, int own);

}  // namespace ringchurn
