// Completion for shells, printed from the tables of commands and options: what is added there is
// completed, too.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/option_table.h"

namespace ringchurn {

/// What a shell can offer for an option's value, beside scenarios (OptionSpec::names_scenarios).
struct ValueHint {
  std::vector<std::string_view> choices;  ///< "pair", "single"; empty: any value
  bool is_file = false;
};

/// As the placeholder says it: words in lower case between '|' are the choices, FILE and .json are
/// files.
ValueHint value_hint(const OptionSpec& spec);

/// The script for `shell`. `scenarios` are what is offered where scenarios are named.
std::string completion_script(Shell shell, const std::vector<std::string>& scenarios);

}  // namespace ringchurn
