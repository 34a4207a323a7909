// See interrupt.h.
#include "bench/interrupt.h"

#include <signal.h>

namespace ringchurn {
namespace {

std::atomic<bool> caught{false};
static_assert(std::atomic<bool>::is_always_lock_free,
              "a signal handler may only touch such a flag");

void note(int) { caught.store(true, std::memory_order_relaxed); }

}  // namespace

const std::atomic<bool>& interrupted() { return caught; }

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = note;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // the second one is not caught
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace ringchurn
