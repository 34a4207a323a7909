// The counters are read as the kernel writes them, by its names, and what a kernel does not count
// is absent rather than zero.
#include "bench/kernel_counters.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringchurn {
namespace {

// Recorded on Linux 6.18, /proc/net/snmp and, shortened, /proc/net/netstat.
constexpr std::string_view kSnmp =
    "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos "
    "InDiscards InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs "
    "ReasmFails FragOKs FragFails FragCreates OutTransmits\n"
    "Ip: 2 64 535 0 0 0 0 0 535 338 0 0 0 0 0 0 0 0 0 338\n"
    "IcmpMsg: InType3\n"
    "IcmpMsg: 1\n"
    "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets "
    "CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n"
    "Tcp: 1 200 120000 -1 13 2 0 0 7 508 312 0 0 2 0\n"
    "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors\n"
    "Udp: 26 0 0 27 0 0 5\n";
constexpr std::string_view kNetstat =
    "TcpExt: SyncookiesSent TW TWRecycled TWKilled DelayedACKs ListenOverflows ListenDrops "
    "TCPAbortOnData TCPAbortOnClose TCPTimeWaitOverflow TCPReqQFullDrop\n"
    "TcpExt: 0 11 0 0 3 0 0 18446744073709551615 1 677872 0\n"
    "IpExt: InNoRoutes InOctets OutOctets\n"
    "IpExt: 0 19299622 25671\n";

// The same from Linux 2.6.32, which knew nothing of a full TIME_WAIT table.
constexpr std::string_view kOldNetstat =
    "TcpExt: SyncookiesSent TW TWRecycled TWKilled DelayedACKs ListenOverflows ListenDrops "
    "TCPAbortOnSyn TCPAbortOnData TCPAbortOnClose\n"
    "TcpExt: 0 4 0 0 3 0 0 0 0 1\n";

KernelCounters recorded() {
  KernelCounters counters;
  counters.parse(kSnmp);
  counters.parse(kNetstat);
  return counters;
}

TEST(KernelCounters, HaveTheirKernelNames) {
  const KernelCounters counters = recorded();
  EXPECT_EQ(counters["ActiveOpens"], 13U);
  EXPECT_EQ(counters["OutRsts"], 2U);
  EXPECT_EQ(counters["TW"], 11U);
  EXPECT_EQ(counters["TCPTimeWaitOverflow"], 677'872U);
  EXPECT_EQ(counters["TCPReqQFullDrop"], 0U);
  EXPECT_EQ(counters["TCPAbortOnData"], UINT64_MAX) << "counters are 64 bits wide";
}

TEST(KernelCounters, OutsideTcpCarryTheirGroup) {
  const KernelCounters counters = recorded();
  EXPECT_EQ(counters["IpInReceives"], 535U);
  EXPECT_EQ(counters["IpOutTransmits"], 338U);
  EXPECT_EQ(counters["IpExtInOctets"], 19'299'622U);
  EXPECT_EQ(counters["IcmpMsgInType3"], 1U);
  EXPECT_EQ(counters["UdpInCsumErrors"], 5U);
  EXPECT_EQ(counters["InCsumErrors"], 0U) << "TCP's own";
  EXPECT_EQ(counters["InOctets"], std::nullopt);
}

TEST(KernelCounters, LeaveOutWhatDoesNotCountUpwards) {
  const KernelCounters counters = recorded();
  for (const char* name : {"RtoAlgorithm", "RtoMin", "RtoMax", "MaxConn", "CurrEstab",
                           "IpForwarding", "IpDefaultTTL"}) {
    EXPECT_EQ(counters[name], std::nullopt) << name;
  }
}

TEST(KernelCounters, AreAbsentWhereTheKernelDoesNotKnowThem) {
  KernelCounters old;
  old.parse(kOldNetstat);
  EXPECT_EQ(old["TW"], 4U);
  EXPECT_EQ(old["TCPTimeWaitOverflow"], std::nullopt);
  EXPECT_EQ(old["OutRsts"], std::nullopt) << "this file was not read";
  EXPECT_EQ(old["Tw"], std::nullopt);
  EXPECT_EQ(old[""], std::nullopt);
}

TEST(KernelCounters, GrowByName) {
  KernelCounters before = recorded();
  KernelCounters after;
  after.parse("Tcp: OutRsts ActiveOpens NewerThanBefore\nTcp: 5 13 9\n");
  const KernelCounters grown = after.since(before);
  EXPECT_EQ(grown["OutRsts"], 3U);
  EXPECT_EQ(grown["ActiveOpens"], 0U);
  EXPECT_EQ(grown["NewerThanBefore"], std::nullopt);
  EXPECT_EQ(grown["TW"], std::nullopt) << "not read the second time";
  EXPECT_EQ(grown.all().size(), 2U);
}

TEST(KernelCounters, DoNotGrowBackwards) {
  KernelCounters before;
  before.parse("Tcp: OutRsts\nTcp: 7\n");
  KernelCounters other_namespace;
  other_namespace.parse("Tcp: OutRsts\nTcp: 5\n");
  EXPECT_EQ(other_namespace.since(before)["OutRsts"], std::nullopt);
}

TEST(KernelCounters, SurviveTextThatNoKernelWrites) {
  for (const std::string_view text :
       {"", "\n", "\n\n\n", "Tcp:", "Tcp:\nTcp:", "Tcp: OutRsts\n", "Tcp: OutRsts\nTcp:\n",
        "Tcp: OutRsts\nTcp: x\n", "Tcp: OutRsts\nTcp: 1x\n", "Tcp:\nTcp: 1 2 3\n", "   \n   \n",
        "Tcp: OutRsts\nUdp: 1\n"}) {
    KernelCounters counters;
    counters.parse(text);
    EXPECT_TRUE(counters.all().empty()) << text;
  }
}

TEST(KernelCounters, SeeARefusedConnection) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(1);  // no ephemeral port, and nobody's service
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const KernelCounters before = KernelCounters::read();
  const int result = connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  close(client);
  if (result == 0 || error != ECONNREFUSED) GTEST_SKIP() << "port 1 does not refuse here";

  const KernelCounters grown = KernelCounters::read().since(before);
  EXPECT_GE(grown["ActiveOpens"].value(), 1U);
  EXPECT_GE(grown["AttemptFails"].value(), 1U);
  EXPECT_GE(grown["OutRsts"].value(), 1U);
  EXPECT_TRUE(grown["TW"].has_value());
}

TEST(PureAcks, AreTheSegmentsThatAreNothingElse) {
  // One connection that is closed with FIN: SYN, SYN-ACK, 2 FINs, and the ACKs of all but one.
  KernelCounters::Map counters = {{"OutSegs", 6},
                                  {"ActiveOpens", 1},
                                  {"PassiveOpens", 1},
                                  {"TCPOrigDataSent", 2},
                                  {"OutRsts", 0}};
  EXPECT_EQ(pure_acks(KernelCounters(counters)), 2U);
  counters["OutRsts"] = 3;
  EXPECT_EQ(pure_acks(KernelCounters(counters)), std::nullopt) << "they contradict each other";
  counters.erase("OutRsts");
  EXPECT_EQ(pure_acks(KernelCounters(counters)), std::nullopt);
}

TEST(TcpSockets, AreReadByName) {
  const TcpSockets sockets = TcpSockets::parse(
      "sockets: used 11\nTCP: inuse 1 orphan 2 tw 131072 alloc 4 mem 83\nUDP: inuse 9 mem 0\n",
      " \nTCP6: inuse 5\nUDP6: inuse 8\n");
  EXPECT_EQ(sockets.in_use, 1U);
  EXPECT_EQ(sockets.in_use6, 5U);
  EXPECT_EQ(sockets.time_wait, 131'072U);
  EXPECT_EQ(sockets.orphan, 2U);
  EXPECT_EQ(sockets.allocated, 4U);
}

TEST(TcpSockets, AreUnknownWhereTheFileDoesNotSay) {
  const TcpSockets sockets = TcpSockets::parse("TCP: inuse 1 orphan\n", "");
  EXPECT_EQ(sockets.in_use, 1U);
  EXPECT_EQ(sockets.in_use6, std::nullopt);
  EXPECT_EQ(sockets.orphan, std::nullopt);
  EXPECT_EQ(sockets.time_wait, std::nullopt);
}

TEST(TcpSockets, CountAnOpenSocket) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(listen(listener, 1), 0);
  EXPECT_GE(TcpSockets::read().in_use.value(), 1U);
  EXPECT_GE(TcpSockets::read().allocated.value(), 1U);
  EXPECT_TRUE(TcpSockets::read().time_wait.has_value());
  close(listener);
}

}  // namespace
}  // namespace ringchurn
