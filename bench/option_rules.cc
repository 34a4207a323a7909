// See option_rules.h.
#include "bench/option_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "bench/option_table.h"

namespace ringchurn {
namespace {

/// Three times as long as a comparison takes by itself, which is enough for an interval that is
/// narrower by a root of three. Whoever needs more than that should wait on purpose.
constexpr std::chrono::nanoseconds kDefaultMaxTime = std::chrono::seconds(60);

void apply_defaults(Options& options) {
  if (options.quiet && options.progress == ProgressWish::automatic) {
    options.progress = ProgressWish::never;
  }
  const bool sweeps = options.command == Command::sweep;
  const bool gates = options.command == Command::gate;
  const bool compares = options.command == Command::compare || sweeps || gates;
  const bool serves = options.command == Command::serve;
  // Both meet others, who are not in a lab of ours.
  if (serves || options.command == Command::drive) options.lab = LabKind::host;
  if (compares) options.layout = Layout::single;
  // A live line would be drawn over the samples where both go to one terminal.
  if (options.jsonl_path == "-" && options.progress == ProgressWish::automatic) {
    options.progress = ProgressWish::never;
  }
  if (options.arms.empty() && options.from_serve.empty() && !sweeps && !gates) {
    const bool is_foreign = options.command == Command::drive || !options.servers.empty();
    options.arms = {is_foreign ? "connect-only" : "graceful"};
    if (compares && !is_foreign) options.arms.emplace_back("rst-client");
  }
  if (options.resolution) {
    options.duration = options.max_time.value_or(kDefaultMaxTime);
  }
  if ((serves || !options.connections) && options.duration.count() == 0) {
    options.duration = std::chrono::seconds(compares ? 20 : serves ? 600 : 10);
  }
}

/// Two arms, or two servers and what both play.
void check_arms(const Options& options) {
  if (options.command != Command::compare) return;
  if (options.servers.empty() && options.arms.size() == 1) {
    fail_usage(fmt::format("'{}' has nothing to be compared with: give two arms, or two --server",
                           options.arms[0]));
  }
  if (options.servers.empty()) return;
  if (options.bill) {
    fail_usage("a bill needs both ends of a connection, and a server is one: leave --bill out");
  }
  if (options.arms.size() > 1) {
    fail_usage("servers are compared by one scenario or mix: leave the arms out, give --scenario");
  }
  if (options.lab != LabKind::private_namespace) {
    fail_usage("each server has a network of its own: leave --lab out");
  }
}

/// Refuses an option that is about another one which is not in force. If it was not typed, it is
/// left alone: a file or the environment may well give both, and a flag then overrides the other.
void refuse_if_typed(const Options& options, std::string_view name, std::string message) {
  const auto& typed = options.typed;
  if (std::find(typed.begin(), typed.end(), name) != typed.end()) fail_usage(std::move(message));
}

void check_resolution(Options& options) {
  if (!options.max_time || options.resolution) return;
  refuse_if_typed(options, "max-time",
                  "max-time limits a --resolution: give one, or leave --max-time out");
  options.max_time.reset();
}

void check_gate(const Options& options) {
  if (options.command != Command::gate) return;
  if (options.candidates.empty()) fail_usage("gate needs something to judge: give --candidate");
  if (options.baselines.empty() && options.requirements.empty()) {
    fail_usage("gate needs something to judge by: give --baseline, or --require");
  }
}

void check_sweep(const Options& options) {
  if (options.command != Command::sweep) return;
  if (options.arms.empty()) fail_usage("sweep needs a scenario: give --scenario NAME or FILE.toml");
  if (options.variations.empty()) {
    fail_usage("sweep needs something to vary: give --vary PARAM=VALUE,VALUE,...");
  }
  std::size_t points = 1;
  for (const Variation& variation : options.variations) points *= variation.values.size();
  if (points > kMostPoints) {
    fail_usage(
        fmt::format("--vary asks for {} combinations, and {} are the most: give fewer values",
                    points, kMostPoints));
  }
}

/// Only a wide layout has servers that are not the clients' own.
void check_layout(Options& options) {
  if (options.layout == Layout::wide) {
    options.server_threads = options.server_threads.value_or(options.threads);
  } else if (options.server_threads) {
    refuse_if_typed(options, "server-threads",
                    "--server-threads is about --layout wide: add that, or leave it out");
    options.server_threads.reset();
  }
}

/// What says something about a pace must have one to say it about.
void check_pace(const Options& options) {
  if (options.arrivals && !options.rate_per_s) {
    fail_usage("arrivals are those of an open loop: give --rate, too");
  }
  const bool is_timed = options.duration.count() > 0 && !options.connections;
  if (is_timed && options.warm_up >= options.duration) {
    fail_usage("the warm-up is as long as the load: lengthen --duration or shorten --warm-up");
  }
  if (is_timed && options.ramp > options.duration) {
    fail_usage("the ramp is longer than the load: lengthen --duration or shorten --ramp");
  }
}

/// Where a drive leads. What the file of a serve settles is not for options to settle again.
void check_drive(const Options& options) {
  if (options.command != Command::drive) return;
  if (options.target.empty() && options.from_serve.empty()) {
    fail_usage("drive needs a target: HOST:PORT, unix:PATH, or --from-serve FILE");
  }
  if (options.from_serve.empty()) return;
  if (options.warm_up.count() > 0) {
    fail_usage("the server's side cannot tell a warm-up from the load: leave --warm-up out");
  }
  if (!options.arms.empty() || !options.settings.empty()) {
    fail_usage(
        "what is played stands in the file of --from-serve: leave --mix, --scenario and --set out");
  }
  if (options.pid) {
    fail_usage("the server of --from-serve tells of itself by its --json: leave --pid out");
  }
}

/// Two outputs need two places.
void check_outputs(const Options& options) {
  const bool serves = options.command == Command::serve;
  for (const auto& [flag, path] :
       {std::pair{"--json", &options.json_path}, std::pair{"--jsonl", &options.jsonl_path}}) {
    if (!serves || *path != "-") continue;
    fail_usage(fmt::format("{} -: standard output tells a drive the ports; give a file", flag));
  }
  if (options.jsonl_path.empty() || options.jsonl_path != options.json_path) return;
  fail_usage(fmt::format("--json and --jsonl both name '{}': give each a place of its own",
                         options.jsonl_path));
}

/// What is exported, and that each option has something to say about it.
void check_export(const Options& options) {
  if (options.command != Command::export_result) return;
  const ExportRequest& request = options.exported;
  if (options.recorded.empty()) {
    fail_usage("export needs a result: give a file that ringchurn's --json wrote");
  }
  if (request.rows && request.format != ExportFormat::google_benchmark &&
      request.format != ExportFormat::go_benchmark) {
    fail_usage(fmt::format("--rows is about google-benchmark and go-benchmark: leave it out for {}",
                           format_name(request.format)));
  }
  if (!request.histogram.empty() && request.format != ExportFormat::hgrm) {
    fail_usage(
        fmt::format("--histogram is about hgrm: leave it out for {}", format_name(request.format)));
  }
}

/// What concerns one command, or every load.
void check_the_rest(const Options& options) {
  if (options.command == Command::merge && options.sides.size() != 2) {
    fail_usage(
        fmt::format("merge takes two results, not {}: what drive --json wrote, and what "
                    "serve --json wrote",
                    options.sides.size()));
  }
  if (options.quiet && !options.explain.empty()) {
    fail_usage("the story is all that --explain is for: leave --quiet out");
  }
  if (options.threads > options.concurrency) {
    fail_usage(
        fmt::format("threads ({}) exceeds concurrency ({}): each thread needs a connection; "
                    "lower --threads or raise --concurrency",
                    options.threads, options.concurrency));
  }
}

}  // namespace

void settle(Options& options) {
  apply_defaults(options);
  check_layout(options);
  check_pace(options);
  check_arms(options);
  check_resolution(options);
  check_sweep(options);
  check_gate(options);
  check_drive(options);
  check_outputs(options);
  check_export(options);
  check_the_rest(options);
}

}  // namespace ringchurn
