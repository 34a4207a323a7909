// Rows of options, and the checks of their values.
#include "bench/option_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <set>
#include <utility>

#include "bench/requirement.h"
#include "bench/ways.h"
#include "ring/error.h"
#include "workloads/mix.h"
#include "workloads/words.h"

namespace ringchurn {

void fail_usage(std::string message) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
  std::replace_if(message.begin(), message.end(), is_control, '?');
  throw Error(kExitUsage, message);
}

void reject(const OptionValue& value, std::string_view why) {
  fail_usage(fmt::format("{}: '{}' {}", value.where, value.text, why));
}

const std::string& not_empty(const OptionValue& value, std::string_view wanted) {
  if (value.text.empty()) fail_usage(fmt::format("{} is empty; give {}", value.where, wanted));
  return value.text;
}

namespace {

std::uint64_t number(const OptionValue& value, std::uint64_t low, std::uint64_t high,
                     std::string_view range) {
  std::uint64_t parsed = 0;
  const char* end = value.text.data() + value.text.size();
  const auto [rest, error] = std::from_chars(value.text.data(), end, parsed);
  if (error != std::errc() || rest != end || parsed < low || parsed > high) {
    reject(value, fmt::format("is not a whole number from {}", range));
  }
  return parsed;
}

std::chrono::nanoseconds duration(const OptionValue& value,
                                  std::chrono::hours longest = std::chrono::hours(24)) {
  using std::chrono::milliseconds;
  static constexpr std::pair<std::string_view, milliseconds> kUnits[] = {
      {"ms", std::chrono::milliseconds(1)},
      {"s", std::chrono::seconds(1)},
      {"m", std::chrono::minutes(1)},
      {"h", std::chrono::hours(1)}};
  std::uint32_t count = 0;
  const char* end = value.text.data() + value.text.size();
  const auto [rest, error] = std::from_chars(value.text.data(), end, count);
  const std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
  const bool has_number = error == std::errc();
  if (has_number && suffix.empty()) reject(value, "has no unit; add ms, s, m or h, as in 10s");
  const auto* unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                  [&](const auto& known) { return known.first == suffix; });
  if (!has_number || unit == std::end(kUnits)) {
    reject(value, "is not a duration; give one such as 200ms, 10s, 5m or 1h");
  }
  const milliseconds length = unit->second * count;
  if (length < milliseconds(100) || length > longest) {
    reject(value, fmt::format("is out of range; give 100ms to {}h", longest.count()));
  }
  return length;
}

template <typename T>
T choice(const OptionValue& value, std::initializer_list<std::pair<std::string_view, T>> choices) {
  std::string names;
  for (const auto& [name, chosen] : choices) {
    if (name == value.text) return chosen;
    names += fmt::format("{}{}", names.empty() ? "" : " or ", name);
  }
  reject(value, fmt::format("is not known; give {}", names));
}

bool flag(const OptionValue& value) {
  return choice<bool>(value, {{"true", true}, {"false", false}, {"1", true}, {"0", false}});
}

ExportFormat export_format(const OptionValue& value) {
  using enum ExportFormat;
  std::string names;
  for (const ExportFormat format : {google_benchmark, bmf, github_smaller, go_benchmark, csv, junit,
                                    openmetrics, markdown, hgrm}) {
    if (value.text == format_name(format)) return format;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", format_name(format));
  }
  reject(value, fmt::format("is not known; give one of {}", names));
}

/// An arm as typed, once its form was found good.
const std::string& arm(const OptionValue& value) {
  not_empty(value, "a scenario's name, FILE.toml or a mix such as graceful=70,rst-client=30");
  try {
    const ArmText text = split_arm(value.text);
    parse_mix(text.played);
    if (text.has_ways) parse_ways(text.ways);
  } catch (const Error& error) {
    const bool has_ways = split_arm(value.text).has_ways;
    fail_usage(
        fmt::format("{}: {}{}", value.where, has_ways ? value.text + ": " : "", error.what()));
  }
  return value.text;
}

