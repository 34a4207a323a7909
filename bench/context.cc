// See context.h.
#include "bench/context.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <fstream>

#include "ring/error.h"
#include "ring/ring.h"

namespace ringchurn {
namespace {

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

/// What new sockets use here. The lab inherits it from the host, and a pacing one (bbr) costs
/// timers.
std::string congestion_control() {
  std::ifstream file("/proc/sys/net/ipv4/tcp_congestion_control");
  std::string name;
  return file >> name ? name : "unknown";
}

utsname system_name() {
  utsname name{};
  uname(&name);
  return name;
}

std::string compiler() { return fmt::format("g++ {}", __VERSION__); }

}  // namespace

std::string kernel_name() {
  const utsname name = system_name();
  return fmt::format("{} {} {}", name.sysname, name.release, name.machine);
}

std::string version_text() {
  std::string ring = "io_uring is available";
  try {
    const Ring trial({8, 8, 1, 0});
  } catch (const Error& error) {
    ring = error.what();
  }
  return fmt::format("ringchurn {}\nbuilt by {}, {}, with liburing {}\nrunning on {}: {}\n",
                     RINGCHURN_VERSION, compiler(), RINGCHURN_BUILD_TYPE, Ring::library_version(),
                     kernel_name(), ring);
}

std::vector<int> usable_cpus() {
  cpu_set_t set;
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  sched_setaffinity(0, sizeof set, &set);
}

Pinned::Pinned(int cpu) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) before_ = set;
  pin_to(cpu);
}

Pinned::~Pinned() {
  if (before_) sched_setaffinity(0, sizeof *before_, &*before_);
}

std::string network_identity() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot_id;
  struct stat network {};
  if (!(file >> boot_id) || ::stat("/proc/thread-self/ns/net", &network) != 0) return {};
  return fmt::format("{}:{}", boot_id, network.st_ino);
}

void describe_side(PlayedSide side, const std::string& run_id, Context& context) {
  context.side = side;
  context.run_id = run_id;
  context.host = system_name().nodename;
  context.network = network_identity();
}

Context describe(const Options& options, const Lab& lab) {
  Context context;
  context.version = RINGCHURN_VERSION;
  context.command = options.command_line;
  context.kernel = kernel_name();
  context.liburing = Ring::library_version();
  context.compiler = compiler();
  context.cpu_model = cpu_model();
  context.cpus = static_cast<unsigned>(usable_cpus().size());
  context.lab = lab_name(lab.kind);
  context.layout = options.layout == Layout::pair     ? "pair"
                   : options.layout == Layout::single ? "single"
                                                      : "wide";
  context.ways = ways_text(options.ways);
  context.family = options.family == Family::ipv4 ? "ipv4" : "ipv6";
  context.threads = options.threads;
  context.server_threads = options.server_threads;
  context.concurrency = options.concurrency;
  context.seed = options.seed;
  const std::time_t now = std::time(nullptr);
  context.started_at = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
  context.congestion_control = congestion_control();
  for (const LabSysctl& sysctl : lab.sysctls)
    context.sysctls.emplace_back(sysctl.name, sysctl.value);
  return context;
}

}  // namespace ringchurn
