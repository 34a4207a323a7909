// The step language: a verb, its arguments, and what it may answer: see step_parser.h.
#include "workloads/step_parser.h"

#include <fmt/format.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>
#include <span>
#include <stdexcept>

#include "workloads/suggestion.h"

namespace ringchurn {
namespace {

using Words = std::vector<std::string>;

[[noreturn]] void refuse(const std::string& message) { throw std::invalid_argument(message); }

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

Words split(std::string_view text, char separator) {
  Words words;
  while (true) {
    const auto end = text.find(separator);
    words.emplace_back(trim(text.substr(0, end)));
    if (end == std::string_view::npos) return words;
    text.remove_prefix(end + 1);
  }
}

Words split_words(std::string_view text) {
  Words words = split(text, ' ');
  std::erase(words, "");
  return words;
}

std::uint32_t parse_number(const std::string& word, const char* what, std::uint32_t most) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size() || value > most) {
    refuse(fmt::format("'{}' is not {} from 0 to {}", word, what, most));
  }
  return value;
}

bool is_time(const std::string& word) {
  return !word.empty() && std::isdigit(static_cast<unsigned char>(word[0])) != 0 &&
         word.back() == 's';
}

__kernel_timespec parse_time(const std::string& word) {
  const auto unit_at = std::min(word.find_first_not_of("0123456789"), word.size());
  const std::string unit = word.substr(unit_at);
  const std::int64_t nanoseconds = unit == "us"   ? 1'000
                                   : unit == "ms" ? 1'000'000
                                   : unit == "s"  ? 1'000'000'000
                                                  : 0;
  if (unit_at == 0 || nanoseconds == 0) {
    refuse(fmt::format("'{}' is not a time: write a whole number with us, ms or s, as in 200ms",
                       word));
  }
  const std::int64_t total =
      parse_number(word.substr(0, unit_at), "a time in whole units", 86'400'000) * nanoseconds;
  return {total / 1'000'000'000, total % 1'000'000'000};
}

std::vector<std::byte> bytes_of(const auto& value) {
  std::vector<std::byte> bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

std::string joined(const Words& words, std::size_t first) {
  std::string text;
  for (std::size_t i = first; i < words.size(); ++i) text += (text.empty() ? "" : " ") + words[i];
  return text;
}

void want(const Words& words, std::size_t least, std::size_t most, const char* usage) {
  if (words.size() - 1 < least || words.size() - 1 > most) refuse(fmt::format("write '{}'", usage));
}

// -- names of sockets -----------------------------------------------------------------------------

/// The script's own socket, where a step refers to it.
constexpr const char* kOwnSocket = "main";

bool is_name(std::string_view word) {
  return !word.empty() && std::isalpha(static_cast<unsigned char>(word[0])) != 0 &&
         std::all_of(word.begin(), word.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '-'; });
}

/// The number of the socket `name`.
std::uint8_t known_socket(const std::vector<std::string>& sockets, const std::string& name) {
  if (name == kOwnSocket) return 0;
  const auto found = std::find(sockets.begin() + 1, sockets.end(), name);
  if (found == sockets.end()) {
    std::vector<std::string> names(sockets.begin() + 1, sockets.end());
    names.emplace_back(kOwnSocket);
    refuse(fmt::format("no step before this one makes a socket '{}'{}", name,
                       did_you_mean(name, names)));
  }
  return static_cast<std::uint8_t>(found - sockets.begin());
}

std::uint8_t new_socket(std::vector<std::string>& sockets, const std::string& name) {
  if (!is_name(name) || name == kOwnSocket) {
    refuse(fmt::format("'{}' is no name for a socket: write letters, digits and '-'", name));
  }
  const auto found = std::find(sockets.begin(), sockets.end(), name);
  if (found != sockets.end()) return static_cast<std::uint8_t>(found - sockets.begin());
  if (sockets.size() == kMostSockets) {
    refuse(
        fmt::format("'{}' is one socket too many: a script may name {}", name, kMostSockets - 1));
  }
  sockets.push_back(name);
  return static_cast<std::uint8_t>(sockets.size() - 1);
}

// -- the verbs ------------------------------------------------------------------------------------

using Sockets = std::vector<std::string>;

