// A run's threads: one worker each, a pair of them (client and server), one with both ends, or any
// number of each. Every group has listeners and links of its own; groups share nothing. See run.h.
#include "bench/run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <functional>
#include <latch>
#include <list>
#include <map>
#include <numeric>
#include <system_error>
#include <thread>

#include "bench/account.h"
#include "bench/context.h"
#include "bench/interrupt.h"
#include "bench/memory.h"
#include "bench/meter.h"
#include "bench/progress.h"
#include "bench/sampler.h"
#include "bench/side_network.h"
#include "bench/text.h"
#include "bench/verdicts.h"
#include "bench/veth.h"
#include "bench/worker.h"
#include "ring/error.h"

namespace ringchurn {
namespace {

/// One thread, its worker's report, and what went wrong in it.
struct Player {
  Worker::Ends ends = Worker::Ends::both;
  unsigned number = 0;  ///< among the group's clients, or among its servers: its link, and its part
  std::optional<int> cpu, sqpoll_cpu;
  WorkerReport report;
  std::uint64_t cpu_before_ns = 0, cpu_warm_ns = 0, cpu_after_ns = 0;  ///< the thread's clock
  Nanoseconds ended = 0;
  std::exception_ptr failure;
  std::thread thread;
};

/// How many threads a group has, and which one it is of those that play the same part of the mix.
struct Shape {
  unsigned index = 0, of = 1;
  unsigned clients = 1, servers = 1;  ///< threads; one with both ends is each
};

/// The threads that serve each other, and what they play.
struct Group {
  const SideNetwork* network = nullptr;  ///< null: the lab
  Arm arm;                               ///< the whole mix, or its part that is played there
  Shape shape;
  std::vector<Link> links;
  std::vector<std::vector<Endpoint>> endpoints;  ///< of each server; clients go by the first one's
  double part = 1;                               ///< the weight of what it plays, of all
  unsigned concurrency = 0;                      ///< of all its clients
  std::optional<std::uint64_t> connections;      ///< of all its clients
  std::uint64_t seed = 0;
  std::list<Player> players;
};

class Crew {
 public:
  Crew(const Options& options, const Plan& plan, const Site& site);
  /// Sets up every ring, then plays. Throws what a set-up threw.
  LoadFacts play();
  /// A ring broke while the load ran: what happened, or "".
  std::string failure() const;
  /// What was seen of the load while it ran; after play().
  const LoadSampler& sampler() const { return *sampler_; }
  /// Each end's packets are processed by the CPU of its own thread.
  bool steered() const { return steered_; }

 private:
  void prepare_groups();
  void prepare_group(const Arm& arm, Shape shape, double part, const Lab& lab);
  void make_listeners(Group& group, const Lab& lab) const;
  void add_players(Group& group);
  Worker::Settings settings(Group& group, const Player& player) const;
  void prepare_side_group(const Arm& arm, double part);
  std::optional<std::uint64_t> numbered(std::uint64_t connections) const;
  void body(Group& group, Player& player);
  void perform(Group& group, Player& player, Worker& worker);
  void play(const Group& group, const Player& player, Worker& worker) const;
  Nanoseconds warm_until() const;
  KernelCounters counters_beside() const;
  void begin_measuring();
  MeasuredPart measured_part();
  void split_by_end(std::uint64_t client_ns, std::uint64_t server_ns, Metered& facts) const;
  void start_threads();
  void join();
  void steer(const Group& group);
  LoadSampler::Load sampled(Meter& meter) const;
  Progress progress(Nanoseconds now) const;
  void watch();
  void look(Nanoseconds now, ProgressLine& line);
  std::exception_ptr first_failure() const;
  bool finished() const;
  void collect(LoadFacts& facts) const;

