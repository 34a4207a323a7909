# Writes OUTPUT, a C++ file that holds every file of the list SCENARIOS (all below FOLDER), for
# workloads/embedded.h. Every byte of a text is written as \xNN, so a text may hold anything:
# quotes, a raw string's delimiter, a NUL.

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
  file(READ ${FOLDER}/${path} text HEX)
  string(REGEX REPLACE "(..)" "\\\\x\\1" text "${text}")
  string(APPEND rows "    {\"${name}\"sv, \"${path}\"sv, \"${text}\"sv},\n")
endforeach()

list(LENGTH entries count)
file(WRITE ${OUTPUT} "// Generated from workloads/scenarios.
#include \"workloads/embedded.h\"

#include <array>

namespace ringchurn {
using namespace std::string_view_literals;

namespace {
constexpr std::array<EmbeddedScenario, ${count}> kScenarios{{
${rows}}};
}  // namespace

std::span<const EmbeddedScenario> embedded_scenarios() { return kScenarios; }

}  // namespace ringchurn
")