void read_nothing(Step&, const Words& words, Sockets&) { want(words, 0, 0, words[0].c_str()); }

struct NamedPlace {
  const char* word;
  Place place;
};

constexpr NamedPlace kPlaces[] = {
    {"unreachable", Place::unreachable}, {"prohibited", Place::prohibited},
    {"blackhole", Place::blackhole},     {"unrouted", Place::unrouted},
    {"port-0", Place::port_0},           {"any", Place::any},
    {"bad-family", Place::bad_family},   {"short", Place::short_name},
};

void read_connect(Step& step, const Words& words, Sockets& sockets) {
  want(words, 0, 1, "connect [LISTENER or PLACE]");
  if (words.size() == 1) return;
  for (const NamedPlace& known : kPlaces) {
    if (words[1] != known.word) continue;
    step.place = known.place;
    return;
  }
  step.place = Place::own;
  step.other = known_socket(sockets, words[1]);
}

void read_accept(Step& step, const Words& words, Sockets& sockets) {
  want(words, 0, 1, "accept, or NAME: accept LISTENER");
  if (words.size() == 1) return;
  step.op = Op::accept_from;
  step.other = known_socket(sockets, words[1]);
}

/// Flags of send(2) and recv(2) at the end of the words; takes them off.
Words take_flags(Step& step, Words words) {
  while (words.size() > 1) {
    if (words.back() == "dontwait") {
      step.detail |= MSG_DONTWAIT;
    } else if (words.back() == "waitall") {
      step.detail |= MSG_WAITALL;
    } else if (words.back() == "peek") {
      step.detail |= MSG_PEEK;
    } else if (words.back() == "zc" && step.op == Op::send) {
      step.zero_copy = true;
    } else {
      break;
    }
    words.pop_back();
  }
  return words;
}

void read_send(Step& step, const Words& all, Sockets&) {
  const Words words = take_flags(step, all);
  want(words, 1, 1, "send BYTES [dontwait|waitall|zc]");
  step.bytes = parse_number(words[1], "a number of bytes", 1U << 30);
}

void read_write(Step& step, const Words& words, Sockets&) {
  want(words, 1, 1, "write BYTES");
  step.bytes = parse_number(words[1], "a number of bytes", 64U << 10);
}

void read_receive(Step& step, const Words& all, Sockets&) {
  const Words words = take_flags(step, all);
  want(words, 0, 1, "recv [BYTES] [dontwait|waitall|peek]");
  if (words.size() == 1) {
    step.op = Op::receive_any;
  } else {
    step.bytes = parse_number(words[1], "a number of bytes", 1U << 30);
  }
}

void read_receive_multi(Step& step, const Words& words, Sockets&) {
  want(words, 0, 1, "recv-multishot [BUFFERS]");
  step.bytes = words.size() == 1 ? 16 : parse_number(words[1], "a number of buffers", 64);
}

void read_shutdown(Step& step, const Words& words, Sockets&) {
  want(words, 1, 1, "shutdown wr|rd|rdwr");
  if (words[1] == "wr") {
    step.detail = SHUT_WR;
  } else if (words[1] == "rd") {
    step.detail = SHUT_RD;
  } else if (words[1] == "rdwr") {
    step.detail = SHUT_RDWR;
  } else if (std::isdigit(static_cast<unsigned char>(words[1][0])) != 0) {
    step.detail = static_cast<int>(parse_number(words[1], "a direction", 99));
  } else {
    refuse(fmt::format(
        "'{}' is no direction: write 'shutdown wr', 'shutdown rd' or 'shutdown rdwr'", words[1]));
  }
}

int parse_signed(const std::string& word) {
  const bool negative = word.starts_with('-');
  const auto value =
      static_cast<int>(parse_number(negative ? word.substr(1) : word, "a value", 1U << 30));
  return negative ? -value : value;
}

void read_linger(Step& step, const Words& words, Sockets&) {
  want(words, 1, 1, "linger SECONDS|off");
  linger value{0, 0};
  if (words[1] != "off") {
    value = {1, parse_signed(words[1])};
  }
  step.option = {SOL_SOCKET, SO_LINGER, bytes_of(value)};
}