  const Options& options_;
  const Plan& plan_;
  const Site& site_;
  std::list<SideNetwork> networks_;
  const SideNetwork* beyond_veth_ = nullptr;  ///< one of them: where the listeners are
  bool steered_ = false;
  std::list<Group> groups_;
  unsigned threads_ = 0;
  std::optional<std::latch> ready_;
  std::latch begin_{1};
  std::atomic<bool> stop_{false};  ///< a set-up failed, a ring broke, or the user interrupted
  std::atomic<unsigned> done_{0};
  std::string refused_thread_;
  Nanoseconds began_ = 0, until_ = 0;
  /// Everything as it was when the warm-up was over.
  struct Measuring {
    Meter meter;
    Nanoseconds began = clock_ns();
    std::uint64_t connections = 0, ring_enters = 0;
    KernelCounters beside{};  ///< of the networks beside the lab's
  };
  std::optional<Measuring> measuring_;
  std::optional<LoadSampler> sampler_;  ///< empty until everything is set up
};

/// Share number `index` of `total` in `parts` parts that differ by one at most.
std::uint64_t share(std::uint64_t total, std::uint64_t parts, std::uint64_t index) {
  return total / parts + (index < total % parts ? 1 : 0);
}

/// How many of `concurrency` connections one server may have at a time: see Worker::room().
unsigned most_at_once(unsigned concurrency, const Shape& shape) {
  return shape.clients > 1 ? 2 * concurrency : concurrency;
}

/// The part of `arm` whose scenarios `chosen` names, by index into the plan.
Arm part_of(const Arm& arm, const std::vector<std::uint16_t>& chosen) {
  Arm part;
  part.name = arm.name;
  part.ways = arm.ways;
  for (std::size_t i = 0; i < arm.scenarios.size(); ++i) {
    if (std::count(chosen.begin(), chosen.end(), arm.scenarios[i]) == 0) continue;
    part.scenarios.push_back(arm.scenarios[i]);
    part.weights.push_back(arm.weights[i]);
  }
  return part;
}

double weight(const Arm& arm) {
  return std::accumulate(arm.weights.begin(), arm.weights.end(), 0.0);
}

Crew::Crew(const Options& options, const Plan& plan, const Site& site)
    : options_(options), plan_(plan), site_(site) {
  if (site.lab.kind == LabKind::veth) {
    beyond_veth_ = &networks_.emplace_back(SideNetwork::BeyondVeth{});
  }
  prepare_groups();
  for (const Group& group : groups_) threads_ += static_cast<unsigned>(group.players.size());
  ready_.emplace(threads_);
}

/// `total` in whole parts by weight that add up to it: rounded down, and the rest to those that
/// lost most by that.
std::vector<std::uint64_t> apportion(std::uint64_t total, const std::vector<Arm>& parts) {
  double all = 0;
  for (const Arm& part : parts) all += weight(part);
  std::vector<std::uint64_t> shares;
  std::vector<std::pair<double, std::size_t>> lost;
  std::uint64_t given = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const double exact = static_cast<double>(total) * weight(parts[i]) / all;
    shares.push_back(static_cast<std::uint64_t>(exact));
    lost.emplace_back(exact - std::floor(exact), i);
    given += shares.back();
  }
  std::stable_sort(lost.begin(), lost.end(), std::greater<>());
  for (std::size_t i = 0; given < total; ++i, ++given) ++shares[lost[i % lost.size()].second];
  return shares;
}

/// Scenarios with the same settings share a network; those without any have the lab's.
void Crew::prepare_groups() {
  const Arm& arm = plan_.arms[0];
  std::map<std::map<std::string, std::string>, std::vector<std::uint16_t>> by_settings;
  for (const std::uint16_t index : arm.scenarios) {
    by_settings[plan_.scenarios[index].sysctls].push_back(index);
  }
  std::vector<Arm> parts;
  for (const auto& [settings, chosen] : by_settings) parts.push_back(part_of(arm, chosen));
  if (parts.size() > 1 && !options_.connections) {
    throw Error(kExitUsage,
                "scenarios of this mix need networks of their own (sysctl), so their shares can "
                "only be kept by number: ask for --connections instead of --duration");
  }
  const auto connections = apportion(options_.connections.value_or(0), parts);
  const bool wide = options_.layout == Layout::wide;
  const unsigned groups = wide ? 1 : options_.threads;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (options_.connections && connections[i] == 0) continue;
    const double part = weight(parts[i]) / weight(arm);
    if (site_.only || plan_.scenarios[parts[i].scenarios.front()].sysctls.empty()) {
      for (unsigned index = 0; index < groups; ++index) {
        Shape shape{index, groups};
        if (wide) shape = {0, 1, options_.threads, *options_.server_threads};
        prepare_group(parts[i], shape, part, site_.lab);
        groups_.back().connections = numbered(share(connections[i], groups, index));
      }
    } else {
      prepare_side_group(parts[i], part);
      groups_.back().connections = numbered(connections[i]);
    }
  }
}

