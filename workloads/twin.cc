// A thread for each end and for each started step: see twin.h. How a call is cut short:
// blocking_step.h.
#include "workloads/twin.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "workloads/act.h"
#include "workloads/blocking_step.h"

namespace ringchurn {
namespace {

using std::chrono::microseconds;

// -- a script's sockets ---------------------------------------------------------------------------

/// True if two descriptors are references to one socket.
bool are_same(int one, int other) {
  struct stat first {
  }, second{};
  return ::fstat(one, &first) == 0 && ::fstat(other, &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

/// A script's sockets by their numbers. A started step may be making one while the script goes on.
class Sockets {
 public:
  Sockets() { descriptors_.fill(kNoSocket); }
  ~Sockets() {
    close_if([](int) { return true; });
  }
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;

  int at(unsigned number) const {
    const std::lock_guard lock(mutex_);
    return descriptors_[number];
  }
  /// Takes the socket away: the caller closes it.
  int take(unsigned number) { return exchange(number, kNoSocket); }
  /// Closes what was there; a negative descriptor is none.
  void put(unsigned number, std::int64_t descriptor) {
    const int before = exchange(number, descriptor < 0 ? kNoSocket : static_cast<int>(descriptor));
    if (before != kNoSocket) ::close(before);
  }
  /// Closes every reference to the socket.
  void let_go(unsigned number) {
    // `same` stays open while the others are compared with it.
    const int same = take(number);
    close_if([same](int descriptor) { return are_same(descriptor, same); });
    ::close(same);
  }

 private:
  int exchange(unsigned number, int descriptor) {
    const std::lock_guard lock(mutex_);
    return std::exchange(descriptors_[number], descriptor);
  }
  void close_if(const auto& predicate) {
    const std::lock_guard lock(mutex_);
    for (int& descriptor : descriptors_) {
      if (descriptor == kNoSocket || !predicate(descriptor)) continue;
      ::close(std::exchange(descriptor, kNoSocket));
    }
  }

  mutable std::mutex mutex_;
  std::array<int, kMostSockets> descriptors_{};
};

// -- one end of one connection --------------------------------------------------------------------

/// What all ends have in common.
struct Play {
  const Scenario& scenario;
  const Endpoint& endpoint;
  const std::function<void(unsigned, const Answer&)>& on_answer;
  std::mutex mutex{};                ///< for `on_answer` and `error`
  std::exception_ptr error{};        ///< the first that a thread met
  std::atomic<unsigned> clients{0};  ///< still playing
  std::atomic<unsigned> connected{0}, accepted{0};

  /// Tells of a step, and returns whether that was its expected end.
  bool answered(unsigned connection, Side side, unsigned index, const Ended& end,
                const Attempt& attempt) {
    const Step& step = scenario.script(side).steps[index];
    Answer answer;
    answer.side = side;
    answer.connection = connection;
    answer.step = index;
    const bool timed_out = attempt.timed_out() && end.result == -EINTR;
    answer.result = timed_out ? -ETIME : end.result;
    answer.outcome = timed_out ? Outcome::timeout : end.outcome;
    answer.issued = attempt.issued();
    answer.ended = monotonic_ns();
    const Nanoseconds time = answer.ended - answer.issued;
    answer.expected = !attempt.hopeless() && step.expect.allows(answer.outcome) &&
                      time >= step.at_least_ns && (step.at_most_ns == 0 || time <= step.at_most_ns);
    const std::lock_guard lock(mutex);
    on_answer(connection, answer);
    return answer.expected;
  }

  /// Runs `body`, and keeps what it throws.
  void guard(const auto& body) {
    try {
      body();
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
    }
  }
};

/// A started step: the one call that its thread makes.
struct Flight {
  unsigned socket = 0;  ///< that the call waits on
  std::atomic<pid_t> thread_id{0};
  std::atomic<bool> in_kernel{false};  ///< or about to be
  std::atomic<bool> returned{false};
  bool landed = false;  ///< its answer is out; guarded by the end's mutex
  std::thread thread{};
};

/// True if thread `id` of this process sleeps (proc(5), the state in /proc/pid/stat).
bool sleeps(pid_t id) {
  std::ifstream file("/proc/self/task/" + std::to_string(id) + "/stat");
  std::string line;
  std::getline(file, line);
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= line.size()) {  // no /proc here
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return true;
  }
  return line[name_end + 2] == 'S';
}

std::int64_t accept(int listener) { return ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC); }

/// One end of one connection: its script, its sockets, its steps in flight.
class Performer {
 public:
  /// `socket`: the script's own, from now on the performer's; negative if a step makes it.
  Performer(Play& play, Side side, unsigned connection, int socket = -1)
      : play_(play), script_(play.scenario.script(side)), side_(side), connection_(connection) {
    sockets_.put(0, socket);
  }
  /// Interrupts what is in flight; then every socket is closed.
  ~Performer() { interrupt(std::nullopt); }
  Performer(const Performer&) = delete;
  Performer& operator=(const Performer&) = delete;

