// The yardstick: what the kernel charges for a scenario when one thread plays both ends with
// blocking system calls, in an order in which no call ever has to wait. No ring, no wake-up, no
// second CPU.
#pragma once

#include <cstdint>
#include <vector>

#include "workloads/endpoint.h"
#include "workloads/script.h"

namespace ringchurn {

class Floor {
 public:
  /// Both must outlive the floor. Pauses before `accept` are left out: here the story's order does
  /// what they are for.
  /// True for a scenario whose every step is a blocking call that one thread can make in turn.
  static bool can_play(const Scenario& scenario);

  Floor(const Scenario& scenario, const Endpoint& endpoint, int family);
  ~Floor();
  Floor(const Floor&) = delete;
  Floor& operator=(const Floor&) = delete;

  /// One connection, from socket to the last close. Throws std::runtime_error if a step answers
  /// otherwise than it expects.
  void play();

 private:
  struct Part {
    Side side;
    const Step* step;
  };
  Outcome perform(const Part& part);
  Outcome open_client();
  Outcome receive_all(int descriptor, std::uint32_t bytes);

  const Scenario& scenario_;
  const Endpoint& endpoint_;
  int family_;
  std::vector<Part> parts_;
  int descriptors_[2] = {-1, -1};  ///< by side
  std::uint64_t destination_ = 0;
  std::vector<std::byte> buffer_;
};

}  // namespace ringchurn