std::optional<std::uint64_t> Crew::numbered(std::uint64_t connections) const {
  return options_.connections ? std::optional(connections) : std::nullopt;
}

/// One pair of threads: such scenarios are there for what they answer, not for their rate.
void Crew::prepare_side_group(const Arm& arm, double part) {
  networks_.emplace_back(plan_.scenarios[arm.scenarios.front()]);
  const SideNetwork::Visit visit(networks_.back());
  prepare_group(arm, {}, part, networks_.back().lab());
  Group& group = groups_.back();
  group.network = &networks_.back();
  group.seed += groups_.size();
}

void Crew::prepare_group(const Arm& arm, Shape shape, double part, const Lab& lab) {
  Group& group = groups_.emplace_back();
  group.arm = arm;
  group.shape = shape;
  group.part = part;
  const unsigned clients = shape.of * shape.clients;
  const auto concurrency =
      std::max(clients, static_cast<unsigned>(options_.concurrency * part + 0.5));
  group.concurrency = static_cast<unsigned>(share(concurrency, shape.of, shape.index));
  group.seed = options_.seed * 1'000'003 + shape.index;
  group.links = std::vector<Link>(std::max(shape.clients, shape.servers));
  for (unsigned number = shape.clients; number < shape.servers; ++number) {
    group.links[number].to_serve = 0;  // no client publishes there
  }
  if (site_.only == Side::server && options_.connections) {
    group.links[0].to_serve = *options_.connections;
  }
  make_listeners(group, lab);
  add_players(group);
  if (beyond_veth_) steer(group);
}

void Crew::make_listeners(Group& group, const Lab& lab) const {
  if (site_.only) {
    group.endpoints.push_back(site_.endpoints());
    return;
  }
  const unsigned backlog = Worker::backlog(most_at_once(options_.concurrency, group.shape));
  std::optional<SideNetwork::Visit> visit;
  if (beyond_veth_) visit.emplace(*beyond_veth_);
  group.endpoints.push_back(make_endpoints(
      plan_.scenarios, beyond_veth_ ? beyond_veth_->lab() : lab, domain(options_.family), backlog,
      group.shape.servers > 1 ? Endpoint::Port::shared : Endpoint::Port::own));
  while (group.endpoints.size() < group.shape.servers) {
    std::vector<Endpoint>& siblings = group.endpoints.emplace_back();
    for (std::size_t i = 0; i < plan_.scenarios.size(); ++i) {
      siblings.push_back(group.endpoints[0][i].sibling(plan_.scenarios[i], backlog));
    }
  }
}

