// Commands of the user's: what a forked process does to become one, and one that is run to its end
// for what it prints.
#pragma once

#include <string>

namespace ringchurn {

/// What a command did.
struct ProgramRun {
  std::string output;      ///< its standard output, 64 MiB at most
  std::string last_words;  ///< the last line of its standard error
  int exit_code = 0;       ///< 128 + the signal's number, if one ended it
};

/// Runs `command` by /bin/sh and waits for its end, at most ten minutes. It is in a process group
/// of its own: Ctrl-C ends it by SIGINT, so that it can end its run. Throws Error (kExitCannotRun)
/// if it cannot be started or takes longer. Belongs to a process of one thread.
ProgramRun run_program(const std::string& command);

/// In a process that was just forked: becomes `command`, run by /bin/sh in a process group of its
/// own, with signals as a shell has them and with these descriptors as its output and its errors.
[[noreturn]] void become_command(const std::string& command, int output, int errors);

}  // namespace ringchurn
