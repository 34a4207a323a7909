// See atlas.h. A process for each scenario and engine: a lab of its own keeps its counters exact,
// its settings to itself, and whatever breaks in it away from the others.
#include "bench/atlas.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <list>
#include <nlohmann/json.hpp>

#include "bench/catalogue.h"
#include "bench/context.h"
#include "bench/interrupt.h"
#include "bench/performance.h"
#include "bench/worker.h"
#include "ring/error.h"

namespace ringchurn {

void to_json(nlohmann::json& json, const CounterRow& row) {
  json = {{"name", row.name}, {"min", row.declared_min}, {"max", row.declared_max}};
  if (row.measured) json["measured"] = *row.measured;
}

void from_json(const nlohmann::json& json, CounterRow& row) {
  row = {json.at("name"), std::nullopt, json.at("min"), json.at("max"), 0};
  if (json.contains("measured")) row.measured = json.at("measured").get<std::uint64_t>();
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(AnswerCount, outcome, count, expected)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(StepAnswers, side, number, text, declared, answers)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Moment, side, number, text, declared, outcome, result, expected,
                                   at_us, took_us, states)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Performance, runs, finished, expected, failure, steps, counters,
                                   story, moved)

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// Most scenarios wait most of the time.
constexpr std::size_t kAtOnce = 12;
/// A process that takes longer is killed. Twenty closes of one second each, and some air.
constexpr auto kLongest = 45s;

/// A scenario on an engine, in a process.
struct Job {
  std::size_t entry = 0;
  Engine engine = Engine::ring;
  Scenario scenario;
  pid_t process = -1;
  int pipe = -1;
  std::string written;  ///< by the process, so far
  Clock::time_point deadline{};
};

void write_all(int pipe, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t written = write(pipe, text.data() + done, text.size() - done);
    if (written <= 0) return;
    done += static_cast<std::size_t>(written);
  }
}

/// The atlas has no --lab to recommend.
std::string without_option(std::string message) {
  const auto at = message.find(", or use --lab host");
  return message.substr(0, at);
}

/// The process's whole life.
[[noreturn]] void be_child(const Piece& piece, int cpu, int pipe) {
  // On one CPU nothing overtakes anything in loopback's per-CPU queues (bench/README.md).
  pin_to(cpu);
  nlohmann::json answer;
  try {
    answer["performance"] = perform_piece(piece);
  } catch (const Error& error) {
    answer["skipped"] = without_option(error.what());
  } catch (const std::exception& error) {
    answer["failure"] = error.what();
  }
  write_all(pipe, answer.dump());
  _exit(0);
}

void start(Job& job, const Options& options, bool story) {
  int ends[2];
  if (pipe(ends) != 0) throw Error(kExitCannotRun, "cannot make a pipe: free descriptors");
  job.process = fork();
  if (job.process == 0) {
    close(ends[0]);
    const std::vector<int> cpus = usable_cpus();
    be_child({job.scenario, job.engine, domain(options.family), story ? 1 : options.runs, story},
             cpus[job.entry % cpus.size()], ends[1]);
  }
  close(ends[1]);
  if (job.process < 0) {
    close(ends[0]);
    throw Error(kExitCannotRun,
                "cannot start a process for a scenario: raise the limit (ulimit -u)");
  }
  job.pipe = ends[0];
  job.deadline = Clock::now() + kLongest;
}

/// Takes what a process wrote. True when it has written everything, or is dead.
bool read_some(Job& job) {
  char text[65536];
  const ssize_t count = read(job.pipe, text, sizeof text);
  if (count > 0) job.written.append(text, static_cast<std::size_t>(count));
  return count <= 0 && errno != EINTR;
}

void finish(Job& job, AtlasEntry& entry, const Options& options) {
  close(job.pipe);
  int status = 0;
  waitpid(job.process, &status, 0);
  std::optional<Performance>& performance = job.engine == Engine::ring ? entry.ring : entry.syscall;
  const nlohmann::json answer = nlohmann::json::parse(job.written, nullptr, false);
  if (answer.is_object() && answer.contains("performance")) {
    performance = answer["performance"].get<Performance>();
  } else if (answer.is_object() && answer.contains("skipped")) {
    entry.skipped = answer["skipped"].get<std::string>();
  } else {
    performance.emplace();
    performance->runs = options.runs;
    performance->failure =
        answer.is_object() && answer.contains("failure") ? answer["failure"].get<std::string>()
        : WIFSIGNALED(status)
            ? fmt::format("its process was ended by {}", strsignal(WTERMSIG(status)))
            : "its process ended without an answer";
  }
}