void Crew::add_players(Group& group) {
  if (site_.only) {  // the scheduler finds a place beside the other end, which may be here, too
    group.players.emplace_back().ends =
        *site_.only == Side::client ? Worker::Ends::client : Worker::Ends::server;
    return;
  }
  const std::vector<int> cpus = usable_cpus();
  const auto add = [&](Worker::Ends ends, unsigned number, unsigned thread) {
    Player& player = group.players.emplace_back();
    player.ends = ends;
    player.number = number;
    // Both ends of a connection on one CPU for good: after a move, a delayed ACK that the timer of
    // the old CPU sends is overtaken, and the late ACK draws an RST that no teardown sent.
    if (options_.layout == Layout::single) player.cpu = cpus[(groups_.size() - 1) % cpus.size()];
    // Else each thread on a CPU of its own, or the scheduler does better than we.
    const bool enough = 2 * options_.threads <= cpus.size();
    const bool alone = networks_.empty() || beyond_veth_;
    if (options_.layout == Layout::pair && enough && alone) player.cpu = cpus[thread];
    // A wide one is about who shares a CPU with whom.
    if (options_.layout == Layout::wide && alone) player.cpu = cpus[thread % cpus.size()];
    if (player.cpu) player.sqpoll_cpu = cpu_beside(cpus, *player.cpu);
  };
  const Shape& shape = group.shape;
  if (options_.layout == Layout::single) return add(Worker::Ends::both, 0, shape.index);
  const unsigned before = 2 * shape.index;
  for (unsigned n = 0; n < shape.clients; ++n) add(Worker::Ends::client, n, before + n);
  for (unsigned n = 0; n < shape.servers; ++n) {
    add(Worker::Ends::server, n, before + shape.clients + n);
  }
}

/// One pair of threads on CPUs of their own: each end pays for the packets that it receives. Where
/// the kernel does not permit it, the one that sends does, as on loopback.
void Crew::steer(const Group& group) {
  if (group.players.size() != 2 || options_.threads != 1 || !group.players.front().cpu) return;
  if (!steer_received_packets(*group.players.front().cpu)) return;
  const SideNetwork::Visit visit(*beyond_veth_);
  steered_ = steer_received_packets(*group.players.back().cpu);
}

// -- one thread -----------------------------------------------------------------------------------

Worker::Settings Crew::settings(Group& group, const Player& player) const {
  const bool serves = player.ends == Worker::Ends::server;
  const unsigned threads = serves ? group.shape.servers : group.shape.clients;
  Worker::Settings settings{
      player.ends, static_cast<unsigned>(share(group.concurrency, threads, player.number))};
  settings.stall_limit += plan_.longest_rest_ns();
  settings.peer_is_elsewhere = site_.only.has_value();
  settings.open_loop = options_.rate_per_s.has_value();
  settings.group = group.links;
  settings.ways = group.arm.ways;
  settings.sqpoll_cpu = player.sqpoll_cpu;
  // A server's end says nothing without the one client that it belongs to.
  const bool has_one_client = group.shape.clients == 1 && group.shape.servers == 1;
  if (!serves || (has_one_client && !site_.only)) {
    settings.moments = MomentLog::room(options_.concurrency, options_.threads);
  }
  settings.most_at_once = most_at_once(group.concurrency, group.shape);
  return settings;
}

void Crew::body(Group& group, Player& player) {
  if (player.cpu) pin_to(*player.cpu);
  const bool serves = player.ends == Worker::Ends::server;
  std::optional<Worker> worker;
  try {
    worker.emplace(settings(group, player), plan_.scenarios,
                   group.endpoints[serves ? player.number : 0], group.links[player.number], stop_);
  } catch (...) {
    player.failure = std::current_exception();
    stop_ = true;
  }
  ready_->count_down();
  begin_.wait();
  if (worker) perform(group, player, *worker);
  done_.fetch_add(1, std::memory_order_release);
}

void Crew::perform(Group& group, Player& player, Worker& worker) {
  player.cpu_before_ns = thread_cpu_ns();
  try {
    if (player.ends == Worker::Ends::server) {
      worker.serve();
    } else {
      play(group, player, worker);
    }
  } catch (...) {
    player.failure = std::current_exception();
    stop_ = true;
    GroupOfLinks(group.links).abandon();
  }
  player.cpu_after_ns = thread_cpu_ns();
  player.ended = clock_ns();
  player.report = worker.report();
}

