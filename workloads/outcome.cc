// Names and classes of outcomes: see outcome.h.
#include "workloads/outcome.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace ringchurn {
namespace {

struct ClassOf {
  int error;
  std::string_view name;
};

constexpr std::array kClasses = {
    ClassOf{ECONNRESET, "reset"},         ClassOf{EPIPE, "broken_pipe"},
    ClassOf{ENOTCONN, "not_connected"},   ClassOf{ECONNABORTED, "aborted"},
    ClassOf{ECONNREFUSED, "refused"},     ClassOf{ETIMEDOUT, "timed_out"},
    ClassOf{EHOSTUNREACH, "unreachable"}, ClassOf{ENETUNREACH, "unreachable"},
    ClassOf{ENETDOWN, "unreachable"},     ClassOf{EHOSTDOWN, "unreachable"},
    ClassOf{EADDRNOTAVAIL, "address"},    ClassOf{EADDRINUSE, "address"},
    ClassOf{EMFILE, "exhausted"},         ClassOf{ENFILE, "exhausted"},
    ClassOf{ENOBUFS, "exhausted"},        ClassOf{ENOMEM, "exhausted"},
    ClassOf{ECANCELED, "cancelled"},      ClassOf{EBADF, "descriptor"},
    ClassOf{ENOTSOCK, "descriptor"},      ClassOf{EINVAL, "argument"},
    ClassOf{ENOPROTOOPT, "argument"},     ClassOf{EDOM, "argument"},
    ClassOf{EISCONN, "argument"},         ClassOf{EFAULT, "argument"},
    ClassOf{EALREADY, "argument"},        ClassOf{EOPNOTSUPP, "argument"},
};

constexpr int kLargestErrno = 133;  // EHWPOISON, asm-generic/errno.h

struct Event {
  unsigned bit;
  std::string_view name;
};

constexpr std::array kEvents = {
    Event{POLLIN, "IN"},   Event{POLLPRI, "PRI"}, Event{POLLOUT, "OUT"},  Event{POLLRDHUP, "RDHUP"},
    Event{POLLERR, "ERR"}, Event{POLLHUP, "HUP"}, Event{POLLNVAL, "NVAL"}};

// enum in include/net/tcp_states.h, in order; 0 is ours.
constexpr std::array<std::string_view, 13> kStates = {
    "none",  "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2",   "TIME_WAIT",
    "CLOSE", "CLOSE_WAIT",  "LAST_ACK", "LISTEN",   "CLOSING",   "NEW_SYN_RECV"};

std::string events_name(unsigned set) {
  std::string name;
  for (std::size_t i = 0; i < kEvents.size(); ++i) {
    if ((set >> i & 1) == 0) continue;
    name += (name.empty() ? "" : "+") + std::string(kEvents[i].name);
  }
  return name.empty() ? "no event" : name;
}

std::optional<Outcome> events_named(std::string_view text) {
  unsigned events = 0;
  while (true) {
    const auto plus = text.find('+');
    const std::string_view word = text.substr(0, plus);
    const auto event = std::find_if(kEvents.begin(), kEvents.end(),
                                    [&](const Event& e) { return e.name == word; });
    if (event == kEvents.end()) return std::nullopt;
    events |= event->bit;
    if (plus == std::string_view::npos) return events_outcome(events);
    text.remove_prefix(plus + 1);
  }
}

}  // namespace

Outcome events_outcome(unsigned events) {
  unsigned set = 0;
  for (std::size_t i = 0; i < kEvents.size(); ++i) {
    if (events & kEvents[i].bit) set |= 1U << i;
  }
  return static_cast<Outcome>(static_cast<unsigned>(Outcome::events) + set);
}

std::string outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
      return "ok";
    case Outcome::eof:
      return "EOF";
    case Outcome::timeout:
      return "timeout";
    case Outcome::cut_short:
      return "short";
    default:
      break;
  }
  const int number = static_cast<int>(outcome);
  constexpr int kFirstEvents = static_cast<int>(Outcome::events);
  constexpr int kFirstState = static_cast<int>(Outcome::state);
  if (number >= kFirstState && number < kFirstState + static_cast<int>(kStates.size())) {
    return std::string(kStates[static_cast<std::size_t>(number - kFirstState)]);
  }
  if (number >= kFirstEvents && number < kFirstState) {
    return events_name(static_cast<unsigned>(number - kFirstEvents));
  }
  const char* name = strerrorname_np(number);
  return name ? name : "errno " + std::to_string(number);
}

std::optional<Outcome> outcome_named(std::string_view name) {
  for (Outcome outcome : {Outcome::ok, Outcome::eof, Outcome::timeout, Outcome::cut_short}) {
    if (name == outcome_name(outcome)) return outcome;
  }
  // glibc names each errno once; the two aliases of Linux are spelled out.
  if (name == "EWOULDBLOCK") return errno_outcome(EWOULDBLOCK);
  if (name == "ENOTSUP") return errno_outcome(ENOTSUP);
  for (int number = 1; number <= kLargestErrno; ++number) {
    const char* known = strerrorname_np(number);
    if (known && name == known) return errno_outcome(number);
  }
  const auto state = std::find(kStates.begin(), kStates.end(), name);
  if (state != kStates.end()) return state_outcome(static_cast<int>(state - kStates.begin()));
  return events_named(name);
}

std::string outcome_class(Outcome outcome) {
  if (outcome == Outcome::eof) return "eof";
  for (const ClassOf& entry : kClasses) {
    if (outcome == errno_outcome(entry.error)) return std::string(entry.name);
  }
  return outcome_name(outcome);
}

}  // namespace ringchurn
