// Samples as Prometheus's metrics, by prometheus-cpp where the build found it: see exposer.h.
#include "bench/exposer.h"

#ifndef RINGCHURN_HAS_PROMETHEUS

namespace ringchurn {

bool has_exposer() { return false; }
void expose(std::uint16_t, int) {}

}  // namespace ringchurn

#else

#include <fmt/format.h>
#include <prometheus/client_metric.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>
#include <sys/socket.h>

#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

namespace ringchurn {
namespace {

using nlohmann::json;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

/// Longer than any sample: all counters of a kernel are some ten thousand characters.
constexpr std::size_t kLongestSample = 256 * 1024;

/// The families of one sample, in the order in which they are added.
class Families {
 public:
  void gauge(const char* name, const char* help, const json& value, double unit = 1) {
    add(name, help, MetricType::Gauge, value, unit);
  }

  void counter(const char* name, const char* help, const json& value, double unit = 1) {
    add(name, help, MetricType::Counter, value, unit);
  }

  /// A counter for each member of `values`, told apart by `label`.
  void counters(const char* name, const char* help, const char* label, const json& values) {
    MetricFamily family{name, help, MetricType::Counter, {}};
    for (const auto& [key, value] : values.items()) {
      if (!value.is_null()) family.metric.push_back(metric(MetricType::Counter, value, 1));
      if (!value.is_null()) family.metric.back().label = {{label, key}};
    }
    families_.push_back(std::move(family));
  }

  std::vector<MetricFamily> take() { return std::move(families_); }

 private:
  static ClientMetric metric(MetricType type, const json& value, double unit) {
    ClientMetric metric;
    (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) =
        value.get<double>() * unit;
    return metric;
  }

  /// What was not measured is not there.
  void add(const char* name, const char* help, MetricType type, const json& value, double unit) {
    if (value.is_null()) return;
    families_.push_back({name, help, type, {metric(type, value, unit)}});
  }

  std::vector<MetricFamily> families_;
};

std::vector<MetricFamily> families_of(const json& sample) {
  Families families;
  families.gauge("ringchurn_elapsed_seconds", "Age of the load when this sample was taken.",
                 sample["t_s"]);
  families.counter("ringchurn_connections_total", "Connections that ended.", sample["connections"]);
  families.gauge("ringchurn_in_flight_connections", "Connections that are in flight.",
                 sample["in_flight"]);
  families.counter("ringchurn_cpu_seconds_total", "CPU time of ringchurn, all threads.",
                   sample["cpu_us"], 1e-6);
  families.gauge("ringchurn_time_wait_sockets", "Sockets in TIME_WAIT in the load's networks.",
                 sample["time_wait"]);
  families.counters("ringchurn_errors_total", "Outcomes other than success, by errno class.",
                    "class", sample["errors"]);
  families.counter("ringchurn_expected_errors_total", "Errors that the scenarios allow.",
                   sample["expected_errors"]);
  families.counter("ringchurn_unexpected_errors_total", "Errors that the scenarios do not allow.",
                   sample["unexpected_errors"]);
  families.counters("ringchurn_netstat_total",
                    "What the kernel counted in the load's networks, by its own names.", "counter",
                    sample["kernel"]);
  return families.take();
}

/// The newest sample. The library's threads ask for it while another one replaces it.
class NewestSample final : public prometheus::Collectable {
 public:
  std::vector<MetricFamily> Collect() const override {
    const std::lock_guard lock(mutex_);
    return families_;
  }

  void set(std::vector<MetricFamily> families) {
    const std::lock_guard lock(mutex_);
    families_ = std::move(families);
  }

 private:
  mutable std::mutex mutex_;
  std::vector<MetricFamily> families_;
};

}  // namespace

bool has_exposer() { return true; }

void expose(std::uint16_t port, int channel) {
  const auto newest = std::make_shared<NewestSample>();
  auto exposer = std::make_unique<prometheus::Exposer>(fmt::format("127.0.0.1:{}", port));
  exposer->RegisterCollectable(newest);
  constexpr std::string_view kReady = "ready";
  send(channel, kReady.data(), kReady.size(), MSG_NOSIGNAL);
  std::vector<char> buffer(kLongestSample);
  for (ssize_t got = 0; (got = recv(channel, buffer.data(), buffer.size(), 0)) > 0;) {
    newest->set(families_of(json::parse(buffer.data(), buffer.data() + got)));
  }
  // Its threads end with the process, which is about to: waiting for them could take as long as
  // Prometheus keeps its connection.
  static_cast<void>(exposer.release());
}

}  // namespace ringchurn

#endif