void Crew::play(const Group& group, const Player& player, Worker& worker) const {
  const Shape& shape = group.shape;
  const unsigned index = shape.index * shape.clients + player.number;
  const std::uint64_t seed = group.seed + player.number;
  Mix mix = group.arm.mix(seed);
  const auto ramp_ns = static_cast<std::uint64_t>(options_.ramp.count());
  std::optional<Pacer> pacer;
  if (options_.rate_per_s) {
    const Pace pace{*options_.rate_per_s * group.part, ramp_ns,
                    options_.arrivals.value_or(Arrivals::constant)};
    pacer.emplace(pace, index, shape.of * shape.clients, began_, seed);
  }
  Load load{{}, until_, pacer ? &*pacer : nullptr};
  if (group.connections) load.connections = share(*group.connections, shape.clients, player.number);
  load.ramp_from = began_;
  load.ramp_until = pacer ? 0 : began_ + ramp_ns;
  if (options_.warm_up.count() > 0) load.warm_until = warm_until();
  worker.play(mix, load);
}

Nanoseconds Crew::warm_until() const {
  return began_ + static_cast<Nanoseconds>(options_.warm_up.count());
}

// -- all of them ----------------------------------------------------------------------------------

bool Crew::finished() const { return done_.load(std::memory_order_acquire) == threads_; }

void Crew::start_threads() {
  unsigned started = 0;
  try {
    for (Group& group : groups_) {
      // A thread is born where the one is that makes it.
      std::optional<SideNetwork::Visit> visit;
      if (group.network) visit.emplace(*group.network);
      for (Player& player : group.players) {
        player.thread = std::thread([this, &group, &player] { body(group, player); });
        ++started;
      }
    }
  } catch (const std::system_error& error) {
    const unsigned missing = threads_ - started;
    ready_->count_down(missing);
    done_.fetch_add(missing, std::memory_order_release);
    refused_thread_ = fmt::format("cannot start thread {} of {} ({}): ask for fewer --threads",
                                  started + 1, threads_, error.code().message());
  }
  ready_->wait();
}

LoadFacts Crew::play() {
  start_threads();
  std::optional<Meter> meter;
  try {
    if (!refused_thread_.empty()) throw Error(kExitCannotRun, refused_thread_);
    if (const std::exception_ptr failure = first_failure()) std::rethrow_exception(failure);
    meter.emplace();
    sampler_.emplace(sampled(*meter), static_cast<Nanoseconds>(options_.interval.count()),
                     LoadSampler::Listeners{options_.jsonl_path, site_.metrics});
    site_.announce();
  } catch (...) {
    stop_ = true;  // nothing is played
    for (Group& group : groups_) GroupOfLinks(group.links).abandon();
    begin_.count_down();
    join();
    throw;
  }
  began_ = clock_ns();
  until_ = began_ + static_cast<Nanoseconds>(options_.duration.count());
  sampler_->begin(began_);
  begin_.count_down();
  watch();
  join();
  LoadFacts facts;
  collect(facts);
  const Nanoseconds over = clock_ns();
  meter->stop(facts);
  facts.kernel += counters_beside();
  sampler_->finish(over, facts);
  if (options_.warm_up.count() > 0) facts.measured = measured_part();
  return facts;
}

KernelCounters Crew::counters_beside() const {
  KernelCounters counters;
  for (const SideNetwork& network : networks_) counters += network.moved();
  return counters;
}