  /// From step `first` to the script's end or the first unexpected outcome.
  void perform(unsigned first);

 private:
  /// A step's sockets as they were when it was issued.
  struct Target {
    int fd, other;
  };

  void start(unsigned index);
  void fly(unsigned index, const Target& target, Flight& flight);
  void report(unsigned index, const Ended& end, const Attempt& attempt);
  void await();
  bool interrupt(std::optional<unsigned> socket);

  Target aim(const Step& step);
  Ended play(const Step& step, const Target& target, Attempt& attempt);
  Ended keep(const Step& step, std::int64_t result);
  Ended play_socket(const Step& step, Attempt& attempt);
  Ended play_accept(const Step& step, int listener, Attempt& attempt);
  Ended play_connect(const Step& step, int fd, Attempt& attempt);
  Ended play_act(const Step& step, const Target& target);

  Play& play_;
  const Script& script_;
  const Side side_;
  const unsigned connection_;
  Sockets sockets_;
  std::array<std::pair<sockaddr_storage, socklen_t>, kMostSockets> addresses_{};  ///< of listeners
  std::vector<std::unique_ptr<Flight>> flights_;
  std::mutex mutex_;
  std::condition_variable landing_;
  bool over_ = false;  ///< an unexpected outcome was reported; guarded by `mutex_`
};

void Performer::perform(unsigned first) {
  const Alarm alarm;
  const auto is_over = [this] {
    const std::lock_guard lock(mutex_);
    return over_;
  };
  for (unsigned index = first; index < script_.length() && !is_over(); ++index) {
    const Step& step = script_.steps[index];
    // What waits for started steps is itself none.
    const bool waits = step.op == Op::await || step.op == Op::cancel;
    if (step.overlap != Overlap::none && !waits) {
      start(index);
      continue;
    }
    Attempt attempt(step, alarm);
    const Ended end = play(step, aim(step), attempt);
    report(index, end, attempt);
  }
  await();
}

/// The sockets that `step` acts on. A close takes its socket away from the steps behind it at once.
Performer::Target Performer::aim(const Step& step) {
  const int other = sockets_.at(step.other);
  return {step.op == Op::close ? sockets_.take(step.socket) : sockets_.at(step.socket), other};
}

void Performer::report(unsigned index, const Ended& end, const Attempt& attempt) {
  const std::lock_guard lock(mutex_);
  if (over_) return;
  over_ = true;  // also if `on_answer` throws
  over_ = !play_.answered(connection_, side_, index, end, attempt);
}

// -- started steps --------------------------------------------------------------------------------

/// Returns when the call sleeps in the kernel or has returned: what the script does next comes
/// after it, and a close cannot hand its descriptor's number to another socket under its feet.
void Performer::start(unsigned index) {
  flights_.push_back(std::make_unique<Flight>());
  Flight& flight = *flights_.back();
  const Step& step = script_.steps[index];
  flight.socket = step.op == Op::accept_from ? step.other : step.socket;
  flight.thread =
      std::thread([this, index, &flight, target = aim(step)] { fly(index, target, flight); });
  while (!flight.returned && !(flight.in_kernel && sleeps(flight.thread_id))) {
    std::this_thread::sleep_for(microseconds(20));
  }
}

void Performer::fly(unsigned index, const Target& target, Flight& flight) {
  play_.guard([&] {
    const Alarm alarm;
    flight.thread_id = ::gettid();
    Attempt attempt(script_.steps[index], alarm, &flight.in_kernel);
    const Ended end = play(script_.steps[index], target, attempt);
    mask_interrupts(SIG_BLOCK);  // nothing but the call is to be interrupted
    flight.returned = true;
    report(index, end, attempt);
  });
  flight.returned = true;
  const std::lock_guard lock(mutex_);
  flight.landed = true;
  landing_.notify_all();
}

/// Waits until every started step has ended, or until the script is over.
void Performer::await() {
  std::unique_lock lock(mutex_);
  landing_.wait(lock, [this] {
    return over_ || std::all_of(flights_.begin(), flights_.end(),
                                [](const auto& flight) { return flight->landed; });
  });
}

/// Interrupts what is in flight, or only what is on `socket`; false if nothing was.
bool Performer::interrupt(std::optional<unsigned> socket) {
  bool any = false;
  for (const auto& flight : flights_) {
    if (socket && flight->socket != *socket) continue;
    if (!flight->thread.joinable()) continue;
    while (!flight->returned) {
      any = true;
      ::pthread_kill(flight->thread.native_handle(), kInterrupt);
      std::this_thread::sleep_for(microseconds(100));
    }
    flight->thread.join();
  }
  return any;
}

// -- steps ----------------------------------------------------------------------------------------

Ended Performer::play(const Step& step, const Target& target, Attempt& attempt) {
  switch (step.op) {
    case Op::socket:
      return play_socket(step, attempt);
    case Op::accept_from:
      return play_accept(step, target.other, attempt);
    case Op::connect:
      return play_connect(step, target.fd, attempt);
    case Op::cancel:
      return ended(interrupt(step.socket) ? 0 : -ENOENT);
    case Op::await:
      await();
      return {};
    case Op::plain:
      return play_act(step, target);
    default:
      return play_on(target.fd, step, attempt);
  }
}

/// A socket that a step has made, or -errno. Its number means nothing: 0 stands for all of them.
Ended Performer::keep(const Step& step, std::int64_t result) {
  sockets_.put(step.socket, result);
  return ended(std::min<std::int64_t>(result, 0));
}

Ended Performer::play_socket(const Step& step, Attempt& attempt) {
  const int domain = play_.endpoint.domain();
  const int type = play_.endpoint.type() | SOCK_CLOEXEC;
  return keep(step, attempt.call([&] { return ::socket(domain, type, 0); }));
}

Ended Performer::play_accept(const Step& step, int listener, Attempt& attempt) {
  return keep(step, attempt.call([&] { return accept(listener); }));
}

Ended Performer::play_connect(const Step& step, int fd, Attempt& attempt) {
  std::pair<const sockaddr*, socklen_t> to;
  if (step.place == Place::server) {
    to = {play_.endpoint.destination(connection_), play_.endpoint.address_length()};
  } else if (step.place == Place::own) {
    const auto& [address, length] = addresses_[step.other];
    to = {reinterpret_cast<const sockaddr*>(&address), length};
  } else {
    to = play_.endpoint.place(step.place);
  }
  const Ended end = ended(attempt.call([&] { return ::connect(fd, to.first, to.second); }));
  if (end.outcome == Outcome::ok && step.place == Place::server) ++play_.connected;
  return end;
}

Ended Performer::play_act(const Step& step, const Target& target) {
  const ActNeeds need = needs(step.act);
  const bool lacks =
      (need.fd && target.fd == kNoSocket) || (need.other && target.other == kNoSocket);
  if (lacks) return ended(-EBADF);
  const ActOn on{play_.endpoint.domain(), play_.endpoint.type(), need.fd ? target.fd : -1,
                 need.other ? target.other : -1, [&] { sockets_.let_go(step.socket); }};
  const Acted acted = act(step, on);
  if (acted.made >= 0) sockets_.put(step.socket, acted.made);
  if (acted.made_other >= 0) sockets_.put(step.other, acted.made_other);
  if (step.act == Act::listen) {
    addresses_[step.socket] = {acted.address, acted.address_length};
  }
  const bool is_state = step.act == Act::state || step.act == Act::peer_state;
  if (is_state && acted.result >= 0) return {acted.result, state_outcome(acted.result)};
  return ended(acted.result);
}

// -- all ends -------------------------------------------------------------------------------------

/// Waits until a connection is there. When every client is through, true if the kernel owes one.
bool connection_comes(const Play& play) {
  constexpr int kGlance_ms = 10;
  while (true) {
    const bool through = play.clients == 0;
    pollfd entry{play.endpoint.listener(), POLLIN, 0};
    if (::poll(&entry, 1, kGlance_ms) > 0) return true;
    if (through) return play.accepted < play.connected;
  }
}

/// The end of the next connection; null if it cannot be accepted, and the step said so.
std::unique_ptr<Performer> accept_next(Play& play, const Alarm& alarm) {
  const Script& script = play.scenario.server;
  if (script.accept_pause) {
    const timespec time = timespec_of(*script.accept_pause);
    ::nanosleep(&time, nullptr);
  }
  Attempt attempt(script.steps[0], alarm);
  const std::int64_t result = attempt.call([&] { return accept(play.endpoint.listener()); });
  const unsigned connection = play.accepted;
  auto end = std::make_unique<Performer>(play, Side::server, connection, static_cast<int>(result));
  const Ended answer = ended(std::min<std::int64_t>(result, 0));
  if (!play.answered(connection, Side::server, 0, answer, attempt) || result < 0) return {};
  ++play.accepted;
  return end;
}

/// Plays the server's ends, one thread for each.
void play_servers(Play& play) {
  std::vector<std::thread> threads;
  play.guard([&] {
    const Alarm alarm;
    while (connection_comes(play)) {
      std::unique_ptr<Performer> end = accept_next(play, alarm);
      if (!end) break;
      threads.emplace_back([&play, end = std::move(end)] { play.guard([&] { end->perform(1); }); });
    }
  });
  for (std::thread& thread : threads) thread.join();
}

void play_client(Play& play, unsigned connection) {
  play.guard([&] { Performer(play, Side::client, connection).perform(0); });
  --play.clients;
}

}  // namespace

void play_with_system_calls(
    const Scenario& scenario, const Endpoint& endpoint, unsigned connections,
    const std::function<void(unsigned connection, const Answer& answer)>& on_answer) {
  assert(connections <= kMostTwins && !scenario.ring_only);
  const Interruptible interruptible;
  Play play{scenario, endpoint, on_answer};
  std::vector<std::thread> threads;
  play.clients = connections;
  unsigned begun = 0;
  play.guard([&] {
    if (scenario.has_server()) threads.emplace_back([&play] { play_servers(play); });
    for (; begun < connections; ++begun) {
      threads.emplace_back([&play, begun] { play_client(play, begun); });
    }
  });
  play.clients -= connections - begun;  // threads ran out: nobody is to wait for the others
  for (std::thread& thread : threads) thread.join();
  if (play.error) std::rethrow_exception(play.error);
}

}  // namespace ringchurn
