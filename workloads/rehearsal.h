// Plays both scripts against each other on paper, before any socket exists, to refuse a step that
// can never happen where it stands.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "workloads/script.h"

namespace ringchurn {

/// A step that can never happen, and why.
struct ImpossibleStep : std::runtime_error {
  ImpossibleStep(Side at, unsigned number, const std::string& why)
      : std::runtime_error(why), side(at), step_number(number) {}
  Side side;
  unsigned step_number;  ///< Step::number; 0 if the script as a whole is wrong
};

/// Both scripts as written, in file order, steps before `accept` included. `server` is empty when
/// nobody listens. Returns an order in which one thread could play both ends without ever waiting:
/// each end goes on as far as it can. Throws ImpossibleStep.
std::vector<Turn> rehearse(const std::vector<Step>& client, const std::vector<Step>& server);

}  // namespace ringchurn
