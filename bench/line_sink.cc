// See line_sink.h.
#include "bench/line_sink.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iterator>

#include "bench/text.h"
#include "ring/error.h"

namespace ringchurn {
namespace {

int open_sink(const std::string& path) {
  if (path == "-") return ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
}

}  // namespace

LineSink::LineSink(const std::string& path, std::string_view what) : file_(open_sink(path)) {
  if (file_.is_open()) return;
  throw Error(kExitUsage, printable(fmt::format("cannot write {} to '{}': {}; choose another file",
                                                what, path, std::strerror(errno))));
}

void LineSink::write(std::string_view line) {
  const int error = try_write(std::string(line) + '\n');
  if (error == 0) {
    ++written_;
    return;
  }
  ++lost_;
  error_ = error;
}

/// 0, or the errno of what failed. A pipe that poll(2) calls writable takes PIPE_BUF bytes at once,
/// 4096 on Linux, which is more than a line has.
int LineSink::try_write(const std::string& text) {
  pollfd ready{file_.get(), POLLOUT, 0};
  if (::poll(&ready, 1, 0) == 0) return EAGAIN;
  const off_t end = ::lseek(file_.get(), 0, SEEK_CUR);
  const ssize_t written = ::write(file_.get(), text.data(), text.size());
  if (written == std::ssize(text)) return 0;
  if (written < 0) return errno;
  // The disk is full: takes half a line back.
  if (end >= 0 && ::ftruncate(file_.get(), end) == 0) ::lseek(file_.get(), end, SEEK_SET);
  return ENOSPC;
}

}  // namespace ringchurn
