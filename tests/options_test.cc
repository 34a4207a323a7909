// Options: what is understood, which source wins, and that every mistake gets one line that names
// its source and the way out.
#include "bench/options.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include "bench/option_table.h"
#include "ring/error.h"

namespace ringchurn {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

/// A clean environment, and a config file of the test's own.
class OptionsTest : public testing::Test {
 protected:
  OptionsTest() { clear_environment(); }
  ~OptionsTest() override {
    clear_environment();
    ::unlink(config_path_.c_str());
  }

  static void clear_environment() {
    for (const char* name :
         {"ARMS",        "MIX",     "SCENARIO", "SET",        "CONNECTIONS", "DURATION",
          "CONCURRENCY", "THREADS", "LAYOUT",   "FAMILY",     "LAB",         "SEED",
          "JSON",        "CONFIG",  "ONLY",     "EXPLAIN",    "RUNS",        "ENGINE",
          "FORMAT",      "SIDES",   "QUIET",    "SERVER",     "NO_COLOR",    "PROGRESS",
          "INTERVAL",    "JSONL",   "METRICS",  "RESOLUTION", "MAX_TIME"}) {
      ::unsetenv(("RINGCHURN_" + std::string(name)).c_str());
    }
  }

  static std::optional<Options> parse(std::vector<const char*> words) {
    words.insert(words.begin(), "ringchurn");
    words.push_back(nullptr);
    return parse_options(static_cast<int>(words.size()) - 1, words.data());
  }

  /// The message of the error that the words must cause.
  static std::string error(const std::vector<const char*>& words) {
    try {
      parse(words);
    } catch (const Error& error) {
      std::string message = error.what();
      EXPECT_EQ(error.exit_code, kExitUsage) << message;
      EXPECT_EQ(message.find('\n'), message.npos) << message;
      EXPECT_FALSE(message.empty());
      return message;
    }
    ADD_FAILURE() << "no error";
    return "";
  }

  /// Writes the config file and names it.
  const char* config(const std::string& text) {
    std::ofstream(config_path_) << text;
    return config_path_.c_str();
  }

