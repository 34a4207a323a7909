// The JSON result: its fields and their types, what is null, and how the file is written.
// (json_schema.py checks results of the program against the schema.)
#include "bench/report_json.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>

#include "bench/output_file.h"
#include "ring/error.h"
#include "tests/in_child.h"
#include "tests/sample_atlas.h"
#include "tests/sample_results.h"

namespace ringchurn {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

TEST(ReportJson, ARunHasTheFieldsThatProgramsRelyOn) {
  const std::string text = run_json(sample_run());
  EXPECT_EQ(text.back(), '\n');
  const json result = json::parse(text);
  EXPECT_EQ(result["schema_version"], 1);
  EXPECT_EQ(result["context"]["concurrency"], 18000);
  EXPECT_EQ(result["context"]["sysctls"]["net.core.somaxconn"], "65535");
  EXPECT_FALSE(result.contains("comparison"));
  EXPECT_EQ(result["interrupted"], false);
  const json& aborted = result["scenarios"][1];
  EXPECT_EQ(aborted["name"], "rst-client");
  EXPECT_EQ(aborted["opened"], 200'000);
  EXPECT_EQ(aborted["finished"], 199'990);
  EXPECT_EQ(aborted["unexpected"], 3);
  EXPECT_EQ(aborted["open_at_deadline"], 7);
  EXPECT_EQ(aborted["client"]["finished"], 199'990);
  EXPECT_EQ(aborted["server"]["finished"], 200'000);
  EXPECT_EQ(result["scenarios"][2]["bytes"]["client_to_server"]["lost"], 92'160'000);
  EXPECT_EQ(result["scenarios"][2]["bytes"]["client_to_server"]["declared"], 0);
  EXPECT_EQ(result["errors"][0],
            json::parse(R"({"scenario": "rst-client", "side": "server", "step": "recv-eof",
                            "step_number": 4, "operation": "recv", "errno": "ECONNRESET",
                            "class": "reset", "expected": true, "count": 200000})"));
  EXPECT_EQ(result["cost"]["connections_per_second"], 32'047.2);
  EXPECT_EQ(result["verdicts"][1]["ok"], false);
  EXPECT_EQ(result["verdicts"][2]["advisory"], true);
}

TEST(ReportJson, FieldsStandInTheOrderOfTheSchema) {
  const auto result = nlohmann::ordered_json::parse(compare_json(sample_comparison()));
  std::vector<std::string> keys;
  for (const auto& [key, value] : result.items()) keys.push_back(key);
  EXPECT_THAT(keys,
              testing::ElementsAre("schema_version", "context", "scenarios", "errors", "kernel",
                                   "pace", "cost", "comparison", "verdicts", "interrupted"));
}

TEST(ReportJson, ACounterDeclaresANumberOrARange) {
  const json kernel = json::parse(run_json(sample_run()))["kernel"];
  EXPECT_EQ(kernel["OutRsts"],
            json::parse(
                R"({"measured": 300000, "declared": 300000, "allowed_extra": 0, "agrees": true})"));
  EXPECT_EQ(
      kernel["TW"],
      json::parse(
          R"({"measured": 700003, "declared": [700000, 700010], "allowed_extra": 0, "agrees": true})"));
  EXPECT_EQ(kernel["TCPAbortOnData"]["agrees"], false);
  EXPECT_EQ(
      kernel["TCPAbortOnClose"],
      json::parse(R"({"measured": null, "declared": 90000, "allowed_extra": 0, "agrees": false})"));
}

TEST(ReportJson, WhatWasNotMeasuredIsNull) {
  const json result = json::parse(run_json(sample_run()));
  const json& refused = result["scenarios"][3];
  EXPECT_EQ(refused["server"], nullptr);
  EXPECT_EQ(refused["latency_ns"]["connect"],
            json::parse(R"({"p50": null, "p90": null, "p99": null, "p999": null, "p9999": null,
                            "max": null, "count": 0, "buckets": []})"));
  const json single = json::parse(compare_json(sample_comparison()));
  EXPECT_EQ(single["cost"]["client_us"], nullptr);
  EXPECT_EQ(single["cost"]["server_us"], nullptr);
}

TEST(ReportJson, SlicesNameTheirArmAndTheControlHasNone) {
  const json slices = json::parse(compare_json(sample_comparison()))["comparison"]["slices"];
  EXPECT_EQ(slices["columns"],
            json::parse(R"(["block", "arm", "began_s", "cpu_us", "connections"])"));
  EXPECT_EQ(slices["rows"],
            json::parse("[[0, 1, 0.0, 9435.5, 361], [0, null, 0.0251, 11020.0, 355], "
                        "[0, 0, 0.05, 11015.0, 355]]"));
}

TEST(ReportJson, LatencyIsInNanoseconds) {
  RunResult run = sample_run();
  Histogram times;
  times.record(200);
  times.record(123'456'789);
  run.scenarios[0].latency.connect = times;
  const json connect = json::parse(run_json(run))["scenarios"][0]["latency_ns"]["connect"];
  EXPECT_EQ(connect["p50"], 200);
  EXPECT_EQ(connect["max"], 123'456'789);
  EXPECT_EQ(connect["count"], 2);
}

TEST(ReportJson, SaysOfHowManyConnectionsBothEndsAreKnownOrWhyOfNone) {
  RunResult run = sample_run();
  run.scenarios[1].matched = {0, "the connect may fail"};
  const json scenarios = json::parse(run_json(run))["scenarios"];
  EXPECT_EQ(scenarios[0]["matched"], json::parse(R"({"connections": 1001, "why_not": null})"));
  EXPECT_EQ(scenarios[1]["matched"],
            json::parse(R"({"connections": 0, "why_not": "the connect may fail"})"));
}

TEST(ReportJson, AComparisonHoldsEveryArmButTheBaseline) {
  const json comparison = json::parse(compare_json(sample_comparison()))["comparison"];
  EXPECT_EQ(comparison["baseline"], "graceful");
  EXPECT_EQ(comparison["baseline_value"], 31.02);
  ASSERT_EQ(comparison["arms"].size(), 1u);
  const json& arm = comparison["arms"][0];
  EXPECT_EQ(arm["name"], "rst-client");
  EXPECT_EQ(arm["metric"], "cpu_us_per_connection");
  EXPECT_EQ(arm["unit"], "us");
  EXPECT_EQ(arm["ratio"], 0.842);
  EXPECT_EQ(arm["ci_low"], 0.836);
  EXPECT_EQ(arm["ci_high"], 0.848);
  EXPECT_EQ(arm["difference"], -4.91);
  EXPECT_EQ(arm["verdict"], "less");
  EXPECT_EQ(comparison["a_a"]["ratio"], 1.001);
  EXPECT_EQ(arm["p_value"], nullptr) << "too few blocks";
  EXPECT_EQ(comparison["resolution"],
            json::parse(R"({"half_width": null, "minimum_detectable_effect": null, "asked": null,
                            "reached": null, "max_time_s": null, "looks": []})"));
  EXPECT_EQ(comparison["blocks"], 248);
}

TEST(ReportJson, AResolutionHasItsLooks) {
  CompareResult comparison = sample_comparison();
  comparison.a_a_p_value = 0.7;
  comparison.arms[1].p_value = 1e-12;
  comparison.arms[1].p_holm = 2e-12;
  comparison.arms[1].minimum_detectable_effect = 0.009;
  comparison.resolution = {0.006, 0.009, 0.005, false, 10, {{8, 1.5, 0.02}, {83, 10.1, 0.006}}};
  const json told = json::parse(compare_json(comparison))["comparison"];
  EXPECT_EQ(told["a_a"]["p_value"], 0.7);
  EXPECT_EQ(told["arms"][0]["p_value"], 1e-12);
  EXPECT_EQ(told["arms"][0]["p_holm"], 2e-12);
  EXPECT_EQ(told["arms"][0]["minimum_detectable_effect"], 0.009);
  const json& resolution = told["resolution"];
  EXPECT_EQ(resolution["half_width"], 0.006);
  EXPECT_EQ(resolution["minimum_detectable_effect"], 0.009);
  EXPECT_EQ(resolution["asked"], 0.005);
  EXPECT_EQ(resolution["reached"], false);
  EXPECT_EQ(resolution["max_time_s"], 10);
  EXPECT_EQ(resolution["looks"].size(), 2u);
  EXPECT_EQ(resolution["looks"][1],
            json::parse(R"({"blocks": 83, "measured_s": 10.1, "half_width": 0.006})"));
}

TEST(ReportJson, AnArmDiffersOnlyIfItDoesAmongAllArms) {
  CompareResult comparison = sample_comparison();
  for (const auto& [p_holm, verdict] :
       {std::pair{0.05, "less"}, std::pair{0.051, "no difference found"}}) {
    comparison.arms[1].p_holm = p_holm;
    EXPECT_EQ(json::parse(compare_json(comparison))["comparison"]["arms"][0]["verdict"], verdict);
  }
}

TEST(ReportJson, AnArmsVerdictFollowsItsInterval) {
  CompareResult comparison = sample_comparison();
  const std::pair<std::optional<Estimate>, json> cases[] = {
      {Estimate{0.9, 0.8, 0.99}, "less"},
      {Estimate{1.1, 1.01, 1.2}, "more"},
      {Estimate{0.99, 0.98, 1.0}, "no difference found"},
      {Estimate{1.01, 0.99, 1.02}, "no difference found"},
      {std::nullopt, nullptr}};
  for (const auto& [ratio, verdict] : cases) {
    comparison.arms[1].ratio = ratio;
    const json arm = json::parse(compare_json(comparison))["comparison"]["arms"][0];
    EXPECT_EQ(arm["verdict"], verdict);
    EXPECT_EQ(arm["ratio"].is_null(), !ratio.has_value());
  }
}

TEST(ReportJson, ANumberThatIsNoneIsADefectOfTheProgramAndNamesItsField) {
  RunResult run = sample_run();
  for (const double number : {std::nan(""), std::numeric_limits<double>::infinity(),
                              -std::numeric_limits<double>::infinity()}) {
    run.cost.user_share = number;
    try {
      run_json(run);
      ADD_FAILURE() << number << " was written";
    } catch (const std::logic_error& error) {
      EXPECT_THAT(error.what(), HasSubstr("/cost/user_share"));
    }
  }
}

TEST(ReportJson, NamesThatAreNotUtf8DoNotStopTheReport) {
  RunResult run = sample_run();
  run.scenarios[0].name = "caf\xe9.toml";
  EXPECT_EQ(json::parse(run_json(run))["scenarios"][0]["name"], "caf\uFFFD.toml");
}

TEST(ReportJson, AnAtlasHasEveryAnswerOfEveryStepByEngine) {
  const json result = json::parse(atlas_json(sample_atlas()));
  EXPECT_EQ(result["schema_version"], 1);
  EXPECT_EQ(result["context"]["elapsed_s"], 38.24);
  EXPECT_EQ(result["interrupted"], false);
  const json& difference = result["scenarios"][0];
  EXPECT_EQ(difference["name"], "cancel");
  EXPECT_EQ(difference["folder"], "options");
  EXPECT_EQ(difference["runs"], 20);
  EXPECT_EQ(difference["expected"], true);
  EXPECT_EQ(difference["skipped"], nullptr);
  ASSERT_EQ(difference["outcomes"].size(), 6u);
  EXPECT_EQ(difference["outcomes"][3], json::parse(R"({
      "engine": "syscall", "side": "client", "step": "recv", "step_number": 2, "declared": "EINTR",
      "answers": [{"outcome": "EINTR", "count": 20, "expected": true}]})"));
  EXPECT_EQ(difference["engines"][1]["engine"], "syscall");
  const json& surprise = result["scenarios"][5];
  EXPECT_EQ(surprise["expected"], false);
  EXPECT_EQ(surprise["claims"], json::parse(R"({"S000-08": "wrong"})"));
  EXPECT_EQ(surprise["engines"][0], json::parse(R"({
      "engine": "ring", "runs": 20, "finished": 1, "expected": false, "failure": null,
      "counters": {"OutRsts": {"measured": 19, "declared": 20, "agrees": false},
                   "Imaginary": {"measured": null, "declared": [0, 20], "agrees": false}}})"));
}

TEST(ReportJson, AStepThatTheFileDoesNotHaveIsNotInTheAtlas) {
  const json reset = json::parse(atlas_json(sample_atlas()))["scenarios"][3];
  EXPECT_EQ(reset["outcomes"][0]["step"], "connect");
}

TEST(ReportJson, ASkippedScenarioSaysWhyAndIsNotAsExpected) {
  const json skipped = json::parse(atlas_json(sample_atlas()))["scenarios"][4];
  EXPECT_THAT(skipped["skipped"].get<std::string>(), HasSubstr("no user namespace"));
  EXPECT_EQ(skipped["expected"], false);
  EXPECT_EQ(skipped["runs"], 0);
  EXPECT_EQ(skipped["engines"], json::array());
}

TEST(ReportJson, AClaimHasItsVerdictAndWhoShowsIt) {
  const json claims = json::parse(atlas_json(sample_atlas()))["claims"];
  ASSERT_EQ(claims.size(), 5u);
  EXPECT_EQ(claims[1]["id"], "S000-05");
  EXPECT_EQ(claims[1]["verdict"], "partly");
  EXPECT_EQ(claims[1]["shown_by"], json::parse(R"(["recv-after-reset", "race-send-close"])"));
  EXPECT_EQ(claims[4]["verdict"], "not_applicable");
}

/// A folder of the test's own.
class WriteResult : public testing::Test {
 protected:
  WriteResult() { fs::create_directory(folder_); }
  ~WriteResult() override { fs::remove_all(folder_); }

  static std::string content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  static Error error_of(const std::string& path) {
    try {
      require_writable(path);
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << path << " was accepted";
    return {kExitGood, ""};
  }

  const std::string folder_ = testing::TempDir() + "report_json_test." + std::to_string(::getpid());
  const std::string path_ = folder_ + "/result.json";
};

TEST_F(WriteResult, WritesAFileAndLeavesNoOtherBehind) {
  require_writable(path_);
  EXPECT_EQ(files(), 0u);
  write_result(path_, "{}\n");
  EXPECT_EQ(content(path_), "{}\n");
  EXPECT_EQ(files(), 1u);
}

TEST_F(WriteResult, TheCheckLeavesAnOldResultAlone) {
  write_result(path_, "old\n");
  require_writable(path_);
  EXPECT_EQ(content(path_), "old\n");
  EXPECT_EQ(files(), 1u);
  write_result(path_, "new\n");
  EXPECT_EQ(content(path_), "new\n");
}

TEST_F(WriteResult, ALinkIsFollowed) {
  write_result(path_, "old\n");
  const std::string link = folder_ + "/latest.json";
  fs::create_symlink(path_, link);
  require_writable(link);
  write_result(link, "new\n");
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(content(path_), "new\n");
}

TEST_F(WriteResult, APipeIsWrittenToAndNotReplaced) {
  const std::string pipe = folder_ + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  require_writable(pipe);
  write_result(pipe, "{}\n");
  char buffer[16];
  EXPECT_EQ(::read(reader, buffer, sizeof buffer), 3);
  ::close(reader);
  EXPECT_TRUE(fs::is_fifo(pipe));
}

TEST_F(WriteResult, StandardOutputIsADash) {
  require_writable("-");
  require_writable("");
  testing::internal::CaptureStdout();
  write_result("-", "{}\n");
  write_result("", "nothing");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "{}\n");
}

TEST_F(WriteResult, APathThatCannotBeWrittenIsToldBeforehand) {
  const Error missing = error_of(folder_ + "/no/such/folder.json");
  EXPECT_EQ(missing.exit_code, kExitUsage);
  EXPECT_THAT(missing.what(), HasSubstr("No such file or directory; choose a folder that exists"));
  const Error folder = error_of(folder_);
  EXPECT_EQ(folder.exit_code, kExitUsage);
  EXPECT_THAT(folder.what(), HasSubstr("it is a directory; name a file in it"));
  EXPECT_THAT(error_of(folder_ + "/a\nb/c").what(), HasSubstr("a?b"));
}

/// In a child process without root's rights: what require_writable() says of `path`.
std::string refusal_as_ordinary_user(const std::string& path) {
  constexpr unsigned kNobody = 65534;
  return in_child([&path]() -> std::string {
    const bool ordinary = ::geteuid() != 0 || (::setresgid(kNobody, kNobody, kNobody) == 0 &&
                                               ::setresuid(kNobody, kNobody, kNobody) == 0);
    if (!ordinary) return "root's rights stayed";
    require_writable(path);
    return "accepted";
  });
}

TEST_F(WriteResult, APathWithoutPermissionIsToldBeforehand) {
  write_result(path_, "old\n");
  fs::permissions(path_, fs::perms::owner_read | fs::perms::others_read);
  EXPECT_THAT(refusal_as_ordinary_user(path_), HasSubstr("Permission denied; choose another file"));
  fs::permissions(folder_, fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read |
                               fs::perms::others_exec);
  EXPECT_THAT(refusal_as_ordinary_user(folder_ + "/new.json"),
              HasSubstr("Permission denied; choose a folder"));
  fs::permissions(folder_, fs::perms::owner_all);
}

/// Lets the process write files of `bytes` bytes and no larger: a full disk that a test can order.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &saved_);
    const rlimit limit{bytes, saved_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &saved_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit saved_{};
};

TEST_F(WriteResult, AFailedWriteKeepsTheOldResultAndCleansUp) {
  write_result(path_, "old\n");
  std::string message;
  try {
    const FileSizeLimit limit(8);
    write_result(path_, "a new result that does not fit\n");
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code, kExitCannotRun);
    message = error.what();
  }
  EXPECT_THAT(message, HasSubstr("File too large; the report on the terminal holds the result"));
  EXPECT_EQ(content(path_), "old\n");
  EXPECT_EQ(files(), 1u);
}

TEST(ReportJson, OneSideLeavesOutWhatTheOtherCounted) {
  const json client = json::parse(run_json(sample_side(PlayedSide::client)));
  EXPECT_EQ(client["context"]["side"], "client");
  EXPECT_EQ(client["context"]["run_id"], "00112233aabbccdd");
  const json& at_client = client["scenarios"][1];
  EXPECT_EQ(at_client["finished"], 199'990);
  EXPECT_EQ(at_client["server"], nullptr);
  EXPECT_EQ(at_client["established"], 200'000);
  EXPECT_EQ(at_client["bytes"]["client_to_server"],
            json::parse(R"({"sent": 200000, "received": null, "lost": null, "declared": null})"));
  EXPECT_EQ(at_client["bytes"]["server_to_client"]["sent"], nullptr);
  EXPECT_EQ(at_client["bytes"]["server_to_client"]["received"], 200'000);
  EXPECT_EQ(
      client["kernel"]["OutRsts"],
      json::parse(R"({"measured": 300000, "declared": null, "allowed_extra": 0, "agrees": null})"));

  const json server = json::parse(run_json(sample_side(PlayedSide::server)));
  const json& at_server = server["scenarios"][1];
  for (const char* name :
       {"opened", "finished", "unexpected", "open_at_deadline", "established", "client"}) {
    EXPECT_EQ(at_server[name], nullptr) << name;
  }
  EXPECT_EQ(at_server["server"]["finished"], 200'000);
  EXPECT_EQ(at_server["bytes"]["client_to_server"]["sent"], nullptr);
  EXPECT_EQ(at_server["bytes"]["client_to_server"]["received"], 200'000);
}

TEST(ReportJson, WhatAScenarioDeclaresIsThere) {
  const json declared = json::parse(run_json(sample_run()))["scenarios"][0]["declared"];
  EXPECT_EQ(declared, json::parse(R"({"kernel": {"OutRsts": 0, "TW": [1, 2]},
                                      "bytes": {"client_to_server": 1, "server_to_client": 0}})"));
}

}  // namespace
}  // namespace ringchurn
