// Looking at the machine, and what follows: see doctor.h.
#include "bench/doctor.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "bench/context.h"
#include "bench/kernel_counters.h"
#include "bench/lab.h"
#include "bench/text.h"
#include "bench/verdicts.h"

namespace ringchurn {
namespace {

constexpr const char* kSettings[] = {
    "kernel.io_uring_disabled",
    "kernel.unprivileged_userns_clone",
    "kernel.apparmor_restrict_unprivileged_userns",
    "user.max_user_namespaces",
    "user.max_net_namespaces",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_max_tw_buckets",
    "net.ipv4.ip_local_port_range",
};

std::map<std::string, std::string> read_settings() {
  std::map<std::string, std::string> settings;
  for (const std::string name : kSettings) {
    std::string path = "/proc/sys/" + name, value;
    std::replace(path.begin(), path.end(), '.', '/');
    std::ifstream file(path);
    if (!std::getline(file, value)) continue;
    std::replace(value.begin(), value.end(), '\t', ' ');
    settings[name] = value;
  }
  return settings;
}

/// Enters the lab in a child, because nobody can leave it again. "" or why that failed.
std::string try_lab() {
  int ends[2];
  if (pipe(ends) != 0) return "cannot try the private network: no descriptor is left for a pipe";
  const pid_t child = fork();
  if (child == 0) {
    std::string answer;
    try {
      enter_lab(LabKind::private_namespace);
    } catch (const std::exception& error) {
      answer = error.what();
    }
    const bool written = write(ends[1], answer.data(), answer.size()) == std::ssize(answer);
    _exit(written ? EXIT_SUCCESS : EXIT_FAILURE);
  }
  close(ends[1]);
  char text[1024];
  const ssize_t length = read(ends[0], text, sizeof text);
  close(ends[0]);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0 || length < 0) {
    return "cannot try the private network: the process that was to do it failed";
  }
  return {text, static_cast<std::size_t>(length)};
}

int seccomp_mode() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Seccomp:")) return std::atoi(line.c_str() + line.find(':') + 1);
  }
  return 0;
}

/// "some avg10=0.42 avg60=..."; kernels without CONFIG_PSI have no such file.
std::optional<double> cpu_pressure_percent() {
  std::ifstream file("/proc/pressure/cpu");
  std::string some, average;
  if (!(file >> some >> average) || !average.starts_with("avg10=")) return std::nullopt;
  return std::atof(average.c_str() + average.find('=') + 1);
}

/// Shares of all CPUs' time, over a second in which this process sleeps.
void watch_load(MachineFacts& facts) {
  const MachineTime before = MachineTime::read();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  const MachineTime after = MachineTime::read();
  const auto share = [&](const auto& from, const auto& to) -> std::optional<double> {
    if (!from || !to || !before.total_ns || after.total_ns == before.total_ns) return std::nullopt;
    return static_cast<double>(*to - *from) /
           static_cast<double>(*after.total_ns - *before.total_ns);
  };
  facts.stolen_share = share(before.steal_ns, after.steal_ns);
  facts.busy_share = share(before.busy_ns, after.busy_ns);
}

// -- one function for each thing that matters -----------------------------------------------------

constexpr unsigned kNeededDescriptors = 256;  // a run with its defaults takes 200

std::string setting(const MachineFacts& facts, const std::string& name) {
  const auto found = facts.settings.find(name);
  return found == facts.settings.end() ? "" : fmt::format(", {} = {}", name, found->second);
}

Verdict io_uring(const MachineFacts& facts) {
  Verdict verdict{.name = "io_uring"};
  verdict.ok = facts.ring_error.empty();
  verdict.evidence = verdict.ok ? "a ring was made" : facts.ring_error;
  verdict.evidence += setting(facts, "kernel.io_uring_disabled");
  if (!verdict.ok) verdict.remedy = "nothing can be played until then";
  return verdict;
}

Verdict operations(const MachineFacts& facts) {
  Verdict verdict{.name = "io_uring's operations"};
  verdict.advisory = true;
  std::string missing;
  for (const RingFeature& feature : facts.features) {
    if (feature.available) continue;
    verdict.ok = false;
    verdict.advisory = verdict.advisory && !feature.needed;
    missing +=
        fmt::format("{}{} (Linux {})", missing.empty() ? "" : ", ", feature.name, feature.since);
  }
  verdict.evidence = fmt::format("all {} are there", facts.features.size());
  if (verdict.ok) return verdict;
  verdict.evidence = fmt::format("missing: {}; {}", missing,
                                 verdict.advisory ? "scenarios that use them are refused"
                                                  : "no load can be played without them");
  verdict.remedy = "run a later kernel";
  return verdict;
}

Verdict seccomp(const MachineFacts& facts) {
  Verdict verdict{.name = "seccomp"};
  verdict.evidence = facts.seccomp_mode == 0 ? "no filter"
                                             : "a filter is on this process; what it forbids shows "
                                               "in the other findings";
  return verdict;
}

