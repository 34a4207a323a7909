// See verbs.h.
#include "workloads/verbs.h"

#include <fmt/format.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "workloads/quoted.h"
#include "workloads/suggestion.h"

namespace ringchurn {
namespace {

/// The script's own socket, where a step refers to it.
constexpr const char* kOwnSocket = "main";

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
  want(words, 0, 2, "accept, or NAME: accept LISTENER [full|beyond]");
  if (words.size() == 1) return;
  step.op = Op::accept_from;
  step.other = known_socket(sockets, words[1]);
  if (words.size() == 2) return;
  if (words[2] != "full" && words[2] != "beyond") {
    refuse_step("write 'accept LISTENER full' or 'accept LISTENER beyond'");
  }
  step.detail = words[2] == "full" ? kNoSlotFree : kSlotBeyond;
}

void read_accept_multi(Step& step, const Words& words, Sockets& sockets) {
  want(words, 1, 1, "start accept-multishot LISTENER");
  step.other = known_socket(sockets, words[1]);
  step.socket = step.other;
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
  want(words, 1, 1, "send BYTES|\"TEXT\" [dontwait|waitall|zc]");
  step.bytes = words[1] == kQuoted ? static_cast<std::uint32_t>(step.payload.size())
                                   : parse_number(words[1], "a number of bytes", 1U << 30);
}

void read_send_file(Step& step, const Words& all, Sockets&) {
  const Words words = take_flags(step, all);
  want(words, 1, 1, "send-file PATH [dontwait|waitall|zc]");
  step.file = words[1] == kQuoted ? std::exchange(step.payload, "") : words[1];
}

void read_write(Step& step, const Words& words, Sockets&) {
  want(words, 1, 1, "write BYTES");
  step.bytes = parse_number(words[1], "a number of bytes", 64U << 10);
}

void read_receive_until(Step& step, const Words& words) {
  const bool adds = words.size() == 5 && words[3] == "plus";
  if (words.size() < 3 || words[2] != kQuoted || (words.size() > 3 && !adds)) {
    refuse_step("write 'recv until \"TEXT\"' or 'recv until \"TEXT\" plus BYTES'");
  }
  step.op = Op::receive_until;
  const std::uint32_t behind = adds ? parse_number(words[4], "a number of bytes", 1U << 30) : 0;
  step.until = Landmark(std::exchange(step.payload, ""), behind);
  step.bytes = step.until.least_left({});
}

void read_receive(Step& step, const Words& all, Sockets&) {
  if (all.size() > 1 && (all[1] == "until" || all[1] == kQuoted)) {
    return read_receive_until(step, all);
  }
  const Words words = take_flags(step, all);
  want(words, 0, 1, "recv [BYTES] [dontwait|waitall|peek], or recv until \"TEXT\" [plus BYTES]");
  if (words.size() == 1) {
    step.op = Op::receive_any;
  } else {
    step.bytes = parse_number(words[1], "a number of bytes", 1U << 30);
  }
}

void read_recv_eof(Step&, const Words& words, Sockets&) {
  want(words, 0, 1, "recv-eof [TIME]");
  if (words.size() == 2) parse_time(words[1]);  // is none, or it would have been taken: says so
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
    refuse_step(fmt::format(
        "'{}' is no direction: write 'shutdown wr', 'shutdown rd' or 'shutdown rdwr'", words[1]));
  }
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
  refuse_step(fmt::format("unknown socket option '{}'{}", word, did_you_mean(word, names)));
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
  if (words[2] != "fault") refuse_step("write 'getsockopt NAME' or 'getsockopt NAME fault'");
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
    refuse_step(fmt::format("'{}' cannot be waited for: write 'wait readable' or 'wait writable'",
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
      refuse_step(
          fmt::format("'{}' cannot be polled for: write IN, OUT, RDHUP, or some with '+'", word));
    }
  }
}

void read_pause(Step& step, const Words& words, Sockets&) {
  want(words, 1, 1, "pause TIME");
  step.time = parse_time(words[1]);
}

constexpr Verb kVerbs[] = {
    {"socket", Op::socket, read_nothing},
    {"connect", Op::connect, read_connect, true},
    {"accept", Op::accept, read_accept, true},
    {"accept-multishot", Op::accept_multi, read_accept_multi},
    {"send", Op::send, read_send, true},
    {"send-file", Op::send, read_send_file, true},
    {"write", Op::write, read_write},
    {"read", Op::read, read_nothing},
    {"fill", Op::fill, read_nothing},
    {"recv", Op::receive, read_receive, true},
    {"recv-eof", Op::recv_eof, read_recv_eof, true},
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
    {"nonblocking", Op::plain, read_nonblocking},
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

}  // namespace

bool is_socket_name(std::string_view word) {
  return !word.empty() && std::isalpha(static_cast<unsigned char>(word[0])) != 0 &&
         std::all_of(word.begin(), word.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '-'; });
}

std::uint8_t known_socket(const Sockets& sockets, const std::string& name) {
  if (name == kOwnSocket) return 0;
  const auto found = std::find(sockets.begin() + 1, sockets.end(), name);
  if (found == sockets.end()) {
    std::vector<std::string> names(sockets.begin() + 1, sockets.end());
    names.emplace_back(kOwnSocket);
    refuse_step(fmt::format("no step before this one makes a socket '{}'{}", name,
                            did_you_mean(name, names)));
  }
  return static_cast<std::uint8_t>(found - sockets.begin());
}

std::uint8_t new_socket(Sockets& sockets, const std::string& name) {
  if (!is_socket_name(name) || name == kOwnSocket) {
    refuse_step(fmt::format("'{}' is no name for a socket: write letters, digits and '-'", name));
  }
  const auto found = std::find(sockets.begin(), sockets.end(), name);
  if (found != sockets.end()) return static_cast<std::uint8_t>(found - sockets.begin());
  if (sockets.size() == kMostSockets) {
    refuse_step(
        fmt::format("'{}' is one socket too many: a script may name {}", name, kMostSockets - 1));
  }
  sockets.push_back(name);
  return static_cast<std::uint8_t>(sockets.size() - 1);
}

const Verb& verb_named(const std::string& word) {
  std::vector<std::string> words;
  for (const Verb& verb : kVerbs) {
    if (word == verb.word) return verb;
    words.emplace_back(verb.word);
  }
  refuse_step(fmt::format("unknown step '{}'{}", word, did_you_mean(word, words)));
}

}  // namespace ringchurn
