// See lockstep.h.
#include "bench/lockstep.h"

#include <fmt/format.h>

#include <algorithm>

namespace ringchurn {
namespace {

constexpr unsigned kReapAtOnce = 256;
/// A step whose cause has come is over at once, and one on an io-wq worker soon.
constexpr Nanoseconds kTurnLimit = 2'000'000'000;
constexpr Nanoseconds kDrainLimit = 10'000'000'000;
constexpr std::chrono::milliseconds kGlance{1};

RingSettings ring_settings(unsigned concurrency) {
  RingSettings ring;
  ring.slots = 2 * concurrency;
  ring.first_accept_slot = concurrency;
  ring.submissions = std::clamp(2 * concurrency, 256U, 4096U);
  ring.completions = std::max(1024U, 2 * ring.slots + kReapAtOnce);
  return ring;
}

/// Connections never rest here: the turns decide when they go on.
End::Settings end_settings(Side side, unsigned concurrency) {
  End::Settings settings{side, side == Side::client ? 0 : concurrency, concurrency};
  settings.rests = false;
  return settings;
}

}  // namespace

LockstepSlice& LockstepSlice::operator+=(const LockstepSlice& other) {
  if (connections == 0) return *this = other;
  connections += other.connections;
  workers_ns += other.workers_ns;
  if (other.turns_ns.size() != turns_ns.size()) turns_ns.clear();
  for (std::size_t i = 0; i < turns_ns.size(); ++i) turns_ns[i] += other.turns_ns[i];
  return *this;
}

Lockstep::Lockstep(std::span<const Scenario> scenarios, std::span<const Endpoint> endpoints,
                   unsigned concurrency, const std::atomic<bool>& stop)
    : scenarios_(scenarios),
      concurrency_(concurrency),
      stop_(stop),
      client_recorder_(scenarios.size(), client_heard_),
      server_recorder_(scenarios.size(), server_heard_),
      ring_(ring_settings(concurrency)),
      client_(ring_, end_settings(Side::client, concurrency), scenarios, endpoints,
              client_recorder_),
      server_(ring_, end_settings(Side::server, concurrency), scenarios, endpoints,
              server_recorder_),
      turns_(scenarios.size()) {
  std::size_t most = 0;
  for (std::size_t i = 0; i < scenarios.size(); ++i) {
    if (lockstep_obstacle(scenarios[i]).empty()) turns_[i] = story_turns(scenarios[i]);
    most = std::max(most, turns_[i].size());
  }
  spent_ns_.reserve(most);
  server_.accept();
}

std::string Lockstep::obstacle(std::uint16_t index) {
  if (std::string why = lockstep_obstacle(scenarios_[index]); !why.empty()) return why;
  if (abandoned_) return "connections of a scenario before it never ended";
  spent_ns_.assign(turns_[index].size(), 0);
  now_ = clock_ns();
  const bool played = play_batch(index);
  release();
  if (played || stop_) return "";
  const Step& step = scenarios_[index].script(waited_.side).steps[waited_.step];
  return fmt::format("the {}'s step {} \"{}\" waits for something that comes later",
                     side_name(waited_.side), step.number, step.text);
}

LockstepSlice Lockstep::play(std::uint16_t index, Nanoseconds until) {
  spent_ns_.assign(turns_[index].size(), 0);
  measure_reading();
  const std::uint64_t ended_before = client_.ended();
  // The process's clock, then at once the thread's, before and behind: what lies between the two
  // cancels.
  const std::uint64_t process_before_ns = process_.now_ns();
  const std::uint64_t thread_before_ns = read_ns_ = thread_cpu_ns();
  bool in_order = true;
  std::size_t batches = 0;
  for (now_ = clock_ns(); in_order && now_ < until && !stop_ && !abandoned_; ++batches) {
    in_order = play_batch(index);
  }
  const std::uint64_t process_ns = process_.now_ns() - process_before_ns;
  const std::uint64_t thread_ns = thread_cpu_ns() - thread_before_ns;
  release();
  LockstepSlice slice;
  slice.connections = client_.ended() - ended_before;
  if (!in_order || abandoned_) return slice;
  slice.workers_ns = static_cast<double>(process_ns) - static_cast<double>(thread_ns);
  for (const std::uint64_t spent : spent_ns_) {
    slice.turns_ns.push_back(static_cast<double>(spent) -
                             static_cast<double>(batches) * reading_ns_);
  }
  return slice;
}

WorkerReport Lockstep::report() const {
  WorkerReport report;
  report.client = client_recorder_.records();
  report.server = server_recorder_.records();
  for (ScenarioRecord& record : report.client) record.latency = {};
  report.client_ended = client_.ended();
  report.in_lockstep = true;
  report.ring_enters = ring_.system_calls();
  report.ring_overflowed = ring_.overflowed();
  report.stale_completions = client_.stale() + server_.stale();
  return report;
}

/// Reading the clock is a system call, and its time is in what it measures.
void Lockstep::measure_reading() {
  constexpr int kReadings = 16;
  const std::uint64_t before = thread_cpu_ns();
  for (int i = 1; i < kReadings; ++i) thread_cpu_ns();
  reading_ns_ = static_cast<double>(thread_cpu_ns() - before) / kReadings;
}

bool Lockstep::play_batch(std::uint16_t scenario) {
  accepted_before_ = server_.established();
  for (unsigned i = 0; i < concurrency_; ++i) client_.start(scenario, now_, now_);
  const std::vector<StoryTurn>& turns = turns_[scenario];
  for (std::size_t i = 0; i < turns.size(); ++i) {
    if (!play_turn(turns[i])) {
      waited_ = turns[i];
      return false;
    }
    // What is left of the last operations belongs to the last turn.
    if (i + 1 == turns.size()) drain();
    end_turn(i);
  }
  return true;
}

void Lockstep::end_turn(std::size_t turn) {
  const std::uint64_t now_ns = thread_cpu_ns();
  spent_ns_[turn] += now_ns - read_ns_;
  read_ns_ = now_ns;
}

bool Lockstep::play_turn(const StoryTurn& turn) {
  const Nanoseconds began = now_;
  while (const unsigned left = behind(turn)) {
    if (now_ - began > kTurnLimit || stop_) return false;
    enter(left);
  }
  return true;
}

/// Hands the turn's step to the ring where it is due, and says how many connections it is not over
/// for.
unsigned Lockstep::behind(const StoryTurn& turn) {
  End& end = turn.side == Side::client ? client_ : server_;
  unsigned count = end.issue_up_to(turn.step, now_);
  if (turn.side == Side::server) {
    const std::uint64_t accepted = server_.established() - accepted_before_;
    count += concurrency_ - static_cast<unsigned>(std::min<std::uint64_t>(accepted, concurrency_));
  }
  return count;
}

/// Hands over what is prepared, waits for `want` completions for a moment, and takes all there are.
void Lockstep::enter(unsigned want) {
  ring_.submit_and_wait(want, kGlance);
  for (unsigned reaped = kReapAtOnce; reaped == kReapAtOnce;) {
    now_ = clock_ns();
    reaped = ring_.reap(kReapAtOnce, [this](const Completion& completion) {
      End& end = End::belongs(completion, Side::client) ? client_ : server_;
      end.complete(completion, now_);
    });
  }
}

bool Lockstep::is_drained() const {
  return client_.free_slots() == concurrency_ && !client_.releasing() && server_.open() == 0 &&
         server_.ended() == client_.established();
}

/// After the last batch: ends what a batch left open, and closes the sockets that `disconnect`
/// left.
void Lockstep::release() {
  drain();
  client_.release_sockets();
  drain();
}

void Lockstep::go_on() {
  for (End* end : {&client_, &server_}) {
    end->issue_gives(now_);
    end->issue_takes(now_);
  }
  enter(1);
}

/// What is open goes on in its own order until it has ended.
void Lockstep::drain() {
  if (abandoned_) return;
  for (const Nanoseconds began = now_; !is_drained() && now_ - began < kDrainLimit;) go_on();
  if (is_drained()) return;
  abandoned_ = true;
  client_.abandon();
  server_.abandon();
}

}  // namespace ringchurn
