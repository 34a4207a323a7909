// Fisher and Yates's shuffle written out: std::shuffle differs between standard libraries, and a
// seed must give the same schedule everywhere.
#include "bench/schedule.h"

#include <numeric>
#include <utility>

namespace ringchurn {

std::vector<std::uint8_t> mirrored_block(std::uint8_t arms, Random& random) {
  std::vector<std::uint8_t> block(arms);
  std::iota(block.begin(), block.end(), std::uint8_t{0});
  for (std::uint32_t last = arms; last > 1; --last) {
    std::swap(block[last - 1], block[random.below(last)]);
  }
  block.reserve(std::size_t{2} * arms);
  block.insert(block.end(), block.rbegin(), block.rend());
  return block;
}

}  // namespace ringchurn
