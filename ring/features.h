// What this kernel's io_uring can do of what the program asks for: found by asking and trying,
// never by the kernel's version, because distributions backport and sandboxes take away.
#pragma once

#include <string>
#include <vector>

namespace ringchurn {

/// One ability of io_uring.
struct RingFeature {
  std::string name;   ///< "IORING_OP_CONNECT", or what was tried
  std::string since;  ///< the Linux that brought it: "5.5"
  bool needed;        ///< true: without it no load can run. False: some scenarios cannot
  bool available;
};

/// Everything that the program uses, whether it is there or not. Makes a ring, asks it
/// (io_uring_get_probe(3)), and sets an option of a socket through it.
/// Throws Error as Ring does, if no ring can be made.
std::vector<RingFeature> ring_features();

}  // namespace ringchurn
