// The arms of a comparison as text, and its answer in words.
#pragma once

#include <optional>
#include <string>

#include "bench/result.h"
#include "bench/text.h"

namespace ringchurn {

/// The sections of a report that a comparison adds to its account: the arms with their intervals,
/// the points of a sweep, and, where there are bills, what stands beside them.
std::string arms_text(const CompareResult& result, const TextStyle& style);

/// "0.842 [0.836, 0.848]", or "-" without an answer.
std::string interval_text(const std::optional<Estimate>& estimate, int decimals);

/// The answer of a comparison in words to be quoted: "rst-client costs 15.8% (±0.6) less CPU per
/// connection than graceful: 26.1 us against 31.0 us", where ± is half of the 95% interval, in
/// percentage points; a skewed interval is told by its ends. An interval that includes 1, or a
/// p-value that Holm's adjustment for all arms raises above 0.05, answers that no difference was
/// shown, and says how small one could have been. Without a ratio it says that there is no answer,
/// and why.
std::string comparison_sentence(const ArmResult& arm, const ArmResult& baseline);

}  // namespace ringchurn
