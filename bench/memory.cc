// See memory.h.
#include "bench/memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "bench/process_group.h"

namespace ringchurn {

MemoryGrowth::MemoryGrowth() {
  const auto status = ProcessStatus::read(::getpid());
  if (!status) return;
  before_bytes_ = status->rss_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::optional<std::uint64_t> MemoryGrowth::bytes() const {
  rusage usage{};
  if (!before_bytes_ || ::getrusage(RUSAGE_SELF, &usage) != 0) return std::nullopt;
  const std::uint64_t peak_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  return peak_bytes - std::min(peak_bytes, *before_bytes_);
}

}  // namespace ringchurn
