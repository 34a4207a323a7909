// Where connections may go: what is understood, what needs an authorization, what is refused
// always.
#include "bench/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <functional>

#include "ring/error.h"
#include "tests/in_child.h"
#include "workloads/four_tuple.h"

namespace ringchurn {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// The message of the Error that `call` throws, which must be one line for exit code 2.
std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code, kExitUsage) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return "nothing was refused";
}

std::string target_refusal(const std::string& text, const std::string& authorized = "") {
  return refusal([&] { find_target(text, authorized); });
}

std::string source_refusal(const std::string& cidr, const std::string& target) {
  return refusal([&] { source_addresses(cidr, find_target(target, "")); });
}

TEST(Target, LoopbackIsFree) {
  struct Case {
    const char *text, *numeric;
    int domain;
  };
  const Case cases[] = {
      {"127.0.0.1:80", "127.0.0.1:80", AF_INET},
      {"127.9.8.7:65535", "127.9.8.7:65535", AF_INET},
      {"localhost:8080", "127.0.0.1:8080", AF_INET},
      {"LocalHost.:8080", "127.0.0.1:8080", AF_INET},
      {"[::1]:80", "[::1]:80", AF_INET6},
      {"[0:0::0:1]:80", "[::1]:80", AF_INET6},
      {"[::ffff:127.0.0.3]:80", "127.0.0.3:80", AF_INET},
      {"[::ffff:7f00:1]:80", "127.0.0.1:80", AF_INET},
  };
  for (const Case& expected : cases) {
    SCOPED_TRACE(expected.text);
    const Target target = find_target(expected.text, "");
    EXPECT_EQ(target.text, expected.text);
    EXPECT_EQ(numeric(target), expected.numeric);
    EXPECT_EQ(target.domain, expected.domain);
    EXPECT_EQ(target.address.ss_family, expected.domain);
    EXPECT_EQ(target.length, length_of(target.address));
    EXPECT_TRUE(target.is_local_scope);
  }
}

TEST(Target, UnixSocketsAreFree) {
  const Target path = find_target("unix:/run/x.sock", "");
  const auto& address = reinterpret_cast<const sockaddr_un&>(path.address);
  EXPECT_EQ(path.domain, AF_UNIX);
  EXPECT_STREQ(address.sun_path, "/run/x.sock");
  EXPECT_EQ(path.length, offsetof(sockaddr_un, sun_path) + sizeof "/run/x.sock");
  EXPECT_EQ(numeric(path), "unix:/run/x.sock");
  EXPECT_TRUE(path.is_local_scope);

  const Target name = find_target("unix:@churn", "");
  const auto& abstract = reinterpret_cast<const sockaddr_un&>(name.address);
  EXPECT_EQ(std::memcmp(abstract.sun_path, "\0churn", 6), 0);
  EXPECT_EQ(name.length, offsetof(sockaddr_un, sun_path) + 6);
  EXPECT_EQ(numeric(name), "unix:@churn");

  EXPECT_EQ(numeric(find_target("unix:" + std::string(107, 'p'), "")).size(), 5 + 107u);
  EXPECT_THAT(target_refusal("unix:" + std::string(108, 'p')), HasSubstr("at most 107"));
  EXPECT_THAT(target_refusal("unix:"), HasSubstr("has no path"));
  EXPECT_THAT(target_refusal("unix:@"), HasSubstr("has no path"));
  EXPECT_THAT(target_refusal(std::string("unix:/a\0b", 9)), HasSubstr("zero byte"));
  EXPECT_THAT(target_refusal("unix:/run/x", "web"), HasSubstr("leave --authorized-target out"));
}

TEST(Target, AnotherHostIsNotTouchedWithoutAuthorization) {
  EXPECT_THAT(target_refusal("10.255.255.1:80"),
              AllOf(HasSubstr("'10.255.255.1'"), HasSubstr("nothing was sent"),
                    HasSubstr("add --authorized-target 10.255.255.1")));
  EXPECT_THAT(target_refusal("web:8080"), HasSubstr("add --authorized-target web"));
  EXPECT_THAT(target_refusal("foo.localhost:80"), HasSubstr("add --authorized-target"));
  EXPECT_THAT(target_refusal("[2001:db8::5]:80"), HasSubstr("--authorized-target 2001:db8::5"));
  EXPECT_THAT(target_refusal("[fe80::1%lo]:80"), HasSubstr("--authorized-target fe80::1%lo"));
  EXPECT_THAT(target_refusal("[::ffff:10.0.0.1]:80"), HasSubstr("add --authorized-target"));
  EXPECT_THAT(target_refusal("[::127.0.0.1]:80"), HasSubstr("add --authorized-target"))
      << "IPv4-compatible, which is not loopback";
}

