// Owns a file descriptor.
#pragma once

#include <unistd.h>

#include <utility>

namespace ringchurn {

/// Closes what it holds at the end of its life; -1 is a failed call and closes nothing.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = other.release();
    }
    return *this;
  }

  bool is_open() const { return fd_ >= 0; }
  int get() const { return fd_; }
  /// Hands it to the caller, who closes it.
  int release() { return std::exchange(fd_, -1); }
  void reset() {
    if (is_open()) ::close(release());
  }

 private:
  int fd_ = -1;
};

}  // namespace ringchurn
