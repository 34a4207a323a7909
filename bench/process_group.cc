// Reading /proc/PID: see process_group.h.
#include "bench/process_group.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

namespace ringchurn {
namespace {

std::string directory_of(pid_t pid) { return "/proc/" + std::to_string(pid); }

/// The CPU time of process `pid`, exact to the nanosecond where /proc/PID/stat has ticks of 10 ms.
/// nullopt if it is gone. Any user may ask.
std::optional<std::uint64_t> cpu_time_ns(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

std::optional<std::uint64_t> count_fds(pid_t pid) {
  const std::string path = directory_of(pid) + "/fd";
  // Since Linux 6.2 the directory's size is the number of descriptors in use, for any user to see,
  // and one with 100,000 need not be listed. It counts numbers, not files (proc_readfd_count() in
  // fs/proc/fd.c): accept(2) takes its number before it waits.
  struct stat directory {};
  if (::stat(path.c_str(), &directory) == 0 && directory.st_size > 0) {
    return static_cast<std::uint64_t>(directory.st_size);
  }
  std::error_code error;
  std::uint64_t count = 0;
  std::filesystem::directory_iterator entries(path, error), end;
  for (; !error && entries != end; entries.increment(error)) ++count;
  if (error) return std::nullopt;
  return count;
}

}  // namespace

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc() && end == name.data() + name.size()) pids.push_back(pid);
  }
  std::sort(pids.begin(), pids.end());
  return pids;
}

std::optional<ProcessStatus> ProcessStatus::read(pid_t pid) {
  std::ifstream file(directory_of(pid) + "/stat");
  return parse({std::istreambuf_iterator<char>(file), {}});
}

std::optional<ProcessStatus> ProcessStatus::parse(const std::string& line) {
  // "PID (name) STATE PPID ...": the name may have spaces and parentheses of its own.
  const std::size_t name_end = line.rfind(") ");
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 2));
  ProcessStatus status;
  std::string skipped;
  fields >> status.state >> status.parent;
  for (int field = 5; field < 20; ++field) fields >> skipped;
  fields >> status.threads >> skipped >> status.start_ticks >> skipped >> status.rss_pages;
  if (!fields) return std::nullopt;
  return status;
}

ProcessGroup::ProcessGroup(const std::vector<pid_t>& roots) {
  strangers_.insert(getpid());
  for (const pid_t pid : roots) {
    const auto status = ProcessStatus::read(pid);
    if (pid != getpid() && status && !status->is_ended()) members_[pid] = {status->start_ticks, 0};
  }
}

std::vector<pid_t> ProcessGroup::pids() const {
  std::vector<pid_t> pids;
  for (const auto& [pid, member] : members_) pids.push_back(pid);
  return pids;
}

void ProcessGroup::adopt(const std::vector<pid_t>& present) {
  const auto is_present = [&](pid_t pid) {
    return std::binary_search(present.begin(), present.end(), pid);
  };
  std::erase_if(strangers_, [&](pid_t pid) { return !is_present(pid); });
  std::map<pid_t, ProcessStatus> unknown;
  for (const pid_t pid : present) {
    if (members_.contains(pid) || strangers_.contains(pid)) continue;
    if (const auto status = ProcessStatus::read(pid)) unknown[pid] = *status;
  }
  for (bool is_settled = false; !is_settled;) {
    is_settled = std::erase_if(unknown, [&](const auto& process) {
                   const auto& [pid, status] = process;
                   if (!members_.contains(status.parent)) return false;
                   members_[pid] = {status.start_ticks, 0};
                   return true;
                 }) == 0;
  }
  for (const auto& [pid, status] : unknown) {
    // A parent younger than the list of processes may yet turn out to be a member.
    if (status.parent == 0 || is_present(status.parent)) strangers_.insert(pid);
  }
}

bool ProcessGroup::look_at(pid_t pid, Member& member, ProcessTotals& totals) {
  static const auto page_bytes = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  const auto status = ProcessStatus::read(pid);
  if (!status || status->start_ticks != member.start_ticks) return false;
  member.cpu_ns = std::max(member.cpu_ns, cpu_time_ns(pid).value_or(0));
  if (status->is_ended()) {
    strangers_.insert(pid);  // a zombie stays its parent's child
    return false;
  }
  const auto fds = count_fds(pid);
  ++totals.processes;
  totals.stopped += status->state == 'T' || status->state == 't';
  totals.threads += status->threads;
  totals.rss_bytes += status->rss_pages * page_bytes;
  totals.cpu_ns += member.cpu_ns;
  totals.fds = fds && totals.fds ? std::optional(*totals.fds + *fds) : std::nullopt;
  return true;
}

ProcessTotals ProcessGroup::read() {
  adopt(all_processes());
  ProcessTotals totals{.fds = 0};
  for (auto entry = members_.begin(); entry != members_.end();) {
    if (look_at(entry->first, entry->second, totals)) {
      ++entry;
      continue;
    }
    ++ended_;
    ended_cpu_ns_ += entry->second.cpu_ns;
    entry = members_.erase(entry);
  }
  totals.cpu_ns += ended_cpu_ns_;
  totals.ended = ended_;
  return totals;
}

}  // namespace ringchurn