TEST(Target, TheAuthorizationNamesTheSameHost) {
  EXPECT_EQ(numeric(find_target("10.255.255.1:80", "10.255.255.1")), "10.255.255.1:80");
  EXPECT_FALSE(find_target("10.255.255.1:80", "10.255.255.1").is_local_scope);
  EXPECT_EQ(numeric(find_target("[2001:db8::5]:80", "2001:DB8:0::5")), "[2001:db8::5]:80");
  EXPECT_EQ(numeric(find_target("[2001:db8::5]:80", "[2001:db8::5]")), "[2001:db8::5]:80");
  EXPECT_EQ(numeric(find_target("[::ffff:10.0.0.1]:80", "10.0.0.1")), "10.0.0.1:80");
  EXPECT_EQ(numeric(find_target("[fe80::1%lo]:80", "fe80::1%lo")), "[fe80::1%lo]:80");

  for (const char* other : {"10.255.255.2", "web", "10.255.255.1:80", "10.255.255", " 10.255.255.1",
                            "0xaffff01", "::10.255.255.1", "localhost", "*"}) {
    EXPECT_THAT(target_refusal("10.255.255.1:80", other),
                AllOf(HasSubstr(other), HasSubstr("write --authorized-target 10.255.255.1")));
  }
  EXPECT_THAT(target_refusal("[fe80::1%lo]:80", "fe80::1"), HasSubstr("names 'fe80::1'"));
}

TEST(Target, AnAuthorizationThatIsNotNeededMustFit) {
  EXPECT_TRUE(find_target("127.0.0.1:80", "127.0.0.1").is_local_scope);
  EXPECT_TRUE(find_target("localhost:80", "127.0.0.1").is_local_scope);
  EXPECT_THAT(target_refusal("127.0.0.1:80", "10.0.0.1"), HasSubstr("names '10.0.0.1'"));
}

TEST(Target, WhatIsNotOneHostIsRefusedEvenIfAuthorized) {
  struct Case {
    const char *host, *noun;
  };
  const Case cases[] = {
      {"0.0.0.0", "unspecified"},
      {"0.1.2.3", "unspecified"},
      {"224.0.0.1", "multicast"},
      {"239.255.255.255", "multicast"},
      {"240.0.0.1", "reserved"},
      {"255.255.255.255", "limited broadcast"},
      {"127.255.255.255", "broadcast address of lo"},
      {"::", "unspecified"},
      {"ff02::1", "multicast"},
      {"::ffff:0.0.0.0", "unspecified"},
      {"::ffff:224.0.0.1", "multicast"},
      {"::ffff:255.255.255.255", "limited broadcast"},
      {"fe80::1", "link-local address without its interface, as in fe80::1%eth0"},
  };
  for (const Case& expected : cases) {
    SCOPED_TRACE(expected.host);
    const std::string host = expected.host;
    const std::string text = host.find(':') == host.npos ? host + ":80" : "[" + host + "]:80";
    EXPECT_THAT(target_refusal(text), HasSubstr(expected.noun));
    EXPECT_THAT(target_refusal(text, host), HasSubstr(expected.noun));
  }
}

