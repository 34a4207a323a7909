// Results read back: nothing is lost on the way, and what is no result of a run is told in one
// line.
#include "bench/read_result.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "bench/report_json.h"
#include "ring/error.h"
#include "tests/sample_atlas.h"
#include "tests/sample_results.h"

namespace ringchurn {
namespace {

using nlohmann::ordered_json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ReadResult : public testing::Test {
 protected:
  ~ReadResult() override { std::filesystem::remove_all(path_); }

  RunResult read(const std::string& text) const {
    std::ofstream(path_) << text;
    return read_result(path_);
  }

  /// The message about `text`, which must be one line with the file's name.
  std::string error(const std::string& text) const {
    try {
      read(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code, kExitUsage);
      EXPECT_THAT(error.what(), AllOf(HasSubstr(path_), HasSubstr("; "), Not(HasSubstr("\n"))));
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }

  const std::string path_ =
      testing::TempDir() + "read_result_test." + std::to_string(::getpid()) + ".json";
};

TEST_F(ReadResult, WhatIsReadIsWhatWasWritten) {
  RunResult interrupted = sample_run();
  interrupted.interrupted = true;
  RunResult wide = sample_run();
  wide.context.layout = "wide";
  wide.context.server_threads = 3;
  wide.cost.memory_bytes_per_connection = 260;
  RunResult merged = sample_run();
  merged.series.reset();
  merged.merged = Merged{{"drive.json", sample_side(PlayedSide::client).context, sample_series()},
                         {"serve.json", sample_side(PlayedSide::server).context}};
  for (const RunResult& result : {sample_run(), wide, sample_side(PlayedSide::client),
                                  sample_side(PlayedSide::server), interrupted, merged}) {
    const std::string text = run_json(result);
    EXPECT_EQ(run_json(read(text)), text);
  }
}

TEST_F(ReadResult, WhatJsonDoesNotHaveIsWorkedOut) {
  const RunResult result = read(run_json(sample_run()));
  EXPECT_EQ(result.asked_for.at("TW"), 2 * (700'000U + 199'990 + 90'000 + 10'000));
  EXPECT_FALSE(result.scenarios[3].has_server);
}

TEST_F(ReadResult, AFieldThatIsNotKnownIsPassedOver) {
  auto json = ordered_json::parse(run_json(sample_run()));
  json["context"]["colour"] = "blue";
  EXPECT_EQ(read(json.dump()).context.cpus, 2U);
}

TEST_F(ReadResult, AnEarlierVersionTimedFewerPhases) {
  auto json = ordered_json::parse(run_json(sample_run()));
  for (const char* phase : {"teardown_step", "peer_heard", "gone"}) {
    json["scenarios"][0]["latency_ns"].erase(phase);
  }
  json["scenarios"][0].erase("matched");
  const ScenarioResult scenario = read(json.dump()).scenarios[0];
  EXPECT_EQ(scenario.latency.peer_heard.count, 0U);
  EXPECT_EQ(scenario.latency.teardown.count, 1'001U);
  EXPECT_EQ(scenario.matched.connections, 0U);
}

TEST_F(ReadResult, OtherFilesAreRefused) {
  EXPECT_THAT(error(""), HasSubstr("is not a result of ringchurn: no JSON at byte"));
  EXPECT_THAT(error("about = 1"), HasSubstr("no JSON"));
  EXPECT_THAT(error("[1e999]"), HasSubstr("a number in it is too large"));
  EXPECT_THAT(error("[]"), HasSubstr("the whole is not an object"));
  EXPECT_THAT(error("{}"), HasSubstr("the whole has no 'schema_version'"));
  EXPECT_THAT(error(R"({"schema_version": 2})"),
              HasSubstr("of schema_version 2, this ringchurn reads 1; use the version that wrote"));
  EXPECT_THAT(error(compare_json(sample_comparison())), HasSubstr("the result of a comparison"));
  EXPECT_THAT(error(atlas_json(sample_atlas())), HasSubstr("the result of an atlas"));
}

TEST_F(ReadResult, AFileThatCannotBeReadIsRefused) {
  EXPECT_THROW(read_result(path_), Error);
  std::filesystem::create_directory(path_);
  EXPECT_THROW(read_result(path_), Error);
  EXPECT_THROW(read_result("/dev/zero"), Error) << "and does not fill the memory";
}

TEST_F(ReadResult, EveryFieldIsChecked) {
  struct Fault {
    const char* pointer;
    ordered_json value;
    const char* message;
  };
  const Fault faults[] = {
      {"/context/cpus", -1, "context.cpus is not a whole number"},
      {"/context/threads", 5'000'000'000, "context.threads is not a whole number below 2^32"},
      {"/context/side", "left", "context.side is none of"},
      {"/context/side", "client", "scenarios[0].server"},
      {"/context/lab", "shed", "context.lab is none of private, veth, host"},
      {"/cost/worker_us", 1e300, "cost.worker_us is not a number up to 10^15"},
      {"/context/sysctls", 1, "context.sysctls is not an object"},
      {"/scenarios", ordered_json::array(), "scenarios is empty"},
      {"/scenarios", ordered_json::object(), "scenarios is not an array"},
      {"/scenarios/1/client", nullptr, "scenarios[1].client is not an object"},
      {"/scenarios/0/client/opened", 1.5, "scenarios[0].client.opened is not a whole number"},
      {"/scenarios/0/weight", "1", "scenarios[0].weight is not a number"},
      {"/scenarios/0/bytes/client_to_server/lost", 18446744073709551615U, "lost is not a whole"},
      {"/scenarios/0/declared/kernel/TW", ordered_json::array({2, 1}), "TW is not [least, most]"},
      {"/scenarios/0/latency_ns/connect/p50", "fast", "latency_ns.connect.p50 is not a whole"},
      {"/errors/0/expected", 1, "errors[0].expected is neither true nor false"},
      {"/errors/0/errno", 104, "errors[0].errno is not a string"},
      {"/kernel/TW/measured", 1.5, "kernel.TW.measured is not a whole number"},
      {"/verdicts", nullptr, "verdicts is not an array"},
      {"/interrupted", nullptr, "interrupted is neither"},
      {"/series/samples", nullptr, "series.samples is not an array"},
      {"/series/samples/1/errors/reset", -1, "series.samples[1].errors.reset is not a whole"},
      {"/series/samples/0/t_s", nullptr, "series.samples[0].t_s is not a number"},
      {"/merged", ordered_json::object(), "merged has no 'client'"},
  };
  for (const Fault& fault : faults) {
    auto json = ordered_json::parse(run_json(sample_run()));
    json[ordered_json::json_pointer(fault.pointer)] = fault.value;
    const std::string message = error(json.dump());
    // As a client's result, the sample says too much: which field is met first does not matter.
    if (fault.value == "client") continue;
    EXPECT_THAT(message, HasSubstr(fault.message)) << fault.pointer;
  }
}

TEST_F(ReadResult, ControlCharactersDoNotReachTheTerminal) {
  auto json = ordered_json::parse(run_json(sample_run()));
  json["kernel"]["\x1b[31m\n"] = 1;
  EXPECT_THAT(error(json.dump()), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace ringchurn
