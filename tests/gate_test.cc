// What a gate decides, and from what: see bench/gate.h.
#include "bench/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "bench/report_json.h"
#include "bench/requirement.h"
#include "ring/error.h"
#include "tests/sample_results.h"
#include "workloads/random.h"

namespace ringchurn {
namespace {

using testing::HasSubstr;

Options between(const std::string& baseline, const std::string& candidate) {
  Options options;
  options.command = Command::gate;
  if (!baseline.empty()) options.baselines = {baseline};
  options.candidates = {candidate};
  return options;
}

template <typename Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code, kExitUsage);
    return error.what();
  }
  return "";
}

TEST(Gate, IsFineBelowTheMarginAndARegressionAboveIt) {
  EXPECT_EQ(gate_verdict(Estimate{1.0, 0.97, 1.04}, 0.05), GateVerdict::fine);
  EXPECT_EQ(gate_verdict(Estimate{0.8, 0.7, 0.9}, 0.05), GateVerdict::fine);
  EXPECT_EQ(gate_verdict(Estimate{1.1, 1.06, 1.14}, 0.05), GateVerdict::regression);
  EXPECT_EQ(gate_verdict(Estimate{1.04, 1.03, 1.06}, 0.05), GateVerdict::undecided);
  EXPECT_EQ(gate_verdict(Estimate{1.05, 1.05, 1.05}, 0.05), GateVerdict::undecided);
  EXPECT_EQ(gate_verdict(std::nullopt, 0.05), GateVerdict::undecided);
}

TEST(Gate, TellsKindsApartByHowTheyAreWritten) {
  const auto method = [](Options options) { return gate_method(options); };
  EXPECT_EQ(method(between("graceful", "rst-client")), GateMethod::in_process);
  EXPECT_EQ(method(between("graceful=1,rst-client=1", "dir/mine.toml")), GateMethod::in_process);
  EXPECT_EQ(method(between("a.json", "dir/b.json")), GateMethod::files);
  EXPECT_EQ(method(between("", "dir/b.json")), GateMethod::files);
  EXPECT_EQ(method(between("old/run.sh", "new/run.sh")), GateMethod::programs);
  EXPECT_EQ(method(between("ringchurn run --json -", "./x")), GateMethod::programs);
  Options servers = between("nginx -c a.conf", "nginx -c b.conf");
  servers.arms = {"http-close"};
  EXPECT_EQ(method(servers), GateMethod::servers);
}

TEST(Gate, RefusesWhatCannotBeHeldAgainstEachOther) {
  const auto why = [](const Options& options) { return refusal([&] { gate_method(options); }); };
  EXPECT_THAT(why(between("a.json", "graceful")), HasSubstr("of two kinds"));
  EXPECT_THAT(why(between("./x", "graceful")), HasSubstr("of two kinds"));
  EXPECT_THAT(why(between("", "graceful")), HasSubstr("give --baseline"));
  Options several = between("graceful", "rst-client");
  several.baselines.push_back("half-close");
  EXPECT_THAT(why(several), HasSubstr("only results may be several"));
  Options played = between("graceful", "rst-client");
  played.arms = {"http-close"};
  EXPECT_THAT(why(played), HasSubstr("are played against servers"));
  Options host = between("nginx -c a.conf", "nginx -c b.conf");
  host.arms = {"http-close"};
  host.lab = LabKind::host;
  EXPECT_THAT(why(host), HasSubstr("a network of its own"));
  Options kernel = between("graceful", "rst-client");
  kernel.requirements = {parse_requirement("kernel.OutRsts == 0")};
  EXPECT_THAT(why(kernel), HasSubstr("is counted for both sides together"));
}

TEST(Gate, RefusesSettingsOfWhatItDoesNotPlay) {
  const auto why = [](Options options, const char* name) {
    options.typed = {"baseline", "candidate", "json", name};
    return refusal([&] { gate_method(options); });
  };
  EXPECT_EQ(why(between("./a", "./b"), "duration"), "");
  EXPECT_THAT(why(between("./a", "./b"), "concurrency"), HasSubstr("--concurrency says nothing"));
  EXPECT_THAT(why(between("a.json", "b.json"), "duration"), HasSubstr("measured already"));
  EXPECT_EQ(why(between("graceful", "rst-client"), "concurrency"), "");
}

