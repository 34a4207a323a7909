// What one end of one thread did, counted: ledger, tally of errors, bytes, latency. One per end, so
// that nothing is shared while a load runs; added up when it is over.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "bench/link.h"
#include "bench/moment_log.h"
#include "bench/result.h"
#include "workloads/end.h"

namespace ringchurn {

/// Counts of one scenario on one side.
struct ScenarioRecord {
  Ledger ledger;
  std::uint64_t established = 0;  ///< client: connects that ended `ok`
  std::uint64_t port_limited =
      0;  ///< client: connects that found no free port and were tried again
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_bytes = 0;
  Latency latency;  ///< client only
  /// Outcomes other than ok, by step index and outcome; the value says how many, and how many of
  /// them were expected (all or none).
  struct Count {
    std::uint64_t count = 0;
    bool expected = false;
  };
  std::map<std::pair<unsigned, Outcome>, Count> outcomes;

  ScenarioRecord& operator+=(const ScenarioRecord& other);
};

/// Fills ScenarioRecords from what an End reports, and counts its errors for who looks on.
class Recorder final : public Observer {
 public:
  /// `heard` must outlive it. Without `log`, it does not keep how connections go down.
  Recorder(std::size_t scenarios, OutcomeCounts& heard, std::shared_ptr<MomentLog> log = nullptr)
      : records_(scenarios), heard_(heard), log_(std::move(log)) {}

  void opened(unsigned scenario) override { ++records_[scenario].ledger.opened; }
  void connected(unsigned scenario, Nanoseconds time) override {
    ++records_[scenario].established;
    records_[scenario].latency.connect.record(time);
  }
  void first_byte(unsigned scenario, Nanoseconds time) override {
    records_[scenario].latency.first_byte.record(time);
  }
  void error(unsigned scenario, unsigned step, Outcome outcome, bool expected) override;
  void sent(unsigned scenario, std::uint32_t bytes) override {
    records_[scenario].sent_bytes += bytes;
  }
  void received(unsigned scenario, std::uint32_t bytes) override {
    records_[scenario].received_bytes += bytes;
  }
  void went_down(unsigned scenario, Side side, const Moments& moments) override {
    if (log_) log_->write(scenario, side, moments);
  }
  void finished(unsigned scenario, Nanoseconds lifetime, Nanoseconds teardown) override {
    ScenarioRecord& record = records_[scenario];
    ++record.ledger.finished;
    record.latency.lifetime.record(lifetime);
    record.latency.teardown.record(teardown);
  }
  void given_up(unsigned scenario) override { ++records_[scenario].ledger.unexpected; }
  void port_limited(unsigned scenario) override { ++records_[scenario].port_limited; }
  void left_open(unsigned scenario) override { ++records_[scenario].ledger.open_at_deadline; }

  /// Forgets all times that were recorded, up to `now`: they belonged to a warm-up.
  void forget_times(Nanoseconds now);

  const std::vector<ScenarioRecord>& records() const { return records_; }
  std::shared_ptr<const MomentLog> log() const { return log_; }

 private:
  std::vector<ScenarioRecord> records_;
  OutcomeCounts& heard_;
  std::shared_ptr<MomentLog> log_;
};

}  // namespace ringchurn