TEST(Target, SaysWhatIsWrongWithTheText) {
  struct Case {
    const char *text, *part;
  };
  const Case cases[] = {
      {"", "the target is empty"},
      {":80", "has no host"},
      {"127.0.0.1", "has no port; write 127.0.0.1:PORT"},
      {"127.0.0.1:", "has no port; write 127.0.0.1:PORT"},
      {"[::1]", "has no port; write [::1]:PORT"},
      {"[::1]:", "has no port; write [::1]:PORT"},
      {"[::1]80", "has no ':' behind its ']'"},
      {"[::1", "has no ']'"},
      {"[]:80", "no IPv6 address in its brackets"},
      {"[127.0.0.1]:80", "no IPv6 address in its brackets"},
      {"[localhost]:80", "no IPv6 address in its brackets"},
      {"::1:80", "without brackets; write [::1]:80"},
      {"2001:db8::5:8080", "write [2001:db8::5]:8080"},
      {"::1", "write [::1]:PORT"},
      {"fe80::", "write [fe80::]:PORT"},
      {"fe80::1%lo:80", "write [fe80::1%lo]:80"},
      {"web:80:90", "too many colons"},
      {"http://web:80/", "is a URL"},
      {"127.0.0.1:0", "has the port 0"},
      {"127.0.0.1:65536", "has the port 65536"},
      {"127.0.0.1:99999999999999999999", "has the port 99999999999999999999"},
      {"127.0.0.1:-1", "has no port number behind its last colon"},
      {"127.0.0.1:http", "has no port number behind its last colon, but 'http'"},
      {"127.0.0.1: 80", "has no port number"},
      {"127.0.0.1:80 ", "has no port number"},
      {"127.1:80", "four decimal numbers"},
      {"2130706433:80", "four decimal numbers"},
      {"0x7f.1:80", "four decimal numbers"},
      {"127.0.0.0x1:80", "four decimal numbers"},
      {"0177.0.0.1:80", "four decimal numbers"},
      {"256.0.0.1:80", "four decimal numbers"},
      {"127.0.0.1.:80", "four decimal numbers"},
      {"...:80", "four decimal numbers"},
      {"web server:80", "has no host name"},
      {"user@web:80", "has no host name"},
      {"wéb:80", "has no host name in front of its port, but 'wéb'"},
      {"[fe80::1%nosuch0]:80", "names the interface 'nosuch0'"},
      {"[2001:db8::1%lo]:80", "is not link-local"},
  };
  for (const Case& expected : cases) {
    EXPECT_THAT(target_refusal(expected.text, "web"), HasSubstr(expected.part)) << expected.text;
  }
  EXPECT_THAT(target_refusal("a\x1b[31m\nb\xff:80"), HasSubstr("'a?[31m?b?:80'"));
  EXPECT_THAT(target_refusal(std::string("127.0.0.1\0.web:80", 17)), HasSubstr("has no host name"));
}

/// Runs `body` where /etc/hosts is `hosts` and no network is up, so that no DNS query can leave.
std::string with_hosts(const std::string& hosts, const std::function<std::string()>& body) {
  char path[] = "/tmp/ringchurn-hosts-XXXXXX";
  const int file = mkstemp(path);
  const bool is_written = write(file, hosts.data(), hosts.size()) == std::ssize(hosts);
  fchmod(file, 0644);
  close(file);
  const std::string answer = in_child([&]() -> std::string {
    if (!is_written || unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) != 0 ||
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount(path, "/etc/hosts", nullptr, MS_BIND, nullptr) != 0) {
      return "no namespaces";
    }
    return body();
  });
  unlink(path);
  return answer;
}

TEST(Target, AnAuthorizedNameIsComparedAsTyped) {
  const std::string answer = with_hosts("10.9.8.7 web web.example\n", []() -> std::string {
    // The search list may lead "web" elsewhere than "web.".
    for (const std::string& other : {std::string("web.example"), std::string("web."),
                                     std::string("web\0x", 5), std::string("10.9.8.7")}) {
      const std::string message = target_refusal("web:80", other);
      if (message.find("but --authorized-target names '") == message.npos) return message;
    }
    return "";
  });
  if (answer == "no namespaces") GTEST_SKIP() << "namespaces are not allowed here";
  EXPECT_EQ(answer, "");
}

TEST(Target, ResolvedNamesAreCheckedAgain) {
  const std::string hosts =
      "10.9.8.7 web\n127.0.0.5 here\n0.0.0.0 sink\n224.0.0.1 many\n255.255.255.255 all\n"
      "ff02::1 many6\n::ffff:10.9.8.7 mapped\n";
  const std::string answer = with_hosts(hosts, [] {
    const auto found = [](const char* name) {
      try {
        const Target target = find_target(std::string(name) + ":80", name);
        return numeric(target) + (target.is_local_scope ? " local\n" : "\n");
      } catch (const Error& error) {
        return std::to_string(error.exit_code) + " " + error.what() + "\n";
      }
    };
    return found("web") + found("WEB") + found("mapped") + found("here") + found("sink") +
           found("many") + found("all") + found("many6");
  });
  if (answer == "no namespaces") GTEST_SKIP() << "namespaces are not allowed here";
  EXPECT_EQ(answer,
            "10.9.8.7:80\n10.9.8.7:80\n10.9.8.7:80\n127.0.0.5:80 local\n"
            "2 target 'sink:80' leads to 0.0.0.0, an unspecified address (0.0.0.0/8); give the "
            "address of one host\n"
            "2 target 'many:80' leads to 224.0.0.1, a multicast address (224.0.0.0/4); give the "
            "address of one host\n"
            "2 target 'all:80' leads to 255.255.255.255, the limited broadcast address; give the "
            "address of one host\n"
            "2 target 'many6:80' leads to ff02::1, a multicast address (ff00::/8); give the "
            "address of one host\n");
}

std::uint32_t host_order(const sockaddr_storage& address) {
  return ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr);
}