class Pool {
 public:
  Pool(const Options& options, AtlasResult& result, bool story)
      : options_(options), result_(result), story_(story) {}

  void add(Job job) { waiting_.push_back(std::move(job)); }

  void play() {
    while (!waiting_.empty() || !playing_.empty()) {
      while (!waiting_.empty() && playing_.size() < kAtOnce && !interrupted()) {
        playing_.splice(playing_.end(), waiting_, waiting_.begin());
        ringchurn::start(playing_.back(), options_, story_);
      }
      if (interrupted()) return stop();
      look();
    }
  }

 private:
  void look() {
    std::vector<pollfd> pipes;
    for (const Job& job : playing_) pipes.push_back({job.pipe, POLLIN, 0});
    poll(pipes.data(), pipes.size(), 100);
    const auto now = Clock::now();
    std::size_t number = 0;
    for (auto job = playing_.begin(); job != playing_.end(); ++number) {
      if (now > job->deadline) kill(job->process, SIGKILL);
      const bool done = pipes[number].revents != 0 && read_some(*job);
      if (done) finish(*job, result_.entries[job->entry], options_);
      job = done ? playing_.erase(job) : std::next(job);
    }
  }

  void stop() {
    for (Job& job : playing_) {
      kill(job.process, SIGKILL);
      close(job.pipe);
      waitpid(job.process, nullptr, 0);
      result_.entries[job.entry].skipped = "interrupted";
    }
    for (const Job& job : waiting_) result_.entries[job.entry].skipped = "interrupted";
    waiting_.clear();
    playing_.clear();
    result_.interrupted = true;
  }

  const Options& options_;
  AtlasResult& result_;
  bool story_;
  std::list<Job> waiting_, playing_;
};

bool is_racy(const Scenario& scenario) {
  for (Side side : {Side::client, Side::server}) {
    for (const Step& step : scenario.script(side).steps) {
      if (step.expect.all().size() > 1) return true;
    }
  }
  return false;
}

}  // namespace

bool AtlasEntry::expected() const {
  return (!ring || ring->expected) && (!syscall || syscall->expected);
}

const char* verdict_name(ClaimResult::Verdict verdict) {
  switch (verdict) {
    case ClaimResult::Verdict::holds:
      return "holds";
    case ClaimResult::Verdict::partly:
      return "partly";
    case ClaimResult::Verdict::wrong:
      return "wrong";
    case ClaimResult::Verdict::not_applicable:
      return "not_applicable";
    case ClaimResult::Verdict::not_shown:
      return "not_shown";
  }
  return "?";
}

const char* verdict_words(ClaimResult::Verdict verdict) {
  switch (verdict) {
    case ClaimResult::Verdict::holds:
      return "holds";
    case ClaimResult::Verdict::partly:
      return "only if";
    case ClaimResult::Verdict::wrong:
      return "does not hold";
    case ClaimResult::Verdict::not_applicable:
      return "n/a";
    case ClaimResult::Verdict::not_shown:
      return "not shown";
  }
  return "?";
}

AtlasEntry entry_of(const PlannedScenario& planned) {
  AtlasEntry entry;
  entry.name = planned.ring.name;
  entry.folder = folder_of(planned.file);
  entry.about = planned.ring.about;
  entry.racy = is_racy(planned.ring);
  entry.claims = planned.ring.claims;
  return entry;
}

AtlasResult play_atlas(const Options& options, const std::vector<PlannedScenario>& planned) {
  const auto began = Clock::now();
  AtlasResult result;
  result.context = describe(options, {});
  result.context.lab = "private";
  Pool pool(options, result, !options.explain.empty());
  for (const PlannedScenario& piece : planned) {
    pool.add({result.entries.size(), Engine::ring, piece.ring, -1, -1, {}, {}});
    if (piece.syscall)
      pool.add({result.entries.size(), Engine::syscall, *piece.syscall, -1, -1, {}, {}});
    result.entries.push_back(entry_of(piece));
  }
  pool.play();
  result.elapsed_s = std::chrono::duration<double>(Clock::now() - began).count();
  return result;
}

}  // namespace ringchurn
