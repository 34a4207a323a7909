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
    if (piece_.story) tell(step, answer);
  }

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
  /// Looking at the states takes longer than a step: the story's clock stands still meanwhile.
  void tell(const StepAnswers& step, const Answer& answer) {
    if (began_ == 0) began_ = answer.issued;
    const Nanoseconds issued = std::max({answer.issued, began_, looked_until_});
    const Nanoseconds ended = std::max(answer.ended, issued);
    const Nanoseconds looking_from = clock_ns();
    story_.push_back({answer.side, step.number, step.text, step.declared,
                      outcome_name(answer.outcome), answer.result, answer.expected,
                      (ended - began_ - looked_) / 1000, (ended - issued) / 1000, states_.look()});
    looked_until_ = clock_ns();
    looked_ += looked_until_ - looking_from;
  }

  const Piece& piece_;
  std::size_t first_[2] = {0, 0};  ///< of the client's and the server's steps
  std::vector<StepAnswers> steps_;
  std::vector<Moment> story_;
  Nanoseconds began_ = 0, looked_ = 0, looked_until_ = 0;
  StatePairs states_;
};

bool ends_agree(const Piece& piece, const WorkerReport& report) {
  const ScenarioRecord& client = report.client[0];
  const ScenarioRecord& server = report.server[0];
  const bool served = !piece.scenario.has_server() ||
                      (server.ledger.finished == client.established &&
                       server.received_bytes == piece.scenario.delivered_to_server * piece.runs &&
                       client.received_bytes == piece.scenario.delivered_to_client * piece.runs);
  return client.ledger.finished == piece.runs && served;
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
  performance.finished = static_cast<unsigned>(report.client[0].ledger.finished);
  const std::uint64_t left =
      report.client[0].ledger.open_at_deadline + report.server[0].ledger.open_at_deadline;
  if (left > 0) {
    performance.failure = fmt::format(
        "{} connection ends were still playing when nothing had "
        "ended for {} s",
        left, kAtlasPatience / 1'000'000'000);
  } else if (witness.all_expected() && !ends_agree(piece, report)) {
    performance.failure = fmt::format(
        "the ends do not agree: client {} of {} finished, server {} of {} accepted; bytes "
        "received by the server {} (declared: {}) and by the client {} ({})",
        report.client[0].ledger.finished, piece.runs, report.server[0].ledger.finished,
        report.client[0].established, report.server[0].received_bytes,
        piece.scenario.delivered_to_server * piece.runs, report.client[0].received_bytes,
        piece.scenario.delivered_to_client * piece.runs);
  }
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
      play_with_system_calls(piece.scenario, endpoints[0], piece.runs,
                             [&witness](unsigned, const Answer& answer) { witness.hear(answer); });
      performance.finished = piece.runs;
    }
    std::this_thread::sleep_for(kSettleTime);
    read_counters(piece.scenario, piece.runs, KernelCounters::read().since(before), performance);
  }
  performance.expected = witness.all_expected() && as_expected(performance);
  witness.report(performance);
  return performance;
}

}  // namespace ringchurn
