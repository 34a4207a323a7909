// The step language: a verb, its arguments, and what it may answer: see step_parser.h.
#include "workloads/step_parser.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>
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

void want(const Words& words, std::size_t least, std::size_t most, const char* usage) {
  if (words.size() - 1 < least || words.size() - 1 > most) refuse(fmt::format("write '{}'", usage));
}

// -- the verbs ------------------------------------------------------------------------------------

void read_connect(Step&, const Words& words) { want(words, 0, 0, "connect"); }
void read_accept(Step&, const Words& words) { want(words, 0, 0, "accept"); }
void read_close(Step&, const Words& words) { want(words, 0, 0, "close"); }
void read_disconnect(Step&, const Words& words) { want(words, 0, 0, "disconnect"); }

void read_send(Step& step, const Words& words) {
  want(words, 1, 1, "send BYTES");
  step.bytes = parse_number(words[1], "a number of bytes", 1U << 30);
}

void read_receive(Step& step, const Words& words) {
  want(words, 0, 1, "recv [BYTES]");
  if (words.size() == 1) {
    step.op = Op::receive_any;
  } else {
    step.bytes = parse_number(words[1], "a number of bytes", 1U << 30);
  }
}

void read_recv_eof(Step& step, const Words& words) {
  want(words, 0, 1, "recv-eof [TIME]");
  step.limited = words.size() > 1;
  if (step.limited) step.time = parse_time(words[1]);
}

void read_shutdown(Step& step, const Words& words) {
  want(words, 1, 1, "shutdown wr|rd|rdwr");
  if (words[1] == "wr") {
    step.detail = SHUT_WR;
  } else if (words[1] == "rd") {
    step.detail = SHUT_RD;
  } else if (words[1] == "rdwr") {
    step.detail = SHUT_RDWR;
  } else {
    refuse(fmt::format(
        "'{}' is no direction: write 'shutdown wr', 'shutdown rd' or 'shutdown rdwr'", words[1]));
  }
}

void read_linger(Step& step, const Words& words) {
  want(words, 1, 1, "linger 0");
  // close(2) with a positive linger sleeps in the kernel, on the ring's thread, and every other
  // connection with it.
  if (words[1] != "0") {
    refuse("only 'linger 0' (RST at close) can be played: a longer one would hold up the ring");
  }
  step.option = {SOL_SOCKET, SO_LINGER, bytes_of(linger{1, 0})};
}

struct NamedOption {
  const char* word;
  int level, name;
};

constexpr NamedOption kOptions[] = {
    {"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE},
    {"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF},
    {"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF},
    {"TCP_LINGER2", IPPROTO_TCP, TCP_LINGER2},
    {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY},
    {"TCP_QUICKACK", IPPROTO_TCP, TCP_QUICKACK},
    {"TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT},
};

void read_option(Step& step, const Words& words) {
  want(words, 2, 2, "option NAME VALUE");
  for (const NamedOption& known : kOptions) {
    if (words[1] != known.word) continue;
    const int value = static_cast<int>(parse_number(words[2], "a value", 1U << 30));
    step.option = {known.level, known.name, bytes_of(value)};
    return;
  }
  std::vector<std::string> names;
  for (const NamedOption& known : kOptions) names.emplace_back(known.word);
  refuse(fmt::format("unknown socket option '{}'{}", words[1], did_you_mean(words[1], names)));
}

void read_wait(Step& step, const Words& words) {
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

void read_pause(Step& step, const Words& words) {
  want(words, 1, 1, "pause TIME");
  step.time = parse_time(words[1]);
}

struct Verb {
  const char* word;
  Op op;
  void (*read)(Step&, const Words&);
};

constexpr Verb kVerbs[] = {
    {"connect", Op::connect, read_connect},
    {"accept", Op::accept, read_accept},
    {"send", Op::send, read_send},
    {"recv", Op::receive, read_receive},
    {"recv-eof", Op::recv_eof, read_recv_eof},
    {"shutdown", Op::shutdown, read_shutdown},
    {"linger", Op::option, read_linger},
    {"option", Op::option, read_option},
    {"wait", Op::wait, read_wait},
    {"pause", Op::pause, read_pause},
    {"close", Op::close, read_close},
    {"disconnect", Op::disconnect, read_disconnect},
};

const Verb& verb_named(const std::string& word) {
  std::vector<std::string> words;
  for (const Verb& verb : kVerbs) {
    if (word == verb.word) return verb;
    words.emplace_back(verb.word);
  }
  refuse(fmt::format("unknown step '{}'{}", word, did_you_mean(word, words)));
}

Expectation parse_expectation(std::string_view text) {
  Expectation expectation;
  for (const std::string& word : split(text, '|')) {
    const std::optional<Outcome> outcome = outcome_named(word);
    if (!outcome) {
      refuse(fmt::format("unknown outcome '{}': write ok, EOF, timeout or an errno's name", word));
    }
    expectation.allow(*outcome);
  }
  return expectation;
}

}  // namespace

Step parse_step(std::string_view text) {
  Step step;
  const auto arrow = text.find("->");
  step.text = std::string(trim(text.substr(0, arrow)));
  const Words words = split_words(step.text);
  if (words.empty()) refuse("a step needs a verb, as in 'send 1024'");
  const Verb& verb = verb_named(words[0]);
  step.op = verb.op;
  verb.read(step, words);
  step.expect = parse_expectation(arrow == std::string_view::npos ? "ok" : text.substr(arrow + 2));
  return step;
}

}  // namespace ringchurn