Ways ways(const OptionValue& value) {
  try {
    return parse_ways(not_empty(value, "ways to use the ring, such as plain+wait-one"));
  } catch (const Error& error) {
    fail_usage(fmt::format("{}: {}", value.where, error.what()));
  }
}

/// Only the arms of a comparison differ in how they use the ring.
void reject_ways(const OptionValue& value) {
  if (!split_arm(value.text).has_ways) return;
  reject(value, "is an arm of a comparison; give what stands behind '@' to --ring");
}

bool is_mix(const std::string& text) { return text.find_first_of(",=") != text.npos; }

void apply_mix(Options& options, const OptionValues& values) {
  reject_ways(values[0]);
  options.arms = {arm(values[0])};
  if (!is_mix(options.arms[0])) reject(values[0], "is one scenario, not a mix; use --scenario");
}

void apply_scenario(Options& options, const OptionValues& values) {
  if (is_mix(values[0].text)) reject(values[0], "is a mix, not one scenario; use --mix");
  reject_ways(values[0]);
  options.arms = {arm(values[0])};
}

ParamSetting setting(const OptionValue& value) {
  const auto equals = value.text.find('=');
  const std::string key = value.text.substr(0, equals);
  const auto dot = key.rfind('.');
  ParamSetting parsed;
  if (dot != key.npos) parsed.scenario = key.substr(0, dot);
  parsed.param = key.substr(dot == key.npos ? 0 : dot + 1);
  if (equals != value.text.npos) parsed.value = value.text.substr(equals + 1);
  if (dot == 0 || parsed.param.empty() || parsed.value.empty()) {
    reject(value, "is not of the form SCENARIO.PARAM=VALUE or PARAM=VALUE");
  }
  return parsed;
}

void apply_settings(Options& options, const OptionValues& values) {
  for (const OptionValue& value : values) {
    const ParamSetting added = setting(value);
    for (const ParamSetting& earlier : options.settings) {
      if (earlier.scenario == added.scenario && earlier.param == added.param) {
        reject(value, "sets a parameter that is already set; keep one of the two");
      }
    }
    options.settings.push_back(added);
  }
}

void apply_variations(Options& options, const OptionValues& values) {
  for (const OptionValue& value : values) {
    const auto equals = value.text.find('=');
    Variation added{value.text.substr(0, equals), {}};
    if (equals == value.text.npos || equals == 0) {
      reject(value, "is not of the form PARAM=VALUE,VALUE,...");
    }
    added.values = split(std::string_view(value.text).substr(equals + 1), ',');
    if (std::count(added.values.begin(), added.values.end(), "") > 0) {
      reject(value, "has a comma with no value beside it");
    }
    std::set<std::string> different(added.values.begin(), added.values.end());
    if (different.size() < 2 || different.size() < added.values.size()) {
      reject(value, "needs two values or more, each once");
    }
    for (const Variation& earlier : options.variations) {
      if (earlier.param == added.param) reject(value, "varies a parameter that is varied already");
    }
    options.variations.push_back(std::move(added));
  }
}

std::vector<std::string> gated(const OptionValues& values) {
  std::vector<std::string> texts;
  for (const OptionValue& value : values) {
    texts.push_back(not_empty(value, "a scenario, a command or RESULT.json"));
  }
  return texts;
}

double margin(const OptionValue& value) {
  double percent = 0;
  const char* end = value.text.data() + value.text.size();
  const auto [rest, error] = std::from_chars(value.text.data(), end, percent);
  const bool is_percent = error == std::errc() && std::string_view(rest, end) == "%";
  // Not "less than": NaN is no margin either.
  if (!is_percent || !(percent >= 0.1 && percent <= 100)) {
    reject(value, "is not a margin from 0.1% to 100%, such as 5%");
  }
  return percent / 100;
}

/// "0.5%" or "0.005".
double resolution(const OptionValue& value) {
  double share = 0;
  const char* end = value.text.data() + value.text.size();
  const auto [rest, error] = std::from_chars(value.text.data(), end, share);
  const std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
  const bool is_number = error == std::errc() && (suffix.empty() || suffix == "%");
  if (suffix == "%") share /= 100;
  if (!is_number || !(share >= 0.0005 && share <= 0.2)) {
    reject(value, "is not a resolution from 0.05% to 20%, such as 0.5% or 0.005");
  }
  return share;
}

