// See program.h.
#include "bench/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "bench/interrupt.h"
#include "bench/text.h"
#include "ring/error.h"
#include "workloads/descriptor.h"

namespace ringchurn {
namespace {

using namespace std::chrono_literals;

constexpr auto kLimit = 10min;
constexpr int kPollMs = 50;
constexpr std::size_t kMostBytes = std::size_t{64} << 20;

[[noreturn]] void cannot_run(const std::string& command, std::string_view why) {
  throw Error(kExitCannotRun, printable(fmt::format("cannot run '{}': {}", command, why)));
}

/// Reads until the other end is closed. False if that took too long, or there was too much.
bool read_all(int fd, pid_t child, std::string& text) {
  const auto until = std::chrono::steady_clock::now() + kLimit;
  bool was_told = false;
  for (char part[65536];;) {
    if (interrupted() && !was_told) was_told = kill(-child, SIGINT) == 0;
    pollfd ready{fd, POLLIN, 0};
    if (poll(&ready, 1, kPollMs) > 0) {
      const ssize_t count = read(fd, part, sizeof part);
      if (count == 0) return true;
      if (count > 0) text.append(part, static_cast<std::size_t>(count));
    }
    if (text.size() > kMostBytes || std::chrono::steady_clock::now() > until) return false;
  }
}

std::string last_line(int fd) {
  constexpr off_t kTail = 4096;
  const off_t size = lseek(fd, 0, SEEK_END);
  char tail[kTail];
  const ssize_t count = pread(fd, tail, sizeof tail, size > kTail ? size - kTail : 0);
  std::string text(tail, count > 0 ? static_cast<std::size_t>(count) : 0);
  text.erase(text.find_last_not_of("\n ") + 1);
  return printable(text.substr(text.rfind('\n') + 1));
}

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

void become_command(const std::string& command, int output, int errors) {
  setpgid(0, 0);  // Ctrl-C ends this program first, and it ends the command
  dup2(output, STDOUT_FILENO);
  dup2(errors, STDERR_FILENO);
  for (const int number : {SIGPIPE, SIGINT, SIGTERM}) signal(number, SIG_DFL);
  execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
  _exit(127);
}

ProgramRun run_program(const std::string& command) {
  int ends[2];
  const Descriptor errors(memfd_create("stderr", MFD_CLOEXEC));
  if (errors.get() < 0 || pipe2(ends, O_CLOEXEC) != 0) cannot_run(command, std::strerror(errno));
  const Descriptor output(ends[0]);
  Descriptor writing(ends[1]);
  const pid_t child = fork();
  if (child < 0) cannot_run(command, std::strerror(errno));
  if (child == 0) become_command(command, writing.get(), errors.get());
  setpgid(child, child);
  writing.reset();

  ProgramRun run;
  const bool is_whole = read_all(output.get(), child, run.output);
  if (!is_whole) kill(-child, SIGKILL);
  run.exit_code = wait_for(child);
  if (!is_whole) cannot_run(command, "it takes longer than 10 minutes, or prints more than 64 MiB");
  run.last_words = last_line(errors.get());
  return run;
}

}  // namespace ringchurn
