// One thread's connects against one thread's accepts, by number: see matching.h.
#include "bench/matching.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>

#include "bench/moment_log.h"
#include "bench/text.h"

namespace ringchurn {
namespace {

/// The threads that serve each other.
struct Ends {
  std::vector<const WorkerReport*> clients, servers;
};

std::map<unsigned, Ends> by_group(const LoadFacts& facts) {
  std::map<unsigned, Ends> groups;
  for (const WorkerReport& worker : facts.workers) {
    if (worker.in_lockstep) continue;
    Ends& ends = groups[worker.group];
    if (!worker.client.empty()) ends.clients.push_back(&worker);
    if (!worker.server.empty()) ends.servers.push_back(&worker);
  }
  return groups;
}

/// A connection whose handshake was begun again has changed its place among the others.
std::string disorder(const Scenario& scenario, const LoadFacts& facts) {
  if (!scenario.has_server() || scenario.domain == AF_UNIX) return "";
  for (const char* counter : {"TCPSynRetrans", "ListenOverflows", "ListenDrops"}) {
    const std::uint64_t moved = facts.kernel[counter].value_or(0);
    if (moved > 0) {
      return fmt::format("handshakes were repeated: {} moved by {}", counter, grouped(moved));
    }
  }
  return "";
}

/// Why the n-th connect of these threads need not be the n-th accept, or "".
std::string disorder(const Scenario& scenario, std::size_t index, const Ends& ends) {
  if (!ends.clients.empty() && !ends.clients.front()->client_moments) {
    return fmt::format("more than {} connections were in flight at once",
                       grouped(MomentLog::kMost));
  }
  if (!scenario.has_server()) return "";
  if (ends.clients.empty() || ends.servers.empty()) return "the ends were two processes";
  if (ends.clients.size() > 1 || ends.servers.size() > 1) {
    return "several threads share the listeners";
  }
  const ScenarioRecord& client = ends.clients.front()->client[index];
  const ScenarioRecord& server = ends.servers.front()->server[index];
  if (client.established != client.ledger.opened) {
    return fmt::format("{} of {} connections were never established",
                       grouped(client.ledger.opened - client.established),
                       grouped(client.ledger.opened));
  }
  if (server.ledger.opened == client.established) return "";
  return fmt::format("{} connections were established, but {} accepted",
                     grouped(client.established), grouped(server.ledger.opened));
}

std::string disorder(const Scenario& scenario, std::size_t index, const LoadFacts& facts,
                     const std::map<unsigned, Ends>& groups) {
  if (!scenario.unmatched.empty()) return scenario.unmatched;
  std::string why = disorder(scenario, facts);
  for (const auto& [unused, ends] : groups) {
    if (why.empty()) why = disorder(scenario, index, ends);
  }
  return why;
}

/// The end that issued its first teardown step before the other one did is the active one.
void add_pair(const Moments& client, const Moments& server, Teardowns& to) {
  const bool is_client_first =
      server.issued == 0 || (client.issued != 0 && client.issued <= server.issued);
  const Moments& active = is_client_first ? client : server;
  const Moments& passive = is_client_first ? server : client;
  ++to.matched.connections;
  to.step.record(active.completed - active.issued);
  // What was heard before is not of this teardown: a third party's RST, for one. What follows from
  // an issue is always later, since the clock is looked at again before completions are taken.
  if (passive.heard > active.issued) to.heard.record(passive.heard - active.issued);
  if (client.gone == 0 || server.gone == 0) return;
  to.gone.record(std::max(client.gone, server.gone) - active.issued);
}

void add_pairs(const Scenario& scenario, unsigned index, const Ends& ends, Teardowns& to) {
  for (const WorkerReport* worker : ends.clients) {
    const MomentLog& clients = *worker->client_moments;
    const MomentLog& servers =
        scenario.has_server() ? *ends.servers.front()->server_moments : clients;
    for (const Moments& client : clients.all(index, Side::client)) {
      const Moments* server = servers.find(index, Side::server, client.ordinal);
      if (server) add_pair(client, *server, to);
    }
  }
}

void add_own_steps(unsigned index, const Ends& ends, Teardowns& to) {
  for (const WorkerReport* worker : ends.clients) {
    if (!worker->client_moments) continue;
    for (const Moments& own : worker->client_moments->all(index, Side::client)) {
      const bool is_first = own.heard == 0 || own.heard > own.issued;
      if (own.issued != 0 && is_first) to.step.record(own.completed - own.issued);
    }
  }
}

}  // namespace

std::vector<Teardowns> match_ends(std::span<const Scenario> scenarios, const LoadFacts& facts) {
  const std::map<unsigned, Ends> groups = by_group(facts);
  std::vector<Teardowns> all(scenarios.size());
  for (unsigned i = 0; i < scenarios.size(); ++i) {
    all[i].matched.why_not = disorder(scenarios[i], i, facts, groups);
    const bool is_matched = all[i].matched.why_not.empty();
    for (const auto& [unused, ends] : groups) {
      is_matched ? add_pairs(scenarios[i], i, ends, all[i]) : add_own_steps(i, ends, all[i]);
    }
  }
  return all;
}

}  // namespace ringchurn
