// Lines for who reads along while a program runs: a file, a pipe, a terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "workloads/descriptor.h"

namespace ringchurn {

/// Writes whole lines at once, so that whoever reads at any moment, or after a kill, finds whole
/// lines. What cannot be written is lost, and counted: neither a full disk nor a reader who sleeps
/// stops the writer. Use it from one thread.
class LineSink {
 public:
  /// Writes to `path`, whose former text is gone; "-" is standard output. Throws Error (kExitUsage)
  /// that begins with `what` if it cannot be opened.
  LineSink(const std::string& path, std::string_view what);

  /// `line` without '\n'.
  void write(std::string_view line);

  std::uint64_t written() const { return written_; }
  std::uint64_t lost() const { return lost_; }
  int error() const { return error_; }  ///< errno of the loss last met; 0: none

 private:
  int try_write(const std::string& text);

  Descriptor file_;
  std::uint64_t written_ = 0, lost_ = 0;
  int error_ = 0;
};

}  // namespace ringchurn
