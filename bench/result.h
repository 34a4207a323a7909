// What a run or a comparison found out: plain data, filled in by the runner, judged by the
// verdicts, printed by the reports. Nothing here computes, and every number in it was measured;
// what could not be measured is an empty optional, never a zero.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/histogram.h"
#include "bench/survival.h"
#include "workloads/script.h"

namespace ringchurn {

/// Whose figures a result has. `both`: of a run in one process, or merged from two. Of `client` or
/// `server`: what the other end counted stays zero in the structs, and is null in JSON and a dash
/// in text; what the kernel counted is that of this end's network.
enum class PlayedSide : std::uint8_t { both, client, server };
inline const char* side_name(PlayedSide side) {
  return side == PlayedSide::both ? "both" : side == PlayedSide::client ? "client" : "server";
}

/// What the numbers are about. Everything that somebody needs to repeat the run.
struct Context {
  std::string version;   ///< ringchurn's own
  std::string command;   ///< the command line as typed
  std::string kernel;    ///< uname: release and machine
  std::string liburing;  ///< version built against
  std::string compiler;  ///< and build type
  std::string cpu_model;
  unsigned cpus = 0;  ///< that this process may run on
  std::string lab;    ///< "private", "veth" or "host"
  /// Whose CPU the kernel processes a packet on that was received, with all that it leads to: the
  /// "sender"'s, as on loopback, or the "receiver"'s. Empty: it is not known.
  std::string received_by;
  /// "pair" (client and server thread), "single" (both ends on one thread), "wide" (any number of
  /// both, every connection between any two)
  std::string layout;
  std::string ways;    ///< how io_uring was used otherwise than by default: "plain+sqpoll"; an
                       ///< arm of a comparison may have its own, in its name
  std::string family;  ///< "ipv4" or "ipv6"
  std::string congestion_control;  ///< of new sockets: net.ipv4.tcp_congestion_control
  unsigned threads = 0;            ///< pairs, single threads, or in layout wide clients' threads
  std::optional<unsigned> server_threads;  ///< layout wide only
  unsigned concurrency = 0;                ///< connections in flight at once, over all threads
  std::uint64_t seed = 0;
  std::string target;      ///< drive: where the server is that is not ours; else empty
  double warm_up_s = 0;    ///< at the load's beginning: neither in latency, nor rate, nor cost
  std::string started_at;  ///< UTC, ISO 8601
  double elapsed_s = 0;    ///< of the load, first start to last end
  PlayedSide side = PlayedSide::both;
  // What finds two sides of one run, and tells whether they shared a network. Empty if there is but
  // one process.
  std::string run_id;   ///< 16 hex digits: ServedRun::run_id
  std::string host;     ///< this machine's node name
  std::string network;  ///< the network namespace, as network_identity() names it
  std::vector<std::pair<std::string, std::string>> sysctls;  ///< that the lab set
};

/// One side's account of one scenario. It closes when opened = finished + unexpected + open.
struct Ledger {
  std::uint64_t opened = 0;            ///< client: scripts begun. Server: connections accepted
  std::uint64_t finished = 0;          ///< every step ended as an expectation allows
  std::uint64_t unexpected = 0;        ///< given up after an unexpected outcome
  std::uint64_t open_at_deadline = 0;  ///< still playing when the run had to end
  bool closes() const { return opened == finished + unexpected + open_at_deadline; }
};

/// Application bytes in one direction. `lost` = sent - received: what a send was told is on its way
/// and no receive ever returned.
struct Bytes {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::int64_t lost = 0;
  std::optional<std::uint64_t>
      declared;  ///< what the scenario says must be received; empty if it does not
};

/// Client-side times of one scenario. Only steps that ended `ok` are samples of connect and
/// first_byte; only connections that finished as scripted are samples of teardown and lifetime.
struct Latency {
  Histogram connect;     ///< start of the script to connect's completion
  Histogram first_byte;  ///< start of the script to the first byte received
  Histogram teardown;    ///< issue of the first teardown step to the end of the script
  Histogram lifetime;    ///< start of the script to its end
};

/// The same times as a report tells them, and those that need the times of both ends
/// (bench/matching.h): all of them count from the issue of the active side's first teardown step.
struct LatencySummary {
  Percentiles connect, first_byte, teardown, lifetime;
  Percentiles teardown_step;  ///< ... to that step's own completion
  Percentiles peer_heard;     ///< ... to the completion that told the other end: EOF, error, HUP
  Percentiles gone;           ///< ... to the last close of both ends, or disconnect

