// Made-up results that every report test prints: large numbers, empty histograms, ranges,
// unexpected errors, a failed verdict. The numbers mean nothing, but they add up.
#pragma once

#include <cstdint>

#include "bench/result.h"

namespace ringchurn {

inline Histogram sample_histogram(std::uint64_t around_ns) {
  Histogram histogram;
  for (std::uint64_t i = 0; i < 1000; ++i) histogram.record(around_ns + i * around_ns / 500);
  histogram.record(around_ns * 100);
  return histogram;
}

inline Context sample_context() {
  Context context;
  context.version = "0.1.0";
  context.command = "ringchurn run --mix graceful=70,rst-client=20,unread-data=9,refused=1";
  context.kernel = "Linux 6.18.0 x86_64";
  context.liburing = "2.3";
  context.compiler = "g++ 12.2.0 Release";
  context.cpu_model = "Imaginary CPU @ 3.00GHz";
  context.cpus = 2;
  context.lab = "private";
  context.layout = "pair";
  context.family = "ipv4";
  context.congestion_control = "cubic";
  context.threads = 1;
  context.concurrency = 18000;
  context.seed = 1;
  context.started_at = "2025-11-20T18:00:00Z";
  context.elapsed_s = 31.204;
  context.sysctls = {{"net.ipv4.ip_local_port_range", "1024 65535"},
                     {"net.core.somaxconn", "65535"}};
  return context;
}

inline ScenarioResult sample_scenario(const char* name, double weight, std::uint64_t connections) {
  ScenarioResult scenario;
  scenario.name = name;
  scenario.about = "Closes.";
  scenario.weight = weight;
  scenario.established = connections;
  scenario.client = {connections, connections, 0, 0};
  scenario.server = {connections, connections, 0, 0};
  scenario.client_to_server = {connections, connections, 0, connections};
  scenario.server_to_client = {connections, connections, 0, {}};
  scenario.latency.connect = sample_histogram(412'345);
  scenario.latency.first_byte = sample_histogram(712'345);
  scenario.latency.teardown_step = sample_histogram(30'234);
  scenario.latency.peer_heard = sample_histogram(45'234);
  scenario.latency.gone = sample_histogram(71'234);
  scenario.latency.teardown = sample_histogram(31'234);
  scenario.latency.lifetime = sample_histogram(1'012'345);
  scenario.declared.kernel["OutRsts"] = {0, 0, ""};
  scenario.declared.kernel["TW"] = {1, 2, ""};
  scenario.declared.client_to_server = 1;
  scenario.matched.connections = 1'001;
  return scenario;
}

inline Series sample_series() {
  const auto at = [](double t_s, std::uint64_t part) {
    Sample sample;
    sample.t_s = t_s;
    sample.counts = {250'000 * part,
                     part == 4 ? 0 : 18'000U,
                     {{"reset", 72'500 * part}, {"refused", 2'500 * part}},
                     75'000 * part - 1,
                     1};
    sample.cpu_us = 13e6 * static_cast<double>(part);
    sample.time_wait = 175'000 * part;
    sample.kernel = {{"OutRsts", 75'000 * part}, {"TCPAbortOnClose", {}}};
    return sample;
  };
  return {10, {at(10.001, 1), at(20.003, 2), at(30.002, 3), at(31.204, 4)}};
}

inline RunResult sample_run() {
  RunResult run;
  run.context = sample_context();
  run.scenarios = {
      sample_scenario("graceful", 0.7, 700'000), sample_scenario("rst-client", 0.2, 200'000),
      sample_scenario("unread-data", 0.09, 90'000), sample_scenario("refused", 0.01, 10'000)};
  run.scenarios[1].client = {200'000, 199'990, 3, 7};
  run.scenarios[2].client_to_server = {92'160'000, 0, 92'160'000, 0};
  run.scenarios[2].server_to_client = {};
  ScenarioResult& refused = run.scenarios[3];
  refused.has_server = false;
  refused.established = 0;
  refused.server = {};
  refused.client_to_server = refused.server_to_client = {};
  refused.latency = {};
  run.errors = {
      {"rst-client", "server", "recv-eof", 4, "recv", "ECONNRESET", "reset", true, 200'000},
      {"unread-data", "client", "recv", 3, "recv", "ECONNRESET", "reset", true, 90'000},
      {"refused", "client", "connect", 1, "connect", "ECONNREFUSED", "refused", true, 10'000},
      {"rst-client", "client", "send {request}", 3, "send", "EPIPE", "broken_pipe", false, 3}};
  run.kernel = {{"OutRsts", 300'000, 300'000, 300'000},
                {"TCPAbortOnData", 199'997, 200'000, 200'000},
                {"TW", 700'003, 700'000, 700'010},
                {"TCPAbortOnClose", {}, 90'000, 90'000}};
  run.cost = {1'000'000, 32'047.2, 52.31, 24.10, 27.02, 1.19, 0.042,
              0.31,      5.61,     1.52,  0.7,   0.12,  0.38};
  run.series = sample_series();
  run.verdicts = {
      {"ledger", true, false, "1,000,000 opened = 999,990 finished + 3 unexpected + 7 open", ""},
      {"no unexpected errors", false, false, "3 of 1,000,000 connections",
       "see the table of unexpected errors; a lower --concurrency tells load from logic"},
      {"kernel agrees", false, true, "TCPAbortOnData: 199,997 measured, 200,000 declared",
       "other programs count too under --lab host; use --lab private"}};
  return run;
}

/// What one side of that run knows.
inline RunResult sample_side(PlayedSide side) {
  RunResult result = sample_run();
  const bool is_client = side == PlayedSide::client;
  result.context.side = side;
  result.context.run_id = "00112233aabbccdd";
  result.context.host = is_client ? "alpha" : "beta";
  result.context.network = is_client ? "boot-a:1" : "boot-b:1";
  for (ScenarioResult& scenario : result.scenarios) {
    Bytes& sent = is_client ? scenario.client_to_server : scenario.server_to_client;
    Bytes& received = is_client ? scenario.server_to_client : scenario.client_to_server;
    sent.received = received.sent = 0;
    sent.lost = received.lost = 0;
    sent.declared.reset();
    (is_client ? scenario.server : scenario.client) = {};
    if (is_client) continue;
    scenario.established = 0;
    scenario.latency = {};
  }
  std::erase_if(result.errors, [&](const ErrorRow& row) { return row.side != side_name(side); });
  for (CounterRow& row : result.kernel) {
    row = {.name = row.name, .measured = row.measured, .is_declared = false};
  }
  (is_client ? result.cost.server_us : result.cost.client_us).reset();
  return result;
}

inline CompareResult sample_comparison() {
  CompareResult comparison;
  comparison.run = sample_run();
  comparison.run.series.reset();
  comparison.whose = "both ends";
  comparison.run.context.command = "ringchurn compare graceful rst-client";
  comparison.run.context.layout = "single";
  comparison.run.context.concurrency = 64;
  comparison.run.scenarios.resize(2);
  comparison.run.scenarios[1] = sample_scenario("rst-client", 0.5, 700'000);
  comparison.run.errors.resize(1);
  comparison.run.kernel = {{"OutRsts", 700'000, 700'000, 700'000},
                           {"TW", 700'000, 700'000, 700'000}};
  comparison.run.cost.client_us = comparison.run.cost.server_us = std::nullopt;
  comparison.run.verdicts = {{"ledger", true, false, "1,400,000 opened = 1,400,000 finished", ""},
                             {"A/A control", true, false, "1.001, interval 0.997 to 1.005", ""}};
  comparison.arms = {
      {"graceful", 353'211, 31.02, {}, {}},
      {"rst-client", 353'104, 26.11, Estimate{0.842, 0.836, 0.848}, Estimate{-4.91, -5.10, -4.72}}};
  comparison.a_a = Estimate{1.001, 0.997, 1.005};
  comparison.blocks = 248;
  comparison.slices = {
      {0, 1, 0, 9'435.5, 361}, {0, {}, 0.0251, 11'020, 355}, {0, 0, 0.05, 11'015, 355}};
  comparison.slice_ms = 20;
  comparison.measured_s = 19.84;
  comparison.sentence =
      "rst-client costs 15.8% (±0.6) less CPU per connection than graceful: 26.1 us against 31.0 "
      "us";
  return comparison;
}

}  // namespace ringchurn
