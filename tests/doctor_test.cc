// The doctor: what follows from what a machine shows, on machines that are made up here.
#include "bench/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "bench/report_json.h"
#include "bench/report_text.h"

namespace ringchurn {
namespace {

using testing::HasSubstr;
using testing::Not;

MachineFacts healthy() {
  MachineFacts facts;
  facts.kernel = "Linux 6.12.0 x86_64";
  facts.features = {{"IORING_OP_CONNECT", "5.5", true, true},
                    {"IORING_OP_BIND", "6.11", false, true}};
  facts.settings = {{"kernel.io_uring_disabled", "0"},
                    {"user.max_user_namespaces", "30000"},
                    {"net.ipv4.tcp_congestion_control", "cubic"},
                    {"net.ipv4.tcp_max_tw_buckets", "131072"},
                    {"net.ipv4.ip_local_port_range", "32768 60999"}};
  facts.nofile_soft = 1024;
  facts.nofile_hard = 1048576;
  facts.memlock_bytes = 65536;
  facts.cpus = 4;
  facts.stolen_share = 0.001;
  facts.busy_share = 0.01;
  facts.cpu_pressure_percent = 0.5;
  facts.irq_time_accounting = IrqTimeAccounting::absent;
  facts.time_wait = 12;
  return facts;
}

Verdict find(const std::vector<Verdict>& verdicts, const std::string& name) {
  const auto found = std::find_if(verdicts.begin(), verdicts.end(),
                                  [&](const Verdict& verdict) { return verdict.name == name; });
  if (found != verdicts.end()) return *found;
  ADD_FAILURE() << "no verdict on " << name;
  return {};
}

TEST(Doctor, AHealthyMachineHasNoRemedies) {
  const MachineFacts facts = healthy();
  const std::vector<Verdict> verdicts = diagnose(facts);
  for (const Verdict& verdict : verdicts) {
    EXPECT_TRUE(verdict.ok) << verdict.name << ": " << verdict.evidence;
    EXPECT_NE(verdict.evidence, "") << verdict.name;
    EXPECT_EQ(verdict.remedy, "") << verdict.name;
  }
  EXPECT_EQ(doctor_exit_code(facts, verdicts), kExitGood);
  EXPECT_THAT(doctor_report(facts, verdicts, {}), HasSubstr("\nThis machine can measure.\n"));
}

/// What is wrong, whose verdict says so, whether it only advises, and what it says.
struct Ailment {
  void (*spoil)(MachineFacts&);
  const char* name;
  bool advisory;
  const char* evidence;
  const char* remedy;
};

constexpr Ailment kAilments[] = {
    {[](MachineFacts& f) { f.features[0].available = false; }, "io_uring's operations", false,
     "IORING_OP_CONNECT (Linux 5.5); no load", "later kernel"},
    {[](MachineFacts& f) { f.features[1].available = false; }, "io_uring's operations", true,
     "IORING_OP_BIND (Linux 6.11); scenarios", "later kernel"},
    {[](MachineFacts& f) { f.lab_error = "cannot enter"; }, "private network", false,
     "cannot enter, user.max_user_namespaces = 30000", "--lab host"},
    {[](MachineFacts& f) { f.nofile_hard = 255; }, "open files", false, "does not fit", "ulimit"},
    {[](MachineFacts& f) { f.nofile_hard = 4096; }, "open files", true, "2016 connections",
     "ulimit"},
    {[](MachineFacts& f) { f.cpus = 1; }, "CPUs", true, "1 to run on", "--layout single"},
    {[](MachineFacts& f) { f.stolen_share = 0.02; }, "steal", true, "2.0%", "another machine"},
    {[](MachineFacts& f) { f.busy_share = 0.5; }, "other load", true, "50.0% busy", "top"},
    {[](MachineFacts& f) { f.irq_time_accounting = IrqTimeAccounting::present; }, "softirq time",
     true, "CONFIG_IRQ_TIME_ACCOUNTING", "latency"},
    {[](MachineFacts& f) { f.sees_ksoftirqd = false; }, "ksoftirqd", true, "container", "PID"},
    {[](MachineFacts& f) { f.time_wait = 131072; }, "TIME_WAIT table", true,
     "131,072 of 131,072 places are taken in this network (net.ipv4.tcp_max_tw_buckets); ",
     "private"},
    {[](MachineFacts& f) { f.settings["net.ipv4.ip_local_port_range"] = "40000 40999"; },
     "client ports", true, "40000 to 40999", "1024 65535"},
    {[](MachineFacts& f) { f.settings["net.ipv4.tcp_congestion_control"] = "bbr"; },
     "congestion control", true, "bbr", "cubic"},
};

TEST(Doctor, EachAilmentIsToldWithItsConsequenceAndRemedyAndNoOtherIs) {
  for (const Ailment& ailment : kAilments) {
    MachineFacts facts = healthy();
    ailment.spoil(facts);
    const std::vector<Verdict> verdicts = diagnose(facts);
    for (const Verdict& verdict : verdicts) EXPECT_EQ(verdict.ok, verdict.name != ailment.name);
    const Verdict verdict = find(verdicts, ailment.name);
    EXPECT_EQ(verdict.advisory, ailment.advisory) << ailment.name;
    EXPECT_THAT(verdict.evidence, HasSubstr(ailment.evidence));
    EXPECT_THAT(verdict.remedy, HasSubstr(ailment.remedy));
    EXPECT_EQ(doctor_exit_code(facts, verdicts), ailment.advisory ? kExitGood : kExitVerdictFailed);
    EXPECT_THAT(doctor_report(facts, verdicts, {}),
                HasSubstr(ailment.advisory ? "can measure. Warnings: 1." : "cannot measure"));
  }
}

TEST(Doctor, WithoutARingNothingIsSaidOfItsOperations) {
  MachineFacts facts = healthy();
  facts.ring_error = "io_uring is disabled";
  facts.features.clear();
  const std::vector<Verdict> verdicts = diagnose(facts);
  EXPECT_EQ(doctor_exit_code(facts, verdicts), kExitRingUnavailable);
  EXPECT_THAT(find(verdicts, "io_uring").evidence, HasSubstr("disabled"));
  EXPECT_THAT(doctor_json(facts, verdicts), Not(HasSubstr("operations")));
}

TEST(Doctor, WhatAMachineDoesNotTellIsNoAilment) {
  MachineFacts facts = healthy();
  facts.settings.clear();
  facts.stolen_share = facts.busy_share = facts.cpu_pressure_percent = std::nullopt;
  facts.irq_time_accounting = IrqTimeAccounting::unknown;
  facts.time_wait = std::nullopt;
  for (const Verdict& verdict : diagnose(facts)) EXPECT_TRUE(verdict.ok) << verdict.name;
}

TEST(Doctor, ThisMachineCanBeExamined) {
  const MachineFacts facts = examine_machine();
  EXPECT_THAT(facts.kernel, HasSubstr("Linux "));
  EXPECT_EQ(facts.ring_error.empty(), !facts.features.empty());
  EXPECT_GE(facts.nofile_hard, facts.nofile_soft);
  EXPECT_GE(facts.cpus, 1u);
  if (facts.busy_share) {
    EXPECT_GE(*facts.busy_share, 0);
    EXPECT_LE(*facts.busy_share, 1);
  }
}

}  // namespace
}  // namespace ringchurn