  const std::string config_path_ =
      testing::TempDir() + "options_test." + std::to_string(::getpid()) + ".toml";
};

TEST_F(OptionsTest, RunPlaysGracefulForTenSecondsByDefault) {
  const Options options = parse({"run"}).value();
  EXPECT_EQ(options.command, Command::run);
  EXPECT_THAT(options.arms, ElementsAre("graceful"));
  EXPECT_EQ(options.duration, seconds(10));
  EXPECT_FALSE(options.connections.has_value());
  EXPECT_EQ(options.concurrency, 64u);
  EXPECT_EQ(options.threads, 1u);
  EXPECT_EQ(options.layout, Layout::pair);
  EXPECT_EQ(options.family, Family::ipv4);
  EXPECT_EQ(options.lab, LabKind::private_namespace);
  EXPECT_EQ(options.seed, 1u);
  EXPECT_TRUE(options.settings.empty());
  EXPECT_TRUE(options.json_path.empty());
}

TEST_F(OptionsTest, AWideLayoutHasAsManyServersAsClientsByDefault) {
  EXPECT_EQ(parse({"run"}).value().server_threads, std::nullopt);
  Options options = parse({"run", "--layout", "wide", "--threads", "3"}).value();
  EXPECT_EQ(options.layout, Layout::wide);
  EXPECT_EQ(options.server_threads, 3u);
  options = parse({"run", "--layout", "wide", "--threads", "3", "--server-threads", "2"}).value();
  EXPECT_EQ(options.threads, 3u);
  EXPECT_EQ(options.server_threads, 2u);
}

TEST_F(OptionsTest, TheRingIsUsedInOtherWaysIfAskedFor) {
  EXPECT_EQ(parse({"run"}).value().ways, Ways{});
  const Ways plain_and_one{.plain = true, .waiting = Waiting::one};
  for (const char* command : {"run", "serve", "compare"}) {
    EXPECT_EQ(parse({command, "--ring", "plain+wait-one"}).value().ways, plain_and_one);
  }
  const Options options = parse({"compare", "graceful", "graceful=9,refused=1@plain"}).value();
  EXPECT_THAT(options.arms, ElementsAre("graceful", "graceful=9,refused=1@plain"));
}

TEST_F(OptionsTest, CompareComparesGracefulWithRstClientOnOneThreadByDefault) {
  const Options options = parse({"compare"}).value();
  EXPECT_EQ(options.command, Command::compare);
  EXPECT_THAT(options.arms, ElementsAre("graceful", "rst-client"));
  EXPECT_EQ(options.duration, seconds(20));
  EXPECT_EQ(options.layout, Layout::single);
}

TEST_F(OptionsTest, AtlasPlaysEverythingTwentyTimesOnTheRingByDefault) {
  const Options options = parse({"atlas"}).value();
  EXPECT_EQ(options.command, Command::atlas);
  EXPECT_TRUE(options.wanted.empty());
  EXPECT_EQ(options.explain, "");
  EXPECT_EQ(options.engine, Engine::ring);
  EXPECT_EQ(options.runs, 20u);
  EXPECT_EQ(options.family, Family::ipv4);
}

TEST_F(OptionsTest, EveryOptionOfAtlasIsUnderstood) {
  const Options options =
      parse({"atlas", "reset/", "--engine", "syscall", "S001-14", "--runs", "64", "--family",
             "ipv6", "--set", "a.x=1", "--json", "-", "mine.toml"})
          .value();
  EXPECT_THAT(options.wanted, ElementsAre("reset/", "S001-14", "mine.toml"));
  EXPECT_EQ(options.engine, Engine::syscall);
  EXPECT_EQ(options.runs, 64u);
  EXPECT_EQ(options.family, Family::ipv6);
  EXPECT_EQ(options.settings.size(), 1u);
  EXPECT_EQ(options.json_path, "-");
}

TEST_F(OptionsTest, ExplainNamesTheOnlyScenario) {
  const Options options = parse({"atlas", "--explain", "graceful"}).value();
  EXPECT_EQ(options.explain, "graceful");
  EXPECT_THAT(options.wanted, ElementsAre("graceful"));
}

TEST_F(OptionsTest, EveryOptionOfRunIsUnderstood) {
  const Options options = parse({"run",
                                 "--mix",
                                 "a=70,b.toml=30",
                                 "--connections",
                                 "1000000000000",
                                 "--threads",
                                 "2",
                                 "--concurrency",
                                 "1000000",
                                 "--layout=single",
                                 "--family",
                                 "ipv6",
                                 "--lab",
                                 "host",
                                 "--seed",
                                 "18446744073709551615",
                                 "--set",
                                 "a.x=1",
                                 "--set",
                                 "y=10ms",
                                 "--json",
                                 "-"})
                              .value();
  EXPECT_THAT(options.arms, ElementsAre("a=70,b.toml=30"));
  EXPECT_EQ(options.connections, 1'000'000'000'000u);
  EXPECT_EQ(options.duration.count(), 0);
  EXPECT_EQ(options.threads, 2u);
  EXPECT_EQ(options.concurrency, 1'000'000u);
  EXPECT_EQ(options.layout, Layout::single);
  EXPECT_EQ(options.family, Family::ipv6);
  EXPECT_EQ(options.lab, LabKind::host);
  EXPECT_EQ(options.seed, UINT64_MAX);
  EXPECT_EQ(options.json_path, "-");
  ASSERT_EQ(options.settings.size(), 2u);
  EXPECT_EQ(options.settings[0].scenario, "a");
  EXPECT_EQ(options.settings[0].param, "x");
  EXPECT_EQ(options.settings[0].value, "1");
  EXPECT_EQ(options.settings[1].scenario, "");
  EXPECT_EQ(options.settings[1].param, "y");
  EXPECT_EQ(options.settings[1].value, "10ms");
}

TEST_F(OptionsTest, ArmsAndOptionsMayAlternate) {
  const Options options =
      parse({"compare", "a", "--set", "a.x=1", "b=1,c=2", "--duration", "5s", "d.toml"}).value();
  EXPECT_THAT(options.arms, ElementsAre("a", "b=1,c=2", "d.toml"));
  EXPECT_EQ(options.duration, seconds(5));
}

TEST_F(OptionsTest, DurationsNeedANumberAndAUnit) {
  const std::pair<const char*, std::chrono::nanoseconds> good[] = {
      {"100ms", milliseconds(100)}, {"200ms", milliseconds(200)}, {"10s", seconds(10)},
      {"5m", minutes(5)},           {"24h", hours(24)},           {"86400s", hours(24)}};
  for (const auto& [text, length] : good) {
    EXPECT_EQ(parse({"run", "--duration", text})->duration, length) << text;
  }
  EXPECT_THAT(error({"run", "--duration", "10"}), HasSubstr("has no unit; add ms, s, m or h"));
  for (const char* text : {"99ms", "0s", "25h", "4294967295h"}) {
    EXPECT_THAT(error({"run", "--duration", text}), HasSubstr("give 100ms to 24h")) << text;
  }
  for (const char* text : {"s", "-5s", "1.5s", "10 s", "10sec", "4294967296s", " 10s"}) {
    EXPECT_THAT(error({"run", "--duration", text}), HasSubstr("is not a duration")) << text;
  }
}

TEST_F(OptionsTest, NumbersOutOfRangeAreRefusedWithTheRange) {
  const struct {
    const char *flag, *text, *range;
  } bad[] = {{"--connections", "0", "from 1 to 1,000,000,000,000"},
             {"--connections", "1000000000001", "from 1 to 1,000,000,000,000"},
             {"--concurrency", "0", "from 1 to 1,000,000"},
             {"--concurrency", "1000001", "from 1 to 1,000,000"},
             {"--concurrency", "64k", "from 1 to 1,000,000"},
             {"--threads", "0", "from 1 to 256"},
             {"--threads", "257", "from 1 to 256"},
             {"--runs", "0", "from 1 to 64"},
             {"--runs", "65", "from 1 to 64"},
             {"--seed", "-1", "from 0 to 2^64-1"},
             {"--seed", "18446744073709551616", "from 0 to 2^64-1"},
             {"--seed", "0x10", "from 0 to 2^64-1"}};
  for (const auto& [flag, text, range] : bad) {
    const char* command = std::string_view(flag) == "--runs" ? "atlas" : "run";
    EXPECT_EQ(error({command, flag, text}),
              std::string(flag) + ": '" + text + "' is not a whole number " + range);
  }
}

TEST_F(OptionsTest, MistakesOnTheCommandLineGetOneLine) {
  const std::pair<std::vector<const char*>, const char*> bad[] = {
      {{"run", "--concurency", "5"}, "unknown option --concurency, did you mean '--concurrency'?"},
      {{"run", "--concurency=5"}, "unknown option --concurency, did you mean '--concurrency'?"},
      {{"run", "--bogus", "graceful"}, "unknown option --bogus"},
      {{"run", "-c", "5"}, "unknown option -c"},
      {{"rum"}, "unknown command rum, did you mean 'run'?"},
      {{"--versoin"}, "unknown option --versoin, did you mean '--version'?"},
      {{"--seed", "1", "run"}, "--seed needs a command before it"},
      {{"compare", "--threads", "2"}, "compare has no option --threads"},
      {{"compare", "--layout", "pair"}, "compare has no option --layout"},
      {{"compare", "--connections", "5"}, "compare has no option --connections"},
      {{"scenarios", "--seed", "1"}, "scenarios has no option --seed"},
      {{"scenarios", "--format", "html"}, "--format: 'html' is not known; give text or markdown"},
      {{"export"}, "export needs a result"},
      {{"export", ""}, "RESULT.json is empty"},
      {{"export", "a.json", "b.json"}, "RESULT.json is given 2 times"},
      {{"export", "a.json", "--format", "xml"}, "--format: 'xml' is not known; give one of google"},
      {{"export", "a.json", "--rows", "all"}, "--rows: 'all' is not known; give metrics or blocks"},
      {{"export", "a.json", "--rows", "blocks"}, "leave it out for markdown"},
      {{"export", "a.json", "--histogram", "graceful"}, "--histogram is about hgrm"},
      {{"export", "a.json", "-o", ""}, "--output is empty"},
      {{"run", "-o", "x"}, "unknown option -o"},
      {{"atlas", "--seed", "1"}, "atlas has no option --seed"},
      {{"atlas", "--engine", "epoll"}, "--engine: 'epoll' is not known; give ring or syscall"},
      {{"atlas", "--explain", ""}, "--explain is empty"},
      {{"atlas", "--explain"}, "--explain needs a value"},
      {{"atlas", "a", ""}, "NAME is empty"},
      {{"atlas", "a", "--explain", "b"}, "NAME and --explain exclude each other"},
      {{"atla"}, "unknown command atla, did you mean 'atlas'?"},
      {{"scenarios", "a", "b"}, "NAME|FOLDER is given 2 times"},
      {{"run", "graceful"}, "unexpected 'graceful'; to name a scenario, use --scenario"},
      {{"run", "--seed"}, "--seed needs a value"},
      {{"run", "--seed", "--json", "x"}, "--seed: '--json' is an option, not a value"},
      {{"compare", "--json=", "a", "b"}, "--json= has no value"},
      {{"run", "--seed", "1", "--seed", "2"}, "--seed is given 2 times; give it once"},
      {{"run", "--mix", "a=1,b=2", "--scenario", "c"}, "--mix and --scenario exclude each other"},
      {{"run", "--connections", "5", "--duration", "1s"},
       "--connections and --duration exclude each other"},
      {{"run", "--mix", "a"}, "is one scenario, not a mix; use --scenario"},
      {{"run", "--mix", ""}, "--mix is empty"},
      {{"run", "--mix", "a=1,a=2"}, "--mix: the mix names scenario 'a' twice"},
      {{"run", "--mix", "a=0"}, "--mix: mix entry 'a=0': weight '0' must be"},
      {{"run", "--scenario", "a=1,b=2"}, "is a mix, not one scenario; use --mix"},
      {{"run", "--scenario", ""}, "--scenario is empty"},
      {{"run", "--json", ""}, "--json is empty"},
      {{"run", "--lab", "attic"}, "--lab: 'attic' is not known; give private or veth or host"},
      {{"run", "--layout", "Pair"}, "give pair or single or wide"},
      {{"run", "--server-threads", "2"}, "--server-threads is about --layout wide"},
      {{"run", "--layout", "single", "--server-threads", "2"}, "is about --layout wide"},
      {{"run", "--layout", "wide", "--server-threads", "257"}, "not a whole number from 1 to 256"},
      {{"run", "--family", "inet"}, "give ipv4 or ipv6"},
      {{"run", "--threads", "65"}, "threads (65) exceeds concurrency (64)"},
      {{"compare", "a"}, "'a' has nothing to be compared with; give two arms or more"},
      {{"sweep"}, "sweep needs a scenario"},
      {{"sweep", "--scenario", "a"}, "sweep needs something to vary"},
      {{"sweep", "--scenario", "a", "--vary", "x"}, "--vary: 'x' is not of the form"},
      {{"sweep", "--scenario", "a", "--vary", "=1,2"}, "--vary: '=1,2' is not of the form"},
      {{"sweep", "--scenario", "a", "--vary", "x=1,,2"}, "has a comma with no value beside it"},
      {{"sweep", "--scenario", "a", "--vary", "x=1"}, "needs two values or more"},
      {{"sweep", "--scenario", "a", "--vary", "x=1,2,1"}, "each once"},
      {{"sweep", "--scenario", "a", "--vary", "x=1,2", "--vary", "x=3,4"}, "is varied already"},
      {{"sweep", "--scenario", "a", "--vary", "x=1,2,3,4,5", "--vary", "y=1,2,3,4"},
       "--vary asks for 20 combinations, and 16 are the most"},
      {{"sweep", "a", "--vary", "x=1,2"}, "to name a scenario, use --scenario"},
      {{"compare", "", "b"}, "ARM is empty"},
      {{"compare", "a", "b=1,c"}, "ARM: mix entry 'c' has no weight"},
      {{"run", "--set", "a.b"}, "is not of the form SCENARIO.PARAM=VALUE"},
      {{"run", "--set", "=1"}, "is not of the form SCENARIO.PARAM=VALUE"},
      {{"run", "--set", ".b=1"}, "is not of the form SCENARIO.PARAM=VALUE"},
      {{"run", "--set", "a.=1"}, "is not of the form SCENARIO.PARAM=VALUE"},
      {{"run", "--set", "a.b=1", "--set", "a.b=2"}, "'a.b=2' sets a parameter that is already set"},
      {{"run", "--scenario", "a\nb=1"}, "'a?b=1'"},
  };
  for (const auto& [words, message] : bad) EXPECT_THAT(error(words), HasSubstr(message));
}

TEST_F(OptionsTest, AFlagWinsOverTheEnvironmentAndThatOverTheFile) {
  const char* file = config("concurrency = 10\n[run]\nconcurrency = 20\nseed = 5\n");
  EXPECT_EQ(parse({"compare", "--config", file})->concurrency, 10u);
  EXPECT_EQ(parse({"run", "--config", file})->concurrency, 20u);
  ::setenv("RINGCHURN_CONCURRENCY", "30", 1);
  EXPECT_EQ(parse({"run", "--config", file})->concurrency, 30u);
  const Options options = parse({"run", "--config", file, "--concurrency", "40"}).value();
  EXPECT_EQ(options.concurrency, 40u);
  EXPECT_EQ(options.seed, 5u);
}

TEST_F(OptionsTest, OptionsThatExcludeEachOtherDoSoWithinOneSourceOnly) {
  const char* file = config("[run]\nmix = \"a=1,b=2\"\nconnections = 5\n");
  EXPECT_THAT(parse({"run", "--config", file, "--scenario", "c"})->arms, ElementsAre("c"));
  const Options timed = parse({"run", "--config", file, "--duration", "1s"}).value();
  EXPECT_FALSE(timed.connections.has_value());
  EXPECT_EQ(timed.duration, seconds(1));
  ::setenv("RINGCHURN_MIX", "d=1,e=2", 1);
  EXPECT_THAT(parse({"run", "--config", file})->arms, ElementsAre("d=1,e=2"));
  ::setenv("RINGCHURN_SCENARIO", "f", 1);
  EXPECT_THAT(error({"run"}), HasSubstr("RINGCHURN_MIX and RINGCHURN_SCENARIO exclude"));
}

TEST_F(OptionsTest, AFlagTakesAlongWhatTheFileSaysAboutWhatItOverrides) {
  const char* file = config(
      "[compare]\nresolution = \"0.5%\"\nmax-time = \"10s\"\n"
      "[run]\nlayout = \"wide\"\nserver-threads = 4\n");
  EXPECT_EQ(parse({"compare", "--config", file})->duration, seconds(10));
  const Options timed = parse({"compare", "--config", file, "--duration", "5s"}).value();
  EXPECT_EQ(timed.duration, seconds(5));
  EXPECT_FALSE(timed.resolution);
  EXPECT_FALSE(timed.max_time);
  EXPECT_EQ(parse({"run", "--config", file})->server_threads, 4u);
  EXPECT_FALSE(parse({"run", "--config", file, "--layout", "pair"})->server_threads);
  // Who types it means it.
  EXPECT_THAT(error({"compare", "--config", file, "--duration", "5s", "--max-time", "5s"}),
              HasSubstr("max-time limits a --resolution"));
  EXPECT_THAT(error({"run", "--config", file, "--layout", "pair", "--server-threads", "2"}),
              HasSubstr("--server-threads is about --layout wide"));
}

TEST_F(OptionsTest, TheEnvironmentMayHaveBothOfWhatAFlagOverridesOne) {
  ::setenv("RINGCHURN_RESOLUTION", "0.5%", 1);
  ::setenv("RINGCHURN_MAX_TIME", "10s", 1);
  EXPECT_EQ(parse({"compare"})->duration, seconds(10));
  EXPECT_EQ(parse({"compare", "--duration", "5s"})->duration, seconds(5));
}

TEST_F(OptionsTest, TheEnvironmentHasAVariableForEachOption) {
  ::setenv("RINGCHURN_ARMS", " a  b=1,c=2 ", 1);
  ::setenv("RINGCHURN_SET", "a.x=1 y=2", 1);
  ::setenv("RINGCHURN_DURATION", "1m", 1);
  ::setenv("RINGCHURN_FAMILY", "ipv6", 1);
  ::setenv("RINGCHURN_THREADS", "9", 1);  // compare has none, and no objection
  ::setenv("RINGCHURN_SEED", "", 1);      // as if unset
  ::setenv("RINGCHURN_JSON", "out.json", 1);
  const Options options = parse({"compare"}).value();
  EXPECT_THAT(options.arms, ElementsAre("a", "b=1,c=2"));
  EXPECT_EQ(options.settings.size(), 2u);
  EXPECT_EQ(options.duration, minutes(1));
  EXPECT_EQ(options.family, Family::ipv6);
  EXPECT_EQ(options.threads, 1u);
  EXPECT_EQ(options.seed, 1u);
  EXPECT_EQ(options.json_path, "out.json");
}

TEST_F(OptionsTest, AMistakeInTheEnvironmentNamesTheVariable) {
  ::setenv("RINGCHURN_CONCURRENCY", "many", 1);
  EXPECT_EQ(error({"run"}),
            "RINGCHURN_CONCURRENCY: 'many' is not a whole number from 1 to 1,000,000");
  EXPECT_EQ(parse({"run", "--concurrency", "2"})->concurrency, 2u);
}

TEST_F(OptionsTest, TheConfigFileHoldsEveryOption) {
  const char* file = config(
      "family = \"ipv6\"\nset = [\"a.x=1\",\n  \"y=2\"]\n"
      "[run]\nscenario = \"s\"\nconnections = 7\nthreads = 3\nlayout = \"single\"\n"
      "[compare]\narms = [\"a\", \"b\"]\nduration = \"3s\"\n"
      "[atlas]\nonly = [\"a\", \"S1\"]\nruns = 3\nengine = \"syscall\"\n");
  ::setenv("RINGCHURN_CONFIG", file, 1);
  const Options run = parse({"run"}).value();
  EXPECT_THAT(run.arms, ElementsAre("s"));
  EXPECT_EQ(run.connections, 7u);
  EXPECT_EQ(run.threads, 3u);
  EXPECT_EQ(run.layout, Layout::single);
  EXPECT_EQ(run.family, Family::ipv6);
  EXPECT_EQ(run.settings.size(), 2u);
  const Options compare = parse({"compare"}).value();
  EXPECT_THAT(compare.arms, ElementsAre("a", "b"));
  EXPECT_EQ(compare.duration, seconds(3));
  EXPECT_EQ(compare.family, Family::ipv6);
  const Options atlas = parse({"atlas"}).value();
  EXPECT_THAT(atlas.wanted, ElementsAre("a", "S1"));
  EXPECT_EQ(atlas.runs, 3u);
  EXPECT_EQ(atlas.engine, Engine::syscall);
  EXPECT_EQ(atlas.family, Family::ipv6);
  EXPECT_EQ(parse({"atlas", "--explain", "b"})->explain, "b") << "a flag wins over the file";
}

TEST_F(OptionsTest, AListReplacesTheListOfAWeakerSource) {
  const char* file = config("set = [\"a.x=1\", \"a.y=2\"]\n");
  const Options options = parse({"run", "--config", file, "--set", "a.x=3"}).value();
  ASSERT_EQ(options.settings.size(), 1u);
  EXPECT_EQ(options.settings[0].value, "3");
}

TEST_F(OptionsTest, AMistakeInTheConfigFileNamesItsLine) {
  const std::pair<const char*, const char*> bad[] = {
      {"\nconcurency = 5\n", ":2: concurency: unknown key, did you mean 'concurrency'?"},
      {"[rum]\nseed = 5\n",
       ":1: rum: unknown table; known are [run], [drive], [serve], [compare], [sweep], "},
      {"[run.more]\nseed = 5\n", ": unknown key"},
      {"[[run]]\nseed = 5\n", ":1: run: unknown key"},
      {"run = 5\n", ":1: run: unknown key"},
      {"config = \"x\"\n", ":1: config: unknown key"},
      {"[compare]\nthreads = 2\n", ":2: threads: unknown key"},
      {"[run]\narms = [\"a\", \"b\"]\n", ":2: arms: unknown key"},
      {"seed = \"5\"\n", ":1: seed must be a whole number, without quotes"},
      {"seed = 5.0\n", ":1: seed must be a whole number, without quotes"},
      {"seed = true\n", ":1: seed must be a whole number, without quotes"},
      {"duration = 10\n", ":1: duration must be a string"},
      {"set = \"a=1\"\n", ":1: set must be an array of strings"},
      {"set = [\n\"a=1\",\n5]\n", ":3: set must be an array of strings"},
      {"set = [\n\"a=1\",\n\"b\"]\n", ":3: set: 'b' is not of the form"},
      {"\nseed = -5\n", ":2: seed: '-5' is not a whole number from 0 to 2^64-1"},
      {"[compare]\nconcurrency = 0\n", ":2: concurrency: '0' is not a whole number"},
      {"[run]\nmix = \"a=1\"\nscenario = \"b\"\n", ":3: scenario exclude each other"},
      {"[compare]\narms = [\"a\"]\n", ":2: arms: 'a' has nothing to be compared with"},
      {"seed = 1\nseed = 2\n", ":2: "},
      {"seed = = 1\n", ":1: "},
  };
  for (const auto& [text, message] : bad) {
    const std::string line = error({"run", "--config", config(text)});
    EXPECT_THAT(line, HasSubstr(config_path_)) << text;
    EXPECT_THAT(line, HasSubstr(message)) << text;
  }
  // A flag does not excuse what the file says.
  EXPECT_THAT(error({"run", "--seed", "1", "--config", config("seed = -5\n")}), HasSubstr(":1: "));
}

TEST_F(OptionsTest, AResolutionHasALimitAndNoDuration) {
  const auto plain = parse({"compare"});
  EXPECT_FALSE(plain->resolution);
  const auto half_a_percent = parse({"compare", "--resolution", "0.5%"});
  EXPECT_DOUBLE_EQ(*half_a_percent->resolution, 0.005);
  EXPECT_EQ(half_a_percent->duration, minutes(1));
  const auto limited = parse({"sweep", "--scenario", "graceful", "--vary", "request=1,2",
                              "--resolution", "0.005", "--max-time", "10s"});
  EXPECT_DOUBLE_EQ(*limited->resolution, 0.005);
  EXPECT_EQ(limited->duration, seconds(10));
  EXPECT_THAT(error({"compare", "--resolution", "1%", "--duration", "5s"}),
              HasSubstr("--duration and --resolution exclude each other"));
  EXPECT_THAT(error({"compare", "--max-time", "5s"}), HasSubstr("max-time limits a --resolution"));
  // A flag wins over what the file asks for in its place.
  const char* file = config("[compare]\nduration = \"3s\"\n");
  EXPECT_EQ(parse({"compare", "--config", file, "--resolution", "2%"})->duration, minutes(1));
  for (const char* wrong : {"0.5", "0%", "-1%", "nan", "nan%", "1e-9", "21%", "1 %", "%", "1%%"}) {
    EXPECT_THAT(error({"compare", fmt::format("--resolution={}", wrong).c_str()}),
                HasSubstr("is not a resolution from 0.05% to 20%"))
        << wrong;
  }
}

TEST_F(OptionsTest, AConfigFileThatCannotBeReadIsTold) {
  EXPECT_THAT(error({"run", "--config", "/nonexistent.toml"}), HasSubstr("cannot be read"));
  EXPECT_THAT(error({"run", "--config", testing::TempDir().c_str()}), HasSubstr("cannot be read"));
  ::setenv("RINGCHURN_CONFIG", "/nonexistent.toml", 1);
  EXPECT_THAT(error({"compare"}), HasSubstr("RINGCHURN_CONFIG: '/nonexistent.toml'"));
  EXPECT_EQ(parse({"scenarios"})->command, Command::scenarios);  // reads none
}

TEST_F(OptionsTest, AnEmptyConfigFileSaysNothing) {
  EXPECT_EQ(parse({"run", "--config", config("")})->concurrency, 64u);
}

TEST_F(OptionsTest, ScenariosAreListedAsTextOrAsAPage) {
  EXPECT_FALSE(parse({"scenarios"})->as_markdown);
  EXPECT_TRUE(parse({"scenarios", "--format", "markdown"})->as_markdown);
}

TEST_F(OptionsTest, AnExportHasAFormatAndAPlace) {
  const auto plain = parse({"export", "a.json"});
  EXPECT_EQ(plain->recorded, "a.json");
  EXPECT_EQ(plain->exported.format, ExportFormat::markdown);
  EXPECT_EQ(plain->output_path, "-");
  const auto rows = parse({"export", "--format", "go-benchmark", "--rows", "blocks", "a.json"});
  EXPECT_EQ(rows->exported.format, ExportFormat::go_benchmark);
  EXPECT_EQ(rows->exported.rows, ExportRows::blocks);
  const auto hgrm =
      parse({"export", "a.json", "-o", "a.hgrm", "--format", "hgrm", "--histogram", "x/teardown"});
  EXPECT_EQ(hgrm->output_path, "a.hgrm");
  EXPECT_EQ(hgrm->exported.histogram, "x/teardown");
  EXPECT_EQ(parse({"export", "a.json", "--output", "b"})->output_path, "b");
}

TEST_F(OptionsTest, ScenariosTakesOneName) {
  EXPECT_EQ(parse({"scenarios"})->scenario_name, "");
  EXPECT_EQ(parse({"scenarios", "half-close"})->scenario_name, "half-close");
}

TEST_F(OptionsTest, TheCommandLineIsKeptAsAShellWouldReadIt) {
  EXPECT_EQ(parse({"run", "--json", "it's here", "--set", "a.b=1"})->command_line,
            "ringchurn run --json 'it'\\''s here' --set a.b=1");
}

/// What `parse` prints to standard output (or error) instead of returning options.
std::string printed(const std::function<void()>& parse, bool to_stderr) {
  if (to_stderr) testing::internal::CaptureStderr();
  if (!to_stderr) testing::internal::CaptureStdout();
  parse();
  std::fflush(nullptr);
  return to_stderr ? testing::internal::GetCapturedStderr()
                   : testing::internal::GetCapturedStdout();
}

TEST_F(OptionsTest, HelpFitsIntoEightyColumnsAndEndsWithTheExitCodes) {
  std::vector<std::vector<const char*>> all = {
      {"--help"}, {"compare", "-h"}, {"run", "--bogus", "--help"}};
  for (const CommandSpec& command : command_specs()) all.push_back({command.name, "--help"});
  for (const std::vector<const char*>& words : all) {
    const std::string help = printed([&] { EXPECT_FALSE(parse(words).has_value()); }, false);
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
    EXPECT_THAT(help, HasSubstr("Examples:"));
    EXPECT_TRUE(help.ends_with("130  interrupted; the partial result was written\n")) << help;
  }
}

TEST_F(OptionsTest, HelpNamesEveryOptionOfItsCommandAndNoOther) {
  const auto entry = [](const OptionSpec& spec) {
    const std::string letter = spec.letter == nullptr ? "" : fmt::format("-{}, ", spec.letter);
    return fmt::format("\n  {}{} ", letter, spec.positional ? spec.value : spec.flag());
  };
  for (const CommandSpec& command : command_specs()) {
    const std::string help = command_help(command);
    std::set<std::string> own;  // commands may have options of one name that differ
    for (const OptionSpec& spec : option_specs()) {
      if (spec.belongs_to(command.bit)) own.insert(entry(spec));
    }
    for (const OptionSpec& spec : option_specs()) {
      EXPECT_EQ(help.find(entry(spec)) != help.npos, own.contains(entry(spec))) << entry(spec);
    }
  }
}

TEST_F(OptionsTest, AFlagIsTrueUnlessASourceSaysOtherwise) {
  EXPECT_FALSE(parse({"run"})->quiet);
  EXPECT_TRUE(parse({"run", "--quiet", "--no-color"})->quiet);
  EXPECT_TRUE(parse({"scenarios", "--no-color"})->no_color);
  EXPECT_FALSE(parse({"run", "--quiet=false"})->quiet);
  EXPECT_FALSE(parse({"compare"})->bill);
  EXPECT_TRUE(parse({"compare", "--bill"})->bill);
  EXPECT_TRUE(parse({"run", "--bill"})->bill);
  EXPECT_THAT(error({"compare", "--bill", "--server", "a", "--server", "b"}),
              HasSubstr("leave --bill out"));
  EXPECT_THAT(error({"run", "--quiet=loud"}), HasSubstr("--quiet: 'loud' is not known; give true"));
  EXPECT_THAT(error({"run", "--quiet", "--quiet"}), HasSubstr("give it once"));
  EXPECT_THAT(error({"atlas", "--explain", "graceful", "--quiet"}), HasSubstr("leave --quiet out"));
  const char* file = config("quiet = true\n");
  EXPECT_TRUE(parse({"run", "--config", file})->quiet);
  ::setenv("RINGCHURN_QUIET", "0", 1);
  EXPECT_FALSE(parse({"run", "--config", file})->quiet);
  EXPECT_TRUE(parse({"run", "--quiet"})->quiet);
  ::setenv("RINGCHURN_QUIET", "maybe", 1);
  EXPECT_THAT(error({"run"}), HasSubstr("RINGCHURN_QUIET: 'maybe'"));
  EXPECT_THAT(error({"run", "--config", config("quiet = 1\n")}),
              HasSubstr("must be true or false, without quotes"));
}

TEST_F(OptionsTest, CommandsHaveNoVariable) {
  ::setenv("RINGCHURN_SERVER", "nginx -c a.conf", 1);
  EXPECT_THAT(error({"compare"}), HasSubstr("give --server, or server = [...]"));
  ::unsetenv("RINGCHURN_SERVER");
  const char* file = config("[compare]\nserver = [\"a 1\", \"b 2\"]\n");
  EXPECT_THAT(parse({"compare", "--config", file})->servers, ElementsAre("a 1", "b 2"));
}

TEST_F(OptionsTest, TheVersionComesWithBuildAndKernel) {
  const std::string text = printed([] { EXPECT_FALSE(parse({"--version"}).has_value()); }, false);
  EXPECT_THAT(text, testing::MatchesRegex("ringchurn [0-9]+\\.[0-9]+\\.[0-9]+\n"
                                          "built by g[^\n]+, [A-Z][^\n]+, with liburing [^\n]+\n"
                                          "running on Linux [^\n]+: [^\n]+\n"));
}

TEST_F(OptionsTest, WithoutACommandTheHelpIsPrintedToStandardError) {
  const std::string text = printed([] { EXPECT_THAT(error({}), HasSubstr("no command")); }, true);
  EXPECT_EQ(text, program_help() + "\n");
}

TEST_F(OptionsTest, MergeTakesTwoResults) {
  const Options options = parse({"merge", "a.json", "b.json", "--json", "-"}).value();
  EXPECT_EQ(options.command, Command::merge);
  EXPECT_THAT(options.sides, ElementsAre("a.json", "b.json"));
  EXPECT_EQ(options.json_path, "-");
  EXPECT_THAT(error({"merge"}), HasSubstr("merge takes two results, not 0"));
  EXPECT_THAT(error({"merge", "a.json"}), HasSubstr("not 1"));
  EXPECT_THAT(error({"merge", "a.json", "b.json", "c.json"}), HasSubstr("not 3"));
  EXPECT_THAT(error({"merge", "a.json", ""}), HasSubstr("empty"));
  EXPECT_THAT(error({"merge", "a.json", "b.json", "--seed", "1"}), HasSubstr("no option --seed"));
}

}  // namespace
}  // namespace ringchurn
