// Tests that change their whole process (namespace, limits, user id, seccomp) do it in a child.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <exception>
#include <functional>
#include <iterator>
#include <string>

namespace ringchurn {

/// Runs `body` in a child process and returns the string that it returned: what is wrong, or "". An
/// exception that leaves `body` is wrong, and so is a child that dies or hangs.
inline std::string in_child(const std::function<std::string()>& body) {
  constexpr unsigned kHangs_s = 100;  // before CTest kills the test and leaves the child behind
  int ends[2];
  if (pipe(ends) != 0) return "pipe failed";
  const pid_t child = fork();
  if (child == 0) {
    alarm(kHangs_s);
    std::string answer;
    try {
      answer = body();
    } catch (const std::exception& error) {
      answer = error.what();
    }
    const bool written = write(ends[1], answer.data(), answer.size()) == std::ssize(answer);
    _exit(written ? 0 : 1);
  }
  close(ends[1]);
  std::string answer;
  char piece[4096];
  for (ssize_t n = 0; (n = read(ends[0], piece, sizeof piece)) > 0;) {
    answer.append(piece, static_cast<std::size_t>(n));
  }
  close(ends[0]);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return "fork failed";
  return status == 0 ? answer : answer + " (the child died, status " + std::to_string(status) + ")";
}

}  // namespace ringchurn