Requirement requirement(const OptionValue& value) {
  try {
    return parse_requirement(value.text);
  } catch (const Error& error) {
    fail_usage(fmt::format("{}: {}", value.where, error.what()));
  }
}

void apply_arms(Options& options, const OptionValues& values) {
  for (const OptionValue& value : values) {
    options.arms.push_back(arm(value));
  }
  if (values.size() == 1) {
    reject(values[0], "has nothing to be compared with; give two arms or more");
  }
}

void apply_wanted(Options& options, const OptionValues& values) {
  for (const OptionValue& value : values) {
    options.wanted.push_back(not_empty(value, "a scenario, a folder of them or a claim"));
  }
}

void apply_sides(Options& options, const OptionValues& values) {
  for (const OptionValue& value : values) {
    options.sides.push_back(not_empty(value, "a JSON result"));
  }
}

void apply_explain(Options& options, const OptionValues& values) {
  options.explain = not_empty(values[0], "a scenario's name or FILE.toml");
  options.wanted = {options.explain};
}

constexpr unsigned kBoth = kRunBit | kComparisons;
constexpr unsigned kLoads = kRunBit | kDriveBit;  ///< have a client's end of their own
constexpr unsigned kOneLoad = kRunBit | kDriveBit | kServeBit;
constexpr unsigned kMixed =
    kRunBit | kDriveBit | kServeBit | kCompareBit | kGateBit;  ///< may play one mix

constexpr const char* kWhat = "What is played";
constexpr const char* kMerged = "What is merged";
constexpr const char* kExported = "What is exported";
constexpr const char* kAmount = "How much of it";
constexpr const char* kWhere = "Where and how";
constexpr const char* kOutput = "Output and configuration";

