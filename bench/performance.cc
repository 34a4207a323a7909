// See performance.h. Every answer of every step comes back through one callback, whichever engine
// gave it; what is judged here is only what no step can see: the ledger, the bytes, the counters.
#include "bench/performance.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "bench/interrupt.h"
#include "bench/kernel_counters.h"
#include "bench/lab.h"
#include "bench/meter.h"
#include "bench/state_pairs.h"
#include "bench/worker.h"
#include "workloads/twin.h"

namespace ringchurn {
namespace {

/// Twenty closes that block the ring's thread for a second each end together, at the end.
constexpr Nanoseconds kAtlasPatience = 30'000'000'000;

/// Gathers answers by step, and one connection's in time order.
class Witness {
 public:
  explicit Witness(const Piece& piece) : piece_(piece) {
    for (Side side : {Side::client, Side::server}) {
      const Script& script = piece.scenario.script(side);
      for (unsigned index = 0; index < script.length(); ++index) {
        const Step& step = script.steps[index];
        steps_.push_back({side, step.number, step.text, outcomes_text(step.expect), {}});
      }
    }
    first_[1] = piece.scenario.client.length();
  }

  void hear(const Answer& answer) {
    StepAnswers& step = steps_[first_[answer.side == Side::client ? 0 : 1] + answer.step];
    const std::string outcome = outcome_name(answer.outcome);
    const auto known = std::find_if(step.answers.begin(), step.answers.end(), [&](const auto& a) {
      return a.outcome == outcome && a.expected == answer.expected;
    });
    if (known == step.answers.end()) {
      step.answers.push_back({outcome, 1, answer.expected});
    } else {
      ++known->count;
    }
    count(answer);
    if (piece_.story) tell(step, answer);
  }

  /// Clients that got to the end of their script.
  unsigned finished() const { return finished_; }
  /// Bytes that `side` received on its own socket.
  std::uint64_t received(Side side) const { return received_[side == Side::client ? 0 : 1]; }

  bool all_expected() const {
    return std::all_of(steps_.begin(), steps_.end(), [](const StepAnswers& step) {
      return std::all_of(step.answers.begin(), step.answers.end(),
                         [](const AnswerCount& answer) { return answer.expected; });
    });
  }

  void report(Performance& performance) {
    for (StepAnswers& step : steps_) {
      std::stable_sort(step.answers.begin(), step.answers.end(),
                       [](const auto& a, const auto& b) { return a.count > b.count; });
    }
    performance.steps = std::move(steps_);
    performance.story = std::move(story_);
    std::stable_sort(performance.story.begin(), performance.story.end(),
                     [](const Moment& a, const Moment& b) { return a.at_us < b.at_us; });
  }

 private:
  void count(const Answer& answer) {
    const Script& script = piece_.scenario.script(answer.side);
    const Step& step = script.steps[answer.step];
    if (receives(step.op) && step.socket == 0 && (step.detail & MSG_PEEK) == 0 &&
        answer.result > 0) {
      received_[answer.side == Side::client ? 0 : 1] += static_cast<std::uint64_t>(answer.result);
    }
    const bool last = answer.side == Side::client && answer.step + 1 == script.length();
    if (last && answer.expected) ++finished_;
  }

  /// Looking at the states takes longer than a step: the story's clock stands still meanwhile.
  void tell(const StepAnswers& step, const Answer& answer) {
    if (began_ == 0) began_ = answer.issued;
    const Nanoseconds issued = std::max(answer.issued, began_);
    const Nanoseconds looking_from = clock_ns();
    story_.push_back({answer.side, step.number, step.text, step.declared,
                      outcome_name(answer.outcome), answer.result, answer.expected,
                      (answer.ended - began_ - looked_within(began_, answer.ended)) / 1000,
                      (answer.ended - issued - looked_within(issued, answer.ended)) / 1000,
                      states_.look()});
    looks_.emplace_back(looking_from, clock_ns());
  }

  Nanoseconds looked_within(Nanoseconds from, Nanoseconds to) const {
    Nanoseconds total = 0;
    for (const auto& [began, ended] : looks_) {
      const Nanoseconds first = std::max(began, from), last = std::min(ended, to);
      if (first < last) total += last - first;
    }
    return total;
  }

