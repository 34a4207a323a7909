// How much memory ringchurn itself takes while it plays.
#pragma once

#include <cstdint>
#include <optional>

namespace ringchurn {

/// Resident memory of this process: anonymous pages and those of the rings. What the kernel holds
/// for sockets and descriptor tables is not in it.
class MemoryGrowth {
 public:
  /// From here on.
  MemoryGrowth();
  /// Bytes by which the highest point so far is above what was there at the beginning, as the
  /// kernel counts them: a page late here and there, about 0.5 MB for all CPUs. nullopt where /proc
  /// does not tell.
  std::optional<std::uint64_t> bytes() const;

 private:
  std::optional<std::uint64_t> before_bytes_;
};

}  // namespace ringchurn
