// The loop: admit, issue, wait, reap. See worker.h.
#include "bench/worker.h"

#include <sys/prctl.h>
#include <time.h>

#include <algorithm>

namespace ringchurn {
namespace {

/// Completions handled between two looks at the clock: few enough that a timestamp is fresh.
constexpr unsigned kBatch = 256;
constexpr unsigned kRunPerCall = 20;  // IO_LOCAL_TW_DEFAULT_MAX in io_uring/tw.h, since Linux 6.13
constexpr unsigned kRunPerTurn = 4096;
/// Operations that may become ready in one turn of an end that keeps up.
constexpr unsigned kBurst = 64;
/// Completions that are worth a wake-up, and how long they are waited for together.
constexpr unsigned kWakeUpBatch = 8;
constexpr std::chrono::microseconds kWakeUpPatience{50};
/// Between two looks at the clock and at the flags when nothing happens at all.
constexpr std::chrono::milliseconds kIdlePatience{1};
/// How many connections the server end may be behind the client end: those that the client is done
/// with and the server is not. Its table has room for them.
constexpr unsigned kSpareSlots = 64;
/// How long an interrupted run waits for the connections that are under way.
constexpr Nanoseconds kPatienceWhenStopped = 1'000'000'000;

/// True if a step keeps more than one operation in flight, or one with more than one completion.
bool needs_two_completions(const Step& step) {
  return step.limited || step.overlap != Overlap::none || step.zero_copy ||
         step.op == Op::receive_multi || step.op == Op::accept_multi;
}

/// Completions that may be there for one socket. A connection that was just accepted has the slot
/// of one that was just closed, but our own clients keep the sum of those that wait, are open or
/// are just closed below the number of slots; other people's do not.
unsigned completions_per_socket(const Worker::Settings& settings,
                                std::span<const Scenario> scenarios) {
  const auto needs_two = [](const Script& script) {
    return std::any_of(script.steps.begin(), script.steps.end(), needs_two_completions);
  };
  const bool any = std::any_of(scenarios.begin(), scenarios.end(), [&](const Scenario& scenario) {
    return needs_two(scenario.client) || needs_two(scenario.server);
  });
  return any || settings.peer_is_elsewhere ? 2 : 1;
}

RingSettings ring_settings(const Worker::Settings& settings, std::span<const Scenario> scenarios) {
  const bool both = settings.ends == Worker::Ends::both;
  const unsigned client_slots =
      settings.ends == Worker::Ends::server
          ? 0
          : settings.concurrency * End::sockets_per_connection(scenarios, Side::client);
  const unsigned server_slots =
      settings.ends == Worker::Ends::client
          ? 0
          : std::max(settings.concurrency, settings.most_at_once) + kSpareSlots;
  RingSettings ring;
  ring.slots = client_slots + server_slots;
  ring.first_accept_slot = client_slots;
  ring.submissions = std::clamp(settings.concurrency * (both ? 2U : 1U), 256U, 4096U);
  ring.completions =
      std::max(1024U, ring.slots * completions_per_socket(settings, scenarios) + kBatch);
  ring.plain = settings.ways.plain;
  ring.shutdown_call = settings.ways.shutdown_call;
  ring.sqpoll = settings.ways.sqpoll;
  ring.sqpoll_cpu = settings.sqpoll_cpu;
  return ring;
}

/// Where the other end runs meanwhile, a wake-up for each completion is what costs most.
bool waits_for_batches(const Worker::Settings& settings) {
  if (settings.ways.waiting != Waiting::automatic) return settings.ways.waiting == Waiting::batch;
  return settings.ends != Worker::Ends::both && settings.concurrency >= 4 * kWakeUpBatch;
}

std::shared_ptr<MomentLog> moment_log(const Worker::Settings& settings,
                                      std::span<const Scenario> scenarios, Side side) {
  if (settings.moments == 0) return nullptr;
  return std::make_shared<MomentLog>(scenarios, side, settings.moments);
}

}  // namespace

Nanoseconds clock_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<Nanoseconds>(time.tv_sec) * 1'000'000'000 +
         static_cast<Nanoseconds>(time.tv_nsec);
}

