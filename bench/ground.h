// Who plays an arm of a comparison, where, and on whose clock.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "bench/account.h"
#include "bench/cpu_time.h"
#include "bench/kernel_counters.h"
#include "bench/lab.h"
#include "bench/link.h"
#include "bench/options.h"
#include "bench/plan.h"
#include "bench/server_process.h"
#include "bench/side_network.h"
#include "bench/ways.h"
#include "bench/worker.h"
#include "workloads/endpoint.h"

namespace ringchurn {

/// What an arm is played by, and whose CPU time it costs. What it refers to must outlive it; used
/// by the worker's thread alone.
struct Ground {
  Worker& worker;
  Link& link;
  const SideNetwork* network;             ///< where its clients are; null: here
  const SideNetwork* servers;             ///< where its servers are; null: with the clients
  std::function<std::uint64_t()> cpu_ns;  ///< the clock whose time is the cost

  /// Of the calling thread's network, which is that of the clients, and of the servers'.
  KernelCounters counters() const;
};

/// Listeners in the network of the servers, or here if they have none of their own (null). Throws
/// Error.
std::vector<Endpoint> endpoints_in(const SideNetwork* servers, const Options& options,
                                   const Plan& plan, const Lab& lab);

/// Where both ends of every connection are on this thread. What it refers to must outlive it.
struct Home {
  const Options& options;
  const Plan& plan;
  const Lab& lab;
  const SideNetwork* servers;  ///< where the listeners are; null: in the lab
  std::optional<int> sqpoll_cpu;

  std::vector<Endpoint> endpoints() const { return endpoints_in(servers, options, plan, lab); }
  Worker::Settings settings(const Ways& ways) const;
};

/// Both ends, by a ring that is used in certain ways, with listeners of its own: two rings would
/// take connections from each other. Everything refers to what stands above it, so it stays where
/// it was made. Must be made, used and destroyed by one thread.
struct HomeGround {
  /// `clock`, and what `home` refers to, must outlive it. Throws Error.
  HomeGround(const Home& home, const Ways& played_by, ProcessCpuClock& clock);

  Ways ways;
  std::vector<Endpoint> endpoints;
  Link link;
  Worker worker;
  Ground ground;
};

/// The grounds of all arms that are played at home: those that are played in the same ways share
/// one. Must be made, used and destroyed by one thread.
class Grounds {
 public:
  /// What `home` refers to must outlive it. Throws Error.
  explicit Grounds(const Home& home) : home_(home) {}

  /// The ground where `ways` are played, made when it is first asked for. It is there as long as
  /// this object. Throws Error.
  Ground& of(const Ways& ways);

  /// Adds what the workers did to `facts`, each as a group of its own.
  void finish(LoadFacts& facts) const;

 private:
  Home home_;
  ProcessCpuClock clock_;
  std::list<HomeGround> grounds_;
};

/// A server that was started in a network of its own, and what plays against it. Everything refers
/// to what stands above it, so it stays where it was made. Must be made, used and destroyed by one
/// thread, and made before the process has a second one.
struct ServerArm {
  /// `command` as ServerProcess takes it. Throws Error.
  ServerArm(const std::string& command, const Options& options, const Plan& plan);

  SideNetwork network;
  ServerProcess server;
  std::vector<Endpoint> endpoints;
  Link link;
  std::optional<Worker> worker;
  std::optional<Ground> ground;
};

}  // namespace ringchurn
