// Which points of a sweep are on its front, what is planned for them and how they are told: see
// bench/sweep.h and plan_sweep().
#include "bench/sweep.h"

#include <gtest/gtest.h>

#include "ring/error.h"

namespace ringchurn {
namespace {

/// A comparison of as many points as there are costs, in us, each known to 1%.
CompareResult compared(const std::vector<double>& costs) {
  CompareResult result;
  result.run.context.concurrency = 16;
  result.a_a = Estimate{1, 0.99, 1.01};
  for (const double cost : costs) {
    ArmResult arm;
    arm.name = "point " + std::to_string(result.arms.size());
    arm.cpu_us_per_connection = cost;
    arm.time_wait_per_connection = 1;
    if (!result.arms.empty()) {
      const double ratio = cost / costs.front();
      arm.ratio = Estimate{ratio, ratio * 0.99, ratio * 1.01};
    }
    result.arms.push_back(arm);
    ScenarioResult scenario;
    scenario.name = arm.name;
    scenario.client.opened = 1000;
    Histogram teardown;
    for (int i = 0; i < 1000; ++i) teardown.record(100'000);
    scenario.latency.teardown = teardown;
    result.run.scenarios.push_back(scenario);
  }
  return result;
}

Options varied(std::vector<std::string> values) {
  Options options;
  options.arms = {"lingering-close"};
  options.variations = {{"drain_timeout", std::move(values)}};
  return options;
}

std::vector<bool> front(const Sweep& sweep) {
  std::vector<bool> marks;
  for (const SweepPoint& point : sweep.points) marks.push_back(point.on_front);
  return marks;
}

TEST(Sweep, PlaysEveryCombinationTheLastParameterVaryingFastest) {
  Options options = varied({"5ms", "1s"});
  options.variations.push_back({"request", {"1", "2"}});
  const Plan plan = plan_sweep(options);
  ASSERT_EQ(plan.arms.size(), 4U);
  EXPECT_EQ(plan.arms[1].name, "drain_timeout=5ms request=2");
  EXPECT_EQ(plan.scenarios[1].name, plan.arms[1].name);
  EXPECT_EQ(plan.settings[2].at("drain_timeout"), "1s");
  EXPECT_EQ(plan.scenarios[3].delivered_to_server, 2U);
  EXPECT_EQ(plan.arms[3].scenarios, std::vector<std::uint16_t>{3});
}

TEST(Sweep, RefusesWhatIsNotThereOrIsSetAsWell) {
  Options options = varied({"5ms", "1s"});
  options.variations[0].param = "drain_time";
  EXPECT_THROW(plan_sweep(options), Error);
  options = varied({"5ms", "1s"});
  options.settings = {{"", "drain_timeout", "2s"}};
  EXPECT_THROW(plan_sweep(options), Error);
  options = varied({"5ms", "soon"});
  EXPECT_THROW(plan_sweep(options), Error);
}

TEST(Sweep, LeavesPointsOnTheFrontWhoseDifferenceIsSmallerThanItsError) {
  const Options options = varied({"1ms", "2ms", "3ms"});
  const Plan plan = plan_sweep(options);
  const Sweep sweep = make_sweep(options, plan, compared({20.0, 20.2, 25.0}));
  EXPECT_EQ(front(sweep), (std::vector<bool>{true, true, false}));
  EXPECT_EQ(sweep.scenario, "lingering-close");
  EXPECT_EQ(sweep.points[2].values[0], std::pair(std::string("drain_timeout"), std::string("3ms")));
  EXPECT_NEAR(sweep.points[2].cpu_us_per_connection->ci_low, 24.75, 1e-9);
}

TEST(Sweep, KeepsWhatIsDearerAndBetterInSomethingElse) {
  const Options options = varied({"1ms", "2ms", "3ms"});
  const Plan plan = plan_sweep(options);
  CompareResult result = compared({20.0, 25.0, 30.0});
  result.run.scenarios[0].client_to_server.lost = 1000;  // the cheapest loses a byte of each
  result.run.errors = {{"point 2", "client", "recv-eof", 3, "recv", "EOF", "eof", true, 1000},
                       {"point 1", "server", "recv", 2, "recv", "ECONNRESET", "reset", true, 500}};
  const Sweep sweep = make_sweep(options, plan, result);
  EXPECT_EQ(sweep.points[0].lost_bytes_per_connection, 1);
  EXPECT_EQ(sweep.points[1].errors_per_connection, 0.5);
  EXPECT_EQ(sweep.points[2].errors_per_connection, 0) << "EOF is no error";
  EXPECT_EQ(front(sweep), (std::vector<bool>{true, true, true}));
}

TEST(Sweep, JudgesTheTailOfTeardownByItsRank) {
  const Options options = varied({"1ms", "2ms"});
  const Plan plan = plan_sweep(options);
  CompareResult result = compared({20.0, 20.0});
  Histogram slow;
  for (int i = 0; i < 1000; ++i) slow.record(static_cast<std::uint64_t>(i) * 1'000);
  result.run.scenarios[1].latency.teardown = slow;
  const Sweep sweep = make_sweep(options, plan, result);
  const auto& p99 = sweep.points[1].teardown_p99_us;
  EXPECT_NEAR(p99->value, 990, 5);
  EXPECT_LT(p99->ci_low, 980);
  EXPECT_GT(p99->ci_high, 995);
  EXPECT_EQ(front(sweep), (std::vector<bool>{true, false})) << "100 us against 960 at least";
}

TEST(Sweep, HasNoFrontWhereNothingWasMeasured) {
  const Options options = varied({"1ms", "2ms"});
  CompareResult result = compared({0, 0});
  result.a_a.reset();
  result.arms[1].ratio.reset();
  const Sweep sweep = make_sweep(options, plan_sweep(options), result);
  EXPECT_EQ(front(sweep), (std::vector<bool>{false, false}));
  EXPECT_EQ(front_sentence(sweep), "");
}

TEST(Sweep, IsToldByItsValues) {
  const Options options = varied({"1ms", "2ms"});
  const Sweep sweep = make_sweep(options, plan_sweep(options), compared({20.0, 25.0}));
  EXPECT_EQ(point_heading(sweep), "drain_timeout");
  EXPECT_EQ(point_label(sweep.points[1]), "2ms");
  EXPECT_EQ(front_sentence(sweep),
            "lingering-close: of 2 points, 1 is beaten by no other one: point 0");
  EXPECT_NE(sweep_table(sweep, {}).find("yes"), std::string::npos);
}

}  // namespace
}  // namespace ringchurn
