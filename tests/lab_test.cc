// The lab is entered for real, always in a child process, as root and as an ordinary user alike;
// and every way in which a kernel may refuse it is explained.
#include "bench/lab.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "ring/error.h"
#include "tests/in_child.h"

namespace ringchurn {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string file_text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> texts_of(const std::vector<std::string>& paths) {
  std::vector<std::string> texts(paths.size());
  std::transform(paths.begin(), paths.end(), texts.begin(), file_text);
  return texts;
}

std::string network_namespace() {
  char name[64] = {};
  const ssize_t length = readlink("/proc/self/ns/net", name, sizeof name - 1);
  return {name, static_cast<std::size_t>(length > 0 ? length : 0)};
}

/// Enters the lab, and returns the refusal, or "entered".
std::string refusal_of_the_lab() {
  try {
    enter_lab(LabKind::private_namespace);
    return "entered";
  } catch (const Error& error) {
    return error.exit_code == kExitCannotRun ? error.what() : "not kExitCannotRun";
  }
}

/// Runs `body` inside a private lab; it returns what is wrong, or "".
std::string in_lab(const std::function<std::string(const Lab&)>& body) {
  return in_child([&body] { return body(enter_lab(LabKind::private_namespace)); });
}

/// Connects to `address` on a listener there, and returns what is wrong, or "".
std::string connect_to(int family, const std::string& address) {
  sockaddr_storage storage{};
  auto* generic = reinterpret_cast<sockaddr*>(&storage);
  storage.ss_family = static_cast<sa_family_t>(family);
  void* bytes = family == AF_INET
                    ? static_cast<void*>(&reinterpret_cast<sockaddr_in*>(&storage)->sin_addr)
                    : static_cast<void*>(&reinterpret_cast<sockaddr_in6*>(&storage)->sin6_addr);
  if (inet_pton(family, address.c_str(), bytes) != 1) return address + " is no address\n";
  socklen_t length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  const int listener = socket(family, SOCK_STREAM, 0);
  const int client = socket(family, SOCK_STREAM, 0);
  // A listener on every address, as the program's: a routed prefix can be reached, not bound to.
  sockaddr_storage any{};
  any.ss_family = storage.ss_family;
  auto* bound = reinterpret_cast<sockaddr*>(&any);
  const bool listens = bind(listener, bound, length) == 0 && listen(listener, 1) == 0 &&
                       getsockname(listener, bound, &length) == 0;
  // The port stands at the same place in both families' addresses.
  reinterpret_cast<sockaddr_in*>(&storage)->sin_port =
      reinterpret_cast<sockaddr_in*>(&any)->sin_port;
  const bool connected = listens && connect(client, generic, length) == 0;
  const int error = errno;
  close(client);
  close(listener);
  return connected ? "" : address + ": " + std::strerror(error) + "\n";
}

class LabTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string answer = in_child(refusal_of_the_lab);
    if (answer != "entered") GTEST_SKIP() << answer;
  }
};

TEST_F(LabTest, IsANetworkOfItsOwnAndLeavesTheHostsUntouched) {
  const std::vector<std::string> settings = {
      "/proc/sys/net/ipv4/ip_local_port_range", "/proc/sys/net/core/somaxconn",
      "/proc/sys/net/ipv4/tcp_max_syn_backlog", "/proc/sys/net/ipv4/tcp_max_tw_buckets",
      "/proc/self/net/if_inet6"};
  const std::vector<std::string> before = texts_of(settings);
  const std::string outside = network_namespace();

  EXPECT_EQ(in_lab([&outside, &settings, &before](const Lab& lab) {
              if (lab.kind != LabKind::private_namespace) return "kind";
              if (network_namespace() == outside) return "still in the host's namespace";
              if (file_text(settings[0]) == before[0]) return "the port range is the host's";
              return "";
            }),
            "");

  EXPECT_EQ(network_namespace(), outside);
  EXPECT_EQ(texts_of(settings), before);
}

TEST_F(LabTest, StartsWithNoConnectionEverMade) {
  EXPECT_EQ(in_lab([](const Lab&) {
              const std::string sockets = file_text("/proc/self/net/sockstat");
              return sockets.find("TCP: inuse 0 ") == std::string::npos ||
                             sockets.find(" tw 0 ") == std::string::npos
                         ? sockets
                         : "";
            }),
            "");
}

