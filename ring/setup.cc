// Why a ring could not be made: see setup.h.
#include "ring/setup.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

namespace ringchurn {
namespace {

constexpr unsigned kLargestTable = 1U << 20;  // IORING_MAX_FIXED_FILES in io_uring/rsrc.c

std::optional<int> read_io_uring_disabled() {
  std::ifstream file("/proc/sys/kernel/io_uring_disabled");
  int value = 0;
  if (file >> value) return value;
  return std::nullopt;
}

bool has_seccomp_filter() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("Seccomp:")) return line.find('2') != std::string::npos;
  }
  return false;
}

/// EPERM comes from the sysctl (Linux 6.6: 1 asks for CAP_SYS_ADMIN, 2 forbids) or from a filter.
Error explain_forbidden(const SetupFacts& facts) {
  const int disabled = facts.io_uring_disabled.value_or(0);
  if (disabled == 2 || (disabled == 1 && !facts.privileged)) {
    return {kExitRingUnavailable,
            fmt::format("io_uring is disabled by the sysctl kernel.io_uring_disabled = {}: run "
                        "'sysctl kernel.io_uring_disabled=0' as root{}",
                        disabled, disabled == 1 ? ", or run ringchurn as root" : "")};
  }
  if (facts.seccomp_filter) {
    return {kExitRingUnavailable,
            "io_uring is blocked by a seccomp filter (containers do this): allow io_uring_setup, "
            "io_uring_enter and io_uring_register, e.g. 'docker run --security-opt "
            "seccomp=unconfined'"};
  }
  return {kExitRingUnavailable,
          "io_uring is forbidden to this process (EPERM from io_uring_setup): a security module "
          "may deny it; look at 'dmesg' and run outside of its confinement"};
}

}  // namespace

SetupFacts setup_facts(unsigned slots) {
  rlimit nofile{};
  getrlimit(RLIMIT_NOFILE, &nofile);
  return {read_io_uring_disabled(), has_seccomp_filter(), geteuid() == 0, nofile.rlim_cur, slots};
}

Error explain_setup_failure(int error_number, const SetupFacts& facts) {
  switch (error_number) {
    case EPERM:
    case EACCES:
      return explain_forbidden(facts);
    case ENOSYS:
      // gVisor and some container filters answer ENOSYS for what they do not know.
      if (facts.seccomp_filter) return explain_forbidden(facts);
      return {kExitRingUnavailable,
              "this kernel has no io_uring (ENOSYS from io_uring_setup): it needs Linux 6.1 or "
              "later, built with CONFIG_IO_URING"};
    case EINVAL:
      return {kExitRingUnavailable,
              "this kernel's io_uring is too old (EINVAL from io_uring_setup): "
              "IORING_SETUP_DEFER_TASKRUN needs Linux 6.1 or later"};
    case EMFILE:
    case ENFILE:
      return {kExitCannotRun,
              fmt::format("no file descriptor is left for a ring (RLIMIT_NOFILE = {}): raise it "
                          "with 'ulimit -n', or ask for fewer --threads",
                          facts.nofile_soft)};
    default:
      return {kExitCannotRun,
              fmt::format("cannot set up a ring ({}): ask for a lower --concurrency or fewer "
                          "--threads, or free memory",
                          strerrorname_np(error_number))};
  }
}

Error explain_descriptor_shortage(const SetupFacts& facts) {
  return {
      kExitCannotRun,
      fmt::format("RLIMIT_NOFILE = {} is too small for {} ordinary descriptors (plain): raise it "
                  "with 'ulimit -n {}', ask for a lower --concurrency, or leave plain out",
                  facts.nofile_soft, facts.slots, facts.slots)};
}

Error explain_table_failure(int error_number, const SetupFacts& facts) {
  if (facts.slots > kLargestTable) {
    return {
        kExitCannotRun,
        fmt::format("a ring holds at most {} sockets, not {}: ask for a lower --concurrency, or "
                    "spread it over more --threads",
                    kLargestTable, facts.slots)};
  }
  if (error_number == EMFILE) {
    return {kExitCannotRun,
            fmt::format("RLIMIT_NOFILE = {} is too small for a table of {} sockets on one ring: "
                        "raise it with 'ulimit -n {}', ask for a lower --concurrency, or spread it "
                        "over more --threads (each has a table of its own)",
                        facts.nofile_soft, facts.slots, facts.slots)};
  }
  if (error_number == EINVAL) {
    return {kExitRingUnavailable,
            "this kernel's io_uring is too old (EINVAL from io_uring_register): sparse descriptor "
            "tables and slot ranges need Linux 6.1 or later"};
  }
  return {kExitCannotRun, fmt::format("cannot register a table of {} sockets ({}): ask for a lower "
                                      "--concurrency, or free memory",
                                      facts.slots, strerrorname_np(error_number))};
}

}  // namespace ringchurn
