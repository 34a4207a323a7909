// What the user asked for, checked. Options come from flags, then RINGCHURN_* environment
// variables, then the --config file, then the defaults, in this order of precedence.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/exports/exports.h"
#include "bench/lab.h"
#include "bench/pacer.h"
#include "bench/ways.h"
#include "workloads/script.h"

namespace ringchurn {

enum class Command {
  run,
  drive,
  serve,
  merge,
  compare,
  sweep,
  gate,
  atlas,
  scenarios,
  export_result,
  doctor,
  completion,
  man
};
enum class Layout { pair, single, wide };
enum class Shell { bash, zsh, fish };
enum class Family { ipv4, ipv6 };
/// Whether the progress of a run is shown while it runs: progress_style() says what each means.
enum class ProgressWish { automatic, always, never };
/// AF_INET or AF_INET6.
inline int domain(Family family) { return family == Family::ipv4 ? AF_INET : AF_INET6; }

/// A comparison's default: few enough sockets to stay in the CPU's caches, so that their teardown
/// is measured and not their cache misses; enough to fill a batch of io_uring operations.
inline constexpr unsigned kCompareConcurrency = 16;

/// What `serve` has room for unless told otherwise: its clients decide how many come at a time.
inline constexpr unsigned kServeConcurrency = 4096;

/// One `--set [SCENARIO.]PARAM=VALUE`. An empty scenario means every scenario of the run that has
/// such a parameter.
struct ParamSetting {
  std::string scenario, param, value;
};

/// One `--vary PARAM=VALUE,VALUE,...`: two values or more, each once.
struct Variation {
  std::string param;
  std::vector<std::string> values;
};

/// One `--require 'METRIC < VALUE'`: see bench/requirement.h.
struct Requirement {
  enum class Relation { equal, unequal, less, at_most, more, at_least };
  std::string text;    ///< as typed
  std::string metric;  ///< "cost.cpu_us_per_connection"
  Relation relation = Relation::equal;
  double value = 0;  ///< in the metric's own unit: nanoseconds for a latency
};

/// A sweep plays every combination of its values, and no more than so many.
inline constexpr std::size_t kMostPoints = 16;

/// Everything a command needs. Fields that a command does not have keep their defaults.
struct Options {
  Command command = Command::compare;
  std::vector<std::string> arms;      ///< run: one mix or scenario; compare: two or more
  std::vector<Variation> variations;  ///< sweep: what differs between its points
  std::vector<std::string> baselines, candidates;  ///< gate: what is compared, as typed
  double margin = 0.05;                            ///< gate: a dearer candidate is fine up to here
  std::vector<Requirement> requirements;           ///< gate: of the candidate
  std::vector<std::string> servers;          ///< compare: commands, to compare instead of arms
  std::optional<std::uint64_t> connections;  ///< run: how many; empty if a duration was asked for
  std::chrono::nanoseconds duration{};  ///< run: how long; compare: time spent measuring, at most
                                        ///< if there is a resolution
  std::optional<double> resolution;     ///< compare, sweep: half an interval's width to reach
  std::optional<std::chrono::nanoseconds> max_time;  ///< of it; `duration` has it or its default
  unsigned concurrency = 64;
  std::optional<double> rate_per_s;  ///< run, drive: open loop at that rate; empty: closed loop
  std::optional<Arrivals> arrivals;  ///< of an open loop; empty: constant
  std::chrono::nanoseconds ramp{}, warm_up{};
  unsigned threads = 1;
  Layout layout = Layout::pair;
  std::optional<unsigned> server_threads;  ///< run: of layout wide, and only there
  Ways ways{};                             ///< how io_uring is used, unless an arm says otherwise
  Family family = Family::ipv4;
  LabKind lab = LabKind::private_namespace;
  std::uint64_t seed = 1;
  std::vector<ParamSetting> settings;
  std::string target;             ///< drive: HOST:PORT or unix:PATH, as typed
  std::string authorized_target;  ///< drive: a host that may be loaded, as typed
  std::string from_serve;         ///< drive: the file that `serve` printed, or ""
  std::string source;             ///< drive: addresses to come from, or ""
  std::optional<pid_t> pid;       ///< drive: the server's process
  std::string listen_address;     ///< serve: numeric; empty: loopback of `family`
  std::uint16_t port = 0;         ///< serve: of the first scenario; 0: the kernel picks
  ProgressWish progress = ProgressWish::automatic;
  std::chrono::nanoseconds interval = std::chrono::seconds(1);  ///< of samples, and progress lines
  std::string json_path;                      ///< empty: none. "-" is standard output
  std::string jsonl_path;                     ///< run, drive, serve: of the samples; likewise
  std::optional<std::uint16_t> metrics_port;  ///< the same: where Prometheus may ask for them
  std::string scenario_name;                  ///< scenarios NAME or FOLDER; empty lists all
  bool as_markdown = false;                   ///< scenarios: what every errno means, as a page
  std::vector<std::string> wanted;  ///< atlas: names, folders, claims, files; empty: everything
  std::string explain;              ///< atlas: the scenario whose story is told, or ""
  Engine engine = Engine::ring;     ///< atlas: syscall plays both, side by side
  unsigned runs = 20;               ///< atlas: connections of each scenario
  std::vector<std::string> sides;   ///< merge: the results of client and server, in either order
  Shell shell = Shell::bash;        ///< completion: whose
  bool bill = false;                ///< run, compare: where the cost goes, part by part
  bool quiet = false;               ///< what fails, and nothing else
  bool no_color = false;            ///< of NO_COLOR, terminal_style() knows
  std::string recorded;             ///< export: the result
  ExportRequest exported;           ///< export: how
  std::string output_path = "-";    ///< export: where to; "-" is standard output
  std::string command_line;         ///< as typed
  std::vector<std::string> typed;   ///< names of the options on it: "seed"
};

/// Parses the command line, the environment and the config file.
/// Throws Error (exit code 2) with one line for anything that is wrong. `--help` and `--version`
/// print and return nullopt.
std::optional<Options> parse_options(int argc, const char* const* argv);

}  // namespace ringchurn
