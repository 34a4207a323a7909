// One end of many connections: plays their scripts on a ring.
//
//   start() ---> gives / takes ---> ring ---> complete() ---> advance() --+
//   accept  -^                                                            |
//            +---------------- next step -----------------------------+---+
//
// Completions and timestamps come in from outside; what happened goes out to an Observer. No clock,
// no printing, no policy of when to start what.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "ring/ring.h"
#include "workloads/connection.h"
#include "workloads/endpoint.h"
#include "workloads/fifo.h"
#include "workloads/moments.h"
#include "workloads/script.h"

namespace ringchurn {

/// How one step of one connection ended.
struct Answer {
  Side side = Side::client;
  unsigned scenario = 0;
  unsigned connection = 0;  ///< which one of those that are open at a time
  unsigned step = 0;        ///< index into the script
  std::int32_t result = 0;  ///< as the system call's, errors as -errno; all bytes of a receive
  Outcome outcome = Outcome::ok;
  bool expected = true;
  Nanoseconds issued = 0, ended = 0;
};

/// What an end tells the one who measures it. Called on the end's own thread.
class Observer {
 public:
  virtual ~Observer() = default;
  /// Client: a script begins. Server: a connection was accepted.
  virtual void opened(unsigned scenario) = 0;
  /// Client only: connect ended `ok`, `time` after the first step was issued. No time includes
  /// rests.
  virtual void connected(unsigned scenario, Nanoseconds time) = 0;
  /// Client only: the first byte came, `time` after the first step was issued.
  virtual void first_byte(unsigned scenario, Nanoseconds time) = 0;
  /// A step of the script ended with an error, or otherwise than expected.
  virtual void error(unsigned scenario, unsigned step, Outcome outcome, bool expected) = 0;
  /// The kernel took bytes to send, or handed out received ones.
  virtual void sent(unsigned scenario, std::uint32_t bytes) = 0;
  virtual void received(unsigned scenario, std::uint32_t bytes) = 0;
  /// Only with Settings::keeps_moments, right before finished(): how the connection went down at
  /// the end that is at `side`, which is not this one's own if its script plays both.
  virtual void went_down(unsigned scenario, Side side, const Moments& moments) = 0;
  /// Every step ended as expected. `teardown`: since the first teardown step was issued.
  virtual void finished(unsigned scenario, Nanoseconds lifetime, Nanoseconds teardown) = 0;
  /// An unexpected outcome ended the connection.
  virtual void given_up(unsigned scenario) = 0;
  /// A connect found no free port (EADDRNOTAVAIL), and will be tried again.
  virtual void port_limited(unsigned scenario) = 0;
  /// The run ended before the connection did.
  virtual void left_open(unsigned scenario) = 0;
};

class End {
 public:
  struct Settings {
    Side side = Side::client;
    Ring::Slot first_slot = 0;  ///< this end's part of the ring's descriptor table
    unsigned slots = 0;         ///< connections that this end can hold at once
    bool rests = true;          ///< client: see wake_resting(); false: each plays from its start
    /// Client: somebody else's server, on whose port space nobody keeps an eye: a connect that
    /// finds no free port is tried again, every 100 ms.
    bool peer_is_elsewhere = false;
    bool keeps_moments = false;  ///< the observer wants to know how connections go down
    /// Hears how each step of a script ended; null: nobody does.
    const std::function<void(const Answer&)>* witness = nullptr;
    /// Server: one accept at a time on a listener, armed again when it has ended; false: one
    /// multishot accept.
    bool accepts_singly = false;
  };

  /// Slots of the ring's table that a connection at `side` may take: one, and one for each further
  /// socket that a script names.
  static unsigned sockets_per_connection(std::span<const Scenario> scenarios, Side side);

  /// Everything referred to must outlive the end. Ends may share a ring.
  End(Ring& ring, const Settings& settings, std::span<const Scenario> scenarios,
      std::span<const Endpoint> endpoints, Observer& observer);

