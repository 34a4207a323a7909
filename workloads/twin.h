// A second opinion on every answer: plays connections with plain blocking system calls, one thread
// per end, so that what a scenario claims about the kernel does not rest on the ring alone. For
// checking answers only; its times are those of threads waking each other, never a measurement.
#pragma once

#include <functional>

#include "workloads/end.h"
#include "workloads/endpoint.h"
#include "workloads/script.h"

namespace ringchurn {

/// Connections that play_with_system_calls() plays at once, at most. Each takes two threads, and
/// one more per started step.
constexpr unsigned kMostTwins = 64;

/// Plays `connections` (at most kMostTwins) connections of `scenario` at once, and returns when the
/// last one has ended and every socket is closed.
///
/// `scenario` is compiled for Engine::syscall and not ring_only; `endpoint` is its own, and nobody
/// else accepts from it. `on_answer` hears of every step that ended, from many threads, one at a
/// time: clients are numbered from 0, server ends from 0 in the order in which they were accepted,
/// so the two ends of a connection have one number only if there is no more than one. A call that
/// makes a descriptor has the result 0. An unexpected outcome is its end's last answer: what is in
/// flight is interrupted, and the sockets are closed.
///
/// - A call blocks like any other: sockets stay without O_NONBLOCK, SO_RCVTIMEO and SO_SNDTIMEO
///   count. When its time limit runs out, a signal (SIGUSR1, whose handler is changed until this
///   returns) cuts it short; its outcome is then a timeout. A connect leaves its socket in SYN_SENT
///   in that case, and another connect waits again.
/// - A step without a limit is cut short after 10 seconds: a timeout that nothing expects.
/// - A started step is one call on a thread of its own. The next step begins when that call sleeps
///   in the kernel or has returned. `cancel` interrupts it: it answers EINTR, or what it had moved.
/// - A pause before `accept` begins when a connection is there to be accepted.
///
/// SIGPIPE must be ignored if a step writes. Throws Error (exit code 1) if threads or timers run
/// out, and what `on_answer` throws.
void play_with_system_calls(
    const Scenario& scenario, const Endpoint& endpoint, unsigned connections,
    const std::function<void(unsigned connection, const Answer& answer)>& on_answer);

}  // namespace ringchurn
