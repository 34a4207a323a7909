// How long the client's ports last: counted, told in advance, and tried against the kernel.
#include "bench/port_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <stdlib.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "bench/lab.h"
#include "ring/error.h"
#include "tests/in_child.h"
#include "workloads/descriptor.h"

namespace ringchurn {
namespace {

using testing::HasSubstr;
using testing::Not;

Target loopback() { return find_target("127.0.0.1:8080", ""); }
Target another_host() { return find_target("192.0.2.1:80", "192.0.2.1"); }

/// The kernel's defaults towards another host: nothing is taken from TIME_WAIT.
PortFacts held_for_a_minute() { return {}; }

/// The kernel's defaults on loopback.
PortFacts reused_after_a_second() {
  PortFacts facts;
  facts.is_loopback = true;
  return facts;
}

TEST(PortBudget, IsPortsTimesAddressesOverTheTimeThatEachIsHeld) {
  const PortBudget one = budget(held_for_a_minute());
  EXPECT_EQ(one.ports, 28'232u);
  EXPECT_EQ(one.quick_ports, 14'116u);
  EXPECT_EQ(one.hold_s, 60);
  EXPECT_NEAR(one.sustainable_per_s, 470.5, 0.1);

  PortFacts facts = held_for_a_minute();
  facts.sources = 256;
  facts.destinations = 2;
  facts.reserved = 232;
  EXPECT_EQ(budget(facts).ports, 28'000u * 512);

  facts.reserved = 30'000;
  EXPECT_EQ(budget(facts).ports, 0u);
}

TEST(PortBudget, TimeWaitIsCutShortWhereTcpTwReuseApplies) {
  struct Case {
    int tw_reuse;
    bool is_loopback, has_timestamps;
    double hold_s;
  };
  for (const Case& expected :
       {Case{0, true, true, 60}, Case{0, false, true, 60}, Case{1, true, true, 1},
        Case{1, false, true, 1}, Case{2, true, true, 1}, Case{2, false, true, 60},
        Case{1, false, false, 60}, Case{2, true, false, 60}}) {
    PortFacts facts;
    facts.tw_reuse = expected.tw_reuse;
    facts.is_loopback = expected.is_loopback;
    facts.has_timestamps = expected.has_timestamps;
    EXPECT_EQ(budget(facts).hold_s, expected.hold_s)
        << expected.tw_reuse << expected.is_loopback << expected.has_timestamps;
  }
  PortFacts facts = reused_after_a_second();
  facts.tw_reuse_delay_ms = 20;
  EXPECT_EQ(budget(facts).hold_s, 0.02);
}

/// A folder with the settings of /proc/sys/net/ipv4, as the kernel writes them.
class Settings {
 public:
  Settings() {
    char path[] = "/tmp/ringchurn-settings-XXXXXX";
    directory_ = mkdtemp(path);
    set("ip_local_port_range", "32768\t60999");
    set("ip_local_reserved_ports", "");
    set("tcp_tw_reuse", "2");
    set("tcp_timestamps", "1");
  }
  ~Settings() { std::filesystem::remove_all(directory_); }
  Settings(const Settings&) = delete;
  Settings& operator=(const Settings&) = delete;

  void set(const std::string& name, const std::string& value) {
    std::ofstream(directory_ + "/" + name) << value << '\n';
  }
  void remove(const std::string& name) { std::filesystem::remove(directory_ + "/" + name); }
  PortFacts read(const Target& target, const std::vector<sockaddr_storage>& sources = {}) const {
    return read_port_facts(target, sources, directory_);
  }

 private:
  std::string directory_;
};

TEST(PortFacts, AreReadFromTheSettings) {
  Settings settings;
  const PortFacts before_6_14 = settings.read(loopback());
  EXPECT_EQ(before_6_14.tw_reuse_delay_ms, 1000u);
  EXPECT_EQ(before_6_14.reserved, 0u);
  EXPECT_EQ(before_6_14.sources, 1u);
  EXPECT_TRUE(before_6_14.is_loopback);

  settings.set("ip_local_port_range", "1024\t65535");
  settings.set("tcp_tw_reuse", "1");
  settings.set("tcp_tw_reuse_delay", "250");
  settings.set("tcp_timestamps", "0");
  const PortFacts facts = settings.read(another_host());
  EXPECT_EQ(facts.low, 1024u);
  EXPECT_EQ(facts.high, 65535u);
  EXPECT_EQ(facts.tw_reuse, 1);
  EXPECT_EQ(facts.tw_reuse_delay_ms, 250u);
  EXPECT_FALSE(facts.has_timestamps);
  EXPECT_FALSE(facts.is_loopback);

  const auto sources = source_addresses("127.0.0.4/30", loopback());
  EXPECT_EQ(settings.read(loopback(), sources).sources, 4u);
  EXPECT_TRUE(settings.read(another_host(), sources).is_loopback)
      << "either end's address makes it loopback for tcp_tw_reuse";
}

TEST(PortFacts, ReservedPortsCountInsideTheRangeOnly) {
  Settings settings;
  settings.set("ip_local_reserved_ports", "80,8080,32768,40000-40099,60999-61010,62000-63000");
  EXPECT_EQ(settings.read(loopback()).reserved, 1u + 100 + 1);
  settings.set("ip_local_reserved_ports", "1-65535");
  EXPECT_EQ(settings.read(loopback()).reserved, 28'232u);
}

TEST(PortFacts, AMissingSettingIsAnError) {
  Settings settings;
  settings.remove("tcp_tw_reuse");
  try {
    settings.read(loopback());
    FAIL() << "read";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code, kExitCannotRun);
    EXPECT_THAT(error.what(), HasSubstr("tcp_tw_reuse"));
  }
}

TEST(PortForecast, AServerThatClosesFirstTakesNoClientPort) {
  PortDemand demand;
  demand.client_closes_first = 0;
  demand.in_flight = 64;
  EXPECT_EQ(forecast(budget(held_for_a_minute()), demand).outlook, PortOutlook::holds);
  EXPECT_EQ(port_warning(another_host(), held_for_a_minute(), demand), "");
}

TEST(PortForecast, FewConnectionsHoldHoweverFast) {
  PortDemand demand;
  demand.in_flight = 64;
  demand.connections = 14'116;
  EXPECT_EQ(forecast(budget(held_for_a_minute()), demand).outlook, PortOutlook::holds);
  demand.connections = 14'117;
  EXPECT_EQ(forecast(budget(held_for_a_minute()), demand).outlook, PortOutlook::slows_down);
  demand.connections = 28'232;
  EXPECT_EQ(forecast(budget(held_for_a_minute()), demand).outlook, PortOutlook::slows_down);
  demand.connections = 28'233;
  EXPECT_EQ(forecast(budget(held_for_a_minute()), demand).outlook, PortOutlook::depends_on_speed);
  demand.rate_per_s = 10'000;
  EXPECT_EQ(forecast(budget(held_for_a_minute()), demand).outlook, PortOutlook::runs_out);
}

TEST(PortForecast, ARateHoldsForEverOrRunsOut) {
  const PortBudget ports = budget(held_for_a_minute());
  PortDemand demand;
  demand.rate_per_s = 235;
  EXPECT_EQ(forecast(ports, demand).outlook, PortOutlook::holds);
  demand.rate_per_s = 470;
  EXPECT_EQ(forecast(ports, demand).outlook, PortOutlook::slows_down);
  demand.rate_per_s = 30'000;
  const PortForecast fast = forecast(ports, demand);
  EXPECT_EQ(fast.outlook, PortOutlook::runs_out);
  EXPECT_EQ(fast.connections_until_empty, 28'232u);
  EXPECT_EQ(fast.connections_until_slow, 14'116u);
  EXPECT_NEAR(fast.slow_after_s.value(), 0.47, 0.01);

  demand.duration_s = 0.4;
  EXPECT_EQ(forecast(ports, demand).outlook, PortOutlook::holds) << "12,000 connections";
  demand.duration_s.reset();
  demand.client_closes_first = 0.01;
  EXPECT_EQ(forecast(ports, demand).outlook, PortOutlook::slows_down) << "18,000 in TIME_WAIT";
  demand.client_closes_first = 0.5;
  EXPECT_EQ(forecast(ports, demand).connections_until_empty, 2 * 28'232u);
}

TEST(PortForecast, OpenConnectionsHoldPortsToo) {
  const PortBudget ports = budget(held_for_a_minute());
  PortDemand demand;
  demand.client_closes_first = 0;
  demand.in_flight = 28'233;
  EXPECT_EQ(forecast(ports, demand).outlook, PortOutlook::runs_out);
  demand.connections = 100;
  EXPECT_EQ(forecast(ports, demand).outlook, PortOutlook::holds);
  demand = {1, {}, {}, {}, 28'000};
  EXPECT_EQ(forecast(ports, demand).connections_until_empty, 28'232u);
}

TEST(PortWarning, TellsWhenAndWhatHelpsOnLoopback) {
  PortFacts facts = reused_after_a_second();
  facts.tw_reuse = 0;
  PortDemand demand;
  demand.rate_per_s = 30'000;
  EXPECT_EQ(port_warning(loopback(), facts, demand),
            "28,232 client ports lead to 127.0.0.1:8080, and TIME_WAIT holds each for 60 s: at "
            "30,000/s connect(2) slows down after 14,116 connections (0.5 s) and fails with "
            "EADDRNOTAVAIL after 28,232; 470/s can be sustained.\n"
            "Remedy: --source 127.0.1.0/24 (256 times the ports), or net.ipv4.tcp_tw_reuse=2, or "
            "net.ipv4.ip_local_port_range=\"1024 65535\" (2.3 times), or --rate 235.\n");
  EXPECT_THAT(
      port_warning(loopback(), reused_after_a_second(), demand),
      testing::AllOf(HasSubstr("holds each for 1 s: "), HasSubstr("28,232/s can be sustained"),
                     Not(HasSubstr("tcp_tw_reuse"))));
}

TEST(PortWarning, DoesNotAdviseLoopbackToAnotherHost) {
  PortDemand demand;
  const std::string text = port_warning(another_host(), held_for_a_minute(), demand);
  EXPECT_THAT(
      text, HasSubstr("60 s: faster than 470/s, connect(2) slows down after 14,116 connections and "
                      "fails with EADDRNOTAVAIL after 28,232.\n"));
  EXPECT_THAT(text, Not(HasSubstr("127.0")));
  EXPECT_THAT(text, HasSubstr("--source with more addresses of this machine"));
  EXPECT_THAT(text, HasSubstr("net.ipv4.tcp_tw_reuse=1"));

  PortFacts facts = held_for_a_minute();
  facts.tw_reuse = 1;
  facts.has_timestamps = false;
  EXPECT_THAT(port_warning(another_host(), facts, demand),
              HasSubstr("or net.ipv4.tcp_timestamps=1"));
}

TEST(PortWarning, AdvisesOnlyWhatIsLeftToDo) {
  PortFacts facts = reused_after_a_second();
  facts.low = 1024;
  facts.high = 65535;
  facts.sources = 4096;
  PortDemand demand;
  demand.rate_per_s = 1e9;
  EXPECT_THAT(port_warning(loopback(), facts, demand), HasSubstr("\nRemedy: --rate 132120576.\n"));
}

TEST(PortWarning, SlowSearchAndOpenConnections) {
  PortDemand demand;
  demand.connections = 20'000;
  EXPECT_THAT(port_warning(another_host(), held_for_a_minute(), demand),
              HasSubstr("60 s: connect(2) slows down after 14,116 connections, if they take less "
                        "than that.\n"));
  demand.rate_per_s = 400;
  EXPECT_THAT(port_warning(another_host(), held_for_a_minute(), demand),
              HasSubstr("at 400/s connect(2) slows down after 14,116 connections (35.3 s).\n"));
  demand = {0, {}, {}, {}, 20'000};
  EXPECT_THAT(port_warning(another_host(), held_for_a_minute(), demand),
              HasSubstr("slows down with more than 14,116 connections open.\n"));
  demand.in_flight = 30'000;
  const std::string open = port_warning(another_host(), held_for_a_minute(), demand);
  EXPECT_THAT(open,
              HasSubstr("Only 28,232 client ports lead to 192.0.2.1:80: with 30,000 connections"));
  EXPECT_THAT(open, HasSubstr("--concurrency 14116"));
  EXPECT_THAT(open, Not(HasSubstr("tcp_tw_reuse")));
}

/// Connects to `server` and closes first, until connect(2) fails or `limit` is reached. Returns how
/// many there were, or -1 if something else went wrong.
int count_connects(const Target& server, int limit) {
  const Descriptor listener(socket(server.domain, SOCK_STREAM, 0));
  const auto* address = reinterpret_cast<const sockaddr*>(&server.address);
  if (bind(listener.get(), address, server.length) != 0 || listen(listener.get(), 16) != 0) {
    return -1;
  }
  for (int made = 0; made < limit; ++made) {
    Descriptor client(socket(server.domain, SOCK_STREAM, 0));
    if (connect(client.get(), address, server.length) != 0) {
      return errno == EADDRNOTAVAIL ? made : -1;
    }
    const Descriptor accepted(accept(listener.get(), nullptr, nullptr));
    client.reset();
    char byte;
    if (read(accepted.get(), &byte, 1) != 0) return -1;
  }
  return limit;
}

TEST(PortBudget, IsWhatTheKernelHas) {
  const std::string answer = in_child([]() -> std::string {
    try {
      enter_lab(LabKind::private_namespace);
    } catch (const Error&) {
      return "no namespace";
    }
    const std::string settings = "/proc/sys/net/ipv4/";
    std::ofstream(settings + "ip_local_port_range") << "40000 40299";
    std::ofstream(settings + "ip_local_reserved_ports") << "40100-40149";
    std::ofstream(settings + "tcp_tw_reuse") << "0";
    const PortFacts facts = read_port_facts(loopback(), {});
    if (facts.high != 40299 || facts.tw_reuse != 0) return "no namespace";  // /proc is read-only
    const auto ports = static_cast<int>(budget(facts).ports);
    const int made = count_connects(loopback(), 2 * ports);
    return made == ports
               ? ""
               : std::to_string(made) + " connections, " + std::to_string(ports) + " ports";
  });
  if (answer == "no namespace") GTEST_SKIP() << "namespaces are not allowed here";
  EXPECT_EQ(answer, "");
}

}  // namespace
}  // namespace ringchurn
