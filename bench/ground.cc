// Workers on this thread, at home or against somebody else's server: see ground.h.
#include "bench/ground.h"

#include <algorithm>

#include "bench/interrupt.h"
#include "bench/moment_log.h"
#include "workloads/script.h"

namespace ringchurn {

KernelCounters Ground::counters() const {
  KernelCounters counters = KernelCounters::read();
  if (servers) counters += servers->moved();
  return counters;
}

std::vector<Endpoint> endpoints_in(const SideNetwork* servers, const Options& options,
                                   const Plan& plan, const Lab& lab) {
  std::optional<SideNetwork::Visit> visit;
  if (servers) visit.emplace(*servers);
  return make_endpoints(plan.scenarios, servers ? servers->lab() : lab, domain(options.family),
                        Worker::backlog(options.concurrency));
}

Worker::Settings Home::settings(const Ways& ways) const {
  Worker::Settings settings{Worker::Ends::both, options.concurrency};
  settings.stall_limit += plan.longest_rest_ns();
  settings.moments = MomentLog::room(options.concurrency);
  settings.ways = ways;
  settings.sqpoll_cpu = sqpoll_cpu;
  return settings;
}

HomeGround::HomeGround(const Home& home, const Ways& played_by, ProcessCpuClock& clock)
    : ways(played_by),
      endpoints(home.endpoints()),
      worker(home.settings(ways), home.plan.scenarios, endpoints, link, interrupted()),
      ground{worker, link, nullptr, home.servers, [&clock] { return clock.now_ns(); }} {}

Ground& Grounds::of(const Ways& ways) {
  const auto known = std::find_if(grounds_.begin(), grounds_.end(),
                                  [&](const HomeGround& ground) { return ground.ways == ways; });
  if (known != grounds_.end()) return known->ground;
  return grounds_.emplace_back(home_, ways, clock_).ground;
}

void Grounds::finish(LoadFacts& facts) const {
  for (const HomeGround& ground : grounds_) {
    facts.workers.push_back(ground.worker.report());
    facts.workers.back().group = static_cast<unsigned>(facts.workers.size());
  }
}

ServerArm::ServerArm(const std::string& command, const Options& options, const Plan& plan)
    : network(plan.scenarios.front()), server(command, network) {
  for (const Scenario& scenario : plan.scenarios) {
    endpoints.push_back(
        Endpoint::of_others(scenario, server.address(), server.address_length(), {}));
  }
  const SideNetwork::Visit visit(network);
  Worker::Settings settings{Worker::Ends::client, options.concurrency};
  settings.stall_limit += plan.longest_rest_ns();
  settings.moments = MomentLog::room(options.concurrency);
  settings.peer_is_elsewhere = true;
  settings.ways = plan.arms.front().ways;
  worker.emplace(settings, plan.scenarios, endpoints, link, interrupted());
  ground.emplace(Ground{*worker, link, &network, nullptr, [this] { return server.cpu_ns(); }});
}

}  // namespace ringchurn
