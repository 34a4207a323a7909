// A worker with everything that it needs, for tests that play connections on the real kernel: in a
// lab of its own, in a child process, which tells what happened as text.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "bench/lab.h"
#include "bench/worker.h"
#include "tests/in_child.h"
#include "workloads/endpoint.h"
#include "workloads/mix.h"
#include "workloads/scenario_file.h"

namespace ringchurn {

/// Runs `body` in a lab in a child process and returns what it returned, or why there is no lab.
inline std::string in_lab(const std::function<std::string(const Lab&)>& body) {
  return in_child([&body] { return body(enter_lab(LabKind::private_namespace)); });
}

/// Why no connection can be played here, or "".
inline std::string refusal_of_a_trial() {
  return in_lab([](const Lab&) {
    const Ring ring(RingSettings{});
    return "";
  });
}

inline Scenario builtin(const std::string& name) { return compile(find_scenario(name)); }

/// True for a scenario of two TCP ends that do one ordinary thing after the other: what is known
/// about its bytes and the order of its steps before anything is played.
inline bool is_ordinary(const Scenario& scenario) {
  const auto lingers = [](const SocketOption& option) {
    return option.level == SOL_SOCKET && option.name == SO_LINGER &&
           option.value.size() == sizeof(linger) && option.value[4] != std::byte{0};
  };
  const auto ordinary = [&](const Script& script) {
    if (std::any_of(script.listener_options.begin(), script.listener_options.end(), lingers)) {
      return false;
    }
    return std::all_of(script.steps.begin(), script.steps.end(), [&](const Step& step) {
      const bool rare = step.op == Op::plain || step.op == Op::fill || step.op == Op::write ||
                        step.op == Op::read || step.op == Op::receive_multi ||
                        step.op == Op::poll || step.op == Op::so_error ||
                        (step.op == Op::option && lingers(step.option));
      return !rare && step.socket == 0 && !step.is_one_operation() && step.place == Place::server &&
             step.option.name != SO_ATTACH_FILTER && step.at_least_ns == 0 &&
             !step.expect.allows(errno_outcome(ETIMEDOUT)) &&
             !step.expect.allows(errno_outcome(EBADF));
    });
  };
  return scenario.domain == 0 && scenario.sysctls.empty() && ordinary(scenario.client) &&
         ordinary(scenario.server);
}

/// The built-in scenarios that are ordinary.
inline std::vector<Scenario> ordinary_builtins() {
  std::vector<Scenario> scenarios;
  for (const ScenarioFile& file : builtin_scenarios()) {
    if (Scenario scenario = compile(file); is_ordinary(scenario)) scenarios.push_back(scenario);
  }
  return scenarios;
}

/// Scenarios, their listeners, and one worker. Not to be moved: the worker refers to the rest.
class Trial {
 public:
  Trial(const Lab& lab, std::vector<Scenario> scenarios, Worker::Settings settings = {},
        int family = AF_INET)
      : scenarios_(std::move(scenarios)),
        endpoints_(make_endpoints(lab, scenarios_, settings, family)),
        worker_(settings, scenarios_, endpoints_, link_, stop_) {}

  /// With listeners that are not the scenarios' own.
  Trial(std::vector<Scenario> scenarios, std::vector<Endpoint> endpoints)
      : scenarios_(std::move(scenarios)),
        endpoints_(std::move(endpoints)),
        worker_({}, scenarios_, endpoints_, link_, stop_) {}

  static std::vector<Endpoint> make_endpoints(const Lab& lab,
                                              const std::vector<Scenario>& scenarios,
                                              const Worker::Settings& settings, int family) {
    return ringchurn::make_endpoints(scenarios, lab, family, Worker::backlog(settings.concurrency));
  }

  static Mix even_mix(std::size_t scenarios) {
    std::vector<std::uint16_t> indexes(scenarios);
    std::iota(indexes.begin(), indexes.end(), std::uint16_t{0});
    return {indexes, std::vector<double>(scenarios, 1), 1};
  }

  void play(std::uint64_t connections) { play(Load{connections, 0}); }

  void play(const Load& load) {
    Mix mix = even_mix(scenarios_.size());
    worker_.play(mix, load);
  }

  const Worker& worker() const { return worker_; }
  Link& link() { return link_; }
  std::atomic<bool>& stop() { return stop_; }

  /// "client 9 = 7 finished + 1 unexpected + 1 open" and the same for the server, both with their
  /// unexpected errors, one line each, all scenarios together.
  std::string ledgers() const {
    const WorkerReport report = worker_.report();
    std::string text;
    for (const Side side : {Side::client, Side::server}) {
      Ledger total;
      std::string errors;
      const auto& records = side == Side::client ? report.client : report.server;
      for (std::size_t i = 0; i < records.size(); ++i) {
        const Ledger& ledger = records[i].ledger;
        total.opened += ledger.opened;
        total.finished += ledger.finished;
        total.unexpected += ledger.unexpected;
        total.open_at_deadline += ledger.open_at_deadline;
        for (const auto& [key, count] : records[i].outcomes) {
          const Step& step = scenarios_[i].script(side).steps[key.first];
          if (count.expected) continue;
          errors +=
              fmt::format(", {} x \"{}\" {}", count.count, step.text, outcome_name(key.second));
        }
      }
      text += fmt::format("{} {} = {} finished + {} unexpected + {} open{}\n", side_name(side),
                          total.opened, total.finished, total.unexpected, total.open_at_deadline,
                          errors);
    }
    if (report.stale_completions > 0) text += "stale completions\n";
    if (report.ring_overflowed) text += "ring overflowed\n";
    return text;
  }

 private:
  std::vector<Scenario> scenarios_;
  std::vector<Endpoint> endpoints_;
  Link link_;
  std::atomic<bool> stop_{false};
  Worker worker_;
};

}  // namespace ringchurn