TEST(Sources, APrefixOfLoopbackIsUsedAsAWhole) {
  const Target target = find_target("127.0.0.1:80", "");
  const auto inner = source_addresses("127.0.1.0/24", target);
  ASSERT_EQ(inner.size(), 256u);
  EXPECT_EQ(host_order(inner.front()), 0x7f000100u);
  EXPECT_EQ(host_order(inner.back()), 0x7f0001ffu);
  EXPECT_EQ(port_of(inner.front()), 0);

  const auto first = source_addresses("127.0.0.0/24", target);
  ASSERT_EQ(first.size(), 255u) << "127.0.0.0 was a broadcast address until Linux 5.14";
  EXPECT_EQ(host_order(first.front()), 0x7f000001u);
  EXPECT_EQ(source_addresses("127.255.255.252/30", target).size(), 3u);
  EXPECT_EQ(source_addresses("127.0.0.5", target).size(), 1u);
  EXPECT_EQ(source_addresses("127.0.0.4/31", target).size(), 2u);

  const auto all = source_addresses("127.0.0.0/8", target);
  ASSERT_EQ(all.size(), kMaxSources);
  EXPECT_EQ(host_order(all.back()), 0x7f001000u);
}

TEST(Sources, MustBeThisMachinesAndReachTheTarget) {
  EXPECT_THAT(source_refusal("192.0.2.1", "127.0.0.1:80"),
              HasSubstr("192.0.2.1, which is not an address of this machine"));
  EXPECT_THAT(source_refusal("192.0.2.0/24", "127.0.0.1:80"), HasSubstr("holds 192.0.2.1, "));
  EXPECT_THAT(source_refusal("0.0.0.0", "127.0.0.1:80"), HasSubstr("unspecified"));
  EXPECT_THAT(source_refusal("224.0.0.1", "127.0.0.1:80"), HasSubstr("multicast"));
  EXPECT_THAT(source_refusal("::1", "127.0.0.1:80"),
              HasSubstr("is IPv6, but the target 127.0.0.1:80 is IPv4"));
  EXPECT_THAT(source_refusal("127.0.0.1", "unix:/run/x"), HasSubstr("a unix socket"));
}

TEST(Sources, LoopbackDoesNotReachAnotherHost) {
  const std::string message =
      refusal([] { source_addresses("127.0.0.1", find_target("192.0.2.1:80", "192.0.2.1")); });
  EXPECT_THAT(message, HasSubstr("from which 192.0.2.1:80 cannot be reached"));
}

TEST(Sources, SaysWhatIsWrongWithTheText) {
  const auto message = [](const char* cidr) { return source_refusal(cidr, "127.0.0.1:80"); };
  for (const char* text :
       {"", "web", "127.1", "/24", "127.0.0.0-127.0.0.9", "[::1]", "127.0.0.1:0"}) {
    EXPECT_THAT(message(text), HasSubstr("is not an address or a prefix")) << text;
  }
  for (const char* text : {"127.0.0.0/", "127.0.0.0/33", "127.0.0.0/-1", "127.0.0.0/24x"}) {
    EXPECT_THAT(message(text), HasSubstr("has a prefix length that is not 0 to 32")) << text;
  }
  EXPECT_THAT(message("127.0.0.5/24"),
              HasSubstr("give 127.0.0.0/24 for all of them, or 127.0.0.5"));
  EXPECT_THAT(message("fd00::5/120"), HasSubstr("give fd00::/120 for all of them, or fd00::5"));
  EXPECT_THAT(message("a\x1b\n"), AllOf(HasSubstr("'a?"
                                                  "?'"),
                                        Not(HasSubstr("\x1b"))));
}

TEST(Sources, Ipv6) {
  int probe = socket(AF_INET6, SOCK_DGRAM, 0);
  sockaddr_in6 loopback{};
  loopback.sin6_family = AF_INET6;
  loopback.sin6_addr = in6addr_loopback;
  const bool has_ipv6 =
      bind(probe, reinterpret_cast<const sockaddr*>(&loopback), sizeof loopback) == 0;
  close(probe);
  if (!has_ipv6) GTEST_SKIP() << "no IPv6 here";
  const Target target = find_target("[::1]:80", "");
  EXPECT_EQ(source_addresses("::1", target).size(), 1u);
  EXPECT_THAT(source_refusal("2001:db8::/120", "[::1]:80"), HasSubstr("holds 2001:db8::1, "))
      << "2001:db8:: is the Subnet-Router anycast address";
  EXPECT_THAT(source_refusal("fe80::1", "[::1]:80"), HasSubstr("without its interface"));
}

}  // namespace
}  // namespace ringchurn
