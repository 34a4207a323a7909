// Processes of somebody else's, with their descendants: how many there are, and what they hold and
// spend. Everything is read from /proc and from the processes' CPU clocks; nothing is stopped or
// traced.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace ringchurn {

/// The members of a group together, at one moment.
struct ProcessTotals {
  unsigned processes = 0;  ///< zombies are not among them
  unsigned stopped = 0;    ///< of them, those in state T: SIGSTOP, job control, a debugger
  unsigned ended = 0;      ///< processes that ended since the watch began
  std::uint64_t threads = 0;
  std::uint64_t rss_bytes = 0;  ///< a page that several processes share counts in each of them
  /// CPU time of all members, of the ended ones up to the last look at them, so that it never runs
  /// backwards. Missing: what a process spent between the last look and its end, and children that
  /// came and went between two looks. A thread that is running counts up to its last timer tick.
  std::uint64_t cpu_ns = 0;
  /// Open descriptors. io_uring's direct descriptors are not among them; one that the kernel has
  /// put aside for each thread that is blocked in accept(2) is. nullopt if those of one process may
  /// not be counted: another user's, before Linux 6.2.
  std::optional<std::uint64_t> fds{};
};

/// Used by one thread at a time.
class ProcessGroup {
 public:
  /// `roots` and their descendants, but never the calling process and its own descendants. Who is a
  /// zombie or not there at all is no member.
  explicit ProcessGroup(const std::vector<pid_t>& roots);

  /// Those that were alive at the last look.
  std::vector<pid_t> pids() const;

  /// Looks for new descendants, and at every member. A child whose parent ended before anybody
  /// looked is not found. The first look reads a line for each process of the machine, the
  /// following ones for the members and for what is new.
  ProcessTotals read();

 private:
  /// A process is its number and the moment it began at: numbers are used again.
  struct Member {
    std::uint64_t start_ticks = 0;
    std::uint64_t cpu_ns = 0;
  };

  void adopt(const std::vector<pid_t>& present);
  /// Adds what it has to `totals`. False if it has ended.
  bool look_at(pid_t pid, Member& member, ProcessTotals& totals);

  std::map<pid_t, Member> members_;
  std::set<pid_t> strangers_;  ///< seen, and not descended from a member
  std::uint64_t ended_cpu_ns_ = 0;
  unsigned ended_ = 0;
};

/// What /proc/PID/stat tells (proc_pid_stat(5)).
struct ProcessStatus {
  char state = '?';
  pid_t parent = 0;
  std::uint64_t threads = 0, start_ticks = 0, rss_pages = 0;

  /// A process whose first thread alone has ended is in state Z, too, and lives.
  bool is_ended() const { return state == 'X' || (state == 'Z' && threads <= 1); }
  /// nullopt: there is no such process, or the line is not the kernel's.
  static std::optional<ProcessStatus> read(pid_t pid);
  static std::optional<ProcessStatus> parse(const std::string& line);
};

/// The numbers of all processes that can be seen, in rising order.
std::vector<pid_t> all_processes();

}  // namespace ringchurn
