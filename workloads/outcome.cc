// Names and classes of outcomes: see outcome.h.
#include "workloads/outcome.h"

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

}  // namespace

std::string outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
      return "ok";
    case Outcome::eof:
      return "EOF";
    case Outcome::timeout:
      return "timeout";
  }
  const int number = static_cast<int>(outcome);
  const char* name = strerrorname_np(number);
  return name ? name : "errno " + std::to_string(number);
}

std::optional<Outcome> outcome_named(std::string_view name) {
  for (Outcome outcome : {Outcome::ok, Outcome::eof, Outcome::timeout}) {
    if (name == outcome_name(outcome)) return outcome;
  }
  // glibc names each errno once; the two aliases of Linux are spelled out.
  if (name == "EWOULDBLOCK") return errno_outcome(EWOULDBLOCK);
  if (name == "ENOTSUP") return errno_outcome(ENOTSUP);
  for (int number = 1; number <= kLargestErrno; ++number) {
    const char* known = strerrorname_np(number);
    if (known && name == known) return errno_outcome(number);
  }
  return std::nullopt;
}

std::string outcome_class(Outcome outcome) {
  if (outcome == Outcome::eof) return "eof";
  for (const ClassOf& entry : kClasses) {
    if (outcome == errno_outcome(entry.error)) return std::string(entry.name);
  }
  return outcome_name(outcome);
}

}  // namespace ringchurn