Verdict private_network(const MachineFacts& facts) {
  Verdict verdict{.name = "private network"};
  verdict.ok = facts.lab_error.empty();
  verdict.evidence = verdict.ok ? "entered, and left again" : facts.lab_error;
  for (const char* name :
       {"user.max_user_namespaces", "user.max_net_namespaces", "kernel.unprivileged_userns_clone",
        "kernel.apparmor_restrict_unprivileged_userns"}) {
    verdict.evidence += setting(facts, name);
  }
  if (!verdict.ok) verdict.remedy = "with --lab host the counters are everybody's, and only warn";
  return verdict;
}

Verdict open_files(const MachineFacts& facts) {
  constexpr std::uint64_t kSpacious = 16384;
  Verdict verdict{.name = "open files"};
  verdict.ok = facts.nofile_hard >= kSpacious;
  verdict.advisory = facts.nofile_hard >= kNeededDescriptors;
  verdict.evidence = fmt::format("RLIMIT_NOFILE is {}, and is raised to its hard limit {}",
                                 facts.nofile_soft, facts.nofile_hard);
  if (verdict.ok) return verdict;
  // Both ends on one ring, and some room for those that the server has yet to end.
  verdict.evidence += verdict.advisory ? fmt::format("; a thread has room for {} connections",
                                                     (facts.nofile_hard - 64) / 2)
                                       : "; a run with its defaults does not fit";
  verdict.remedy =
      "raise the hard limit: as root 'ulimit -Hn 1048576', or nofile in limits.conf(5)";
  return verdict;
}

Verdict locked_memory(const MachineFacts& facts) {
  Verdict verdict{.name = "locked memory"};
  verdict.evidence = fmt::format(
      "RLIMIT_MEMLOCK is {}; io_uring has not counted its rings against "
      "it since Linux 5.12",
      facts.memlock_bytes == RLIM_INFINITY ? "unlimited" : grouped(facts.memlock_bytes) + " bytes");
  return verdict;
}

Verdict processors(const MachineFacts& facts) {
  Verdict verdict{.name = "CPUs"};
  verdict.advisory = true;
  verdict.ok = facts.cpus > 1;
  verdict.evidence = fmt::format("{} to run on", facts.cpus);
  if (verdict.ok) return verdict;
  verdict.evidence += "; client and server wait for each other in --layout pair";
  verdict.remedy = "use --layout single; a comparison always does";
  return verdict;
}

Verdict stolen(const MachineFacts& facts) {
  constexpr double kTolerableShare = 0.01;
  Verdict verdict{.name = "steal"};
  verdict.advisory = true;
  verdict.evidence = "this kernel does not count it";
  if (!facts.stolen_share) return verdict;
  verdict.ok = *facts.stolen_share <= kTolerableShare;
  verdict.evidence =
      fmt::format("the hypervisor took {:.1f}% of the last second", *facts.stolen_share * 100);
  if (verdict.ok) return verdict;
  verdict.evidence += "; latencies and rates are about the neighbours";
  verdict.remedy = "measure at another time or on another machine; trust comparisons alone";
  return verdict;
}

Verdict other_load(const MachineFacts& facts) {
  constexpr double kTolerableShare = 0.05;
  Verdict verdict{.name = "other load"};
  verdict.advisory = true;
  verdict.evidence = "this kernel does not tell";
  if (!facts.busy_share) return verdict;
  verdict.ok = *facts.busy_share <= kTolerableShare;
  verdict.evidence =
      fmt::format("the CPUs were {:.1f}% busy for a second", *facts.busy_share * 100);
  if (facts.cpu_pressure_percent) {
    verdict.evidence +=
        fmt::format(", and somebody waited for one in {:.1f}% of the last 10 s (PSI)",
                    *facts.cpu_pressure_percent);
  }
  if (verdict.ok) return verdict;
  verdict.evidence += "; intervals get wider, and absolute times longer";
  verdict.remedy = "end what runs here: 'top' names it";
  return verdict;
}

Verdict softirq_bill(const MachineFacts& facts) {
  Verdict verdict{.name = "softirq time"};
  verdict.advisory = true;
  verdict.ok = facts.irq_time_accounting != IrqTimeAccounting::present;
  verdict.evidence = facts.irq_time_accounting == IrqTimeAccounting::absent
                         ? "charged to whom it interrupts, so that it is in the CPU figures"
                         : "neither /proc/kallsyms nor /boot tells to whom it is charged";
  if (verdict.ok) return verdict;
  verdict.evidence =
      "CONFIG_IRQ_TIME_ACCOUNTING: what the receiving end costs is not in the CPU figures";
  verdict.remedy = "compare teardowns by latency and rate, or use a kernel without it";
  return verdict;
}