Worker::Worker(const Settings& settings, std::span<const Scenario> scenarios,
               std::span<const Endpoint> endpoints, Link& link, const std::atomic<bool>& stop)
    : settings_(settings),
      batches_(waits_for_batches(settings)),
      link_(link),
      group_(settings.group.empty() ? std::span(&link, 1) : settings.group),
      stop_(stop),
      ring_(ring_settings(settings, scenarios)) {
  const RingSettings ring = ring_settings(settings, scenarios);
  if (settings.ends != Ends::server) {
    client_recorder_ = std::make_unique<Recorder>(scenarios.size(), link.client_outcomes,
                                                  moment_log(settings, scenarios, Side::client));
    End::Settings end{Side::client, 0, settings.concurrency};
    end.keeps_moments = settings.moments > 0;
    end.rests = !settings.open_loop;
    end.peer_is_elsewhere = settings.peer_is_elsewhere;
    end.witness = settings.witness;
    client_ = std::make_unique<End>(ring_, end, scenarios, endpoints, *client_recorder_);
  }
  if (settings.ends != Ends::client) {
    server_recorder_ = std::make_unique<Recorder>(scenarios.size(), link.server_outcomes,
                                                  moment_log(settings, scenarios, Side::server));
    End::Settings end{Side::server, ring.first_accept_slot, ring.slots - ring.first_accept_slot};
    end.keeps_moments = settings.moments > 0;
    end.witness = settings.witness;
    end.accepts_singly = settings.ways.accept_one;
    server_ = std::make_unique<End>(ring_, end, scenarios, endpoints, *server_recorder_);
    server_->accept();
  }
  // Sleeping until a connection is due should not take 50 us more (prctl(2), PR_SET_TIMERSLACK).
  if (settings.open_loop) prctl(PR_SET_TIMERSLACK, 1);
  now_ = clock_ns();
}

Worker::~Worker() = default;

unsigned Worker::backlog(unsigned concurrency) { return concurrency + kSpareSlots; }

WorkerReport Worker::report() const {
  WorkerReport report;
  if (client_) report.client = client_recorder_->records();
  if (server_) report.server = server_recorder_->records();
  if (client_) report.client_moments = client_recorder_->log();
  if (server_) report.server_moments = server_recorder_->log();
  report.pace = pace_;
  report.longest_silence = longest_silence_;
  report.client_ended = client_ ? client_->ended() : 0;
  report.ring_enters = ring_.system_calls();
  report.ring_overflowed = ring_.overflowed();
  report.stale_completions = (client_ ? client_->stale() : 0) + (server_ ? server_->stale() : 0);
  return report;
}

// -- the two loops
// ----------------------------------------------------------------------------------

void Worker::play(Mix& mix, const Load& load) {
  std::uint64_t left = load.connections.value_or(UINT64_MAX);
  pacer_ = load.pacer;
  bool is_warm = load.warm_until == 0;
  admitted_ = full_ = 0;
  last_end_ = now_ = clock_ns();
  while (true) {
    if (more_to_begin(load, left)) {
      const std::uint64_t before = client_->open() + client_->ended();
      admit(mix, load, left);
      left -= client_->open() + client_->ended() - before;
    } else if (drained()) {
      break;
    } else {
      pacer_ = nullptr;
    }
    turn();
    if (!is_warm && now_ >= load.warm_until) {
      is_warm = true;
      forget_warm_up();
    }
    if (stalled()) {
      abandon();
      break;
    }
  }
  if (!is_warm) forget_warm_up();  // all of it was
  if (load.pacer && !load.connections && !stop_) {
    pace_.never_begun = load.pacer->due_before(load.until);
  }
  client_->release_sockets();
  while (client_->releasing() && !link_.abandoned) turn();
  if (!server_) link_.to_serve.store(client_->established(), std::memory_order_release);
}

void Worker::forget_warm_up() {
  client_recorder_->forget_times(now_);
  pace_ = {};
}