TEST(Gate, KnowsHowRunsDifferFromSeveralOfThem) {
  // Means of logarithms 0 and ln 1.1; standard deviation 0.01 on both sides; t(4) = 2.776.
  std::vector<double> baseline, candidate;
  for (const double step : {-1, 0, 1}) {
    baseline.push_back(100 * std::exp(0.01 * step));
    candidate.push_back(110 * std::exp(0.01 * step));
  }
  const Estimate ratio = ratio_of_runs(candidate, baseline).value();
  EXPECT_NEAR(ratio.value, 1.1, 1e-9);
  EXPECT_NEAR(std::log(ratio.ci_high / ratio.value), 2.776 * 0.01 * std::sqrt(2.0 / 3), 1e-4);
  EXPECT_NEAR(std::log(ratio.value / ratio.ci_low), 2.776 * 0.01 * std::sqrt(2.0 / 3), 1e-4);
}

TEST(Gate, TakesASingleRunForAsUncertainAsRunsAre) {
  const Estimate ratio = ratio_of_runs({110}, {100}).value();
  EXPECT_NEAR(ratio.value, 1.1, 1e-9);
  EXPECT_NEAR(std::log(ratio.ci_high / 1.1), 1.96 * kRunToRunDeviation * std::sqrt(2.0), 1e-4);
  const Estimate better = ratio_of_runs({110}, {100, 100, 100}).value();
  EXPECT_LT(better.ci_high, ratio.ci_high);
  EXPECT_GT(better.ci_high, 1.1);
  EXPECT_FALSE(ratio_of_runs({}, {100}));
}

/// Normal enough: the sum of twelve uniforms.
double noise(Random& random) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += random.below(1'000'000) / 1e6;
  return sum;
}

TEST(Gate, CoversTheTruthInNineteenOfTwentyForSeveralRuns) {
  Random random(11);
  int covered = 0;
  constexpr int kTries = 2000;
  for (int i = 0; i < kTries; ++i) {
    std::vector<double> baseline, candidate;
    for (int run = 0; run < 4; ++run) {
      baseline.push_back(20 * std::exp(0.02 * noise(random)));
      candidate.push_back(22 * std::exp(0.03 * noise(random)));
    }
    covered += ratio_of_runs(candidate, baseline)->includes(1.1);
  }
  EXPECT_GT(covered, kTries * 93 / 100);
  EXPECT_LT(covered, kTries * 98 / 100);
}

class GateFiles : public testing::Test {
 protected:
  GateFiles() { std::filesystem::create_directory(folder_); }
  ~GateFiles() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, const RunResult& result) {
    const std::string path = folder_ + "/" + name + ".json";
    std::ofstream(path) << run_json(result);
    return path;
  }

  static RunResult costing(double cpu_us) {
    RunResult result = sample_run();
    result.cost.cpu_us_per_connection = cpu_us;
    for (Verdict& verdict : result.verdicts) verdict.ok = true;
    result.interrupted = false;
    return result;
  }

  std::string folder_ =
      testing::TempDir() + "gate_test." + std::to_string(static_cast<long>(::getpid()));
};

TEST_F(GateFiles, AreDecidedByTheirCosts) {
  Options options = between(file("a", costing(20)), file("b", costing(12)));
  EXPECT_EQ(gate_files(options).gate.verdict, GateVerdict::fine);
  options = between(file("a", costing(20)), file("b", costing(40)));
  const GateResult dearer = gate_files(options);
  EXPECT_EQ(dearer.gate.verdict, GateVerdict::regression);
  EXPECT_EQ(dearer.gate.baseline_value, 20);
  EXPECT_EQ(dearer.gate.candidate_value, 40);
  EXPECT_THAT(dearer.gate.sentence, HasSubstr("+100.0% CPU per connection"));
  options = between(file("a", costing(20)), file("b", costing(20)));
  EXPECT_EQ(gate_files(options).gate.verdict, GateVerdict::undecided)
      << "a run each does not say how runs differ";
}