  /// Client: begins a connection of `scenario`, whose times count from `meant`: an open loop's
  /// intended start, else `now`. There must be a free slot.
  void start(std::uint16_t scenario, Nanoseconds now, Nanoseconds meant);
  /// Server: accepts on every listener until the ring is gone, or stop_accepting().
  void accept();
  void stop_accepting();

  /// True if `completion` belongs to an end of this side.
  static bool belongs(const Completion& completion, Side side);
  void complete(const Completion& completion, Nanoseconds now);

  /// Client: lets at most `limit` resting connections go on, the longest resting first. A
  /// connection rests twice: before its socket, and when it is connected and has not said a word.
  /// From there it plays to its end without waiting behind others, so that with many in flight most
  /// are open and idle, and neither an exchange nor a teardown measures our own queue.
  void wake_resting(unsigned limit, Nanoseconds now);
  bool has_resting() const { return !resting_.empty(); }

  /// Hands every step that is due to the ring. First those that bring the peer something (connect,
  /// send, close), then, after a submit, those that wait for the peer (receive, poll): they find it
  /// there.
  void issue_gives(Nanoseconds now) { issue(gives_, now); }
  void issue_takes(Nanoseconds now) { issue(takes_, now); }
  /// Hands what is due up to step `last` of the scripts to the ring, and keeps what comes later.
  /// Returns how many connections have not come past that step.
  unsigned issue_up_to(unsigned last, Nanoseconds now);

  /// Client: closes the sockets that `disconnect` has left in idle slots. They are gone when
  /// releasing() is false again.
  void release_sockets();
  bool releasing() const { return releasing_ > 0; }

  /// Reports every connection that is still playing as left open.
  void abandon();

  unsigned open() const { return open_; }
  unsigned free_slots() const { return static_cast<unsigned>(free_.size()); }
  std::uint64_t ended() const { return ended_; }
  /// Client: connects that ended `ok`, so what the server will accept. Server: connections
  /// accepted.
  std::uint64_t established() const { return established_; }
  /// Client: connections that ended without ever being established: the server never sees them.
  std::uint64_t unestablished() const { return unestablished_; }
  /// Completions that came for a connection that was already over.
  std::uint64_t stale() const { return stale_; }

 private:
  struct Slot {
    Connection connection;
    bool established = false;      ///< connect or accept ended `ok`
    bool heard = false;            ///< the first byte came
    bool queued = false;           ///< its step is due
    std::uint16_t first_step = 0;  ///< where this life began: 1 with a socket that is there already
    Nanoseconds started = 0;       ///< moved on by every rest, so that no time includes one
    Nanoseconds since = 0;         ///< when the current rest or step began
    Nanoseconds teardown = 0;
  };
  static_assert(sizeof(Slot) <= 64);

  /// An accept operation, with what it does between two of them.
  struct Acceptor {
    std::uint16_t scenario = 0;
    const __kernel_timespec* pause = nullptr;  ///< null: accepts again at once, or goes on
  };

  /// What an operation is for; part of its token.
  enum Kind : unsigned {
    kStep,
    kLimit,
    kCancel,
    kAccept,
    kAcceptPause,
    kRelease,
    kIgnored,
    kPortPause
  };

  static constexpr std::size_t kBufferBytes = 64 * 1024;
  static constexpr std::size_t kWindowBytes = 8 * 1024;

  /// What the rarer steps need beside the slot; there only if some script has such a step.
  struct Belongings {
    struct Address {
      sockaddr_storage address{};
      socklen_t length = 0;
    };
    std::array<Address, kMostSockets>
        listeners{};                    ///< where the script's own listeners are, or were
    std::uint64_t destination = 0;      ///< all sockets of a connection go to the same address
    std::array<std::byte, 64> value{};  ///< of a getsockopt
    int fd = -1, other = -1;            ///< of an act under way
    std::vector<std::byte> window;      ///< what a receive_until looks at
    Landmark::Position passed;          ///< ... how far it has come
    bool looks = false;                 ///< ... and whether it takes nothing yet (MSG_PEEK)
    std::vector<Nanoseconds> issued;    ///< started steps, by index
  };

