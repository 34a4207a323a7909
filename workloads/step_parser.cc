// The step language around its verbs: whose socket, whether the next step waits, and what it may
// answer: see step_parser.h.
#include "workloads/step_parser.h"

#include <fmt/format.h>

#include <utility>

#include "workloads/quoted.h"
#include "workloads/verbs.h"
#include "workloads/words.h"

namespace ringchurn {
namespace {

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
  if (!is_socket_name(name)) {
    refuse_step(fmt::format("'{}' is no name for a socket: write letters, digits and '-'", name));
  }
  words.erase(words.begin());
  return name;
}

/// The words as they are shown: a text in quotes in its place.
std::string shown(const Words& words, const std::string& payload) {
  std::string text = joined(words, 0);
  const std::size_t quoted = text.find(kQuoted);
  return quoted == text.npos ? text
                             : text.replace(quoted, 1, fmt::format("\"{}\"", escaped(payload)));
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
      refuse_step(
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
    const std::uint64_t time = nanoseconds(parse_time(words.back()));
    if (time == 0) refuse_step(fmt::format("'{} {}' says nothing", word, words.back()));
    (word == "after" ? step.at_least_ns : step.at_most_ns) = time;
    words.resize(words.size() - 2);
  }
}

void parse_expectation(Step& step, std::string_view text) {
  Words words = split_words(text);
  take_times(step, words);
  step.expect = parse_outcomes(joined(words, 0));
}

/// The verb with its arguments, and the socket that it acts on.
void parse_verb(Step& step, Words words, Sockets& sockets) {
  const std::string name = take_name(words);
  step.overlap = take_overlap(words);
  if (words.empty()) refuse_step("a step needs a verb, as in 'send 1024'");
  const Verb& verb = verb_named(words[0]);
  step.op = verb.op;
  if (!step.payload.empty() && verb.op != Op::send && verb.op != Op::receive) {
    refuse_step("only 'send' and 'recv until' take a text in quotes");
  }
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
}

/// Refuses what does not go together.
void check(const Step& step) {
  if (step.at_most_ns > 0 && step.at_most_ns < step.at_least_ns) {
    refuse_step("it cannot end after the one time and within the other");
  }
  if (step.overlap != Overlap::none && step.op == Op::receive_until) {
    refuse_step("it takes several operations, and only one can be started");
  }
  if (step.overlap > Overlap::start && step.act != Act::none) {
    refuse_step("only what io_uring does can be linked");
  }
  if (step.overlap > Overlap::start && step.limited) {
    refuse_step("a linked step cannot have a time limit: it is a link itself");
  }
}

}  // namespace

Step parse_step(std::string_view written, Engine engine, std::vector<std::string>& sockets) {
  Step step;
  std::string unquoted(written);
  step.payload = take_quoted(unquoted);
  const std::string_view text = unquoted;
  const auto semicolon = text.find(';');
  const std::string_view for_ring = text.substr(0, semicolon);
  const auto arrow = for_ring.find("->");
  Words words = split_words(trim(for_ring.substr(0, arrow)));
  step.text = shown(words, step.payload);
  take_times(step, words);
  parse_verb(step, std::move(words), sockets);
  parse_expectation(step, arrow == std::string_view::npos ? "ok" : for_ring.substr(arrow + 2));
  check(step);
  if (semicolon == std::string_view::npos) return step;
  Words instead = split_words(text.substr(semicolon + 1));
  if (instead.empty() || instead[0] != "syscall") {
    refuse_step("write '; syscall OUTCOME' for what the plain system call answers instead");
  }
  const Expectation expectation = parse_outcomes(joined(instead, 1));
  if (engine == Engine::syscall) step.expect = expectation;
  return step;
}

}  // namespace ringchurn
