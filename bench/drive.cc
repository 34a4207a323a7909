// Checks, a watch on the server, the load, and a look at what it left behind: see drive.h.
#include "bench/drive.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "bench/context.h"
#include "bench/interrupt.h"
#include "bench/port_budget.h"
#include "bench/probe.h"
#include "bench/run.h"
#include "bench/served.h"
#include "bench/server_watch.h"
#include "bench/text.h"
#include "bench/worker.h"
#include "ring/error.h"

namespace ringchurn {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kProbeTime = 2s;
constexpr std::chrono::milliseconds kSampleInterval = 1s;
/// How long a server may take to let go of what it no longer needs.
constexpr std::chrono::milliseconds kRestLimit = 5s;

/// Connections a second, of one client thread.
constexpr double kFasterThanAnyServer = 100'000;

const sockaddr* address_of(const Target& target) {
  return reinterpret_cast<const sockaddr*>(&target.address);
}

// -- what may be driven ---------------------------------------------------------------------------

void require_drivable(const Scenario& scenario, int domain, const std::string& where) {
  if (!scenario.goes_to_server()) {
    throw Error(kExitUsage, fmt::format("scenario '{}' never connects to its server, so there is "
                                        "nothing in it to drive: play it by run",
                                        scenario.name));
  }
  const bool is_unix = domain == AF_UNIX;
  const bool fits =
      scenario.domain == 0 ? !is_unix || scenario.type == SOCK_STREAM : scenario.domain == domain;
  if (!fits) {
    throw Error(
        kExitUsage,
        fmt::format("scenario '{}' is about {}, and {} is not: choose another", scenario.name,
                    scenario.domain == AF_UNIX ? "Unix sockets" : "TCP", printable(where)));
  }
  require_lab_for(scenario, LabKind::host);
}

/// Whether the client keeps its port in TIME_WAIT, as far as its script can tell: it sends the
/// first FIN, and no RST.
bool closes_first(const Script& script) {
  for (const Step& step : script.steps) {
    if (step.socket != 0) continue;
    const bool is_eof = step.op == Op::recv_eof || step.expect.allows(Outcome::eof);
    const bool lingers = step.option.level == SOL_SOCKET && step.option.name == SO_LINGER;
    if (is_eof || lingers || step.op == Op::disconnect) return false;
    if (step.op == Op::close || step.op == Op::shutdown) return true;
  }
  return false;
}

double closes_first(const Plan& plan) {
  const Arm& arm = plan.arms.front();
  double first = 0, all = 0;
  for (std::size_t i = 0; i < arm.scenarios.size(); ++i) {
    all += arm.weights[i];
    if (closes_first(plan.scenarios[arm.scenarios[i]].client)) first += arm.weights[i];
  }
  return first / all;
}

/// Scripts that came from another machine must not send it this one's files.
void refuse_files(const Plan& plan, const std::string& path) {
  for (const Scenario& scenario : plan.scenarios) {
    for (const Step& step : scenario.client.steps) {
      if (!step.text.starts_with("send-file")) continue;
      throw Error(kExitUsage,
                  fmt::format("{}: scenario '{}' would send this machine's file (\"{}\") to the "
                              "machine that the script came from: put the text into the scenario",
                              printable(path), scenario.name, printable(step.text)));
    }
  }
}

/// The server's side named the ports; the address may be another one from here.
void follow_served(const ServedRun& served, DrivePlan& drive) {
  drive.plan = served_plan(served);
  drive.run_id = served.run_id;
  for (const ServedScenario& scenario : served.scenarios) {
    const std::string host =
        served.domain == AF_INET6 ? "[" + scenario.address + "]" : scenario.address;
    const std::string address = served.domain == AF_UNIX
                                    ? "unix:" + scenario.address
                                    : fmt::format("{}:{}", host, scenario.port);
    drive.targets.push_back(find_target(address, drive.options.authorized_target));
  }
}

// -- the load -------------------------------------------------------------------------------------

std::vector<Endpoint> endpoints_of(const DrivePlan& drive) {
  std::vector<Endpoint> endpoints;
  for (std::size_t i = 0; i < drive.plan.scenarios.size(); ++i) {
    const Target& target = drive.targets[i];
    endpoints.push_back(
        Endpoint::of_others(drive.plan.scenarios[i], target.address, target.length, drive.sources));
  }
  return endpoints;
}

RunResult play(const DrivePlan& drive, const Lab& lab, MetricsServer* metrics) {
  const std::string target = drive.run_id.empty() ? numeric(drive.targets.front()) : "";
  Site site;
  site.lab = lab;
  site.only = Side::client;
  site.endpoints = [&drive] { return endpoints_of(drive); };
  site.target = target;
  site.run_id = drive.run_id;
  site.metrics = metrics;
  return run(drive.options, drive.plan, site);
}

/// One connection more, when the load is over. False if it does not come to its end; nullopt if it
/// found no client port, which says nothing of the server.
std::optional<bool> play_one(const DrivePlan& drive) {
  const std::vector<Endpoint> endpoints = endpoints_of(drive);
  Link link;
  Worker::Settings settings{Worker::Ends::client, 1};
  settings.peer_is_elsewhere = true;
  settings.stall_limit = static_cast<Nanoseconds>(std::chrono::nanoseconds(kProbeTime).count()) +
                         drive.plan.longest_rest_ns();
  Worker worker(settings, drive.plan.scenarios, endpoints, link, interrupted());
  Mix mix = drive.plan.arms.front().mix(drive.options.seed);
  worker.play(mix, {.connections = 1});
  const WorkerReport report = worker.report();
  ScenarioRecord record;
  for (const ScenarioRecord& scenario : report.client) record += scenario;
  if (record.established == 0 && record.port_limited > 0) return std::nullopt;
  return record.established > 0 && record.ledger.open_at_deadline == 0;
}

/// Looks at the server while the load runs.
class Sampler {
 public:
  Sampler(ServerWatch& watch, WatchedServer& server)
      : thread_([this, &watch, &server](const std::stop_token& stop) {
          std::mutex mutex;
          std::unique_lock lock(mutex);
          while (!wake_.wait_for(lock, stop, kSampleInterval, [] { return false; }) &&
                 !stop.stop_requested()) {
            server.add(watch.sample());
          }
        }) {}

