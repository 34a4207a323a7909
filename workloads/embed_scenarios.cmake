# Writes OUTPUT, a C++ file that holds every file of the list SCENARIOS (all below FOLDER) and the
# file CLAIMS, for workloads/embedded.h. Every byte of a text is written as \xNN, so a text may hold
# anything: quotes, a raw string's delimiter, a NUL.

function(read_escaped file result)
  file(READ ${file} text HEX)
  string(REGEX REPLACE "(..)" "\\\\x\\1" text "${text}")
  set(${result} "${text}" PARENT_SCOPE)
endfunction()

set(entries "")
foreach(file IN LISTS SCENARIOS)
  cmake_path(GET file STEM LAST_ONLY name)
  file(RELATIVE_PATH path ${FOLDER} ${file})
  list(APPEND entries "${name}\t${path}")  # A tab sorts before every character of a name.
endforeach()
list(SORT entries)

set(rows "")
set(previous "")
foreach(entry IN LISTS entries)
  string(REPLACE "\t" ";" entry "${entry}")
  list(POP_FRONT entry name path)
  if(name STREQUAL previous)
    message(FATAL_ERROR "Two scenarios are named ${name}; rename ${FOLDER}/${path}")
  endif()
  set(previous "${name}")
  read_escaped(${FOLDER}/${path} text)
  string(APPEND rows "    {\"${name}\"sv, \"${path}\"sv, \"${text}\"sv},\n")
endforeach()

list(LENGTH entries count)
read_escaped(${CLAIMS} claims)
file(WRITE ${OUTPUT} "// Generated from workloads/scenarios and workloads/claims.toml.
#include \"workloads/embedded.h\"

#include <array>

namespace ringchurn {
using namespace std::string_view_literals;

namespace {
constexpr std::array<EmbeddedScenario, ${count}> kScenarios{{
${rows}}};
}  // namespace

std::span<const EmbeddedScenario> embedded_scenarios() { return kScenarios; }

std::string_view embedded_claims() { return \"${claims}\"sv; }

}  // namespace ringchurn
")