void Worker::serve() {
  last_end_ = now_ = clock_ns();
  bool accepts = true;
  while (group_.server_ended() < group_.to_serve() || server_->open() > 0) {
    const bool enough =
        server_->established() >= group_.to_serve() || stop_.load(std::memory_order_relaxed);
    if (settings_.peer_is_elsewhere && accepts && enough) {
      accepts = false;
      server_->stop_accepting();
    }
    if (settings_.peer_is_elsewhere && !accepts && server_->open() == 0) break;
    turn();
    if (stalled() || link_.abandoned.load(std::memory_order_relaxed)) return abandon();
  }
}

bool Worker::more_to_begin(const Load& load, std::uint64_t left) const {
  if (left == 0 || stop_.load(std::memory_order_relaxed)) return false;
  // What became due during the last turn is begun a turn late, but it is begun.
  return load.connections || (load.pacer ? admitted_ : now_) < load.until;
}

void Worker::admit(Mix& mix, const Load& load, std::uint64_t at_most) {
  std::uint64_t starts = std::min(at_most, room(load));
  if (load.pacer) return begin_when_due(mix, load, starts);
  for (; starts > 0; --starts) client_->start(mix.draw(), now_, now_);
}

/// A connection that is late keeps its intended start: what it waited for is part of its times, or
/// a server that stands still would be measured by the few connections that met it (coordinated
/// omission).
void Worker::begin_when_due(Mix& mix, const Load& load, std::uint64_t starts) {
  Pacer& pacer = *load.pacer;
  admitted_ = now_;
  const Nanoseconds due = load.connections ? now_ : std::min(now_, load.until - 1);
  for (; pacer.next_ns() <= due; pacer.advance(), --starts) {
    if (starts == 0) {
      if (client_->free_slots() == 0) full_ = now_;
      return;
    }
    if (pacer.next_ns() <= full_) ++pace_.held_back;
    pace_.lag.record(now_ - pacer.next_ns());
    client_->start(mix.draw(), now_, pacer.next_ns());
  }
}

/// How many connections may begin: fewer than `concurrency` are in flight at this end, and the
/// other end is not further behind than its table has room for.
///
/// With one client its server never has more than `concurrency` and the spare ones. Where several
/// clients have C in flight together, one of them may see a lag from before the others' last turns,
/// in each of which at most all that were open have ended: the servers then lag by C and the spare
/// ones at most, and C more are open.
std::uint64_t Worker::room(const Load& load) const {
  std::uint64_t free = client_->free_slots();
  if (now_ < load.ramp_until) {
    // The room grows evenly from one connection to all.
    const double done = 1 - static_cast<double>(load.ramp_until - now_) /
                                static_cast<double>(load.ramp_until - load.ramp_from);
    const auto most = 1 + static_cast<std::uint64_t>(done * settings_.concurrency);
    free = std::min<std::uint64_t>(free, most - std::min<std::uint64_t>(most, client_->open()));
  }
  if (settings_.peer_is_elsewhere) return free;
  const std::uint64_t at_server = client_->open() + group_.servers_lag();
  const std::uint64_t most = settings_.concurrency + kSpareSlots;
  return std::min(free, most - std::min(at_server, most));
}

bool Worker::drained() const {
  if (client_->open() > 0) return false;
  return !server_ || (server_->open() == 0 && server_->ended() == client_->established());
}

/// A burst of new exchanges would pile up as ready work at either end, and every connection would
/// wait behind it. So resting connections go on only while both ends keep up.
bool Worker::keeps_up() const {
  return backlog_ < kBurst && (server_ || group_.server_backlog() < kBurst);
}

void Worker::turn() {
  if (client_ && keeps_up()) client_->wake_resting(kBurst / 2, now_);
  if (client_) client_->issue_gives(now_);
  if (server_) server_->issue_gives(now_);
  ring_.submit();
  if (client_) client_->issue_takes(now_);
  if (server_) server_->issue_takes(now_);
  wait();
  // The kernel runs at most 20 ready operations per call: calls again, but not for ever, so that a
  // teardown waits neither behind operations that are ready nor behind those that become so.
  unsigned reaped = reap();
  backlog_ = reaped;
  while (reaped >= kRunPerCall && backlog_ < kRunPerTurn) {
    ring_.submit_and_wait(0, {});
    reaped = reap();
    backlog_ += reaped;
  }
  publish();
}

