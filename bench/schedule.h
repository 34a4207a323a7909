// In which order a comparison runs its arms: in blocks, each a random order followed by its mirror.
#pragma once

#include <cstdint>
#include <vector>

#include "workloads/random.h"

namespace ringchurn {

/// One block's schedule: a random permutation of the arms 0..arms-1, then the same backwards, so
/// that each arm runs twice. For two arms this is ABBA or BAAB.
///
/// In the mirror every arm's two slices have the same mean time, so a drift that is linear within
/// the block (a warming CPU, a filling TIME_WAIT table) cancels between the arms; the random order
/// takes care of what depends on the neighbour or on a rhythm.
std::vector<std::uint8_t> mirrored_block(std::uint8_t arms, Random& random);

}  // namespace ringchurn
