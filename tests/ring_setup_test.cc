// Why a ring could not be made: every errno and every fact about the machine gets the exit code
// that scripts decide on and one line that names the cause and its own remedy, not another one's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "ring/ring.h"
#include "ring/setup.h"
#include "tests/in_child.h"

namespace ringchurn {
namespace {

using testing::HasSubstr;
using testing::Not;

// The word by which each cause is told from the others.
constexpr const char* kNoIoUring = "no io_uring (ENOSYS";
constexpr const char* kTooOld = "too old (EINVAL";
constexpr const char* kSysctl = "kernel.io_uring_disabled = ";
constexpr const char* kSeccomp = "seccomp filter";
constexpr const char* kSecurityModule = "security module";
constexpr const char* kNoFile = "RLIMIT_NOFILE = 1024";
constexpr const char* kMemory = "ENOMEM";
constexpr const char* kCauses[] = {kNoIoUring,      kTooOld, kSysctl, kSeccomp,
                                   kSecurityModule, kNoFile, kMemory};

struct SetupCase {
  const char* name;
  int error;
  SetupFacts facts;
  ExitCode exit_code;
  const char* cause;
  const char* remedy;
};

/// An ordinary machine of today, an ordinary user.
SetupFacts usual() {
  SetupFacts facts;
  facts.io_uring_disabled = 0;
  facts.nofile_soft = 1024;
  facts.slots = 20'000;
  return facts;
}

SetupFacts with_sysctl(int value, bool privileged, bool seccomp = false) {
  SetupFacts facts = usual();
  facts.io_uring_disabled = value;
  facts.privileged = privileged;
  facts.seccomp_filter = seccomp;
  return facts;
}

SetupFacts before_linux_6_6() {
  SetupFacts facts = usual();
  facts.io_uring_disabled.reset();
  return facts;
}

constexpr const char* kSysctlOff = "'sysctl kernel.io_uring_disabled=0' as root";
constexpr const char* kOrAsRoot = ", or run ringchurn as root";
constexpr const char* kUnconfined = "--security-opt seccomp=unconfined";

std::vector<SetupCase> setup_cases() {
  const SetupFacts filtered = with_sysctl(0, false, true);
  const ExitCode no_ring = kExitRingUnavailable;
  return std::vector<SetupCase>{
      {"NotBuiltIn", ENOSYS, before_linux_6_6(), no_ring, kNoIoUring, "CONFIG_IO_URING"},
      {"TooOld", EINVAL, before_linux_6_6(), no_ring, kTooOld, "Linux 6.1"},
      {"DisabledForAll", EPERM, with_sysctl(2, false), no_ring, kSysctl, kSysctlOff},
      {"DisabledForRootToo", EPERM, with_sysctl(2, true), no_ring, kSysctl, kSysctlOff},
      {"DisabledForUsers", EPERM, with_sysctl(1, false), no_ring, kSysctl, kOrAsRoot},
      {"DisabledAndFiltered", EPERM, with_sysctl(2, false, true), no_ring, kSysctl, kSysctlOff},
      {"RootIsFilteredOnly", EPERM, with_sysctl(1, true, true), no_ring, kSeccomp, kUnconfined},
      {"Filtered", EPERM, filtered, no_ring, kSeccomp, kUnconfined},
      {"FilteredWithEacces", EACCES, filtered, no_ring, kSeccomp, kUnconfined},
      {"FilteredWithEnosys", ENOSYS, filtered, no_ring, kSeccomp, kUnconfined},
      {"DeniedForNoKnownReason", EPERM, usual(), no_ring, kSecurityModule, "dmesg"},
      {"DeniedBeforeTheSysctl", EPERM, before_linux_6_6(), no_ring, kSecurityModule, "dmesg"},
      {"NoDescriptorLeft", EMFILE, usual(), kExitCannotRun, kNoFile, "'ulimit -n'"},
      {"NoMemory", ENOMEM, usual(), kExitCannotRun, kMemory, "free memory"},
  };
}

std::vector<SetupCase> table_cases() {
  return std::vector<SetupCase>{
      {"TooManySockets", EMFILE, usual(), kExitCannotRun, kNoFile, "'ulimit -n 20000'"},
      {"TooOldForTables", EINVAL, usual(), kExitRingUnavailable, kTooOld, "Linux 6.1"},
      {"NoMemoryForTheTable", ENOMEM, usual(), kExitCannotRun, kMemory, "free memory"},
  };
}

void check(const SetupCase& c, const Error& error) {
  EXPECT_EQ(error.exit_code, c.exit_code);
  EXPECT_THAT(error.what(), HasSubstr(c.cause));
  EXPECT_THAT(error.what(), HasSubstr(c.remedy));
  EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
  for (const char* other : kCauses) {
    if (std::string_view(c.cause) == other) continue;
    EXPECT_THAT(error.what(), Not(HasSubstr(other)));
  }
}

class SetupFailure : public testing::TestWithParam<SetupCase> {};
TEST_P(SetupFailure, NamesItsCauseAndRemedyAndNoOther) {
  check(GetParam(), explain_setup_failure(GetParam().error, GetParam().facts));
}
INSTANTIATE_TEST_SUITE_P(RingSetup, SetupFailure, testing::ValuesIn(setup_cases()),
                         [](const auto& test) { return test.param.name; });

class TableFailure : public testing::TestWithParam<SetupCase> {};
TEST_P(TableFailure, NamesItsCauseAndRemedyAndNoOther) {
  check(GetParam(), explain_table_failure(GetParam().error, GetParam().facts));
}
INSTANTIATE_TEST_SUITE_P(RingSetup, TableFailure, testing::ValuesIn(table_cases()),
                         [](const auto& test) { return test.param.name; });

TEST(RingSetup, TheSysctlsValueIsNamed) {
  EXPECT_THAT(explain_setup_failure(EPERM, with_sysctl(1, false)).what(),
              HasSubstr("kernel.io_uring_disabled = 1"));
  EXPECT_THAT(explain_setup_failure(EPERM, with_sysctl(2, false)).what(),
              HasSubstr("kernel.io_uring_disabled = 2"));
}

TEST(RingSetup, ATooSmallLimitNamesWhatWasAskedForAndTheWaysOut) {
  const std::string line = explain_table_failure(EMFILE, usual()).what();
  EXPECT_THAT(line, HasSubstr("20000 sockets"));
  EXPECT_THAT(line, HasSubstr("--concurrency"));
  EXPECT_THAT(line, HasSubstr("--threads"));
}

TEST(RingSetup, ATableThatNoLimitWouldAllowDoesNotBlameTheLimit) {
  SetupFacts facts = usual();
  facts.slots = (1U << 20) + 1;
  const Error error = explain_table_failure(EMFILE, facts);
  EXPECT_EQ(error.exit_code, kExitCannotRun);
  EXPECT_THAT(error.what(), HasSubstr("at most 1048576 sockets, not 1048577"));
  EXPECT_THAT(error.what(), HasSubstr("--threads"));
  EXPECT_THAT(error.what(), Not(HasSubstr("ulimit")));
  facts.slots = 1U << 20;
  EXPECT_THAT(explain_table_failure(EMFILE, facts).what(), HasSubstr("'ulimit -n 1048576'"));
}

// -- the facts of this process -------------------------------------------------------------------

TEST(RingSetup, FactsAreThoseOfThisProcess) {
  const SetupFacts facts = setup_facts(123);
  EXPECT_EQ(facts.slots, 123U);
  EXPECT_EQ(facts.privileged, geteuid() == 0);
  EXPECT_EQ(facts.seccomp_filter, prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER);
  std::ifstream sysctl("/proc/sys/kernel/io_uring_disabled");
  EXPECT_EQ(facts.io_uring_disabled.has_value(), sysctl.is_open());
  if (facts.io_uring_disabled) {
    EXPECT_EQ(*facts.io_uring_disabled, sysctl.get() - '0');
  }
}

TEST(RingSetup, FactsFollowTheLimitAndTheUser) {
  EXPECT_EQ(in_child([]() -> std::string {
              const rlimit limit{100, 200};
              if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return "setrlimit";
              if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) return "setresuid";
              const SetupFacts facts = setup_facts(1);
              if (facts.nofile_soft != 100) return std::to_string(facts.nofile_soft);
              return facts.privileged ? "still privileged" : "";
            }),
            "");
}

/// Makes io_uring_setup(2) fail with `error` for the rest of this process, as containers' filters
/// do.
bool forbid_io_uring(int error) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog filter{.len = static_cast<unsigned short>(std::size(program)), .filter = program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

std::string failure_of_a_ring() {
  try {
    const Ring ring(RingSettings{.submissions = 8, .completions = 16});
    return "made";
  } catch (const Error& error) {
    return std::to_string(error.exit_code) + " " + error.what();
  }
}

TEST(RingSetup, ARingBehindARealFilterNamesSeccomp) {
  if (setup_facts(0).io_uring_disabled.value_or(0) != 0) {
    GTEST_SKIP() << "the sysctl kernel.io_uring_disabled comes before any filter";
  }
  for (const int error : {EPERM, ENOSYS}) {
    const std::string answer = in_child(
        [error] { return forbid_io_uring(error) ? failure_of_a_ring() : "no seccomp here"; });
    if (answer == "no seccomp here") GTEST_SKIP() << answer;
    EXPECT_THAT(answer, testing::StartsWith("77 io_uring is blocked by a seccomp filter"));
  }
}

TEST(RingSetup, AFilterIsNoticed) {
  const std::string answer = in_child([]() -> std::string {
    if (!forbid_io_uring(EPERM)) return "no seccomp here";
    return setup_facts(0).seccomp_filter ? "noticed" : "overlooked";
  });
  if (answer == "no seccomp here") GTEST_SKIP() << answer;
  EXPECT_EQ(answer, "noticed");
}

}  // namespace
}  // namespace ringchurn