constexpr OptionSpec kSpecs[] = {
    {"arms", "ARM", kCompareBit, OptionKind::list, "arms", apply_arms, kWhat,
     "a scenario's name, FILE.toml, or a mix such as\n"
     "graceful=70,rst-client=30; the first is the baseline;\n"
     "graceful@plain plays graceful with --ring plain\n"
     "(default: graceful rst-client)",
     true, true},
    {"sides", "RESULT.json", kMergeBit, OptionKind::list, "sides", apply_sides, kMerged,
     "two: what drive --json wrote, and what serve --json\nwrote, in either order", true},
    {"result", "RESULT.json", kExportBit, OptionKind::text, "result",
     [](Options& o, const OptionValues& v) { o.recorded = not_empty(v[0], "a result file"); },
     kExported, "what --json of any command wrote", true},
    {"server", "COMMAND", kCompareBit, OptionKind::commands, "servers",
     [](Options& o, const OptionValues& v) {
       for (const OptionValue& value : v) o.servers.push_back(not_empty(value, "a command"));
       if (v.size() == 1) {
         reject(v[0], "has nothing to be compared with; give --server twice or more");
       }
     },
     kWhat,
     "instead of arms: start this server and the next one,\neach in a network of its own, and "
     "compare what one\nscenario or mix costs them; the first is the baseline"},
    {"baseline", "WHAT", kGateBit, OptionKind::commands, "baseline",
     [](Options& o, const OptionValues& v) { o.baselines = gated(v); }, kWhat,
     "a scenario, a mix, a command or RESULT.json; several\nresults if repeated", false, true},
    {"candidate", "WHAT", kGateBit, OptionKind::commands, "candidate",
     [](Options& o, const OptionValues& v) { o.candidates = gated(v); }, kWhat,
     "the same, for what is to be judged", false, true},
    {"margin", "PERCENT", kGateBit, OptionKind::text, "margin",
     [](Options& o, const OptionValues& v) { o.margin = margin(v[0]); }, kWhat,
     "how much dearer is still fine, 0.1% to 100%\n(default: 5%)"},
    {"require", "'METRIC < VALUE'", kGateBit, OptionKind::commands, "require",
     [](Options& o, const OptionValues& v) {
       for (const OptionValue& value : v) o.requirements.push_back(requirement(value));
     },
     kWhat,
     "what the candidate must keep, whatever the baseline\ndoes; may be repeated: "
     "errors.unexpected == 0,\nlatency.teardown.p99 < 5ms, kernel.OutRsts <= 10"},
    {"target", "HOST:PORT", kDriveBit, OptionKind::text, "target",
     [](Options& o, const OptionValues& v) {
       o.target = not_empty(v[0], "HOST:PORT or unix:PATH");
     },
     kWhat,
     "the server: 127.0.0.1:80, [::1]:80, web:8080,\n"
     "unix:/run/web.sock, unix:@abstract",
     true},
    {"from-serve", "FILE", kDriveBit, OptionKind::text, "target",
     [](Options& o, const OptionValues& v) {
       o.from_serve = not_empty(v[0], "the file that ringchurn serve printed");
     },
     kWhat, "instead: what ringchurn serve printed; its scenarios,\neach at its port"},
    {"authorized-target", "HOST", kDriveBit, OptionKind::text, "authorized-target",
     [](Options& o, const OptionValues& v) { o.authorized_target = not_empty(v[0], "a host"); },
     kWhat, "you may load HOST; needed for every target that is\nnot loopback or a Unix socket"},
    {"mix", "NAME=WEIGHT,...", kMixed, OptionKind::text, "arms", apply_mix, kWhat,
     "several scenarios, drawn by weight; FILE.toml too", false, true},
    {"scenario", "NAME|FILE", kMixed | kSweepBit, OptionKind::text, "arms", apply_scenario, kWhat,
     "one scenario: a built-in, or your own FILE.toml\n(default: run, serve: graceful; drive: "
     "connect-only)",
     false, true},
    {"vary", "PARAM=VALUE,VALUE,...", kSweepBit, OptionKind::list, "vary", apply_variations, kWhat,
     "a scenario's parameter and its values; may be\nrepeated: every combination is played, the\n"
     "first is the baseline"},
    {"only", "NAME", kAtlasBit, OptionKind::list, "wanted", apply_wanted, kWhat,
     "a scenario's name, a folder of scenarios (reset/),\n"
     "a claim's id (S001-14), or your own FILE.toml\n"
     "(default: every built-in scenario)",
     true, true},
    {"listed", "NAME|FOLDER", kScenariosBit, OptionKind::text, "listed",
     [](Options& o, const OptionValues& v) {
       o.scenario_name = not_empty(v[0], "a scenario or a folder of them");
     },
     kWhat, "a scenario, whose file is printed, or a folder\nof them (reset/)", true, true},
    {"shell", "bash|zsh|fish", kCompletionBit, OptionKind::text, "shell",
     [](Options& o, const OptionValues& v) {
       o.shell =
           choice<Shell>(v[0], {{"bash", Shell::bash}, {"zsh", Shell::zsh}, {"fish", Shell::fish}});
     },
     kWhat, "whose completion is printed (default: bash)", true},
    {"explain", "NAME", kAtlasBit, OptionKind::text, "wanted", apply_explain, kWhat,
     "play one connection of NAME, and tell its story\nstep by step", false, true},
    {"set", "[SCENARIO.]PARAM=VALUE", kConfigured, OptionKind::list, "set", apply_settings, kWhat,
     "a scenario's parameter; may be repeated"},
    {"connections", "N", kLoads, OptionKind::number, "amount",
     [](Options& o, const OptionValues& v) {
       o.connections = number(v[0], 1, 1'000'000'000'000, "1 to 1,000,000,000,000");
     },
     kAmount, "stop after N connections, 1 to 10^12"},
    {"max-connections", "N", kServeBit, OptionKind::number, "max-connections",
     [](Options& o, const OptionValues& v) {
       o.connections = number(v[0], 1, 1'000'000'000'000, "1 to 1,000,000,000,000");
     },
     kAmount, "stop when N connections were served, 1 to 10^12"},
    {"duration", "TIME", kBoth | kDriveBit | kServeBit, OptionKind::text, "amount",
     [](Options& o, const OptionValues& v) { o.duration = duration(v[0]); }, kAmount,
     "stop after TIME: 200ms, 10s, 5m, 1h\n"
     "(default: 10s; 20s for comparisons, 10m for serve)\n"
     "of a comparison: of what is measured, which with\nlead-ins takes some 1.6 times as long"},
    {"resolution", "PERCENT", kCompareBit | kSweepBit, OptionKind::text, "amount",
     [](Options& o, const OptionValues& v) { o.resolution = resolution(v[0]); }, kAmount,
     "instead: until each arm's 95% interval is at most so\nfar to either side, 0.05% to 20%: "
     "0.5%, 0.005"},
    {"max-time", "TIME", kCompareBit | kSweepBit, OptionKind::text, "max-time",
     [](Options& o, const OptionValues& v) { o.max_time = duration(v[0]); }, kAmount,
     "of --resolution: measure no longer (default: 60s),\nlead-ins not counted"},
    {"rate", "N", kLoads, OptionKind::number, "rate",
     [](Options& o, const OptionValues& v) {
       o.rate_per_s = static_cast<double>(number(v[0], 1, 10'000'000, "1 to 10,000,000"));
     },
     kAmount,
     "open loop: begin N connections a second, whatever\nthe server does; times count from when "
     "each was\nmeant to begin (default: closed loop, each as soon\nas another has ended)"},
    {"arrivals", "constant|poisson", kLoads, OptionKind::text, "arrivals",
     [](Options& o, const OptionValues& v) {
       o.arrivals = choice<Arrivals>(
           v[0], {{"constant", Arrivals::constant}, {"poisson", Arrivals::poisson}});
     },
     kAmount, "of an open loop: evenly spaced, or independent of\neach other (default: constant)"},
    {"ramp", "TIME", kLoads, OptionKind::text, "ramp",
     [](Options& o, const OptionValues& v) { o.ramp = duration(v[0]); }, kAmount,
     "reach the rate, or the concurrency, in a straight\nline over TIME"},
    {"warm-up", "TIME", kLoads, OptionKind::text, "warm-up",
     [](Options& o, const OptionValues& v) { o.warm_up = duration(v[0]); }, kAmount,
     "leave the first TIME out of latency, rate and cost;\nthe ledger has all of it"},
    {"concurrency", "N", kBoth | kDriveBit | kServeBit, OptionKind::number, "concurrency",
     [](Options& o, const OptionValues& v) {
       o.concurrency = static_cast<unsigned>(number(v[0], 1, 1'000'000, "1 to 1,000,000"));
     },
     kAmount,
     "connections in flight at once, 1 to 1,000,000, over\nall threads (default: 64; 16 for "
     "comparisons;\nfor serve, at most so many: 4096)"},
    {"runs", "N", kAtlasBit, OptionKind::number, "runs",
     [](Options& o, const OptionValues& v) {
       o.runs = static_cast<unsigned>(number(v[0], 1, 64, "1 to 64"));
     },
     kAmount, "connections of each scenario, all at once, 1 to 64\n(default: 20)"},
    {"engine", "ring|syscall", kAtlasBit, OptionKind::text, "engine",
     [](Options& o, const OptionValues& v) {
       o.engine = choice<Engine>(v[0], {{"ring", Engine::ring}, {"syscall", Engine::syscall}});
     },
     kWhere,
     "syscall: plain blocking system calls as well, their\nanswers beside io_uring's (default: "
     "ring)"},
    {"threads", "N", kLoads, OptionKind::number, "threads",
     [](Options& o, const OptionValues& v) {
       o.threads = static_cast<unsigned>(number(v[0], 1, 256, "1 to 256"));
     },
     kWhere, "client threads, 1 to 256 (default: 1)"},
    {"source", "ADDRESS/BITS", kDriveBit, OptionKind::text, "source",
     [](Options& o, const OptionValues& v) { o.source = not_empty(v[0], "127.0.0.0/24"); }, kWhere,
     "come from these addresses in turn, such as\n127.0.0.0/24: each has ports of its own"},
    {"pid", "PID", kDriveBit, OptionKind::number, "pid",
     [](Options& o, const OptionValues& v) {
       o.pid = static_cast<pid_t>(number(v[0], 1, 4'194'304, "1 to 4,194,304"));
     },
     kWhere, "the server's process, to be watched with its children\n(default: who listens there)"},
    {"listen", "ADDRESS", kServeBit, OptionKind::text, "listen",
     [](Options& o, const OptionValues& v) { o.listen_address = not_empty(v[0], "an address"); },
     kWhere, "bind to ADDRESS (default: 127.0.0.1, or ::1)"},
    {"port", "N", kServeBit, OptionKind::number, "port",
     [](Options& o, const OptionValues& v) {
       o.port = static_cast<std::uint16_t>(number(v[0], 1, 65535, "1 to 65535"));
     },
     kWhere, "of the first scenario; the next ones follow\n(default: ports that the kernel picks)"},
    {"layout", "pair|single|wide", kRunBit, OptionKind::text, "layout",
     [](Options& o, const OptionValues& v) {
       o.layout = choice<Layout>(
           v[0], {{"pair", Layout::pair}, {"single", Layout::single}, {"wide", Layout::wide}});
     },
     kWhere,
     "pair: client and server on a thread each;\nsingle: both on one; wide: any number of each, "
     "each\nserver with a listener at the same port\n(default: pair)"},
    {"server-threads", "N", kRunBit, OptionKind::number, "server-threads",
     [](Options& o, const OptionValues& v) {
       o.server_threads = static_cast<unsigned>(number(v[0], 1, 256, "1 to 256"));
     },
     kWhere, "layout wide: server threads, 1 to 256 (default: as\nmany as --threads)"},
    {"ring", "WAY[+WAY...]", kOneLoad | kComparisons, OptionKind::text, "ring",
     [](Options& o, const OptionValues& v) { o.ways = ways(v[0]); }, kWhere,
     "use io_uring in other ways than by default:\n"
     "plain (ordinary descriptors), sqpoll, accept-one,\n"
     "wait-one, wait-batch, never-sleep, and with plain\n"
     "shutdown-call (shutdown(2) by the thread itself)"},
    {"family", "ipv4|ipv6", kBoth | kAtlasBit | kServeBit, OptionKind::text, "family",
     [](Options& o, const OptionValues& v) {
       o.family = choice<Family>(v[0], {{"ipv4", Family::ipv4}, {"ipv6", Family::ipv6}});
     },
     kWhere, "address family (default: ipv4)"},
    {"lab", "private|veth|host", kBoth, OptionKind::text, "lab",
     [](Options& o, const OptionValues& v) {
       o.lab = choice<LabKind>(v[0], {{"private", LabKind::private_namespace},
                                      {"veth", LabKind::veth},
                                      {"host", LabKind::host}});
     },
     kWhere,
     "private: a network namespace of its own, where\nthe kernel's counters are exact;\n"
     "veth: two, one for each end, and a wire between;\n"
     "host: this machine's network (default: private)"},
    {"seed", "N", kBoth | kDriveBit, OptionKind::number, "seed",
     [](Options& o, const OptionValues& v) { o.seed = number(v[0], 0, UINT64_MAX, "0 to 2^64-1"); },
     kWhere, "of everything that is drawn at random (default: 1)"},
    {"progress", "auto|always|never", kBoth | kDriveBit | kServeBit, OptionKind::text, "progress",
     [](Options& o, const OptionValues& v) {
       o.progress = choice<ProgressWish>(v[0], {{"auto", ProgressWish::automatic},
                                                {"always", ProgressWish::always},
                                                {"never", ProgressWish::never}});
     },
     kOutput,
     "auto: a live line where standard error and output\nare terminals; always: lines, too, where "
     "they are\nnot (default: auto)"},
    {"interval", "TIME", kBoth | kDriveBit | kServeBit, OptionKind::text, "interval",
     [](Options& o, const OptionValues& v) { o.interval = duration(v[0], std::chrono::hours(1)); },
     kOutput,
     "between progress lines, and between samples of what\nis kept over time, 100ms to 1h "
     "(default: 1s)"},
    {"bill", "", kRunBit | kCompareBit, OptionKind::flag, "bill",
     [](Options& o, const OptionValues& v) { o.bill = flag(v[0]); }, kOutput,
     "where the CPU time of a connection goes: parts that\nadd up to the whole; run measures them "
     "after its load"},
    {"jsonl", "FILE", kOneLoad, OptionKind::text, "jsonl",
     [](Options& o, const OptionValues& v) { o.jsonl_path = not_empty(v[0], "a file name, or -"); },
     kOutput, "write each sample as a line of JSON as it is taken;\n- is standard output"},
    {"metrics", "PORT", kOneLoad, OptionKind::number, "metrics",
     [](Options& o, const OptionValues& v) {
       o.metrics_port = static_cast<std::uint16_t>(number(v[0], 1, 65535, "1 to 65535"));
     },
     kOutput, "serve the newest sample to Prometheus, at\nhttp://127.0.0.1:PORT/metrics"},
    {"json", "FILE", kConfigured | kMergeBit | kDoctorBit, OptionKind::text, "json",
     [](Options& o, const OptionValues& v) { o.json_path = not_empty(v[0], "a file name, or -"); },
     kOutput, "write the result as JSON; - is standard output"},
    {"format", "text|markdown", kScenariosBit, OptionKind::text, "format",
     [](Options& o, const OptionValues& v) {
       o.as_markdown = choice<bool>(v[0], {{"text", false}, {"markdown", true}});
     },
     kOutput, "markdown: a page that says for every errno when it\nmeans what (default: text)"},
    {"format", "NAME", kExportBit, OptionKind::text, "format",
     [](Options& o, const OptionValues& v) { o.exported.format = export_format(v[0]); }, kOutput,
     "google-benchmark, bmf, github-smaller, go-benchmark,\ncsv, junit, openmetrics, markdown or "
     "hgrm\n(default: markdown). openmetrics is also what\nPrometheus and node_exporter's "
     "textfiles "
     "read"},
    {"rows", "metrics|blocks", kExportBit, OptionKind::text, "rows",
     [](Options& o, const OptionValues& v) {
       o.exported.rows = choice<ExportRows>(
           v[0], {{"metrics", ExportRows::metrics}, {"blocks", ExportRows::blocks}});
     },
     kOutput,
     "google-benchmark, go-benchmark: a row for each\nnumber, or for each block of a comparison "
     "as its\nrepetitions (default: metrics)"},
    {"histogram", "SCENARIO/PHASE", kExportBit, OptionKind::text, "histogram",
     [](Options& o, const OptionValues& v) {
       o.exported.histogram = not_empty(v[0], "graceful/teardown");
     },
     kOutput,
     "hgrm: which one; PHASE is connect, first_byte,\nteardown_step, peer_heard, gone, teardown "
     "or\n"
     "lifetime (default: lifetime of the only scenario)"},
    {"output", "FILE", kExportBit, OptionKind::text, "output",
     [](Options& o, const OptionValues& v) {
       o.output_path = not_empty(v[0], "a file name, or -");
     },
     kOutput, "where to; - is standard output (default: -)", false, false, "o"},
    {"quiet", "", kConfigured | kMergeBit | kDoctorBit, OptionKind::flag, "quiet",
     [](Options& o, const OptionValues& v) { o.quiet = flag(v[0]); }, kOutput,
     "no report, no notice, no live line: what fails, one\n"
     "line each on standard error, and --json -"},
    {"no-color", "", kConfigured | kMergeBit | kScenariosBit | kDoctorBit, OptionKind::flag,
     "no-color", [](Options& o, const OptionValues& v) { o.no_color = flag(v[0]); }, kOutput,
     "no colour; the variable NO_COLOR asks for the same"},
    {"config", "FILE", kConfigured, OptionKind::text, "config",
     [](Options&, const OptionValues& v) { not_empty(v[0], "a file name"); }, kOutput,
     "read options from a TOML file"},
};

}  // namespace

std::span<const OptionSpec> option_specs() { return kSpecs; }

}  // namespace ringchurn