Verdict ksoftirqd(const MachineFacts& facts) {
  Verdict verdict{.name = "ksoftirqd"};
  verdict.advisory = true;
  verdict.ok = facts.sees_ksoftirqd;
  verdict.evidence = "its CPU time can be read";
  if (verdict.ok) return verdict;
  verdict.evidence =
      "it cannot be seen, as in a container: what it takes over is missing from the "
      "CPU figures, and nobody notices";
  verdict.remedy = "share the host's PID namespace ('docker run --pid=host')";
  return verdict;
}

Verdict time_wait_table(const MachineFacts& facts) {
  constexpr double kNearlyFull = 0.9;
  Verdict verdict{.name = "TIME_WAIT table"};
  verdict.advisory = true;
  verdict.evidence = "this kernel does not tell";
  const auto most = facts.settings.find("net.ipv4.tcp_max_tw_buckets");
  if (!facts.time_wait || most == facts.settings.end()) return verdict;
  const double buckets = std::atof(most->second.c_str());
  verdict.ok = static_cast<double>(*facts.time_wait) < kNearlyFull * buckets;
  verdict.evidence =
      fmt::format("{} of {} places are taken in this network (net.ipv4.tcp_max_tw_buckets)",
                  grouped(*facts.time_wait), grouped(buckets, 0));
  if (verdict.ok) return verdict;
  verdict.evidence += "; with --lab host a graceful close would skip TIME_WAIT";
  verdict.remedy = "wait a minute, or use the private network, which has a table of its own";
  return verdict;
}

Verdict client_ports(const MachineFacts& facts) {
  Verdict verdict{.name = "client ports"};
  verdict.advisory = true;
  verdict.evidence = "this kernel does not tell";
  const auto range = facts.settings.find("net.ipv4.ip_local_port_range");
  unsigned low = 0, high = 0;
  if (range == facts.settings.end()) return verdict;
  if (!(std::istringstream(range->second) >> low >> high) || high < low) return verdict;
  constexpr unsigned kDefault = 28232;  // 32768 to 60999
  verdict.ok = high - low + 1 >= kDefault;
  verdict.evidence = fmt::format("{} to {}, for drive and --lab host", low, high);
  if (verdict.ok) return verdict;
  verdict.evidence += "; TIME_WAIT holds each for up to a minute, and they run out";
  verdict.remedy = "as root 'sysctl net.ipv4.ip_local_port_range=\"1024 65535\"'";
  return verdict;
}

Verdict congestion_control(const MachineFacts& facts) {
  Verdict verdict{.name = "congestion control"};
  verdict.advisory = true;
  verdict.evidence = "this kernel does not tell";
  const auto found = facts.settings.find("net.ipv4.tcp_congestion_control");
  if (found == facts.settings.end()) return verdict;
  verdict.ok = !found->second.starts_with("bbr");
  verdict.evidence = found->second;
  if (verdict.ok) return verdict;
  verdict.evidence += ", which the private network inherits, paces: timers are part of each cost";
  verdict.remedy =
      "as root 'sysctl net.ipv4.tcp_congestion_control=cubic' if others are to get the same "
      "figures";
  return verdict;
}

}  // namespace

MachineFacts examine_machine() {
  MachineFacts facts;
  facts.lab_error = try_lab();  // before a ring: the child shall not inherit one
  facts.kernel = kernel_name();
  try {
    facts.features = ring_features();
  } catch (const Error& error) {
    facts.ring_error = error.what();
  }
  facts.settings = read_settings();
  facts.seccomp_mode = seccomp_mode();
  rlimit files{}, memory{};
  getrlimit(RLIMIT_NOFILE, &files);
  getrlimit(RLIMIT_MEMLOCK, &memory);
  facts.nofile_soft = files.rlim_cur;
  facts.nofile_hard = files.rlim_max;
  facts.memlock_bytes = memory.rlim_cur;
  facts.cpus = static_cast<unsigned>(usable_cpus().size());
  facts.irq_time_accounting = irq_time_accounting();
  facts.sees_ksoftirqd = KsoftirqdClock().cpu_ns().has_value();
  facts.time_wait = TcpSockets::read().time_wait;
  facts.cpu_pressure_percent = cpu_pressure_percent();
  watch_load(facts);
  return facts;
}

std::vector<Verdict> diagnose(const MachineFacts& facts) {
  std::vector<Verdict> verdicts = {io_uring(facts)};
  if (facts.ring_error.empty()) verdicts.push_back(operations(facts));
  for (const auto& look :
       {seccomp, private_network, open_files, locked_memory, processors, stolen, other_load,
        softirq_bill, ksoftirqd, time_wait_table, client_ports, congestion_control}) {
    verdicts.push_back(look(facts));
  }
  return verdicts;
}

ExitCode doctor_exit_code(const MachineFacts& facts, const std::vector<Verdict>& verdicts) {
  if (!facts.ring_error.empty()) return kExitRingUnavailable;
  return trusted(verdicts) ? kExitGood : kExitVerdictFailed;
}

}  // namespace ringchurn
