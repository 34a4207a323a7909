// What somebody who mistyped a word may have meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ringchurn {

/// The word of `known` that is nearest to `word`, as ", did you mean 'recv'?", or "" if none is
/// near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

}  // namespace ringchurn
