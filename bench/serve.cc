// Listeners, what is told about them, and the load that comes: see serve.h.
#include "bench/serve.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "bench/run.h"
#include "bench/served.h"
#include "bench/target.h"
#include "bench/text.h"
#include "bench/worker.h"
#include "ring/error.h"

namespace ringchurn {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;

  sockaddr_in& v4() { return reinterpret_cast<sockaddr_in&>(storage); }
  sockaddr_in6& v6() { return reinterpret_cast<sockaddr_in6&>(storage); }
};

/// The same place in both families.
void set_port(Address& address, unsigned port) {
  address.v4().sin_port = htons(static_cast<std::uint16_t>(port));
}

Address listen_address(const Options& options) {
  Address address;
  const bool v6 = options.family == Family::ipv6;
  const std::string fallback = v6 ? "::1" : "127.0.0.1";
  const std::string& text = options.listen_address.empty() ? fallback : options.listen_address;
  if (inet_pton(AF_INET, text.c_str(), &address.v4().sin_addr) == 1) {
    address.storage.ss_family = AF_INET;
    address.length = sizeof(sockaddr_in);
  } else if (inet_pton(AF_INET6, text.c_str(), &address.v6().sin6_addr) == 1) {
    address.storage.ss_family = AF_INET6;
    address.length = sizeof(sockaddr_in6);
  } else {
    throw Error(kExitUsage,
                fmt::format("--listen: '{}' is no IPv4 or IPv6 address: give one of this machine's",
                            printable(text)));
  }
  return address;
}

bool is_unspecified(const sockaddr_storage& address) {
  const std::string text = address_text(address);
  return text == "0.0.0.0" || text == "::";
}

std::vector<Endpoint> listen_for(const Options& options, const Plan& plan) {
  Address address = listen_address(options);
  std::vector<Endpoint> endpoints;
  for (const Scenario& scenario : plan.scenarios) {
    if (options.port != 0) {
      set_port(address, options.port + static_cast<unsigned>(endpoints.size()));
    }
    endpoints.push_back(Endpoint::listening_at(scenario, address.storage, address.length,
                                               Worker::backlog(options.concurrency)));
  }
  return endpoints;
}

ServedRun served(const Plan& plan, const std::vector<Endpoint>& endpoints) {
  ServedRun run;
  run.version = RINGCHURN_VERSION;
  run.run_id = new_run_id();
  run.domain = endpoints.front().domain();
  run.host = address_text(endpoints.front().bound());
  const Arm& arm = plan.arms.front();
  for (std::size_t i = 0; i < arm.scenarios.size(); ++i) {
    const std::size_t scenario = arm.scenarios[i];
    const sockaddr_storage& bound = endpoints[scenario].bound();
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&bound);
    run.scenarios.push_back({plan.files[scenario], plan.settings[scenario], arm.weights[i],
                             address_text(bound), ntohs(v4->sin_port)});
  }
  return run;
}

/// What a drive needs to know, on standard output. From here on clients may come.
void tell_ports(const ServedRun& run) {
  const std::string json = served_json(run);
  if (std::fwrite(json.data(), 1, json.size(), stdout) != json.size() || std::fflush(stdout) != 0) {
    throw Error(kExitCannotRun, fmt::format("cannot print the ports: {}; a drive needs them",
                                            std::strerror(errno)));
  }
}

/// Everybody who reaches that address may now make this process accept connections.
void tell_what_is_exposed(const ServedRun& run, const sockaddr_storage& address) {
  if (is_loopback(address)) return;
  std::string ports;
  for (const ServedScenario& scenario : run.scenarios) {
    ports += fmt::format("{}{} ({})", ports.empty() ? "" : ", ", scenario.port, scenario.file.name);
  }
  fmt::print(stderr,
             "ringchurn: open to everybody who reaches {}: TCP port{} {}. They can open and break "
             "connections, and read and write nothing but filler bytes.\n",
             run.host, run.scenarios.size() > 1 ? "s" : "", ports);
}

}  // namespace

void check_served(const Options& options, const Plan& plan) {
  if (options.port != 0 && options.port + plan.scenarios.size() - 1 > 65535) {
    throw Error(kExitUsage, fmt::format("--port {} and the {} after it: there is no port above "
                                        "65535; ask for a lower one",
                                        options.port, plan.scenarios.size() - 1));
  }
  const Address address = listen_address(options);
  if (is_unspecified(address.storage)) {
    throw Error(
        kExitUsage,
        fmt::format("--listen {}: name one address, by which the other machine reaches this "
                    "one, not all of them",
                    options.listen_address));
  }
  if (options.family == Family::ipv6 && address.storage.ss_family == AF_INET) {
    throw Error(kExitUsage, fmt::format("--listen {} is IPv4: leave --family ipv6 out",
                                        options.listen_address));
  }
  for (const Scenario& scenario : plan.scenarios) {
    const char* why = !scenario.has_server()       ? "has no server side"
                      : scenario.domain == AF_UNIX ? "is about Unix sockets of one machine"
                      : !scenario.goes_to_server() ? "plays both ends by itself"
                                                   : nullptr;
    if (!why) continue;
    throw Error(kExitUsage, fmt::format("scenario '{}' {}: there is nothing to serve; choose "
                                        "another, or play it by run",
                                        scenario.name, why));
  }
}

RunResult serve(const Options& options, const Plan& plan, const Lab& lab, MetricsServer* metrics) {
  std::vector<Endpoint> endpoints = listen_for(options, plan);
  const ServedRun run_served = served(plan, endpoints);
  const sockaddr_storage address = endpoints.front().bound();
  Options bound = options;  // --listen decides the family, whatever --family says
  bound.family = run_served.domain == AF_INET6 ? Family::ipv6 : Family::ipv4;
  Site site;
  site.lab = lab;
  site.only = Side::server;
  site.endpoints = [&endpoints] { return std::move(endpoints); };
  site.run_id = run_served.run_id;
  site.metrics = metrics;
  site.announce = [&] {
    tell_ports(run_served);
    if (!options.quiet) tell_what_is_exposed(run_served, address);
  };
  return run(bound, plan, site);
}

}  // namespace ringchurn
