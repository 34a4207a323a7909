// The rules, each with its numbers: see survival.h.
#include "bench/survival.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "workloads/outcome.h"

namespace ringchurn {
namespace {

using Count = std::optional<std::uint64_t>;

std::string error_name(int error) { return outcome_name(errno_outcome(error)); }

/// "1 process", "3 processes".
std::string counted(std::uint64_t number, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", grouped(number), number == 1 ? one : many);
}

/// Something that the server has more of than before.
struct Growth {
  const char* what;
  std::uint64_t before = 0, after = 0;
  std::uint64_t allowance = 0;  ///< by how much it may grow

  std::uint64_t by() const { return after - std::min(before, after); }
  bool is_leak() const { return by() > allowance; }
};

/// What one part of a sample says, nullopt if that part could not be seen.
template <typename Part, typename Field>
Count field_of(const std::optional<Part>& part, Field Part::*field) {
  if (!part) return std::nullopt;
  return (*part).*field;
}

std::uint64_t strict_allowance(const SurvivalFacts& facts) {
  return std::max<std::uint64_t>(2, facts.connections / 1000);
}

/// What new processes may have, if each has as many as those that were there before.
std::uint64_t share_of_new_processes(std::uint64_t had, const WatchedServer& server) {
  const std::uint64_t old = server.before.totals.processes;
  const std::uint64_t now = server.after.sample.totals.processes;
  return old == 0 || now <= old ? 0 : (had * (now - old) + old - 1) / old;
}

/// All that is judged and can be seen, the plainest first.
std::vector<Growth> growths(const SurvivalFacts& facts) {
  const WatchedServer& server = *facts.server;
  const ServerSample &before = server.before, &after = server.after.sample;
  const std::uint64_t strict = strict_allowance(facts);
  std::vector<Growth> found;
  const auto add = [&](const char* what, Count old, Count now, std::uint64_t allowance) {
    if (old && now) found.push_back({what, *old, *now, allowance});
  };
  const auto add_kept = [&](const char* what, Count old, Count now) {
    if (!old) return;
    add(what, old, now, strict + facts.in_flight + share_of_new_processes(*old, server));
  };
  add_kept("descriptors", before.totals.fds, after.totals.fds);
  const auto add_sockets = [&](const char* what, std::uint64_t ServerSockets::*field) {
    add(what, field_of(before.sockets, field), field_of(after.sockets, field), strict);
  };
  add_sockets("sockets in CLOSE_WAIT", &ServerSockets::close_wait);
  add_sockets("half-closed sockets in FIN_WAIT2", &ServerSockets::fin_wait2);
  add("sockets that were reset and never closed", before.reset_sockets, after.reset_sockets,
      strict);
  add_kept("threads", before.totals.threads, after.totals.threads);
  add("processes", before.totals.processes, after.totals.processes, strict + facts.in_flight);
  return found;
}

/// "leaked 1,204 descriptors: 18 before, 1,222 after 5.0 s of rest; 1,204 sockets in CLOSE_WAIT",
/// or "".
std::string leaks(const SurvivalFacts& facts) {
  std::string text;
  for (const Growth& growth : growths(facts)) {
    if (!growth.is_leak()) continue;
    if (!text.empty()) {
      text += fmt::format("; {} {}", grouped(growth.by()), growth.what);
      continue;
    }
    text = fmt::format("leaked {} {}: {} before, {} after {:.1f} s of rest", grouped(growth.by()),
                       growth.what, grouped(growth.before), grouped(growth.after),
                       facts.server->after.rest_s);
  }
  return text;
}

/// Why the server is dead, or "".
std::string death(const SurvivalFacts& facts) {
  const bool is_refused = facts.probe.is_refused();
  if (!facts.server) {
    return is_refused ? fmt::format("a probe is refused ({})", error_name(facts.probe.error)) : "";
  }
  const ServerSample& after = facts.server->after.sample;
  if (!after.is_alive()) {
    std::string text = fmt::format("no process is left of {}",
                                   grouped(std::uint64_t{facts.server->before.totals.processes}));
    if (is_refused) text += fmt::format("; a probe is refused ({})", error_name(facts.probe.error));
    if (facts.probe.error == 0) text += "; others serve the address by now";
    return text;
  }
  const bool has_listener = after.accept_queue && after.accept_queue->listeners > 0;
  if (!is_refused || has_listener) return "";
  return fmt::format("nobody listens any more: a probe is refused ({}); {} alive",
                     error_name(facts.probe.error),
                     after.totals.processes == 1
                         ? "1 process is"
                         : grouped(std::uint64_t{after.totals.processes}) + " processes are");
}

/// "; 9 connections wait in the accept queue, whose limit is 128", or "".
std::string queue_text(const SurvivalFacts& facts) {
  if (!facts.server || !facts.server->after.sample.accept_queue) return "";
  const AcceptQueue& now = *facts.server->after.sample.accept_queue;
  if (now.queue == 0) return "";
  return fmt::format(
      "; {} in the accept queue, whose limit is {}",
      now.queue == 1 ? "1 connection waits" : grouped(now.queue) + " connections wait",
      grouped(now.limit));
}

/// Why the server is held not to accept, or "".
std::string deafness(const SurvivalFacts& facts) {
  const ProbeResult& probe = facts.probe;
  if (facts.script_finished == false) {
    return "a connection that played a script did not come to its end" + queue_text(facts);
  }
  if (facts.script_finished == true) return "";
  if (probe.error == ETIMEDOUT) {
    return fmt::format("a probe got no answer within {:.1f} s", probe.elapsed_s) +
           queue_text(facts);
  }
  if (probe.is_taken == false) {
    return fmt::format("a probe was not accepted within {:.1f} s", probe.elapsed_s) +
           queue_text(facts);
  }
  if (!facts.server) return "";
  if (probe.is_refused()) {
    return fmt::format("a probe is refused ({}), though a listener is there",
                       error_name(probe.error));
  }
  const auto old = field_of(facts.server->before.accept_queue, &AcceptQueue::queue);
  const auto now = field_of(facts.server->after.sample.accept_queue, &AcceptQueue::queue);
  if (probe.is_taken || !old || !now || *now <= *old) return "";
  return fmt::format("the accept queue does not drain within {:.1f} s",
                     facts.server->after.rest_s) +
         queue_text(facts);
}

/// The numbers that say that nothing is wrong.
std::string health(const SurvivalFacts& facts) {
  std::string text;
  const auto add = [&text](std::string sentence) {
    text += (text.empty() ? "" : "; ") + std::move(sentence);
  };
  if (facts.server) {
    for (const Growth& growth : growths(facts)) {
      if (growth.before == 0 && growth.after == 0) continue;
      add(fmt::format("{} {} before, {} after", growth.what, grouped(growth.before),
                      grouped(growth.after)));
    }
  }
  if (facts.script_finished == true) add("a script played afterwards came to its end");
  const double probe_ms = facts.probe.elapsed_s * 1000;
  if (facts.probe.is_taken == true) {
    add(fmt::format("a probe was accepted after {:.1f} ms", probe_ms));
  } else if (facts.probe.error == 0) {
    add(fmt::format("a probe connected; whether it was accepted cannot be seen"));
  } else {
    add(fmt::format("a probe failed with {}", error_name(facts.probe.error)));
  }
  return text;
}

/// What the load did to the listener, or "".
std::string queue_remark(const WatchedServer& server) {
  if (!server.before.accept_queue || !server.after.sample.accept_queue) return "";
  const AcceptQueue &before = *server.before.accept_queue,
                    &after = *server.after.sample.accept_queue;
  const AcceptQueue worst = server.worst.accept_queue.value_or(after);
  const std::uint64_t dropped = after.drops.value_or(0);
  const std::uint64_t more = dropped - std::min(dropped, before.drops.value_or(0));
  const bool was_full = worst.queue > worst.limit;
  std::string text;
  if (was_full) {
    text = fmt::format("its accept queue was full ({} waiting, limit {})", grouped(worst.queue),
                       grouped(worst.limit));
  }
  if (more == 0) return text;
  text += fmt::format("{}its listener dropped {}", was_full ? "; " : "",
                      counted(more, "packet", "packets"));
  // TCP_DEFER_ACCEPT drops the last ACK of every handshake, to wait for the first bytes.
  if (!was_full)
    text += ": the accept queue was full between two samples, or accepting is deferred";
  return text;
}

/// What grew and is not judged.
void remark_growth(const SurvivalFacts& facts, std::vector<std::string>& remarks) {
  constexpr std::uint64_t kMiB = 1024 * 1024;
  const WatchedServer& server = *facts.server;
  const ServerSample &before = server.before, &after = server.after.sample;
  const std::uint64_t old_rss = before.totals.rss_bytes, rss = after.totals.rss_bytes;
  if (rss > old_rss + kMiB) {
    remarks.push_back(fmt::format(
        "its memory (RSS) grew by {:.1f} MiB, from {:.1f} MiB; allocators "
        "keep memory, so this is not judged",
        static_cast<double>(rss - old_rss) / kMiB, static_cast<double>(old_rss) / kMiB));
  }
  for (const Growth& growth : growths(facts)) {
    if (growth.is_leak() || growth.by() <= strict_allowance(facts)) continue;
    remarks.push_back(
        fmt::format("its {} grew by {}, from {}: no more than a cache or a pool keeps", growth.what,
                    grouped(growth.by()), grouped(growth.before)));
  }
  const auto grew_by = [&](std::uint64_t ServerSockets::*field) {
    const Count old = field_of(before.sockets, field), now = field_of(after.sockets, field);
    return old && now && *now > *old ? *now - *old : 0;
  };
  if (const auto orphans = grew_by(&ServerSockets::fin_wait2_orphans); orphans > 0) {
    remarks.push_back(
        fmt::format("{} that it closed in FIN_WAIT2, which the kernel drops after "
                    "net.ipv4.tcp_fin_timeout",
                    counted(orphans, "socket", "sockets")));
  }
  if (const auto open = grew_by(&ServerSockets::established); open > 0) {
    remarks.push_back(
        fmt::format("{} more in ESTABLISHED: the client vanished without FIN or RST, "
                    "or is not this program",
                    counted(open, "socket", "sockets")));
  }
}

void remark_what_is_unseen(const WatchedServer& server, std::vector<std::string>& remarks) {
  const ServerSample& after = server.after.sample;
  if (!after.is_alive()) return;
  if (!after.totals.fds) {
    remarks.emplace_back("its descriptors may not be counted: run as its user or as root");
  } else if (after.sockets && !after.reset_sockets) {
    remarks.emplace_back(
        "its descriptors may be counted, but not looked at, so a few leaked ones "
        "would not be noticed: run as its user or as root");
  }
  if (!after.accept_queue) {
    remarks.emplace_back(
        "its sockets cannot be seen from here: they are in another network namespace or at another "
        "address, or this kernel has no sock_diag");
  }
}

std::vector<std::string> remarks_on(const SurvivalFacts& facts) {
  std::vector<std::string> remarks;
  if (facts.longest_silence_s >= 1) {
    remarks.push_back(fmt::format("no connection ended for {:.1f} s", facts.longest_silence_s));
  }
  if (!facts.server) {
    remarks.emplace_back("the server's processes cannot be seen from here: leaks are not judged");
    return remarks;
  }
  const WatchedServer& server = *facts.server;
  if (server.stopped_samples > 0) {
    remarks.push_back(fmt::format("it was stopped (state T) in {} of {} samples",
                                  server.stopped_samples, server.samples));
  }
  const ProcessTotals &before = server.before.totals, &after = server.after.sample.totals;
  if (after.processes > 0 && after.stopped > 0) {
    remarks.push_back(fmt::format("{} of {} stopped (state T) now", after.stopped,
                                  counted(after.processes, "process is", "processes are")));
  }
  if (after.processes > 0 && after.ended > before.ended) {
    remarks.push_back(fmt::format("{} of it ended meanwhile",
                                  counted(after.ended - before.ended, "process", "processes")));
  }
  if (const std::string queue = queue_remark(server); !queue.empty()) remarks.push_back(queue);
  if (after.processes > 0) remark_growth(facts, remarks);
  remark_what_is_unseen(server, remarks);
  return remarks;
}

template <typename T>
void raise(T& most, const T& value) {
  most = std::max(most, value);
}

/// An empty optional is less than any value, and stays out.
void raise(ServerSample& worst, const ServerSample& sample) {
  const ProcessTotals& totals = sample.totals;
  raise(worst.totals.processes, totals.processes);
  raise(worst.totals.stopped, totals.stopped);
  raise(worst.totals.ended, totals.ended);
  raise(worst.totals.threads, totals.threads);
  raise(worst.totals.rss_bytes, totals.rss_bytes);
  raise(worst.totals.cpu_ns, totals.cpu_ns);
  raise(worst.totals.fds, totals.fds);
  if (sample.sockets) {
    ServerSockets most = worst.sockets.value_or(*sample.sockets);
    raise(most.established, sample.sockets->established);
    raise(most.close_wait, sample.sockets->close_wait);
    raise(most.fin_wait2, sample.sockets->fin_wait2);
    raise(most.fin_wait2_orphans, sample.sockets->fin_wait2_orphans);
    worst.sockets = most;
  }
  if (sample.accept_queue) {
    AcceptQueue most = worst.accept_queue.value_or(*sample.accept_queue);
    raise(most.listeners, sample.accept_queue->listeners);
    raise(most.queue, sample.accept_queue->queue);
    raise(most.limit, sample.accept_queue->limit);
    raise(most.drops, sample.accept_queue->drops);
    worst.accept_queue = most;
  }
}

}  // namespace

void WatchedServer::add(const ServerSample& sample) {
  ++samples;
  stopped_samples += sample.totals.stopped > 0;
  raise(worst, sample);
}

std::string survival_name(Survival survival) {
  switch (survival) {
    case Survival::survived:
      return "survived";
    case Survival::leaked:
      return "leaked";
    case Survival::stopped_accepting:
      return "stopped accepting";
    case Survival::died:
      return "died";
    case Survival::unknown:
      break;
  }
  return "unknown";
}

std::optional<double> server_cpu_us(const SurvivalFacts& facts) {
  if (!facts.server || facts.connections == 0) return std::nullopt;
  const std::uint64_t before = facts.server->before.totals.cpu_ns;
  const std::uint64_t after =
      std::max(facts.server->worst.totals.cpu_ns, facts.server->after.sample.totals.cpu_ns);
  if (after < before) return std::nullopt;
  return static_cast<double>(after - before) / 1e3 / static_cast<double>(facts.connections);
}

SurvivalVerdict judge_survival(const SurvivalFacts& facts) {
  SurvivalVerdict verdict{Survival::survived, health(facts), remarks_on(facts)};
  const auto judge = [&verdict](Survival survival, const std::string& evidence) {
    if (evidence.empty() || verdict.survival != Survival::survived) return;
    verdict.survival = survival;
    verdict.evidence = evidence;
  };
  judge(Survival::died, death(facts));
  judge(Survival::stopped_accepting, deafness(facts));
  const std::string leaked =
      facts.server && facts.server->after.sample.is_alive() ? leaks(facts) : "";
  if (verdict.survival == Survival::stopped_accepting && !leaked.empty()) {
    verdict.remarks.insert(verdict.remarks.begin(), "it also " + leaked);
  }
  judge(Survival::leaked, leaked);
  const bool is_seen = facts.server || facts.probe.error == 0 || facts.script_finished;
  if (!is_seen) judge(Survival::unknown, verdict.evidence);
  return verdict;
}

}  // namespace ringchurn