TEST_F(LabTest, HasLoopbackUpAndNoOtherInterface) {
  EXPECT_EQ(in_lab([](const Lab&) -> std::string {
              struct if_nameindex* all = if_nameindex();
              if (all[0].if_index == 0 || all[1].if_index != 0) return "not one interface";
              ifreq request{};
              std::strcpy(request.ifr_name, "lo");
              const int fd = socket(AF_INET, SOCK_DGRAM, 0);
              if (ioctl(fd, SIOCGIFFLAGS, &request) != 0) return "SIOCGIFFLAGS";
              return (request.ifr_flags & IFF_UP) != 0 ? "" : "lo is down";
            }),
            "");
}

TEST_F(LabTest, ReportsTheSettingsInForce) {
  EXPECT_EQ(in_lab([](const Lab& lab) {
              std::string wrong;
              const std::string range = file_text("/proc/sys/net/ipv4/ip_local_port_range");
              if (range != "1024\t65535\n") wrong += "port range " + range;
              if (lab.sysctls.size() != 4) wrong += "not four settings\n";
              for (const LabSysctl& sysctl : lab.sysctls) {
                if (!sysctl.accepted) wrong += sysctl.name + " = " + sysctl.value + "\n";
                if (sysctl.name == "net.ipv4.tcp_max_tw_buckets" && sysctl.value != "16777216") {
                  wrong += "tw buckets " + sysctl.value + "\n";
                }
              }
              return wrong;
            }),
            "");
}

TEST_F(LabTest, ReachesEveryDestination) {
  EXPECT_EQ(in_lab([](const Lab& lab) {
              std::string wrong;
              for (const auto& address : lab.ipv4_destinations) {
                wrong += connect_to(AF_INET, address);
              }
              for (const auto& address : lab.ipv6_destinations) {
                wrong += connect_to(AF_INET6, address);
              }
              const auto distinct = [](const std::vector<std::string>& addresses) {
                return std::set<std::string>(addresses.begin(), addresses.end()).size();
              };
              if (distinct(lab.ipv4_destinations) != 256) wrong += "not 256 of IPv4\n";
              const bool ipv6 = !file_text("/proc/self/net/if_inet6").empty();
              if (distinct(lab.ipv6_destinations) != (ipv6 ? 256 : 0)) wrong += "not 256 of IPv6\n";
              return wrong;
            }),
            "");
}

TEST_F(LabTest, WritesFilesAsTheCaller) {
  char path[] = "/tmp/ringchurn-lab-test-XXXXXX";
  const int fd = mkstemp(path);
  ASSERT_GE(fd, 0);
  close(fd);
  ASSERT_EQ(unlink(path), 0);
  EXPECT_EQ(in_lab([&path](const Lab&) {
              std::ofstream(path) << "from the lab";
              return "";
            }),
            "");
  struct stat status {};
  ASSERT_EQ(stat(path, &status), 0);
  EXPECT_EQ(status.st_uid, geteuid());
  EXPECT_EQ(status.st_gid, getegid());
  unlink(path);
}

TEST_F(LabTest, SaysSoWhenTheLimitOnNamespacesIsZero) {
  const std::string message = in_child([] {
    // A user namespace has limits of its own: the host's stay as they are.
    const std::string user = std::to_string(geteuid());
    const std::string group = std::to_string(getegid());
    if (unshare(CLONE_NEWUSER) != 0) return std::string("no user namespaces here");
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << user + " " + user + " 1";
    std::ofstream("/proc/self/gid_map") << group + " " + group + " 1";
    std::ofstream("/proc/sys/user/max_net_namespaces") << "0";
    return refusal_of_the_lab();
  });
  if (message == "no user namespaces here") GTEST_SKIP() << message;
  EXPECT_THAT(message, HasSubstr("user.max_net_namespaces = 0"));
  EXPECT_THAT(message, HasSubstr("--lab host"));
}

