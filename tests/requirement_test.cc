// What a gate may require of a result: see bench/requirement.h.
#include "bench/requirement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ring/error.h"
#include "tests/sample_results.h"

namespace ringchurn {
namespace {

using testing::HasSubstr;

std::string refusal(const std::string& text) {
  try {
    parse_requirement(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code, kExitUsage);
    return error.what();
  }
  return "";
}

bool holds(const std::string& text, const RunResult& result) {
  const Requirement requirement = parse_requirement(text);
  return is_met(requirement, metric_value(requirement.metric, result));
}

TEST(Requirement, IsAMetricARelationAndAValue) {
  const Requirement requirement = parse_requirement("  cost.cpu_us_per_connection<=40.5 ");
  EXPECT_EQ(requirement.metric, "cost.cpu_us_per_connection");
  EXPECT_EQ(requirement.relation, Requirement::Relation::at_most);
  EXPECT_EQ(requirement.value, 40.5);
  EXPECT_EQ(parse_requirement("latency.teardown.p99 < 5ms").value, 5e6);
  EXPECT_EQ(parse_requirement("latency.teardown.p99 < 5 us").value, 5e3);
}

TEST(Requirement, RefusesWhatCouldNeverFail) {
  const std::pair<const char*, const char*> bad[] = {
      {"errors.unexpected", "has no relation"},
      {"errors.unexpectd == 0", "did you mean 'unexpected'"},
      {"errors.ECONRESET == 0", "did you mean 'ECONNRESET'"},
      {"errors == 0", "needs one name after 'errors.'"},
      {"errors.unexpected == none", "has no number at its end"},
      {"errors.unexpected == ", "has no number at its end"},
      {"errors.unexpected == inf", "has no number at its end"},
      {"cost.cpu < 40", "asks for 'cpu'"},
      {"cost.cpu_us_per_connection < 40us", "has a unit, 'us', where the metric's name has it"},
      {"latency.teardown < 5ms", "needs a phase and a quantile"},
      {"latency.teardown.p98 < 5ms", "asks for 'p98'"},
      {"latency.tear.p99 < 5ms", "asks for 'tear'"},
      {"latency.teardown.p99 < 5", "compares a time"},
      {"latency.teardown.count < 5ms", "asks for 'count'"},
      {"speed.max > 5", "asks for 'speed'"},
      {"connections.lost == 0", "asks for 'lost'"},
  };
  for (const auto& [text, words] : bad) EXPECT_THAT(refusal(text), HasSubstr(words)) << text;
}

TEST(Requirement, CountsErrorsByExpectationClassAndErrno) {
  RunResult result;
  result.errors = {{"a", "client", "recv", 3, "recv", "ECONNRESET", "reset", true, 5},
                   {"a", "server", "send", 2, "send", "EPIPE", "broken_pipe", false, 2}};
  EXPECT_TRUE(holds("errors.unexpected == 2", result));
  EXPECT_TRUE(holds("errors.expected == 5", result));
  EXPECT_TRUE(holds("errors.reset != 0", result));
  EXPECT_TRUE(holds("errors.EPIPE >= 2", result));
  EXPECT_FALSE(holds("errors.timeout > 0", result));
}

TEST(Requirement, TakesTheWorstScenarioUnlessItNamesOne) {
  RunResult result = sample_run();
  Histogram fast, slow;
  fast.record(100'000);
  slow.record(9'000'000);
  for (ScenarioResult& scenario : result.scenarios) scenario.latency.teardown = {};
  result.scenarios[0].latency.teardown = fast;
  result.scenarios[1].latency.teardown = slow;
  result.scenarios[1].name = "mine.v2";
  EXPECT_TRUE(holds("latency.teardown.p99 > 8ms", result));
  EXPECT_TRUE(holds("latency.mine.v2.teardown.max == 9ms", result));
  EXPECT_TRUE(holds("latency." + result.scenarios[0].name + ".teardown.p50 < 1ms", result));
  EXPECT_FALSE(holds("latency.nobody.teardown.p50 < 1ms", result)) << "not measured is not met";
}

TEST(Requirement, ReadsTheFieldsOfTheResult) {
  RunResult result = sample_run();
  result.cost.cpu_us_per_connection = 31.5;
  result.cost.client_us.reset();
  result.kernel = {{"OutRsts", 7, 7, 7}};
  EXPECT_TRUE(holds("cost.cpu_us_per_connection == 31.5", result));
  EXPECT_FALSE(holds("cost.client_us >= 0", result)) << "not measured is not met";
  EXPECT_TRUE(holds("kernel.OutRsts <= 7", result));
  EXPECT_FALSE(holds("kernel.TW >= 0", result));
  EXPECT_TRUE(holds("connections.open_at_deadline >= 0", result));
  EXPECT_TRUE(holds("pace.port_limited == 0", result));
}

}  // namespace
}  // namespace ringchurn
