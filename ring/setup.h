// Why a ring could not be made, in words that name the remedy. Pure, so that every case is tested
// on machines where io_uring works.
#pragma once

#include <optional>

#include "ring/error.h"

namespace ringchurn {

/// What this machine says about itself when setting up a ring failed.
struct SetupFacts {
  std::optional<int>
      io_uring_disabled;          ///< sysctl kernel.io_uring_disabled; empty before Linux 6.6
  bool seccomp_filter = false;    ///< /proc/self/status says Seccomp: 2
  bool privileged = false;        ///< effective user id 0
  unsigned long nofile_soft = 0;  ///< RLIMIT_NOFILE
  unsigned slots = 0;             ///< descriptor table that was asked for
};

/// Reads the facts of this process.
SetupFacts setup_facts(unsigned slots);

/// The error for a failed io_uring_setup(2); `error_number` is positive.
Error explain_setup_failure(int error_number, const SetupFacts& facts);

/// The error for ordinary descriptors, `facts.slots` in all, that RLIMIT_NOFILE does not allow.
Error explain_descriptor_shortage(const SetupFacts& facts);

/// The error for a failed registration of the descriptor table; `error_number` is positive.
Error explain_table_failure(int error_number, const SetupFacts& facts);

}  // namespace ringchurn