  const Piece& piece_;
  std::size_t first_[2] = {0, 0};  ///< of the client's and the server's steps
  unsigned finished_ = 0;
  std::uint64_t received_[2] = {0, 0};
  std::vector<StepAnswers> steps_;
  std::vector<Moment> story_;
  Nanoseconds began_ = 0;
  std::vector<std::pair<Nanoseconds, Nanoseconds>> looks_;
  StatePairs states_;
};

/// What came of the connections as a whole, by either engine.
struct Totals {
  std::uint64_t finished = 0, established = 0, served = 0;
  std::uint64_t received_by_server = 0, received_by_client = 0;
};

/// What both ends together did not do as the scenario says, or "".
std::string disagreement(const Piece& piece, const Totals& totals) {
  const Scenario& scenario = piece.scenario;
  const std::uint64_t to_server = scenario.delivered_to_server * piece.runs;
  const std::uint64_t to_client = scenario.delivered_to_client * piece.runs;
  const bool served = !scenario.has_server() || (totals.served == totals.established &&
                                                 totals.received_by_server == to_server &&
                                                 totals.received_by_client == to_client);
  if (totals.finished == piece.runs && served) return "";
  return fmt::format(
      "the ends do not agree: client {} of {} finished, server {} of {} accepted; bytes received "
      "by the server {} (declared: {}) and by the client {} ({})",
      totals.finished, piece.runs, totals.served, totals.established, totals.received_by_server,
      to_server, totals.received_by_client, to_client);
}

void play_on_ring(const Piece& piece, const std::vector<Scenario>& scenarios,
                  const std::vector<Endpoint>& endpoints, Witness& witness,
                  Performance& performance) {
  const std::function<void(const Answer&)> hear = [&](const Answer& answer) {
    witness.hear(answer);
  };
  Link link;
  Worker::Settings settings{Worker::Ends::both, piece.runs};
  settings.witness = &hear;
  settings.stall_limit = kAtlasPatience;
  Worker worker(settings, scenarios, endpoints, link, interrupted());
  Mix mix({0}, {1.0}, 1);
  worker.play(mix, {piece.runs, 0});
  const WorkerReport report = worker.report();
  const ScenarioRecord &client = report.client[0], &server = report.server[0];
  performance.finished = static_cast<unsigned>(client.ledger.finished);
  const std::uint64_t left = client.ledger.open_at_deadline + server.ledger.open_at_deadline;
  if (left > 0) {
    performance.failure = fmt::format(
        "{} connection ends were still playing when nothing had "
        "ended for {} s",
        left, kAtlasPatience / 1'000'000'000);
  } else if (witness.all_expected()) {
    performance.failure =
        disagreement(piece, {client.ledger.finished, client.established, server.ledger.finished,
                             server.received_bytes, client.received_bytes});
  }
}

void play_by_calls(const Piece& piece, const Endpoint& endpoint, Witness& witness,
                   Performance& performance) {
  play_with_system_calls(piece.scenario, endpoint, piece.runs,
                         [&witness](unsigned, const Answer& answer) { witness.hear(answer); });
  performance.finished = witness.finished();
  if (!witness.all_expected()) return;
  performance.failure = disagreement(
      piece,
      {witness.finished(), 0, 0, witness.received(Side::server), witness.received(Side::client)});
}

void read_counters(const Scenario& scenario, unsigned runs, const KernelCounters& moved,
                   Performance& performance) {
  for (const auto& [name, range] : scenario.kernel) {
    performance.counters.push_back({name, moved[name], range.min * runs, range.max * runs, 0});
  }
  for (const auto& [name, value] : moved.all()) {
    const bool telling = !name.starts_with("Ip") && value > 0;
    if (telling) performance.moved[name] = value;
  }
}

bool as_expected(const Performance& performance) {
  const bool counted = std::all_of(performance.counters.begin(), performance.counters.end(),
                                   [](const CounterRow& row) { return row.agrees(); });
  return performance.failure.empty() && counted;
}

}  // namespace

std::string outcomes_text(const Expectation& expectation) {
  std::string text;
  for (const Outcome outcome : expectation.all()) {
    text += (text.empty() ? "" : " | ") + outcome_name(outcome);
  }
  return text;
}

Performance perform_piece(const Piece& piece) {
  Lab lab = enter_lab(LabKind::private_namespace);
  set_for(piece.scenario, lab);
  const std::vector<Scenario> scenarios{piece.scenario};
  Performance performance;
  performance.runs = piece.runs;
  Witness witness(piece);
  const KernelCounters before = KernelCounters::read();
  {
    const std::vector<Endpoint> endpoints =
        make_endpoints(scenarios, lab, piece.family, Worker::backlog(piece.runs));
    if (piece.engine == Engine::ring) {
      play_on_ring(piece, scenarios, endpoints, witness, performance);
    } else {
      play_by_calls(piece, endpoints[0], witness, performance);
    }
    std::this_thread::sleep_for(kSettleTime);
    read_counters(piece.scenario, piece.runs, KernelCounters::read().since(before), performance);
  }
  performance.expected = witness.all_expected() && as_expected(performance);
  witness.report(performance);
  return performance;
}

}  // namespace ringchurn
