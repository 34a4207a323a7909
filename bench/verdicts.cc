// One function per reason to doubt: see verdicts.h.
#include "bench/verdicts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/text.h"

namespace ringchurn {
namespace {

/// Work that ksoftirqd did beside the process's own CPU time, above which the cost is understated.
constexpr double kTolerableShareBeside = 0.02;

Verdict ledger_closes(const RunResult& result) {
  Verdict verdict{.name = "ledger closes"};
  std::uint64_t opened = 0, finished = 0, unexpected = 0, open = 0;
  for (const ScenarioResult& scenario : result.scenarios) {
    for (const auto& [side, ledger] :
         {std::pair{"client", &scenario.client}, std::pair{"server", &scenario.server}}) {
      opened += ledger->opened;
      finished += ledger->finished;
      unexpected += ledger->unexpected;
      open += ledger->open_at_deadline;
      if (ledger->closes()) continue;
      verdict.ok = false;
      verdict.evidence =
          fmt::format("{} {}: {} opened, but {} finished + {} unexpected + {} open", scenario.name,
                      side, grouped(ledger->opened), grouped(ledger->finished),
                      grouped(ledger->unexpected), grouped(ledger->open_at_deadline));
      verdict.remedy = "a fault of ringchurn itself: please report it with this result";
      return verdict;
    }
  }
  verdict.evidence = fmt::format(
      "{}: {} opened = {} finished + {} unexpected + {} open",
      result.context.side == PlayedSide::both ? "both sides" : side_name(result.context.side),
      grouped(opened), grouped(finished), grouped(unexpected), grouped(open));
  return verdict;
}

Verdict ends_agree(const RunResult& result) {
  Verdict verdict{.name = "both ends agree"};
  std::uint64_t established = 0, accepted = 0;
  for (const ScenarioResult& scenario : result.scenarios) {
    established += scenario.established;
    accepted += scenario.server.opened;
    if (scenario.established == scenario.server.opened) continue;
    verdict.ok = false;
    verdict.evidence =
        fmt::format("{}: the client established {}, the server accepted {}", scenario.name,
                    grouped(scenario.established), grouped(scenario.server.opened));
    verdict.remedy = result.interrupted ? "the run was interrupted while connections were under way"
                                        : "look at the unexpected errors and at ListenOverflows";
    return verdict;
  }
  verdict.evidence = fmt::format("{} established by clients, {} accepted by servers",
                                 grouped(established), grouped(accepted));
  return verdict;
}

/// None where nothing is declared: of what somebody else's server sends.
std::optional<Verdict> bytes_as_declared(const RunResult& result) {
  Verdict verdict{.name = "bytes as declared"};
  bool is_declared = false;
  std::uint64_t received = 0;
  for (const ScenarioResult& scenario : result.scenarios) {
    for (const auto& [way, bytes] : {std::pair{"client to server", &scenario.client_to_server},
                                     std::pair{"server to client", &scenario.server_to_client}}) {
      if (!bytes->declared) continue;
      is_declared = true;
      received += bytes->received;
      if (*bytes->declared == bytes->received) continue;
      verdict.ok = false;
      verdict.evidence = fmt::format("{}, {}: {} bytes received, {} declared", scenario.name, way,
                                     grouped(bytes->received), grouped(*bytes->declared));
      verdict.remedy = "if no error was unexpected, correct [delivered] in the scenario file";
      return verdict;
    }
  }
  if (!is_declared) return std::nullopt;
  verdict.evidence = fmt::format("{} bytes received, as the scenarios declare", grouped(received));
  return verdict;
}

Verdict no_unexpected_errors(const RunResult& result) {
  Verdict verdict{.name = "no unexpected errors"};
  std::uint64_t unexpected = 0, expected = 0;
  const ErrorRow* first = nullptr;
  for (const ErrorRow& row : result.errors) {
    (row.expected ? expected : unexpected) += row.count;
    if (!row.expected && !first) first = &row;
  }
  verdict.ok = unexpected == 0;
  verdict.evidence =
      fmt::format("{} unexpected, {} expected", grouped(unexpected), grouped(expected));
  if (!first) return verdict;
  verdict.evidence += fmt::format("; first: {} {} step {} \"{}\" answered {}", first->scenario,
                                  first->side, first->step_number, first->step, first->error);
  verdict.remedy =
      first->errno_class == "address"
          ? "client ports ran out: use the private lab, or fewer connections per minute"
          : "read the error table; if the kernel is right, correct the scenario";
  return verdict;
}

Verdict none_left_open(const RunResult& result) {
  Verdict verdict{.name = "nothing left open"};
  std::uint64_t open = 0;
  for (const ScenarioResult& scenario : result.scenarios) {
    open += scenario.client.open_at_deadline + scenario.server.open_at_deadline;
  }
  verdict.ok = open == 0;
  verdict.evidence = fmt::format("{} connections open when the run ended", grouped(open));
  if (open == 0) return verdict;
  verdict.remedy = "nothing ended for 10 s and more: a step waits for what its peer never does";
  if (result.port_limited > 0) verdict.remedy += ", or for a free client port";
  if (result.interrupted) verdict.remedy = "the run was interrupted while they were under way";
  return verdict;
}

std::string declared_range(const CounterRow& row) {
  return row.declared_min == row.declared_max
             ? grouped(row.declared_min)
             : fmt::format("{} to {}", grouped(row.declared_min), grouped(row.declared_max));
}

/// What the kernel did is declared per finished connection: others leave packets that nobody
/// declared.
bool all_finished(const RunResult& result) {
  return std::all_of(result.scenarios.begin(), result.scenarios.end(), [](const ScenarioResult& s) {
    return s.client.finished == s.client.opened && s.server.finished == s.server.opened;
  });
}

/// Other programs' connections may be among those that the kernel counted.
bool is_shared_network(const RunResult& result) {
  return result.context.lab == "host" || result.merged;
}

Verdict kernel_disagrees(Verdict verdict, const RunResult& result, const CounterRow& wrong) {
  verdict.ok = false;
  verdict.evidence = wrong.measured ? fmt::format("{} moved by {}, declared {}", wrong.name,
                                                  grouped(*wrong.measured), declared_range(wrong))
                                    : fmt::format("this kernel has no counter '{}'", wrong.name);
  if (verdict.advisory) {
    verdict.remedy =
        result.merged ? "other programs on either machine count here too: measure where none "
                        "has connections"
                      : "other programs count here too: use the private lab for an exact account";
  } else if (!all_finished(result)) {
    verdict.advisory = true;  // a run that left connections unfinished has failed already
    verdict.remedy = "connections that did not finish left packets that no scenario declares";
  } else {
    verdict.remedy = "every connection finished, so the scenario's [kernel] is wrong";
  }
  return verdict;
}

Verdict kernel_agrees(const RunResult& result) {
  Verdict verdict{.name = "kernel agrees"};
  verdict.advisory = is_shared_network(result);
  if (result.kernel.empty()) {
    verdict.advisory = true;
    verdict.ok = false;
    verdict.evidence = "no kernel counter is declared by every scenario of this run";
    verdict.remedy = "declare them in the scenario's [kernel]";
    return verdict;
  }
  for (const CounterRow& row : result.kernel) {
    if (!row.agrees()) return kernel_disagrees(verdict, result, row);
  }
  const auto extra = std::find_if(result.kernel.begin(), result.kernel.end(),
                                  [](const CounterRow& row) { return row.used_extra(); });
  if (extra == result.kernel.end()) {
    verdict.evidence =
        fmt::format("{} counters moved as declared, to the unit", result.kernel.size());
    return verdict;
  }
  verdict.ok = false;
  verdict.advisory = true;
  verdict.evidence =
      fmt::format("{} moved by {} more than declared, DelayedACKs by {}", extra->name,
                  grouped(*extra->measured - extra->declared_max), grouped(extra->allowed_extra));
  verdict.remedy =
      "a close on one CPU may overtake a delayed ACK on another, which draws an RST "
      "(bench/README.md); "
      "--layout single has no such race";
  return verdict;
}

/// What a counter moved by, and what of it the scenarios are there for.
std::string moved_by(const RunResult& result, const char* counter, std::uint64_t moved) {
  const auto asked = result.asked_for.find(counter);
  if (asked == result.asked_for.end()) {
    return fmt::format("{} moved by {}", counter, grouped(moved));
  }
  return fmt::format("{} moved by {}, of which the scenarios want up to {}", counter,
                     grouped(moved), grouped(asked->second));
}

bool is_more_than_asked(const RunResult& result, const char* counter, std::uint64_t moved) {
  const auto asked = result.asked_for.find(counter);
  return moved > (asked == result.asked_for.end() ? 0 : asked->second);
}

/// A kernel counter that must not move but for the scenarios that are about it.
struct Forbidden {
  const char* verdict;
  const char* counter;
  const char* remedy;
};

constexpr Forbidden kForbidden[] = {
    {"TIME_WAIT table", "TCPTimeWaitOverflow",
     "graceful closes skipped TIME_WAIT: raise net.ipv4.tcp_max_tw_buckets, or use the private "
     "lab"},
    {"accept queue", "ListenOverflows",
     "connections were dropped and tried again a second later: raise net.core.somaxconn, or lower "
     "--concurrency"},
    {"listen drops", "ListenDrops",
     "SYNs were dropped and sent again a second later: raise net.ipv4.tcp_max_syn_backlog, or "
     "lower "
     "--concurrency"},
};

Verdict did_not_move(const RunResult& result, const KernelCounters& counted,
                     const Forbidden& rule) {
  Verdict verdict{.name = rule.verdict};
  verdict.advisory = is_shared_network(result);
  const std::optional<std::uint64_t> moved = counted[rule.counter];
  verdict.ok = !is_more_than_asked(result, rule.counter, moved.value_or(0));
  verdict.evidence = moved ? moved_by(result, rule.counter, *moved)
                           : fmt::format("this kernel has no {}", rule.counter);
  if (!verdict.ok) verdict.remedy = rule.remedy;
  return verdict;
}

Verdict ring_kept_up(const LoadFacts& facts) {
  Verdict verdict{.name = "completion queues"};
  std::uint64_t overflowed = 0, stale = 0;
  for (const WorkerReport& worker : facts.workers) {
    overflowed += worker.ring_overflowed ? 1 : 0;
    stale += worker.stale_completions;
  }
  verdict.ok = overflowed == 0 && stale == 0;
  verdict.evidence = fmt::format("{} of {} rings overflowed, {} stale completions", overflowed,
                                 facts.workers.size(), grouped(stale));
  if (!verdict.ok)
    verdict.remedy = "a fault of ringchurn itself: please report it with this result";
  return verdict;
}

Verdict nothing_sent_twice(const RunResult& result, const KernelCounters& counted) {
  Verdict verdict{.name = "no retransmissions"};
  verdict.advisory = true;
  const std::uint64_t again = counted["RetransSegs"].value_or(0);
  verdict.ok = !is_more_than_asked(result, "RetransSegs", again);
  verdict.evidence = moved_by(result, "RetransSegs", again);
  if (!verdict.ok)
    verdict.remedy =
        "segments were lost or late: latencies include it, OutSegs leaves retransmissions out";
  return verdict;
}

Verdict not_stolen(const RunResult& result, const LoadFacts& facts, Judgement judged) {
  constexpr double kTolerableShare = 0.01;
  constexpr double kShareThatVoids = 0.05;  // bench/README.md says why
  Verdict verdict{.name = "CPU is ours"};
  verdict.advisory = true;
  if (!facts.steal_ns || result.context.elapsed_s <= 0) {
    verdict.evidence = "this kernel does not count steal time";
    return verdict;
  }
  const double share = static_cast<double>(*facts.steal_ns) / 1e9 / result.context.elapsed_s /
                       std::max(1U, result.context.cpus);
  verdict.ok = share <= kTolerableShare;
  verdict.evidence = fmt::format("the hypervisor took {:.1f}% of the CPUs' time", share * 100);
  if (!verdict.ok) verdict.remedy = "latencies and rates are about the neighbours: measure again";
  if (judged == Judgement::comparison && share > kShareThatVoids) {
    verdict.advisory = false;
    verdict.evidence += fmt::format(", {:.0f}% voids a comparison", kShareThatVoids * 100);
    verdict.remedy = "hardly a block was left alone: measure again, on a machine of your own";
  }
  return verdict;
}

/// Threads of a wide layout are pinned: those that share a CPU wait for each other.
Verdict cpu_for_each_thread(const Context& context) {
  Verdict verdict{.name = "CPU for each thread"};
  verdict.advisory = true;
  const unsigned threads = context.threads + *context.server_threads;
  verdict.ok = threads <= context.cpus;
  verdict.evidence = fmt::format("{} threads, pinned {} {} CPUs", threads,
                                 verdict.ok ? "to one each of" : "in turn to", context.cpus);
  if (!verdict.ok) {
    verdict.remedy =
        "they wait for each other: ask for fewer --threads and --server-threads, or take the "
        "figures as those of a machine that is overcommitted";
  }
  return verdict;
}

Verdict bill_is_whole(const RunResult& result, const LoadFacts& facts) {
  Verdict verdict{.name = "CPU bill is whole"};
  verdict.advisory = true;
  const Cost& cost = result.cost;
  if (facts.irq_time_accounting) {
    verdict.ok = false;
    verdict.evidence = "this kernel has CONFIG_IRQ_TIME_ACCOUNTING";
    verdict.remedy =
        "softirq work, most of what the receiving end costs, is not in the CPU figures";
    return verdict;
  }
  if (!cost.ksoftirqd_us) {
    verdict.evidence = "ksoftirqd cannot be seen from here: its work, if any, is not in the figure";
    return verdict;
  }
  const double share =
      cost.cpu_us_per_connection > 0 ? *cost.ksoftirqd_us / cost.cpu_us_per_connection : 0;
  verdict.ok = share <= kTolerableShareBeside;
  verdict.evidence = fmt::format("ksoftirqd did {:.1f}% beside it", share * 100);
  if (!verdict.ok) verdict.remedy = "the CPU cost is understated: run on an idle machine";
  return verdict;
}

/// Times count from the intended start, so they stay honest when the generator is late; but then
/// they tell of it, and not of the server.
Verdict generator_kept_up(const RunResult& result) {
  constexpr std::uint64_t kLate_ns = 1'000'000;
  const OpenLoop& loop = *result.open_loop;
  const std::uint64_t p99 = loop.lag.p99.value_or(0);
  Verdict verdict{.name = "generator kept up", .advisory = true};
  verdict.ok = p99 <= kLate_ns && loop.never_begun == 0;
  verdict.evidence = fmt::format("99% of {} connections began within {} us of the intended start",
                                 grouped(loop.begun), grouped(p99 / 1000));
  if (loop.never_begun > 0) {
    verdict.evidence += fmt::format(", {} never did", grouped(loop.never_begun));
  }
  if (verdict.ok) return verdict;
  verdict.remedy =
      loop.held_back > 0
          ? fmt::format(
                "{} waited because --concurrency {} were in flight: the server is slower "
                "than the rate, or allow more",
                grouped(loop.held_back), grouped(std::uint64_t{result.context.concurrency}))
          : "the client's threads could not begin as many: ask for a lower --rate or more "
            "--threads";
  return verdict;
}

Verdict found_ports(const RunResult& result) {
  Verdict verdict{.name = "client ports", .advisory = true};
  verdict.ok = false;
  verdict.evidence = fmt::format("{} connects found no free port and were tried again later",
                                 grouped(result.port_limited));
  verdict.remedy = "the rate is that of the port space: see --source";
  return verdict;
}

/// A control may differ by chance: once in twenty comparisons at 95%, which is worth a warning; but
/// once in a thousand is not taken for chance.
constexpr double kChanceThatVoids = 0.001;

Verdict control_is_even(const CompareResult& result) {
  Verdict verdict{.name = "A/A control"};
  verdict.advisory = true;
  if (!result.a_a) {
    verdict.ok = false;
    verdict.evidence = fmt::format("{} blocks are too few for an interval", result.blocks);
    verdict.remedy = "measure longer: --duration 5s or more";
    return verdict;
  }
  verdict.ok = result.a_a->includes(1);
  verdict.evidence = fmt::format("{} against itself: {:.3f}, 95% interval {:.3f} to {:.3f}",
                                 result.arms.front().name, result.a_a->value, result.a_a->ci_low,
                                 result.a_a->ci_high);
  if (verdict.ok) return verdict;
  verdict.remedy =
      "it differs from itself: by chance once in 20 runs, else by noise; "
      "measure again, longer, on an idle machine";
  if (result.a_a_p_value.value_or(1) > kChanceThatVoids) return verdict;
  verdict.advisory = false;
  verdict.evidence += fmt::format(", p {:.2g}", *result.a_a_p_value);
  verdict.remedy =
      "it differs from itself, by chance less than once in 1,000 runs: no difference between arms "
      "can be believed; find what else runs here, and measure again";
  return verdict;
}

/// What was asked for; the answer has its interval, reached or not.
Verdict resolution_is_reached(const CompareResult& result) {
  const Resolution& resolution = result.resolution;
  Verdict verdict{.name = "resolution", .ok = resolution.reached, .advisory = true};
  const double asked = *resolution.asked;
  if (!resolution.half_width) {
    verdict.evidence = fmt::format("{} blocks are too few for an interval", result.blocks);
    verdict.remedy = "give a longer --max-time";
    return verdict;
  }
  verdict.evidence = fmt::format("±{:.2g}% asked, ±{:.2g}% after {:.1f} s and {} look{}",
                                 100 * asked, 100 * *resolution.half_width, result.measured_s,
                                 resolution.looks.size(), resolution.looks.size() == 1 ? "" : "s");
  if (verdict.ok) return verdict;
  if (result.run.interrupted) {
    verdict.remedy = "interrupted before it was reached";
    return verdict;
  }
  const double times_as_long = std::pow(*resolution.half_width / asked, 2);
  verdict.remedy = fmt::format(
      "not reached: that would take some {:.0f} s of measuring: give a longer --max-time, or ask "
      "for a wider interval",
      std::ceil(1.1 * times_as_long * result.measured_s));
  return verdict;
}

/// Outliers are what the machine did, and it does it to both arms alike. If they all fall to one
/// arm, the arm's own rare costs are being left out.
Verdict outliers_are_even(const CompareResult& result) {
  constexpr unsigned kTooManyToBeChance = 8;  // all on one side: 2 * 0.5^8, under 1%
  Verdict verdict{.name = "outliers"};
  verdict.advisory = true;
  unsigned left_out = 0;
  for (const ArmResult& arm : result.arms) {
    left_out = std::max(left_out, arm.blocks_left_out);
    const bool one_sided = arm.left_out_dearer == 0 || arm.left_out_dearer == arm.blocks_left_out;
    if (arm.blocks_left_out < kTooManyToBeChance || !one_sided) continue;
    verdict.ok = false;
    verdict.remedy =
        fmt::format("all fall to one arm of {}: rare costs of its own are left out", arm.name);
  }
  verdict.evidence = fmt::format("{} of {} blocks left out", left_out, result.blocks);
  return verdict;
}

}  // namespace

std::vector<Verdict> judge_account(const RunResult& result, const KernelCounters& counted) {
  const bool both = result.context.side == PlayedSide::both;
  std::vector<Verdict> verdicts = {ledger_closes(result)};
  if (both) verdicts.push_back(ends_agree(result));
  if (auto bytes = bytes_as_declared(result)) verdicts.push_back(*std::move(bytes));
  verdicts.push_back(no_unexpected_errors(result));
  verdicts.push_back(none_left_open(result));
  if (both) verdicts.push_back(kernel_agrees(result));
  for (const Forbidden& rule : kForbidden) {
    verdicts.push_back(did_not_move(result, counted, rule));
  }
  verdicts.push_back(nothing_sent_twice(result, counted));
  return verdicts;
}

std::vector<Verdict> judge(const RunResult& result, const LoadFacts& facts, Judgement judged) {
  std::vector<Verdict> verdicts = judge_account(result, facts.kernel);
  verdicts.push_back(ring_kept_up(facts));
  verdicts.push_back(not_stolen(result, facts, judged));
  verdicts.push_back(bill_is_whole(result, facts));
  if (result.context.server_threads) verdicts.push_back(cpu_for_each_thread(result.context));
  return verdicts;
}

Verdict judge_load(const RunResult& result, std::optional<std::uint64_t> asked,
                   const std::string& failure) {
  Verdict verdict{.name = "load completed"};
  std::uint64_t begun = 0;
  std::uint64_t served = 0;
  for (const ScenarioResult& scenario : result.scenarios) {
    begun += scenario.client.opened;
    served += scenario.server.opened;
  }
  if (result.context.side == PlayedSide::server) {
    verdict.ok = failure.empty();
    verdict.evidence = fmt::format("{} connections served in {:.2f} s{}{}", grouped(served),
                                   result.context.elapsed_s, failure.empty() ? "" : "; ", failure);
    return verdict;
  }
  verdict.evidence =
      asked ? fmt::format("{} of {} connections begun", grouped(begun), grouped(*asked))
            : fmt::format("{:.2f} s", result.context.elapsed_s);
  const bool all = !asked || begun == *asked;
  const bool measured = result.context.warm_up_s == 0 || result.cost.connections > 0;
  verdict.ok = failure.empty() && all && measured && !result.interrupted;
  verdict.advisory = failure.empty() && result.interrupted;
  if (!failure.empty()) verdict.evidence += "; " + failure;
  if (result.interrupted) verdict.evidence += "; interrupted";
  if (!verdict.ok) verdict.remedy = "the numbers are what was counted until it stopped";
  if (measured) return verdict;
  verdict.evidence += "; it was over before its warm-up";
  verdict.remedy = "ask for a shorter --warm-up, or for more connections";
  return verdict;
}

std::vector<Verdict> judge_pace(const RunResult& result) {
  std::vector<Verdict> verdicts;
  if (result.open_loop) verdicts.push_back(generator_kept_up(result));
  if (result.port_limited > 0) verdicts.push_back(found_ports(result));
  return verdicts;
}

std::vector<Verdict> judge_comparison(const CompareResult& result) {
  std::vector<Verdict> verdicts = {control_is_even(result), outliers_are_even(result)};
  if (result.resolution.asked) verdicts.push_back(resolution_is_reached(result));
  return verdicts;
}

bool trusted(const std::vector<Verdict>& verdicts) {
  return std::all_of(verdicts.begin(), verdicts.end(),
                     [](const Verdict& verdict) { return verdict.ok || verdict.advisory; });
}

}  // namespace ringchurn