/// Makes unshare(2) fail with EPERM for the rest of this process, as Docker's default filter does.
bool forbid_unshare() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_unshare, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog filter{.len = static_cast<unsigned short>(std::size(program)), .filter = program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

TEST(Lab, NamesTheSeccompFilterOfAContainer) {
  const std::string message =
      in_child([] { return forbid_unshare() ? refusal_of_the_lab() : "no seccomp here"; });
  if (message == "no seccomp here") GTEST_SKIP() << message;
  EXPECT_THAT(message, HasSubstr("unshare: Operation not permitted: a seccomp filter"));
  EXPECT_THAT(message, HasSubstr("--lab host"));
}

TEST(Lab, TakesTheHostAsItIs) {
  EXPECT_EQ(in_child([] {
              const std::string outside = network_namespace();
              const Lab lab = enter_lab(LabKind::host);
              std::string wrong;
              if (network_namespace() != outside) wrong += "left the namespace\n";
              if (lab.kind != LabKind::host || lab.user_namespace) wrong += "says it is a lab\n";
              if (!lab.sysctls.empty()) wrong += "set something\n";
              if (lab.ipv4_destinations.size() != 256) wrong += "not 256 of IPv4\n";
              for (const auto& address : lab.ipv4_destinations) {
                wrong += connect_to(AF_INET, address);
              }
              for (const auto& address : lab.ipv6_destinations) {
                wrong += connect_to(AF_INET6, address);
              }
              return wrong;
            }),
            "");
}

NamespaceRefusal refused(int error, bool root = false) {
  NamespaceRefusal refusal;
  refusal.step = "unshare";
  refusal.error = error;
  refusal.root = root;
  refusal.max_user_namespaces = "96365";
  refusal.max_net_namespaces = "96365";
  return refusal;
}

struct RefusalCase {
  std::string name;
  NamespaceRefusal refusal;
  std::string reason;
  std::string remedy;
};

std::vector<RefusalCase> refusal_cases() {
  std::vector<RefusalCase> cases;
  const auto add = [&cases](std::string name, NamespaceRefusal refusal, std::string reason,
                            std::string remedy) {
    cases.push_back({std::move(name), std::move(refusal), std::move(reason), std::move(remedy)});
  };
  NamespaceRefusal facts = refused(EPERM);
  add("NoReasonInSight", facts, "a security module", "run with sudo");
  facts.apparmor_restrict_unprivileged_userns = "0";
  facts.unprivileged_userns_clone = "1";
  add("SettingsThatPermit", facts, "a security module", "run with sudo");
  facts.apparmor_restrict_unprivileged_userns = "1";
  add("Ubuntu", facts, "kernel.apparmor_restrict_unprivileged_userns = 1", "run with sudo");
  facts.step = "write /proc/self/uid_map";
  add("UbuntuAtTheMap", facts, "kernel.apparmor_restrict_unprivileged_userns = 1", "run with sudo");
  facts.unprivileged_userns_clone = "0";
  add("OldDebian", facts, "kernel.unprivileged_userns_clone = 0", "run with sudo");
  facts.root = true;
  add("RootIsNotUnprivileged", facts, "CAP_SYS_ADMIN", "--privileged");
  facts.seccomp_filter = true;
  add("RootInAContainer", facts, "seccomp", "seccomp=unconfined");
  facts.root = false;
  add("UserInAContainerOnUbuntu", facts, "seccomp", "seccomp=unconfined");
  facts = refused(ENOSPC);
  add("LimitReached", facts, "user.max_user_namespaces = 96365", "sysctl");
  facts.max_user_namespaces = "0";
  add("UserNamespacesOff", facts, "user.max_user_namespaces = 0", "run with sudo");
  facts.max_net_namespaces = "0";
  add("NetNamespacesOff", facts, "user.max_net_namespaces = 0", "sysctl");
  add("OldKernelLimit", refused(EUSERS), "limit", "sysctl");
  add("NotBuiltIn", refused(EINVAL), "CONFIG_USER_NS", "CONFIG_NET_NS");
  add("NoSystemCall", refused(ENOSYS), "CONFIG_USER_NS", "CONFIG_NET_NS");
  add("OutOfMemory", refused(ENOMEM), "Cannot allocate memory", "--lab host");
  return cases;
}

class Refusal : public testing::TestWithParam<RefusalCase> {};

TEST_P(Refusal, IsExplainedInOneLineWithTheWaysOut) {
  const RefusalCase& c = GetParam();
  const std::string line = explain(c.refusal);
  EXPECT_THAT(line, HasSubstr(c.refusal.step + ": " + std::strerror(c.refusal.error)));
  EXPECT_THAT(line, HasSubstr(c.reason));
  EXPECT_THAT(line, HasSubstr(c.remedy));
  EXPECT_THAT(line, HasSubstr("--lab host"));
  EXPECT_THAT(line, Not(HasSubstr("\n")));
  EXPECT_FALSE(c.refusal.root && line.find("sudo") != std::string::npos) << line;
}

INSTANTIATE_TEST_SUITE_P(Lab, Refusal, testing::ValuesIn(refusal_cases()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace ringchurn
