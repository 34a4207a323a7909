// One line of a script, read: "recv 1024 -> ok | ECONNRESET".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "workloads/script.h"

namespace ringchurn {

/// Reads one step, its parameters already filled in, with what `engine` is expected to answer.
/// `sockets` are the names that earlier steps of the script made; the step's own are added. Throws
/// std::invalid_argument whose text says what is wrong and what would be right; the caller adds
/// file, line and place.
Step parse_step(std::string_view written, Engine engine, std::vector<std::string>& sockets);

}  // namespace ringchurn
