// What a result is about: program, machine, lab, settings.
#pragma once

#include <sched.h>

#include <optional>
#include <string>
#include <vector>

#include "bench/lab.h"
#include "bench/options.h"
#include "bench/result.h"

namespace ringchurn {

/// Everything but `elapsed_s`, which the load knows when it is over.
Context describe(const Options& options, const Lab& lab);

/// The program's version; how it was built; the kernel that it runs on, and whether a ring can be
/// made there. Lines that end with '\n', the first one "ringchurn X.Y.Z".
std::string version_text();

/// "Linux 6.12.0 x86_64"
std::string kernel_name();

/// Says whose side `context` is, in the run `run_id`, and what tells its network from another.
void describe_side(PlayedSide side, const std::string& run_id, Context& context);

/// Names the calling thread's network namespace, among all machines: "BOOT_ID:INODE". The inode
/// alone would not do: that of the first namespace is the same on every machine. Empty if /proc
/// does not tell.
std::string network_identity();

/// The CPUs that this process may run on, in order.
std::vector<int> usable_cpus();

/// Keeps the calling thread on one CPU.
void pin_to(int cpu);

/// Keeps the calling thread on one CPU until the end of the scope: then it may run where it might
/// before.
class Pinned {
 public:
  explicit Pinned(int cpu);
  ~Pinned();
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

 private:
  std::optional<cpu_set_t> before_;
};

}  // namespace ringchurn
