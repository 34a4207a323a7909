// What a load did to the server: the judgement on what was seen of it before, during and after.
// Pure: it reads no clock and asks no kernel.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/json.h"
#include "bench/probe.h"
#include "bench/server_watch.h"
#include "bench/text.h"

namespace ringchurn {

/// From good to bad, but for `unknown`.
enum class Survival {
  survived,           ///< none of the others
  leaked,             ///< it lives and accepts, but keeps what belonged to connections that ended
  stopped_accepting,  ///< it lives, and connections wait in its accept queue for ever
  died,               ///< its processes are gone, or nobody listens any more
  unknown,            ///< it could not be watched, and the probe failed for another reason
};

/// "survived", "leaked", "stopped accepting", "died", "unknown".
std::string survival_name(Survival survival);

/// What was seen of a server on this machine.
struct WatchedServer {
  ServerSample before;  ///< of inspect(), at rest; best after some connections of warming up
  ServerSample worst;   ///< maxima of the samples taken during the load, each field on its own
  Settled after;
  unsigned samples = 0;          ///< taken during the load
  unsigned stopped_samples = 0;  ///< of them, those with a process in state T

  /// One sample taken during the load.
  void add(const ServerSample& sample);
};

/// All that the judgement knows.
struct SurvivalFacts {
  std::optional<WatchedServer> server;  ///< nullopt: nobody here can look into it
  ProbeResult probe;                    ///< made when the load was over
  /// Whether a connection that played a whole script after the load came to its end in time.
  /// nullopt: none was played, or it found no client port.
  std::optional<bool> script_finished;
  std::uint64_t connections = 0;  ///< that the load opened
  std::uint64_t in_flight = 0;    ///< how many of them were open at once, at most
  double longest_silence_s = 0;   ///< the longest time of the load in which no connection ended
};

struct SurvivalVerdict {
  Survival survival = Survival::survived;
  std::string evidence;              ///< the numbers that decided it, one line
  std::vector<std::string> remarks;  ///< what else was noticed, and what could not be seen
};

/// The server's CPU time per connection of the load, from before it until it was left alone, in
/// microseconds; ksoftirqd's share is not in it. nullopt if it was not watched, or nothing came.
std::optional<double> server_cpu_us(const SurvivalFacts& facts);

/// Judges in this order:
///
/// died: all processes that were watched are gone (that others serve the port by now is no excuse),
/// or the probe is refused and no listener is known to be there.
///
/// stopped accepting: the probe got no answer or stayed in the accept queue, or the script did not
/// finish. A script that finished disproves the former.
///
/// leaked: after the rest the server has more than `before` and more than an allowance. Nothing but
/// a fault explains sockets whose connection is over for the client (CLOSE_WAIT, FIN_WAIT2 with a
/// descriptor, reset and not closed): they may grow by 2 or by 0.1% of the connections, whichever
/// is more. Descriptors, threads and processes are also kept on purpose (log files, pools of
/// threads, pipes or upstream connections), but no such cache is larger than what was open at once:
/// they may grow by `in_flight` more, and a new process may bring as many as the others had on
/// average. So a leak of descriptors that are no TCP sockets shows only when more than `in_flight`
/// leak.
///
/// Told, never judged: memory, which allocators keep; FIN_WAIT2 without a descriptor, which the
/// kernel ends after net.ipv4.tcp_fin_timeout (60 s); ESTABLISHED, the ends of clients that
/// vanished without a word, or of others' clients.
SurvivalVerdict judge_survival(const SurvivalFacts& facts);

/// One line with the verdict and its evidence and one for each remark, wrapped to style.width.
std::string survival_text(const SurvivalVerdict& verdict, const TextStyle& style);

/// The facts and the verdict: {"survival", "evidence", "remarks", "connections", "in_flight",
/// "longest_silence_s", "probe", "script_finished", "server"}. What is not known is null.
Json survival_json(const SurvivalFacts& facts, const SurvivalVerdict& verdict);

}  // namespace ringchurn