void read_deafen(Step& step, const Words& words, Sockets&) {
  want(words, 0, 0, "deafen");
  // Classic BPF, "return 0": of every packet keep nothing. Needs no privilege (socket(7)).
  static sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
  step.option = {SOL_SOCKET, SO_ATTACH_FILTER, bytes_of(sock_fprog{1, &drop_all})};
}

void read_hear(Step& step, const Words& words, Sockets&) {
  want(words, 0, 0, "hear");
  step.option = {SOL_SOCKET, SO_DETACH_FILTER, bytes_of(int{0})};
}

void read_vanish(Step& step, const Words& words, Sockets&) {
  want(words, 0, 0, "vanish");
  step.option = {IPPROTO_TCP, TCP_REPAIR, bytes_of(int{1})};
}

struct NamedNumber {
  const char* word;
  int number;
};

struct NamedOption {
  const char* word;
  int level, name;
};

constexpr NamedOption kOptions[] = {
    {"IPV6_RECVERR", IPPROTO_IPV6, IPV6_RECVERR},
    {"IP_RECVERR", IPPROTO_IP, IP_RECVERR},
    {"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE},
    {"SO_LINGER", SOL_SOCKET, SO_LINGER},
    {"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF},
    {"SO_RCVTIMEO", SOL_SOCKET, SO_RCVTIMEO},
    {"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR},
    {"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF},
    {"SO_SNDTIMEO", SOL_SOCKET, SO_SNDTIMEO},
    {"TCP_DEFER_ACCEPT", IPPROTO_TCP, TCP_DEFER_ACCEPT},
    {"TCP_FASTOPEN", IPPROTO_TCP, TCP_FASTOPEN},
    {"TCP_FASTOPEN_CONNECT", IPPROTO_TCP, TCP_FASTOPEN_CONNECT},
    {"TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT},
    {"TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE},
    {"TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL},
    {"TCP_LINGER2", IPPROTO_TCP, TCP_LINGER2},
    {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY},
    {"TCP_QUICKACK", IPPROTO_TCP, TCP_QUICKACK},
    {"TCP_REPAIR", IPPROTO_TCP, TCP_REPAIR},
    {"TCP_SYNCNT", IPPROTO_TCP, TCP_SYNCNT},
    {"TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT},
};

constexpr NamedNumber kLevels[] = {
    {"SOL_SOCKET", SOL_SOCKET},
    {"IPPROTO_IP", IPPROTO_IP},
    {"IPPROTO_IPV6", IPPROTO_IPV6},
    {"IPPROTO_TCP", IPPROTO_TCP},
};

/// "TCP_NODELAY", or "LEVEL/NUMBER" for one that has no name here.
SocketOption parse_option_name(const std::string& word) {
  for (const NamedOption& known : kOptions) {
    if (word == known.word) return {known.level, known.name, {}};
  }
  const auto slash = word.find('/');
  if (slash != std::string::npos) {
    const std::string level = word.substr(0, slash);
    const int number =
        static_cast<int>(parse_number(word.substr(slash + 1), "an option's number", 1U << 20));
    for (const NamedNumber& known : kLevels) {
      if (level == known.word) return {known.number, number, {}};
    }
    return {static_cast<int>(parse_number(level, "an option's level", 1U << 20)), number, {}};
  }
  std::vector<std::string> names;
  for (const NamedOption& known : kOptions) names.emplace_back(known.word);
  refuse(fmt::format("unknown socket option '{}'{}", word, did_you_mean(word, names)));
}

bool is_time_option(const SocketOption& option) {
  return option.level == SOL_SOCKET && (option.name == SO_RCVTIMEO || option.name == SO_SNDTIMEO);
}

void read_option(Step& step, const Words& words, Sockets&) {
  want(words, 2, 2, "option NAME VALUE");
  step.option = parse_option_name(words[1]);
  if (words[2] == "short") {
    step.option.value = {std::byte{0}};
  } else if (words[2] == "fault") {
    step.option.value = bytes_of(int{0});
    step.option.bad_pointer = true;
  } else if (words[2] == "edom" && is_time_option(step.option)) {
    step.option.value = bytes_of(timeval{0, 1'000'000});
  } else if (is_time_option(step.option)) {
    const auto microseconds = parse_number(words[2], "a time in microseconds", 1U << 30);
    step.option.value = bytes_of(timeval{microseconds / 1'000'000, microseconds % 1'000'000});
  } else if (step.option.level == SOL_SOCKET && step.option.name == SO_LINGER) {
    step.option.value = bytes_of(linger{1, parse_signed(words[2])});
  } else {
    step.option.value = bytes_of(parse_signed(words[2]));
  }
}

void read_get_option(Step& step, const Words& words, Sockets&) {
  want(words, 1, 2, "getsockopt NAME [fault]");
  step.option = parse_option_name(words[1]);
  if (words.size() == 2) return;
  if (words[2] != "fault") refuse("write 'getsockopt NAME' or 'getsockopt NAME fault'");
  step.option.bad_pointer = true;
}

void read_so_error(Step& step, const Words& words, Sockets&) {
  want(words, 0, 0, "so-error");
  step.option = {SOL_SOCKET, SO_ERROR, {}};
}

void read_wait(Step& step, const Words& words, Sockets&) {
  want(words, 1, 1, "wait readable|writable");
  if (words[1] == "readable") {
    step.detail = POLLIN;
  } else if (words[1] == "writable") {
    step.detail = POLLOUT;
  } else {
    refuse(fmt::format("'{}' cannot be waited for: write 'wait readable' or 'wait writable'",
                       words[1]));
  }
}

void read_poll(Step& step, const Words& words, Sockets&) {
  want(words, 1, 1, "poll EVENTS, as in 'poll IN+RDHUP'");
  for (const std::string& word : split(words[1], '+')) {
    if (word == "IN") {
      step.detail |= POLLIN;
    } else if (word == "OUT") {
      step.detail |= POLLOUT;
    } else if (word == "RDHUP") {
      step.detail |= POLLRDHUP;
    } else {
      refuse(
          fmt::format("'{}' cannot be polled for: write IN, OUT, RDHUP, or some with '+'", word));
    }
  }
}

void read_pause(Step& step, const Words& words, Sockets&) {
  want(words, 1, 1, "pause TIME");
  step.time = parse_time(words[1]);
}

// -- the verbs that no ring operation plays -------------------------------------------------------

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
  refuse(fmt::format("write '{} {}'", words[0], fmt::join(names, "|")));
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
    refuse("write 'starved socket' or 'starved accept LISTENER'");
  }
}

struct Verb {
  const char* word;
  Op op;
  void (*read)(Step&, const Words&, Sockets&);
  bool may_be_limited = false;
};

constexpr Verb kVerbs[] = {
    {"socket", Op::socket, read_nothing},
    {"connect", Op::connect, read_connect, true},
    {"accept", Op::accept, read_accept, true},
    {"send", Op::send, read_send, true},
    {"write", Op::write, read_write},
    {"read", Op::read, read_nothing},
    {"fill", Op::fill, read_nothing},
    {"recv", Op::receive, read_receive, true},
    {"recv-eof", Op::recv_eof, read_nothing, true},
    {"recv-multishot", Op::receive_multi, read_receive_multi},
    {"shutdown", Op::shutdown, read_shutdown},
    {"linger", Op::option, read_linger},
    {"option", Op::option, read_option},
    {"deafen", Op::option, read_deafen},
    {"hear", Op::option, read_hear},
    {"vanish", Op::option, read_vanish},
    {"getsockopt", Op::get_option, read_get_option},
    {"so-error", Op::so_error, read_so_error},
    {"wait", Op::wait, read_wait},
    {"poll", Op::poll, read_poll, true},
    {"pause", Op::pause, read_pause},
    {"cancel", Op::cancel, read_nothing},
    {"await", Op::await, read_nothing},
    {"close", Op::close, read_nothing},
    {"disconnect", Op::disconnect, read_nothing},
    {"listen", Op::plain, read_listen},
    {"socketpair", Op::plain, read_pair},
    {"pipe", Op::plain, read_pair},
    {"file", Op::plain, read_file},
    {"dup", Op::plain, read_dup},
    {"state", Op::plain, read_state},
    {"peer-state", Op::plain, read_state},
    {"destroy", Op::plain, read_destroy},
    {"die", Op::plain, read_die},
    {"arrives", Op::plain, read_arrives},
    {"starved", Op::plain, read_starved},
    {"ports-of", Op::plain, read_other},
    {"bind-to", Op::plain, read_other},
};

const Verb& verb_named(const std::string& word) {
  std::vector<std::string> words;
  for (const Verb& verb : kVerbs) {
    if (word == verb.word) return verb;
    words.emplace_back(verb.word);
  }
  refuse(fmt::format("unknown step '{}'{}", word, did_you_mean(word, words)));
}

/// True for a step that makes the socket that it names.
bool makes_its_socket(const Step& step) {
  return step.op == Op::socket || step.op == Op::accept_from || step.act == Act::listen ||
         step.act == Act::file || step.act == Act::dup;
}

// -- what comes before and behind the verb --------------------------------------------------------

/// Takes "NAME:" off the words.
std::string take_name(Words& words) {
  if (words.empty() || !words[0].ends_with(':')) return "";
  const std::string name = words[0].substr(0, words[0].size() - 1);
  if (!is_name(name)) {
    refuse(fmt::format("'{}' is no name for a socket: write letters, digits and '-'", name));
  }
  words.erase(words.begin());
  return name;
}

Overlap take_overlap(Words& words) {
  constexpr std::pair<const char*, Overlap> kOverlaps[] = {
      {"start", Overlap::start}, {"link", Overlap::link}, {"hardlink", Overlap::hardlink}};
  for (const auto& [word, overlap] : kOverlaps) {
    if (words.empty() || words[0] != word) continue;
    words.erase(words.begin());
    return overlap;
  }
  return Overlap::none;
}

std::uint64_t nanoseconds(const __kernel_timespec& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

Expectation parse_outcomes(std::string_view text) {
  Expectation expectation;
  for (const std::string& word : split(text, '|')) {
    const std::optional<Outcome> outcome = outcome_named(word);
    if (!outcome) {
      refuse(
          fmt::format("unknown outcome '{}': write ok, EOF, timeout, an errno's name, poll "
                      "events or a TCP state",
                      word));
    }
    expectation.allow(*outcome);
  }
  return expectation;
}

/// Takes "after TIME" and "within TIME" off the end of an expectation.
void take_times(Step& step, Words& words) {
  while (words.size() > 2) {
    const std::string& word = words[words.size() - 2];
    if (word != "after" && word != "within") return;
    (word == "after" ? step.at_least_ns : step.at_most_ns) = nanoseconds(parse_time(words.back()));
    words.resize(words.size() - 2);
  }
}

void parse_expectation(Step& step, std::string_view text) {
  Words words = split_words(text);
  take_times(step, words);
  step.expect = parse_outcomes(joined(words, 0));
}

}  // namespace

Step parse_step(std::string_view text, Engine engine, std::vector<std::string>& sockets) {
  Step step;
  const auto semicolon = text.find(';');
  const std::string_view for_ring = text.substr(0, semicolon);
  const auto arrow = for_ring.find("->");
  Words words = split_words(trim(for_ring.substr(0, arrow)));
  step.text = joined(words, 0);
  const std::string name = take_name(words);
  step.overlap = take_overlap(words);
  if (words.empty()) refuse("a step needs a verb, as in 'send 1024'");
  const Verb& verb = verb_named(words[0]);
  step.op = verb.op;
  if (verb.may_be_limited && words.size() > 1 && is_time(words.back())) {
    step.limited = true;
    step.time = parse_time(words.back());
    words.pop_back();
  }
  verb.read(step, words, sockets);
  if (makes_its_socket(step)) {
    step.socket = new_socket(sockets, name);
  } else if (!name.empty()) {
    step.socket = known_socket(sockets, name);
  }
  parse_expectation(step, arrow == std::string_view::npos ? "ok" : for_ring.substr(arrow + 2));
  if (step.overlap > Overlap::start && step.limited) {
    refuse("a linked step cannot have a time limit: it is a link itself");
  }
  if (semicolon == std::string_view::npos) return step;
  Words instead = split_words(text.substr(semicolon + 1));
  if (instead.empty() || instead[0] != "syscall") {
    refuse("write '; syscall OUTCOME' for what the plain system call answers instead");
  }
  const Expectation expectation = parse_outcomes(joined(instead, 1));
  if (engine == Engine::syscall) step.expect = expectation;
  return step;
}

}  // namespace ringchurn
