// Files that appear whole or not at all: see output_file.h.
#include "bench/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "bench/text.h"
#include "ring/error.h"

namespace ringchurn {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(ExitCode code, const OutputKind& kind, const std::string& path,
                       const std::string& why) {
  throw Error(code, printable(fmt::format("cannot write {} to '{}': {}", kind.what, path, why)));
}

/// How `path` is written: as it is (a device, a pipe), or through a temporary file beside it.
struct Target {
  std::string path;
  std::string temporary;  // empty: none
};

Target target_of(const std::string& path) {
  std::error_code ignored;
  if (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored)) return {path, ""};
  // A rename must replace the file that a link leads to, not the link.
  const fs::path resolved = fs::canonical(path, ignored);
  const std::string real = resolved.empty() ? path : resolved.string();
  return {real, fmt::format("{}.tmp-{}", real, ::getpid())};
}

/// Opens for writing what write_result() writes into; -1 and errno if that fails.
int open_target(const Target& target) {
  if (target.temporary.empty()) return ::open(target.path.c_str(), O_WRONLY | O_CLOEXEC);
  return ::open(target.temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

/// 0, or the errno of what failed.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

/// 0, or the errno of what failed.
int write_target(const Target& target, std::string_view text) {
  const int fd = open_target(target);
  if (fd < 0) return errno;
  int error = write_all(fd, text);
  if (::close(fd) != 0 && error == 0) error = errno;
  if (target.temporary.empty()) return error;
  if (error == 0 && ::rename(target.temporary.c_str(), target.path.c_str()) != 0) error = errno;
  if (error != 0) ::unlink(target.temporary.c_str());
  return error;
}

}  // namespace

void require_writable(const std::string& path, const OutputKind& kind) {
  if (path.empty() || path == "-") return;
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    fail(kExitUsage, kind, path, "it is a directory; name a file in it");
  }
  const bool exists = fs::exists(path, ignored);
  if (exists && ::access(path.c_str(), W_OK) != 0) {
    fail(kExitUsage, kind, path, fmt::format("{}; choose another file", std::strerror(errno)));
  }
  const Target target = target_of(path);
  if (target.temporary.empty()) return;
  const int fd = open_target(target);
  if (fd < 0) {
    fail(kExitUsage, kind, path,
         fmt::format("{}; choose a folder that exists and that you may write to",
                     std::strerror(errno)));
  }
  ::close(fd);
  ::unlink(target.temporary.c_str());
}

void write_result(const std::string& path, const std::string& text, const OutputKind& kind) {
  if (path.empty()) return;
  if (path == "-") {
    const bool written = std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
    if (!written) fail(kExitCannotRun, kind, path, std::strerror(errno));
    return;
  }
  const int error = write_target(target_of(path), text);
  if (error != 0) {
    fail(kExitCannotRun, kind, path, fmt::format("{}; {}", std::strerror(error), kind.remedy));
  }
}

}  // namespace ringchurn