 private:
  std::condition_variable_any wake_;
  std::jthread thread_;  ///< last: it is over before what it uses is gone
};

std::optional<ServerWatch> find_server(const DrivePlan& drive) {
  const Target& target = drive.targets.front();
  if (drive.options.pid) {
    return ServerWatch::of_process(*drive.options.pid, address_of(target), target.length);
  }
  return ServerWatch::of_listener(address_of(target), target.length);
}

Verdict judged(const ServerReport& server) {
  const Survival survival = server.verdict.survival;
  Verdict verdict{.name = "server survived"};
  verdict.ok = survival == Survival::survived;
  verdict.advisory = survival == Survival::unknown;
  verdict.evidence = server.verdict.evidence;
  if (!verdict.ok && !verdict.advisory) {
    verdict.remedy = "find out what the server does at the unexpected errors and resets";
  }
  return verdict;
}

}  // namespace

void check_drivable(const Plan& plan, int domain, const std::string& where) {
  for (const Scenario& scenario : plan.scenarios) require_drivable(scenario, domain, where);
}

DrivePlan plan_drive(const Options& options) {
  DrivePlan drive;
  drive.options = options;
  if (options.from_serve.empty()) {
    const Target target = find_target(options.target, options.authorized_target);
    drive.plan = make_plan(options);
    drive.targets.assign(drive.plan.scenarios.size(), target);
  } else {
    follow_served(read_served(options.from_serve), drive);
    refuse_files(drive.plan, options.from_serve);
    drive.plan.arms.front().ways = options.ways;
  }
  const Target& target = drive.targets.front();
  if (!options.source.empty()) drive.sources = source_addresses(options.source, target);
  check_drivable(drive.plan, target.domain, target.text);
  for (Scenario& scenario : drive.plan.scenarios) {
    if (!drive.sources.empty()) scenario.come_from_sources();
  }
  drive.options.family = target.domain == AF_INET6 ? Family::ipv6 : Family::ipv4;
  if (!target.is_local_scope && !options.rate_per_s) {
    drive.options.rate_per_s = kDefaultRateElsewhere;
    drive.has_default_rate = true;
  }
  return drive;
}

