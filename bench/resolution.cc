// Looks at growing numbers of blocks, and what they cost in confidence: see resolution.h.
#include "bench/resolution.h"

#include <algorithm>

namespace ringchurn {
namespace {

/// Of the answer, whatever the looks took.
constexpr double kError = 0.05;
/// Found by simulation, with jitter, drift, outliers, correlated noise and all of them: at 96.5%
/// the answer still errs in 5.5%.
constexpr double kConfidenceOfLaterLooks = 0.97;

/// A quarter more, rounded up.
std::size_t after(std::size_t blocks) { return blocks + (blocks + 3) / 4; }

}  // namespace

ResolutionGoal::ResolutionGoal(double asked, const Bootstrap& bootstrap)
    : asked_(asked), bootstrap_(bootstrap) {
  bootstrap_.confidence = 1 - kError;
}

bool ResolutionGoal::look(std::span<const std::vector<BlockCost>> candidates,
                          const std::vector<BlockCost>& baseline, double measured_s) {
  if (!looks_.empty()) bootstrap_.confidence = kConfidenceOfLaterLooks;
  while (is_due(baseline.size())) next_ = after(next_);
  double widest = 0;
  for (const std::vector<BlockCost>& candidate : candidates) {
    const auto found = compare_costs(candidate, baseline, bootstrap_);
    if (!found) return false;
    widest = std::max(widest, (found->ratio.high - found->ratio.low) / 2);
  }
  looks_.push_back({static_cast<unsigned>(baseline.size()), measured_s, widest});
  return is_reached();
}

Bootstrap ResolutionGoal::answer() const { return bootstrap_; }

std::optional<CostComparison> compare_at_95_percent(std::span<const BlockCost> candidate,
                                                    std::span<const BlockCost> baseline,
                                                    const Bootstrap& bootstrap) {
  auto found = compare_costs(candidate, baseline, bootstrap);
  if (found) found->p_value = std::min(1.0, found->p_value * kError / (1 - bootstrap.confidence));
  return found;
}

}  // namespace ringchurn
