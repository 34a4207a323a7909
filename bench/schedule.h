// In which order a comparison runs its arms: in blocks, each a random order followed by its mirror.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "workloads/moments.h"
#include "workloads/random.h"

namespace ringchurn {

/// What an arm plays and nobody measures, where another arm played before it in its block. The
/// kernel frees the inodes of closed sockets after an RCU grace period, in bursts, on the account
/// of who runs then: every 8 to 16 ms on a busy CPU, 4% of its time (Linux 6.18, HZ=250,
/// irq:softirq_entry). After two periods an arm pays for its own closes and for nobody else's.
constexpr Nanoseconds kLeadIn_ns = 30'000'000;

/// How long each arm of a block leads in, asked in the order in which they play.
class LeadIns {
 public:
  /// 0 where `arm` goes on.
  Nanoseconds before(std::size_t arm) {
    return std::exchange(played_, arm) == arm ? 0 : kLeadIn_ns;
  }

 private:
  std::optional<std::size_t> played_;
};

/// What an arm plays in one go and is measured, with few connections in flight. Long against the
/// ends of a slice, where fewer connections are in flight, and no shorter than a lead-in, which
/// nobody measures; short against the drift of a machine.
constexpr Nanoseconds kSlice_ns = 30'000'000;

/// One block's schedule: a random permutation of the arms 0..arms-1, then the same backwards, so
/// that each arm runs twice. For two arms this is ABBA or BAAB.
///
/// In the mirror every arm's two slices have the same mean time, so a drift that is linear within
/// the block (a warming CPU, a filling TIME_WAIT table) cancels between the arms; the random order
/// takes care of what depends on the neighbour or on a rhythm.
std::vector<std::uint8_t> mirrored_block(std::uint8_t arms, Random& random);

}  // namespace ringchurn
