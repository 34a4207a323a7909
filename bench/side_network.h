// Networks beside the lab's: a scenario that needs settings of its own (a full TIME_WAIT table,
// fewer retransmissions) is played in a namespace of its own, so that it does nothing to the others
// of its mix.
#pragma once

#include "bench/kernel_counters.h"
#include "bench/lab.h"
#include "workloads/descriptor.h"

namespace ringchurn {

/// One such namespace, kept until the object is gone. Belongs to the thread that made it.
class SideNetwork {
 public:
  /// Furnished like the lab, with the settings of `scenario` on top. Throws Error.
  explicit SideNetwork(const Scenario& scenario);
  /// The servers' network of `--lab veth`, joined with the calling thread's, which is the clients'.
  /// lab() has the addresses at which they reach it. Throws Error.
  struct BeyondVeth {};
  explicit SideNetwork(BeyondVeth);
  ~SideNetwork();
  SideNetwork(const SideNetwork&) = delete;
  SideNetwork& operator=(const SideNetwork&) = delete;

  /// Moves the calling thread there until the end of the scope. Sockets and threads that it makes
  /// meanwhile stay there.
  class Visit {
   public:
    explicit Visit(const SideNetwork& network);
    ~Visit();
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

   private:
    Descriptor home_;
  };

  const Lab& lab() const { return lab_; }
  /// What its connections have moved since it was made.
  KernelCounters moved() const;

 private:
  Descriptor namespace_;
  Lab lab_;
  KernelCounters before_;
  bool is_beyond_veth_ = false;
};

}  // namespace ringchurn