/// The warm-up is over: the clocks and counters begin anew, for the cost. The account goes on.
void Crew::begin_measuring() {
  Measuring& measuring = measuring_.emplace();
  measuring.beside = counters_beside();
  for (Group& group : groups_) {
    for (const Link& link : group.links) {
      measuring.connections += link.client_ended.load(std::memory_order_relaxed);
      measuring.ring_enters += link.enters.load(std::memory_order_relaxed) +
                               link.server_enters.load(std::memory_order_relaxed);
    }
    for (Player& player : group.players) {
      player.cpu_warm_ns = thread_cpu_ns(player.thread.native_handle());
    }
  }
}

/// Where each thread has one end.
void Crew::split_by_end(std::uint64_t client_ns, std::uint64_t server_ns, Metered& facts) const {
  if (!site_.only && options_.layout == Layout::single) return;
  if (site_.only != Side::server) facts.client_cpu_ns = client_ns;
  if (site_.only != Side::client) facts.server_cpu_ns = server_ns;
}

/// Nothing, if the load was over before its warm-up.
MeasuredPart Crew::measured_part() {
  MeasuredPart part;
  if (!measuring_) return part;
  measuring_->meter.stop(part);
  part.kernel += counters_beside().since(measuring_->beside);
  std::uint64_t client_ns = 0, server_ns = 0;
  Nanoseconds ended = measuring_->began;
  for (const Group& group : groups_) {
    for (const Player& player : group.players) {
      ended = std::max(ended, player.ended);
      part.connections += player.report.client_ended;
      part.ring_enters += player.report.ring_enters;
      std::uint64_t& ns = player.ends == Worker::Ends::server ? server_ns : client_ns;
      ns += player.cpu_after_ns - std::max(player.cpu_warm_ns, player.cpu_before_ns);
    }
  }
  part.connections -= measuring_->connections;
  part.ring_enters -= measuring_->ring_enters;
  part.elapsed_s = static_cast<double>(ended - measuring_->began) / 1e9;
  split_by_end(client_ns, server_ns, part);
  return part;
}

void Crew::join() {
  for (Group& group : groups_) {
    for (Player& player : group.players)
      if (player.thread.joinable()) player.thread.join();
  }
}

std::exception_ptr Crew::first_failure() const {
  for (const Group& group : groups_) {
    for (const Player& player : group.players) {
      if (player.failure) return player.failure;
    }
  }
  return nullptr;
}

LoadSampler::Load Crew::sampled(Meter& meter) const {
  std::vector<const Link*> links;
  for (const Group& group : groups_) {
    for (const Link& link : group.links) links.push_back(&link);
  }
  const bool serves = site_.only == Side::server;
  const PlayedSide side = !site_.only ? PlayedSide::both
                          : serves    ? PlayedSide::server
                                      : PlayedSide::client;
  return {links, serves ? Side::server : Side::client, meter, networks_,
          account_counters(plan_, side)};
}

Progress Crew::progress(Nanoseconds now) const {
  Progress progress;
  progress.elapsed_s = static_cast<double>(now - began_) / 1e9;
  progress.connections = options_.connections;
  if (!options_.connections) {
    progress.duration_s = std::chrono::duration<double>(options_.duration).count();
  }
  progress.counts = sampler_->counts();
  return progress;
}

/// What is to be done at this moment of a load.
void Crew::look(Nanoseconds now, ProgressLine& line) {
  // A server's end has no load of its own that could be over.
  const bool has_served = site_.only == Side::server && until_ > began_ && now >= until_;
  if (interrupted() || has_served) stop_ = true;
  if (options_.warm_up.count() > 0 && !measuring_ && now >= warm_until()) begin_measuring();
  if (line.is_due(static_cast<double>(now - began_) / 1e9)) line.update(progress(now));
  if (now >= sampler_->due()) sampler_->take(now);
}

