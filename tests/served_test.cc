// The file that travels from serve to drive: nothing is lost, and nothing is taken on trust.
#include "bench/served.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "ring/error.h"

namespace ringchurn {
namespace {

using nlohmann::ordered_json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

constexpr const char* kScript = R"(about = "Closes."
[params]
request = 1
[client]
steps = ["connect", "send {request}", "close"]
[server]
steps = ["accept", "recv {request}", "recv-eof", "close"]
)";

ServedRun sample() {
  ServedRun run;
  run.version = "0.1.0";
  run.run_id = "00112233aabbccdd";
  run.host = "127.0.0.1";
  run.domain = AF_INET;
  run.scenarios = {{{"mine", "dir/mine.toml", kScript}, {{"request", "5"}}, 3, "127.0.0.1", 40001},
                   {find_scenario("rst-client"), {}, 1, "127.0.0.2", 65535}};
  return run;
}

class Served : public testing::Test {
 protected:
  ~Served() override { ::unlink(path_.c_str()); }

  ServedRun read(const std::string& text) const {
    std::ofstream(path_) << text;
    return read_served(path_);
  }

  /// The message about the sample once `value` stands at `pointer`.
  std::string error(const char* pointer, const ordered_json& value) const {
    auto json = ordered_json::parse(served_json(sample()));
    json[ordered_json::json_pointer(pointer)] = value;
    try {
      read(json.dump());
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code, kExitUsage);
      EXPECT_THAT(error.what(),
                  AllOf(HasSubstr(path_), Not(HasSubstr("\n")), Not(HasSubstr("\x1b"))));
      return error.what();
    }
    ADD_FAILURE() << "no error: " << pointer << " = " << value;
    return "";
  }

  const std::string path_ =
      testing::TempDir() + "served_test." + std::to_string(::getpid()) + ".json";
};

TEST_F(Served, WhatIsReadIsWhatWasWritten) {
  const std::string text = served_json(sample());
  EXPECT_EQ(text.back(), '\n');
  const ServedRun run = read(text);
  EXPECT_EQ(served_json(run), text);
  EXPECT_EQ(run.run_id, "00112233aabbccdd");
  EXPECT_EQ(run.domain, AF_INET);
  ASSERT_EQ(run.scenarios.size(), 2U);
  EXPECT_EQ(run.scenarios[0].file.text, kScript);
  EXPECT_EQ(run.scenarios[0].port, 40001);
  EXPECT_EQ(run.scenarios[1].weight, 1);
}

TEST_F(Served, ThePlanPlaysTheScriptsThatTravelled) {
  const Plan plan = served_plan(read(served_json(sample())));
  ASSERT_EQ(plan.scenarios.size(), 2U);
  EXPECT_EQ(plan.scenarios[0].name, "mine");
  EXPECT_EQ(plan.scenarios[0].delivered_to_server, 5U) << "parameters are set";
  ASSERT_EQ(plan.arms.size(), 1U);
  EXPECT_THAT(plan.arms[0].scenarios, ElementsAre(0, 1));
  EXPECT_THAT(plan.arms[0].weights, ElementsAre(3, 1));
}

TEST_F(Served, OtherFamiliesHaveOtherAddresses) {
  ServedRun run = sample();
  run.scenarios.resize(1);
  run.domain = AF_INET6;
  run.scenarios[0].address = "fd00::1";
  EXPECT_EQ(read(served_json(run)).scenarios[0].address, "fd00::1");
  run.domain = AF_UNIX;
  run.scenarios[0].address = "@0000a";
  run.scenarios[0].port = 0;
  EXPECT_EQ(ordered_json::parse(served_json(run))["scenarios"][0]["port"], nullptr);
  EXPECT_EQ(read(served_json(run)).scenarios[0].address, "@0000a");
}

TEST_F(Served, RunsHaveIdentifiersOfTheirOwn) {
  const std::string id = new_run_id();
  EXPECT_THAT(id, MatchesRegex("[0-9a-f]+"));
  EXPECT_EQ(id.size(), 16U);
  EXPECT_NE(id, new_run_id());
}

TEST_F(Served, WhatCannotBePlayedIsRefused) {
  const std::string long_path(108, 'x');
  EXPECT_THAT(error("/ringchurn_serve", 2), HasSubstr("use the same version on both machines"));
  EXPECT_THAT(error("/ringchurn_serve", "1"), HasSubstr("ringchurn_serve is not a whole number"));
  EXPECT_THAT(error("/run_id", "0011"), HasSubstr("run_id is not 16 hex digits"));
  EXPECT_THAT(error("/run_id", "00112233AABBCCDD"), HasSubstr("run_id is not 16 hex digits"));
  EXPECT_THAT(error("/host", ""), HasSubstr("host is empty"));
  EXPECT_THAT(error("/domain", "ipx"), HasSubstr("domain is none of"));
  EXPECT_THAT(error("/domain", "ipv6"), HasSubstr("address is not a numeric ipv6 address"));
  EXPECT_THAT(error("/domain", "unix"), HasSubstr("port is not null"));
  EXPECT_THAT(error("/scenarios", ordered_json::array()), HasSubstr("scenarios is empty"));
  EXPECT_THAT(error("/scenarios/1/name", "mine"), HasSubstr("scenarios has 'mine' twice"));
  EXPECT_THAT(error("/scenarios/1/name", "\x1b[31m"), HasSubstr("not printable"));
  EXPECT_THAT(error("/scenarios/1/weight", 0), HasSubstr("weight is not above 0"));
  EXPECT_THAT(error("/scenarios/1/weight", 1e300), HasSubstr("weight is not a number up to"));
  EXPECT_THAT(error("/scenarios/1/address", "web"), HasSubstr("not a numeric ipv4 address"));
  EXPECT_THAT(error("/scenarios/1/address", std::string("127.0.0.1\0x", 11)),
              HasSubstr("not a numeric ipv4 address"));
  EXPECT_THAT(error("/scenarios/1/port", 0), HasSubstr("scenarios[1].port is not a port"));
  EXPECT_THAT(error("/scenarios/1/port", 65'536), HasSubstr("is not a port from 1 to 65535"));
  EXPECT_THAT(error("/scenarios/1/port", "80"), HasSubstr("port is not a whole number"));
  EXPECT_THAT(error("/scenarios/0/set/request", 5), HasSubstr("set.request is not a string"));
  EXPECT_THAT(error("/scenarios/0/colour", 5), HasSubstr("has 'colour', which is not known"));
  EXPECT_THAT(error("/colour", 5), HasSubstr("has 'colour', which is not known"));
}

TEST_F(Served, AScriptThatDoesNotCompileIsToldWithItsPath) {
  EXPECT_THAT(error("/scenarios/0/text", "about = 1\n"), HasSubstr("dir/mine.toml"));
  EXPECT_THAT(error("/scenarios/0/set/reqest", "5"), HasSubstr("reqest"));
}

TEST_F(Served, AScenarioOfAnotherFamilyCannotBeServedThere) {
  const std::string text = find_scenario("unix-eof").text;
  EXPECT_THAT(error("/scenarios/1/text", text),
              HasSubstr("has 'rst-client', which is for unix only, at an address of ipv4"));
}

}  // namespace
}  // namespace ringchurn