void require_listener(const DrivePlan& drive) {
  // Our own server has no connections to spare for a probe: its ledger is ours.
  if (!drive.run_id.empty()) return;
  for (std::size_t i = 0; i < drive.targets.size(); ++i) {
    if (!drive.plan.scenarios[i].has_server()) continue;
    const Target& target = drive.targets[i];
    const ProbeResult result = probe(address_of(target), target.length, kProbeTime);
    if (result.error == 0) continue;
    const char* remedy = "is the server up, and reachable from here?";
    if (result.is_refused()) remedy = "nobody listens there: start the server";
    if (result.error == EADDRNOTAVAIL) {
      remedy = "no client port is free: wait until TIME_WAIT is over, a minute at most";
    }
    throw Error(kExitCannotRun, fmt::format("no connection to {}: {}; {}", numeric(target),
                                            strerrorname_np(result.error), remedy));
  }
}

std::string drive_notice(const DrivePlan& drive) {
  const Target& target = drive.targets.front();
  std::string text;
  if (!target.is_local_scope) {
    text += fmt::format("ringchurn: driving {}{}\n", numeric(target),
                        drive.has_default_rate
                            ? ", at 1,000 connections a second unless --rate says otherwise"
                            : "");
  }
  if (target.domain == AF_UNIX) return text;
  PortDemand demand;
  demand.client_closes_first = closes_first(drive.plan);
  demand.rate_per_s = drive.options.rate_per_s;
  demand.connections = drive.options.connections;
  if (!demand.connections) {
    demand.duration_s = std::chrono::duration<double>(drive.options.duration).count();
  }
  demand.in_flight = drive.options.concurrency;
  PortFacts facts = read_port_facts(target, drive.sources);
  if (!drive.run_id.empty()) facts.destinations = static_cast<unsigned>(drive.targets.size());
  // What a closed loop could only do at a rate that no server reaches is not worth a warning.
  const double most_per_s = budget(facts).sustainable_per_s / 2 / demand.client_closes_first;
  if (!demand.rate_per_s && most_per_s > kFasterThanAnyServer) return text;
  return text + port_warning(target, facts, demand);
}

RunResult drive(const DrivePlan& drive, const Lab& lab, MetricsServer* metrics) {
  // Our own server tells of itself. And where all want to be refused, nobody can survive.
  const bool has_server = std::any_of(drive.plan.scenarios.begin(), drive.plan.scenarios.end(),
                                      [](const Scenario& played) { return played.has_server(); });
  if (!drive.run_id.empty() || !has_server) return play(drive, lab, metrics);
  std::optional<ServerWatch> watch = find_server(drive);
  ServerReport server;
  server.facts.in_flight = drive.options.concurrency;
  if (watch) server.facts.server.emplace().before = watch->inspect();

  RunResult result;
  {
    std::optional<Sampler> sampler;
    if (watch) sampler.emplace(*watch, *server.facts.server);
    result = play(drive, lab, metrics);
  }
  const Target& target = drive.targets.front();
  server.facts.probe = probe(address_of(target), target.length, kProbeTime);
  if (!interrupted()) server.facts.script_finished = play_one(drive);
  if (watch) {
    WatchedServer& seen = *server.facts.server;
    seen.after = settled(*watch, seen.before, kRestLimit);
  }
  for (const ScenarioResult& scenario : result.scenarios) {
    server.facts.connections += scenario.client.opened;
  }
  server.facts.longest_silence_s = result.longest_silence_s;
  server.verdict = judge_survival(server.facts);
  result.verdicts.push_back(judged(server));
  result.server = std::move(server);
  return result;
}

}  // namespace ringchurn