unsigned Worker::reap() {
  unsigned total = 0;
  for (unsigned reaped = kBatch; reaped == kBatch; total += reaped) {
    now_ = clock_ns();
    reaped = ring_.reap(kBatch, [this](const Completion& completion) {
      End& end = End::belongs(completion, Side::client) ? *client_ : *server_;
      end.complete(completion, now_);
    });
  }
  return total;
}

/// Sleeps only if nothing is due. With the other end on another CPU, a batch of completions costs
/// one wake-up, and is waited for a little; what is left when nothing more comes is not kept
/// waiting.
void Worker::wait() {
  using namespace std::chrono_literals;
  // Whoever sleeps has no backlog.
  if (!client_) link_.server_backlog.store(0, std::memory_order_relaxed);
  const bool is_due = client_ && client_->has_resting() && keeps_up();
  if (is_due || settings_.ways.waiting == Waiting::never) {
    ring_.submit_and_wait(0, 0ns);
  } else if (client_ && !server_ && client_->open() == 0 && !pacer_) {
    // The server end is behind: only its counter can tell.
    ring_.submit_and_wait(1, kWakeUpPatience);
  } else if (batches_ && backlog_ > 0 && !pacer_) {
    ring_.submit_and_wait(kWakeUpBatch, kWakeUpPatience);
  } else {
    const std::chrono::nanoseconds at_most = patience();
    ring_.submit_and_wait(at_most > 0ns ? 1 : 0, at_most);
  }
}

/// Until the next connection is due, if there is room for it.
std::chrono::nanoseconds Worker::patience() const {
  using namespace std::chrono_literals;
  if (!pacer_ || client_->free_slots() == 0) return kIdlePatience;
  const Nanoseconds next = pacer_->next_ns();
  if (next <= now_) return 0ns;
  return std::min<std::chrono::nanoseconds>(kIdlePatience, std::chrono::nanoseconds(next - now_));
}

void Worker::publish() {
  if (server_) {
    link_.server_ended.store(server_->ended(), std::memory_order_relaxed);
    link_.server_backlog.store(backlog_, std::memory_order_relaxed);
    link_.server_in_flight.store(server_->open(), std::memory_order_relaxed);
    if (!client_) link_.server_enters.store(ring_.system_calls(), std::memory_order_relaxed);
  }
  if (client_) {
    link_.client_ended.store(client_->ended(), std::memory_order_relaxed);
    link_.client_parted.store(client_->ended() - client_->unestablished(),
                              std::memory_order_relaxed);
    link_.in_flight.store(client_->open(), std::memory_order_relaxed);
    link_.enters.store(ring_.system_calls(), std::memory_order_relaxed);
  }
}

// -- the end of patience
// ----------------------------------------------------------------------------

bool Worker::stalled() {
  // A server end is not stalled while its client is busy with connections that never reach it.
  const std::uint64_t ended =
      (client_ ? client_->ended() : group_.client_ended()) + (server_ ? server_->ended() : 0);
  // Many connections at once may take their time to be there, before the first of them ends.
  const std::uint64_t moved =
      ended + (client_ ? client_->established() : 0) + (server_ ? server_->established() : 0);
  if (moved != moved_then_) last_move_ = now_;
  moved_then_ = moved;
  // Nothing can end where nothing is open: a pace may be slower than our patience.
  const bool idles = client_ && client_->open() == 0 && pacer_;
  if (ended != ended_then_ || idles || (settings_.peer_is_elsewhere && !client_)) {
    // All that were open may have ended in one turn: what counts is whether any was open before it.
    if (client_ && !idled_) longest_silence_ = std::max(longest_silence_, now_ - last_end_);
    ended_then_ = ended;
    last_end_ = now_;
  }
  idled_ = idles;
  if (stopped_ == 0 && stop_.load(std::memory_order_relaxed)) stopped_ = now_;
  if (stopped_ != 0 && now_ - stopped_ > kPatienceWhenStopped) return true;
  return now_ - std::max(last_end_, last_move_) > settings_.stall_limit;
}

void Worker::abandon() {
  group_.abandon();
  if (client_) client_->abandon();
  if (server_) server_->abandon();
  ring_.cancel_all(0);
  ring_.submit();
  publish();
}

}  // namespace ringchurn
