// One scenario played some times by one engine, in a lab that is this process's alone.
#pragma once

#include "bench/atlas.h"

namespace ringchurn {

/// What to play.
struct Piece {
  Scenario scenario;  ///< compiled for `engine`
  Engine engine = Engine::ring;
  int family = AF_INET;
  unsigned runs = 20;  ///< connections, all at the same time
  bool story = false;  ///< tell what the first connection did; wants runs == 1
};

/// Enters a lab of its own, plays, reads the kernel's counters. Changes the calling process for
/// good (enter_lab()). Throws Error if there can be no lab, or no ring, for this piece.
Performance perform_piece(const Piece& piece);

/// What is expected, as the files write it: "EPIPE | ECONNRESET".
std::string outcomes_text(const Expectation& expectation);

}  // namespace ringchurn