  LatencySummary() = default;
  LatencySummary(const Latency& latency)
      : connect(latency.connect),
        first_byte(latency.first_byte),
        teardown(latency.teardown),
        lifetime(latency.lifetime) {}
};

/// Connections of which it is known which two ends belong together.
struct Matched {
  std::uint64_t connections =
      0;                ///< the last ones of each pair of threads, as far as they are kept
  std::string why_not;  ///< why there are none, in words behind "because"; else ""
};

/// What a scenario's file says of one finished connection.
struct Declared {
  /// What both ends together move a counter by. A scenario without TCP moves none, and says so of
  /// every counter that another one of the run names.
  std::map<std::string, CounterRange> kernel;
  std::uint64_t client_to_server = 0, server_to_client = 0;  ///< bytes that are received
};

struct ScenarioResult {
  std::string name;
  std::string about;              ///< first sentence of the file
  double weight = 0;              ///< share of the mix, 0..1
  bool has_server = true;         ///< false: nobody listens (refused)
  std::uint64_t established = 0;  ///< connects that ended `ok`: what the server must have accepted
  Ledger client, server;
  Bytes client_to_server, server_to_client;
  LatencySummary latency;
  Declared declared;
  Matched matched{};
};

/// One row of the error table: an outcome other than ok, expected or not, of one step.
struct ErrorRow {
  std::string scenario;
  std::string side;          ///< "client" or "server"
  std::string step;          ///< as written in the scenario file, without its expectation
  unsigned step_number = 0;  ///< 1 = the first step of that side's script
  std::string operation;     ///< "connect", "recv", ...
  std::string error;         ///< "ECONNRESET", "EOF", "timeout"
  std::string errno_class;
  bool expected = false;
  std::uint64_t count = 0;
};

/// One kernel counter over the whole run: what it moved by against what the scenarios declare.
struct CounterRow {
  std::string name;                                  ///< kernel spelling
  std::optional<std::uint64_t> measured;             ///< empty: this kernel has no such counter
  std::uint64_t declared_min = 0, declared_max = 0;  ///< equal unless a scenario declares a range
  /// OutRsts in layouts pair and wide: how many more the kernel may count for delayed ACKs that a
  /// close on the other CPU overtook (bench/README.md). Bounded by DelayedACKs; else 0.
  std::uint64_t allowed_extra = 0;
  /// False for what one side counted: a scenario declares what both ends do together.
  bool is_declared = true;
  /// What follows is for declared counters.
  bool agrees() const {
    return measured && *measured >= declared_min && *measured <= declared_max + allowed_extra;
  }
  bool used_extra() const { return measured && agrees() && *measured > declared_max; }
};

/// What a connection cost. CPU is the process's own clock: user and system time of every thread,
/// io-wq workers included, softirq work done in their context included (unless the kernel was built
/// with IRQ_TIME_ACCOUNTING).
struct Cost {
  std::uint64_t connections = 0;  ///< ended on the client side; what everything is divided by
  double connections_per_second = 0;
  double cpu_us_per_connection = 0;
  std::optional<double> client_us, server_us;  ///< of it, by thread; empty in layout single
  double worker_us =
      0;  ///< of it, neither client nor server thread: io-wq workers and the main thread
  double user_share = 0;  ///< user-mode share of the CPU time, 0..1
  std::optional<double>
      ksoftirqd_us;  ///< beside it, not in it: all ksoftirqd threads of the machine
  double segments_per_connection = 0;  ///< Tcp OutSegs
  /// Of them, pure acknowledgements: see pure_acks() in kernel_counters.h. Empty: not known.
  std::optional<double> pure_acks_per_connection;
  double time_wait_per_connection = 0;
  /// How often a thread that played slept and was woken (voluntary context switches), io-wq workers
  /// included, the thread that only looks on left out. Empty: not known.
  std::optional<double> wake_ups_per_connection;
  double syscalls_per_connection =
      0;  ///< io_uring_enter, and shutdown(2) with Ways::shutdown_call; nothing else is called
  /// What this process grew by in memory, rings and all, at its peak, by each connection that may
  /// be in flight. Empty in a comparison and in merged results.
  std::optional<double> memory_bytes_per_connection{};
};

/// How an open loop kept its own pace. All of it leaves a warm-up out.
struct OpenLoop {
  double asked_per_s = 0;
  std::string arrivals;         ///< "constant" or "poisson"
  std::uint64_t begun = 0;      ///< connections
  std::uint64_t held_back = 0;  ///< of them, those that waited because --concurrency were in flight
  std::uint64_t never_begun = 0;  ///< were due, still waiting, when the load's time was over
  Percentiles lag;                ///< ns from the intended start to the real one
};

/// What a load has done since it began.
struct LoadCounts {
  std::uint64_t connections = 0;  ///< that ended, at the client; at the server of a serve
  std::uint64_t in_flight = 0;    ///< there, at this moment
  std::map<std::string, std::uint64_t> errors;  ///< outcomes other than ok, by class, of both ends
  std::uint64_t expected_errors = 0;            ///< of them, those that the scenarios allow
  std::uint64_t unexpected_errors = 0;          ///< and those that they do not
};

/// A load at one moment. Everything but `in_flight` and `time_wait` counts from its beginning.
struct Sample {
  double t_s = 0;  ///< since the load began
  LoadCounts counts;
  double cpu_us = 0;                       ///< of this process, all its threads
  std::optional<std::uint64_t> time_wait;  ///< sockets in TIME_WAIT, in the load's networks
  /// The counters of RunResult::kernel; empty: this kernel has no such counter.
  std::map<std::string, std::optional<std::uint64_t>> kernel;
};

/// A load over time. The last sample is that of its end, whose counts are those of the result.
struct Series {
  double interval_s = 1;  ///< between samples; the last one comes when the load is over
  std::vector<Sample> samples;
};

/// What should hold if the numbers are to be trusted.
struct Verdict {
  std::string
      name{};  ///< "ledger closes", "both ends agree", "kernel agrees", "no unexpected errors", ...
  bool ok = true;
  bool advisory = false;   ///< a warning: shown, does not fail the run (promise 2 under --lab host)
  std::string evidence{};  ///< the numbers that decided it, one line
  std::string remedy{};    ///< what to do when it is not ok; empty when ok
};

/// Where the figures of a merged result come from.
struct Merged {
  struct Part {
    std::string file;
    Context context;
    std::optional<Series> series{};  ///< of its own end, since its own beginning
  };
  Part client, server;
  bool same_network = false;  ///< both counted the same packets: their counters are not added up
};

/// What was seen of somebody else's server, and what it amounts to.
struct ServerReport {
  SurvivalFacts facts;
  SurvivalVerdict verdict;
};

/// A value with its 95% confidence interval.
struct Estimate {
  double value = 0, ci_low = 0, ci_high = 0;
  bool includes(double other) const { return ci_low <= other && other <= ci_high; }
};

/// A part of what a connection costs; CPU us of both ends together.
struct BillPart {
  std::string name;  ///< "establishing", ...
  Estimate us;
};

/// What one step of a scenario costs in lockstep.
struct BillStep {
  std::string side;          ///< "client" or "server"
  std::string step;          ///< as written, without its expectation
  unsigned step_number = 0;  ///< as ErrorRow::step_number
  std::string part;          ///< the BillPart that it is counted in
  Estimate us;
};

/// One block of a comparison as a bill has it: CPU time and connections, not yet divided.
struct BillBlock {
  double whole_us = 0;            ///< of the ordinary slices
  std::uint64_t connections = 0;  ///< that ended in those
  std::vector<double> steps_us;   ///< of the lockstep slices, by Bill::steps
  double workers_us = 0;          ///< of the same slices: io-wq workers
  std::uint64_t lockstep_connections = 0;
  bool left_out = false;  ///< an outlier: not in the bill
};

/// What a connection leaves for later.
struct DeferredCost {
  std::optional<double> time_wait_per_connection;  ///< sockets; empty: no such counter
  std::optional<std::uint64_t> object_bytes;       ///< of one, in the kernel's slab
  std::string object_unknown;                      ///< why `object_bytes` is empty
  double seconds = 60;                             ///< that it stays, unless its port is used again
  std::optional<double> byte_seconds;              ///< per connection: the three multiplied
};

/// Where the cost of a scenario's connections goes: parts that add up to the whole.
struct Bill {
  std::string scenario;
  std::string obstacle;  ///< why there is none: nothing but `scenario` is filled in then; else ""
  Estimate whole_us;     ///< of the ordinary play
  /// As they add up: those of lockstep play, the io-wq workers, and, last, what the ordinary play
  /// costs beyond lockstep, which may be negative.
  std::vector<BillPart> parts;
  std::vector<BillStep> steps;  ///< in the story's order
  std::vector<BillBlock> blocks;
  unsigned blocks_left_out = 0;
  DeferredCost deferred;
};

/// A `ringchurn run`; one side of it; or two sides, merged.
struct RunResult {
  Context context;
  std::vector<ScenarioResult> scenarios;  ///< in the mix's order
  std::vector<ErrorRow> errors;
  std::vector<CounterRow> kernel;
  /// By counter: how far the scenarios that name it may have moved it, whether or not the others
  /// of the mix say anything about it.
  std::map<std::string, std::uint64_t> asked_for;
  Cost cost;
  std::optional<OpenLoop> open_loop;  ///< empty: a closed loop
  /// Connects that found no free port and were tried again; drive only.
  std::uint64_t port_limited = 0;
  /// The longest time in which no connection ended, though some were open; of one thread.
  double longest_silence_s = 0;
  std::optional<ServerReport> server;  ///< drive only
  std::optional<Series> series;  ///< run, drive and serve; a merged result has two in `merged`
  std::vector<Verdict> verdicts;
  bool interrupted = false;
  std::optional<Merged> merged;  ///< in the result of `ringchurn merge` only
  /// One for each scenario, measured after the load, with both ends on one thread; if asked for.
  std::vector<Bill> bills;
};

/// One look of a comparison that goes on until its intervals are narrow enough.
struct Look {
  unsigned blocks = 0;    ///< that it looked at
  double measured_s = 0;  ///< time that they took
  double half_width = 0;  ///< of the widest arm's interval, as a share of the baseline's cost
};

/// What a comparison could see. Shares of the baseline's cost: 0.005 is half a percent.
struct Resolution {
  std::optional<double> half_width;  ///< of the widest arm's interval; empty: too few blocks
  /// The smallest difference that it would have shown in 80% of comparisons with noise like this
  /// one's, of the arm with which it saw least; empty: too few blocks.
  std::optional<double> minimum_detectable_effect;
  /// What was asked for; empty: a time. What follows belongs to it.
  std::optional<double> asked;
  bool reached = false;
  double max_time_s = 0;
  std::vector<Look> looks;  ///< in their order; the last one decided
};

/// One arm of a comparison. Arm 0 is the baseline.
struct ArmResult {
  std::string name;  ///< as typed: a scenario's name, a file, or a mix
  std::uint64_t connections = 0;
  double cpu_us_per_connection = 0;
  std::optional<Estimate> ratio;  ///< against the baseline; empty for it, or with too few blocks
  std::optional<Estimate> difference_us;  ///< this arm minus the baseline, CPU us per connection
  double baseline_us = 0;  ///< what the baseline cost in the blocks that this arm is compared over
  /// Blocks left out as outliers, and in how many of them this arm was the dearer one.
  unsigned blocks_left_out = 0, left_out_dearer = 0;
  /// What the kernel counted while this arm was played, by connection, lead-ins included. Empty if
  /// it has no such counter, or nothing was played.
  std::optional<double> segments_per_connection{};   ///< OutSegs
  std::optional<double> time_wait_per_connection{};  ///< TW
  /// How often at most chance alone would show a ratio as far from 1; by itself, and Holm's, for as
  /// many claims as there are arms. Empty as `ratio` is.
  std::optional<double> p_value{}, p_holm{};
  std::optional<double> minimum_detectable_effect{};  ///< see Resolution; of this arm
  /// Whether it may be said that this arm costs less, or more.
  bool differs() const {
    return ratio && !ratio->includes(1) && (!p_holm || *p_holm <= kSignificant);
  }
  static constexpr double kSignificant = 0.05;
  std::optional<double> pure_acks_per_connection{};  ///< as Cost has it, and these, too
  std::optional<double> syscalls_per_connection{}, wake_ups_per_connection{};
  std::optional<Bill> bill{};  ///< if it was asked for
};

/// One combination of a sweep's values. Less is better in every figure.
struct SweepPoint {
  std::string arm;                                          ///< its name
  std::vector<std::pair<std::string, std::string>> values;  ///< parameter and value
  std::optional<Estimate> cpu_us_per_connection;            ///< empty: too few blocks
  std::optional<Estimate> teardown_p99_us;                  ///< empty: nothing finished
  std::optional<double> time_wait_per_connection;
  double lost_bytes_per_connection = 0;
  double errors_per_connection = 0;  ///< outcomes other than ok and EOF, of both ends
  /// No other point is surely better in one figure and surely worse in none.
  bool on_front = false;
};

/// What a sweep adds to its comparison: a point for each arm, in their order.
struct Sweep {
  std::string scenario;
  std::vector<SweepPoint> points;
};

/// One slice of a comparison's schedule, as it was measured.
struct Slice {
  unsigned block = 0;
  std::optional<unsigned> arm;  ///< index into CompareResult::arms; empty: the control
  double began_s = 0;           ///< since the first one began
  double cpu_us = 0;
  std::uint64_t connections = 0;
};

/// A `ringchurn compare`: every arm's scenarios, errors and counters as in a run, and the
/// comparison.
struct CompareResult {
  RunResult run;  ///< the account of all slices together: ledger, errors, kernel, verdicts
  std::vector<ArmResult> arms;
  std::optional<Estimate> a_a;        ///< the baseline against itself, in the same schedule
  std::optional<double> a_a_p_value;  ///< of it, as an arm's
  unsigned blocks = 0;
  std::vector<Slice> slices;  ///< of these blocks, in the order in which they were measured
  std::string whose;          ///< CPU time that is compared: "both ends", "the server's processes"
  double slice_ms = 0;
  double measured_s = 0;  ///< time spent in slices
  Resolution resolution;
  std::optional<Sweep> sweep;  ///< of `ringchurn sweep` only
  std::string sentence;  ///< the answer in words that can be quoted, one arm a line; empty if a
                         ///< verdict forbids it
};

enum class GateVerdict : std::uint8_t { fine, regression, undecided };
const char* gate_verdict_name(GateVerdict verdict);

/// What a candidate had to keep, and what became of it.
struct RequirementResult {
  std::string text;             ///< as typed: "errors.unexpected == 0"
  std::optional<double> value;  ///< the worst that was met; empty: not measured, and so not ok
  bool ok = false;
};

/// What `ringchurn gate` decided.
struct Gate {
  /// By the interval and the margin; regression also if a requirement is not met.
  GateVerdict verdict = GateVerdict::undecided;
  std::string method;               ///< "in-process", "servers", "programs", "files"
  std::string baseline, candidate;  ///< as typed, several with commas; no baseline: ""
  double margin = 0;                ///< 0.05: a ratio of up to 1.05 is fine
  /// CPU us per connection of both; empty where there is no baseline, or too little was measured.
  std::optional<double> baseline_value, candidate_value;
  std::optional<Estimate> ratio;  ///< candidate over baseline
  unsigned pairs = 0;             ///< blocks, pairs of runs, or files of the side that has fewer
  std::vector<RequirementResult> requirements;
  std::string sentence;  ///< the answer in words that can be quoted
};

/// A gate's result. Programs and files have accounts of their own; of arms and servers it is here.
struct GateResult {
  Gate gate;
  Context context;
  std::optional<CompareResult> comparison;
  std::vector<Verdict> verdicts;  ///< of a comparison: its own
  bool interrupted = false;
};

}  // namespace ringchurn