  const Script& script(const Slot& slot) const;
  Ring::Token token(unsigned kind, std::uint32_t generation, unsigned step,
                    std::uint32_t index) const;
  Ring::Slot place(std::uint32_t index, unsigned socket) const;
  std::span<const std::byte> bytes_to_send(std::uint32_t index, const Step& step) const;
  void queue(std::uint32_t index);
  bool can_take_over(const Slot& slot, std::uint16_t scenario) const;
  bool turned_away(const Completion& completion, std::uint32_t index);
  bool ended_early(const Completion& completion, std::uint32_t index);
  bool finds_no_port(const Completion& completion, std::uint32_t index);
  void rest(std::uint32_t index, Nanoseconds now);
  void settle(std::uint32_t index, Nanoseconds now);
  bool rests(const Slot& slot) const;
  void issue(std::vector<std::uint32_t>& due, Nanoseconds now);
  void issue_up_to(unsigned last, std::vector<std::uint32_t>& due, Nanoseconds now);
  void issue(std::uint32_t index, Nanoseconds now);
  void prepare(std::uint32_t index, const Step& step, Ring::Token token);
  void prepare_connect(std::uint32_t index, const Step& step, Ring::Token token);
  void prepare_accept(std::uint32_t index, const Step& step, Ring::Token token);
  void prepare_transfer(std::uint32_t index, const Step& step, Ring::Token token);
  void prepare_until(std::uint32_t index, const Step& step, Ring::Token token);
  bool received(std::uint32_t index, unsigned step, std::int32_t result);
  void prepare_cancel(std::uint32_t index, const Step& step, Ring::Token token);
  void prepare_plain(std::uint32_t index, const Step& step, Ring::Token token);
  Nanoseconds issued(std::uint32_t index, unsigned step) const;
  std::int32_t answer(std::uint32_t index, const Step& step, std::int32_t result) const;
  void installed(std::uint32_t index, unsigned step, std::int32_t result, Nanoseconds now);
  std::int32_t act_on(std::uint32_t index, const Step& step);
  void step_done(std::uint32_t index, unsigned step, std::int32_t result, Nanoseconds now);
  void clean_up(std::uint32_t index, unsigned last_step);
  void report(std::uint32_t index, unsigned step, std::int32_t result, const Transition& transition,
              Nanoseconds now);
  void end(std::uint32_t index, Transition::Next how, Nanoseconds now);
  Moments& moments(std::uint32_t index, const Step& step);
  void begin_moments(std::uint32_t index);
  void note_issue(std::uint32_t index, const Step& step, Nanoseconds now);
  void note_end(std::uint32_t index, const Step& step, std::int32_t result, Outcome outcome,
                Nanoseconds now);
  void tell_moments(std::uint32_t index);
  void arm(std::uint32_t acceptor, bool pause_first);
  void accepted(std::uint32_t acceptor, const Completion& completion, Nanoseconds now);

  Ring& ring_;
  Settings settings_;
  std::span<const Scenario> scenarios_;
  std::span<const Endpoint> endpoints_;
  Observer& observer_;
  std::vector<Slot> slots_;
  std::vector<Belongings> belongings_;
  /// By slot, and where scripts play both ends, the peer's behind each. Empty: not kept.
  std::vector<Moments> moments_;
  std::size_t moments_per_slot_ = 1;
  std::vector<std::uint64_t> begun_;  ///< by scenario: connections that got an ordinal
  std::vector<std::uint32_t> free_;   ///< client: idle slots, the last used on top (warm in cache)
  std::vector<std::uint32_t> gives_, takes_;
  Fifo resting_;
  std::vector<Acceptor> acceptors_;
  std::vector<std::byte> out_, in_;  ///< what is sent; where all that is received goes
  std::uint64_t destination_ = 0, source_ = 0;
  bool accepting_ = true;
  unsigned open_ = 0, releasing_ = 0;
  std::uint64_t ended_ = 0, established_ = 0, unestablished_ = 0, stale_ = 0;
};

}  // namespace ringchurn
