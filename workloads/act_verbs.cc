// The verbs that no ring operation plays: see verbs.h and act.h.
#include <fmt/format.h>

#include <span>

#include "workloads/verbs.h"

namespace ringchurn {
namespace {

/// A word that chooses an act, and the act's detail.
struct NamedAct {
  const char* word;
  Act act;
  int detail = 0;
};

const NamedAct& act_named(std::span<const NamedAct> acts, const Words& words) {
  std::vector<std::string> names;
  for (const NamedAct& known : acts) {
    if (words.size() == 2 && words[1] == known.word) return known;
    names.emplace_back(known.word);
  }
  refuse_step(fmt::format("write '{} {}'", words[0], fmt::join(names, "|")));
}

}  // namespace

void read_listen(Step& step, const Words& words, Sockets&) {
  want(words, 1, 1, "NAME: listen BACKLOG");
  step.act = Act::listen;
  step.detail = static_cast<int>(parse_number(words[1], "a backlog", 65535));
}

void read_pair(Step& step, const Words& words, Sockets& sockets) {
  want(words, 1, 1, fmt::format("{} NAME", words[0]).c_str());
  step.act = words[0] == "pipe" ? Act::pipe : Act::pair;
  step.other = new_socket(sockets, words[1]);
}

void read_file(Step& step, const Words& words, Sockets&) {
  want(words, 0, 0, "NAME: file");
  step.act = Act::file;
}

void read_nonblocking(Step& step, const Words& words, Sockets&) {
  want(words, 0, 0, "nonblocking");
  step.act = Act::nonblocking;
}

void read_dup(Step& step, const Words& words, Sockets&) {
  want(words, 0, 0, "NAME: dup");
  step.act = Act::dup;
}

void read_state(Step& step, const Words& words, Sockets&) {
  want(words, 0, 0, words[0].c_str());
  step.act = words[0] == "state" ? Act::state : Act::peer_state;
}

void read_destroy(Step& step, const Words& words, Sockets&) {
  want(words, 0, 0, "destroy");
  step.act = Act::destroy;
}

void read_other(Step& step, const Words& words, Sockets& sockets) {
  want(words, 1, 1, fmt::format("NAME: {} SOCKET", words[0]).c_str());
  step.act = words[0] == "ports-of" ? Act::ports_of : Act::bind_to;
  step.other = known_socket(sockets, words[1]);
}

void read_die(Step& step, const Words& words, Sockets&) {
  static constexpr NamedAct kDeaths[] = {{"exit", Act::die_exit},
                                         {"kill", Act::die_kill},
                                         {"pending", Act::die_pending},
                                         {"sigpipe", Act::die_sigpipe}};
  step.act = act_named(kDeaths, words).act;
}

void read_arrives(Step& step, const Words& words, Sockets&) {
  // Codes of ICMP (RFC 792, RFC 1812 5.2.7.1) and, from kIcmpV6 up, of ICMPv6 (RFC 4443 3.1).
  static constexpr NamedAct kSegments[] = {
      {"rst", Act::arrives_rst, 0},
      {"rst-in-window", Act::arrives_rst, 10},
      {"rst-outside", Act::arrives_rst, 100'000'000},
      {"syn", Act::arrives_syn},
      {"fin", Act::arrives_fin},
      {"icmp-net", Act::arrives_icmp, 0},
      {"icmp-host", Act::arrives_icmp, 1},
      {"icmp-protocol", Act::arrives_icmp, 2},
      {"icmp-port", Act::arrives_icmp, 3},
      {"icmp-net-prohibited", Act::arrives_icmp, 9},
      {"icmp-host-prohibited", Act::arrives_icmp, 10},
      {"icmp-admin-prohibited", Act::arrives_icmp, 13},
      {"icmpv6-no-route", Act::arrives_icmp, 0},
      {"icmpv6-admin-prohibited", Act::arrives_icmp, 1},
      {"icmpv6-address", Act::arrives_icmp, 3},
      {"icmpv6-port", Act::arrives_icmp, 4},
      {"icmpv6-policy", Act::arrives_icmp, 5},
      {"icmpv6-reject", Act::arrives_icmp, 6},
  };
  const NamedAct& segment = act_named(kSegments, words);
  step.act = segment.act;
  step.detail = segment.detail;
}

void read_starved(Step& step, const Words& words, Sockets& sockets) {
  want(words, 1, 2, "starved socket, or starved accept LISTENER");
  if (words[1] == "socket" && words.size() == 2) {
    step.act = Act::starve_socket;
  } else if (words[1] == "accept" && words.size() == 3) {
    step.act = Act::starve_accept;
    step.other = known_socket(sockets, words[2]);
  } else {
    refuse_step("write 'starved socket' or 'starved accept LISTENER'");
  }
}

}  // namespace ringchurn