void Crew::watch() {
  constexpr Nanoseconds kNap = 20'000'000;
  const double interval_s = std::chrono::duration<double>(options_.interval).count();
  ProgressLine line(STDERR_FILENO, progress_style(options_.progress, interval_s));
  while (!finished()) {
    const Nanoseconds now = clock_ns();
    const Nanoseconds wait = std::min(kNap, std::max(sampler_->due(), now) - now);
    std::this_thread::sleep_for(std::chrono::nanoseconds(wait));
    if (!finished()) look(clock_ns(), line);
  }
}

void Crew::collect(LoadFacts& facts) const {
  std::uint64_t client_ns = 0, server_ns = 0;
  Nanoseconds ended = began_;
  unsigned number = 0;
  for (const Group& group : groups_) {
    ++number;
    for (const Player& player : group.players) {
      ended = std::max(ended, player.ended);
      facts.workers.push_back(player.report);
      facts.workers.back().group = number;
      (player.ends == Worker::Ends::server ? server_ns : client_ns) +=
          player.cpu_after_ns - player.cpu_before_ns;
    }
  }
  facts.elapsed_s = static_cast<double>(ended - began_) / 1e9;
  split_by_end(client_ns, server_ns, facts);
}

std::string Crew::failure() const {
  try {
    if (const std::exception_ptr failure = first_failure()) std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return error.what();
  }
  return {};
}

/// How the client's threads kept the pace, and how long nothing ended.
void add_pace(const Options& options, const LoadFacts& facts, RunResult& result) {
  PaceReport pace;
  for (const WorkerReport& worker : facts.workers) {
    pace.lag += worker.pace.lag;
    pace.held_back += worker.pace.held_back;
    pace.never_begun += worker.pace.never_begun;
    result.longest_silence_s =
        std::max(result.longest_silence_s, static_cast<double>(worker.longest_silence) / 1e9);
    for (const ScenarioRecord& record : worker.client) result.port_limited += record.port_limited;
  }
  if (!options.rate_per_s) return;
  const char* arrivals = options.arrivals == Arrivals::poisson ? "poisson" : "constant";
  result.open_loop = {*options.rate_per_s, arrivals,         pace.lag.count(),
                      pace.held_back,      pace.never_begun, pace.lag};
}

}  // namespace

RunResult run(const Options& options, const Plan& plan, const Site& site) {
  RunResult result;
  result.context = describe(options, site.lab);
  if (site.only) {
    const bool is_client = site.only == Side::client;
    describe_side(is_client ? PlayedSide::client : PlayedSide::server, site.run_id, result.context);
  }
  result.context.target = site.target;
  if (site.target.starts_with("unix:")) result.context.family = "unix";
  result.context.warm_up_s = std::chrono::duration<double>(options.warm_up).count();
  const MemoryGrowth memory;
  Crew crew(options, plan, site);
  const LoadFacts facts = crew.play();
  if (!site.only) result.context.received_by = crew.steered() ? "receiver" : "sender";
  result.context.elapsed_s = facts.elapsed_s;
  // A server's end has no end of its own: an interrupt is one of the ways to give it one.
  result.interrupted = interrupted() && site.only != Side::server;

  std::vector<double> weights(plan.scenarios.size());
  const Arm& arm = plan.arms.front();
  for (std::size_t i = 0; i < arm.scenarios.size(); ++i) {
    weights[arm.scenarios[i]] = arm.weights[i] / weight(arm);
  }
  account(plan, weights, facts, result);
  if (const auto grown = memory.bytes()) {
    result.cost.memory_bytes_per_connection =
        static_cast<double>(*grown) / static_cast<double>(options.concurrency);
  }
  add_pace(options, facts, result);
  result.verdicts = judge(result, facts);
  for (const Verdict& verdict : judge_pace(result)) result.verdicts.push_back(verdict);
  for (const Verdict& verdict : crew.sampler().verdicts()) result.verdicts.push_back(verdict);
  result.series = crew.sampler().series();
  result.verdicts.insert(result.verdicts.begin(),
                         judge_load(result, options.connections, crew.failure()));
  return result;
}

}  // namespace ringchurn
