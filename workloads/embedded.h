// The built-in scenario files and the claims, carried inside the binary so that it runs from any
// folder and on a machine without the sources. embed_scenarios.cmake generates the definitions at
// build time.
#pragma once

#include <span>
#include <string_view>

namespace ringchurn {

/// One built-in scenario file. All views live as long as the program.
struct EmbeddedScenario {
  std::string_view name;  ///< The file's name without `.toml`; unique.
  std::string_view path;  ///< Relative to workloads/scenarios; for error messages.
  std::string_view text;  ///< The file, byte for byte.
};

/// Every built-in scenario, sorted by name. May be called from any thread.
std::span<const EmbeddedScenario> embedded_scenarios();

/// workloads/claims.toml, byte for byte. Lives as long as the program.
std::string_view embedded_claims();

}  // namespace ringchurn
