// Adding up what several ends counted: see recorder.h.
#include "bench/recorder.h"

namespace ringchurn {

ScenarioRecord& ScenarioRecord::operator+=(const ScenarioRecord& other) {
  ledger.opened += other.ledger.opened;
  ledger.finished += other.ledger.finished;
  ledger.unexpected += other.ledger.unexpected;
  ledger.open_at_deadline += other.ledger.open_at_deadline;
  established += other.established;
  port_limited += other.port_limited;
  sent_bytes += other.sent_bytes;
  received_bytes += other.received_bytes;
  latency.connect += other.latency.connect;
  latency.first_byte += other.latency.first_byte;
  latency.teardown += other.latency.teardown;
  latency.lifetime += other.latency.lifetime;
  for (const auto& [key, count] : other.outcomes) {
    outcomes[key].count += count.count;
    outcomes[key].expected = count.expected;
  }
  return *this;
}

void Recorder::forget_times(Nanoseconds now) {
  for (ScenarioRecord& record : records_) record.latency = {};
  if (log_) log_->forget_before(now + 1);
}

void Recorder::error(unsigned scenario, unsigned step, Outcome outcome, bool expected) {
  ScenarioRecord::Count& count = records_[scenario].outcomes[{step, outcome}];
  ++count.count;
  count.expected = expected;
  heard_.count(outcome, expected);
}

}  // namespace ringchurn