TEST_F(GateFiles, MayBeHeldAgainstRequirementsAlone) {
  Options options = between("", file("b", costing(24)));
  options.requirements = {parse_requirement("cost.cpu_us_per_connection < 30")};
  const GateResult good = gate_files(options);
  EXPECT_EQ(good.gate.verdict, GateVerdict::fine);
  EXPECT_FALSE(good.gate.ratio);
  options.requirements.push_back(parse_requirement("cost.cpu_us_per_connection < 22"));
  options.candidates.push_back(file("c", costing(25)));
  const GateResult bad = gate_files(options);
  EXPECT_EQ(bad.gate.verdict, GateVerdict::regression);
  EXPECT_TRUE(bad.gate.requirements[0].ok);
  EXPECT_FALSE(bad.gate.requirements[1].ok);
  EXPECT_EQ(bad.gate.requirements[1].value, 25) << "the worst of both";
  EXPECT_THAT(bad.gate.sentence,
              HasSubstr("1 of 2 requirements not met: cost.cpu_us_per_connection < 22"));
}

TEST_F(GateFiles, OfDifferentConditionsAreRefused) {
  const RunResult base = costing(20);
  const std::string a = file("a", base);
  const auto why = [&](const RunResult& other) {
    const Options options = between(a, file("b", other));
    return refusal([&] { gate_files(options); });
  };
  RunResult other = base;
  other.context.kernel = "Linux 5.4.0";
  EXPECT_THAT(why(other), HasSubstr("differ in kernel"));
  other = base;
  other.context.cpu_model = "Another CPU";
  EXPECT_THAT(why(other), HasSubstr("differ in CPU"));
  other = base;
  other.context.lab = other.context.lab == "host" ? "private" : "host";
  EXPECT_THAT(why(other), HasSubstr("differ in lab"));
  other = base;
  other.context.layout = other.context.layout == "pair" ? "single" : "pair";
  EXPECT_THAT(why(other), HasSubstr("differ in layout"));
  other = base;
  other.context.layout = "wide";
  other.context.server_threads = 1;
  EXPECT_THAT(why(other), HasSubstr("differ in layout"));
  other = base;
  other.context.ways = "plain+wait-one";
  EXPECT_THAT(why(other), HasSubstr("ways to use the ring (the default and plain+wait-one)"));
  other = base;
  other.scenarios[0].name = "another";
  EXPECT_THAT(why(other), HasSubstr("differ in scenarios"));
  other = base;
  other.context.concurrency += 1;
  EXPECT_THAT(why(other), HasSubstr("differ in concurrency"));
  EXPECT_EQ(why(base), "");
}

TEST_F(GateFiles, ThatAreNotToBeTrustedAreRefused) {
  const auto why = [&](const RunResult& result) {
    const Options options = between(file("a", costing(20)), file("b", result));
    return refusal([&] { gate_files(options); });
  };
  RunResult result = costing(20);
  result.interrupted = true;
  EXPECT_THAT(why(result), HasSubstr("was interrupted"));
  result = costing(20);
  result.verdicts[0].ok = false;
  result.verdicts[0].advisory = false;
  EXPECT_THAT(why(result), HasSubstr("failed its verdict"));
  result = costing(0);
  EXPECT_THAT(why(result), HasSubstr("has no connection"));
}

TEST(GateComparison, DecidesNothingFromNumbersThatAVerdictForbids) {
  CompareResult comparison = sample_comparison();
  const Arm candidate{"rst-client", {1}, {1.0}};
  Options options = between("graceful", "rst-client");
  EXPECT_EQ(gate_comparison(options, GateMethod::in_process, candidate, comparison).gate.verdict,
            GateVerdict::fine);
  comparison.run.verdicts[0].ok = false;
  const GateResult untrusted =
      gate_comparison(options, GateMethod::in_process, candidate, comparison);
  EXPECT_EQ(untrusted.gate.verdict, GateVerdict::undecided);
  EXPECT_THAT(untrusted.gate.sentence, HasSubstr("a verdict failed"));
}

TEST(GateComparison, HoldsTheCandidateAloneAgainstRequirements) {
  CompareResult comparison = sample_comparison();
  comparison.run.errors = {
      {"graceful", "client", "recv", 3, "recv", "EPIPE", "broken_pipe", true, 5}};
  Options options = between("graceful", "rst-client");
  options.requirements = {parse_requirement("errors.EPIPE == 0"),
                          parse_requirement("cost.cpu_us_per_connection < 30")};
  const GateResult result =
      gate_comparison(options, GateMethod::in_process, {"rst-client", {1}, {1.0}}, comparison);
  EXPECT_TRUE(result.gate.requirements[0].ok) << "those are the baseline's";
  EXPECT_EQ(result.gate.requirements[1].value, 26.11);
}

}  // namespace
}  // namespace ringchurn
