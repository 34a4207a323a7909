// Results in other programs' formats: what each holds, what it escapes, and what it refuses. The
// programs themselves read them in exports.py.
#include "bench/exports/exports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "bench/exports/metrics.h"
#include "bench/recorded.h"
#include "bench/report_json.h"
#include "ring/error.h"
#include "tests/sample_atlas.h"
#include "tests/sample_results.h"

namespace ringchurn {
namespace {

using nlohmann::ordered_json;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Key;
using testing::Not;
using testing::Pair;
using testing::SizeIs;

CompareResult sample_sweep() {
  CompareResult result = sample_comparison();
  result.arms[0].time_wait_per_connection = 1.0;
  result.sweep = Sweep{"graceful",
                       {{"graceful",
                         {{"drain_timeout", "50ms"}},
                         Estimate{31, 30, 32},
                         Estimate{61, 55, 70},
                         1.0,
                         0.5,
                         0,
                         true},
                        {"rst-client", {{"drain_timeout", "1s"}}, {}, {}, {}, 0, 2, false}}};
  return result;
}

std::string swept() { return compare_json(sample_sweep()); }

GateResult sample_gate() {
  GateResult result;
  result.gate.verdict = GateVerdict::undecided;
  result.gate.method = "programs";
  result.gate.baseline = "old";
  result.gate.candidate = "new <1>";
  result.gate.margin = 0.05;
  result.gate.baseline_value = 20;
  result.gate.candidate_value = 20.8;
  result.gate.ratio = Estimate{1.04, 1.01, 1.07};
  result.gate.pairs = 40;
  result.gate.requirements = {{"errors.unexpected == 0", 0.0, true},
                              {"latency.teardown.p99 < 5ms", {}, false}};
  result.gate.sentence = "undecided: new costs 4% more & nobody knows";
  result.context = sample_context();
  result.verdicts = sample_comparison().run.verdicts;
  return result;
}

/// The result of a gate that has no account: of programs.
std::string gated() { return gate_json(sample_gate()); }

/// That of arms.
std::string gated_arms() {
  GateResult result = sample_gate();
  result.gate.method = "in-process";
  result.gate.baseline = "graceful";
  result.gate.candidate = "rst-client";
  result.comparison = sample_comparison();
  return gate_json(result);
}

class Exports : public testing::Test {
 protected:
  ~Exports() override { std::filesystem::remove(path_); }

  RecordedResult read(const std::string& json) const {
    std::ofstream(path_) << json;
    return read_recorded(path_);
  }

  std::string text(const std::string& json, ExportRequest request) const {
    return export_result(read(json), request);
  }
  std::string text(const std::string& json, ExportFormat format) const {
    return text(json, ExportRequest{.format = format, .rows = {}, .histogram = ""});
  }

  /// The message of what must be refused in one line that names the file.
  std::string error(const std::string& json, const ExportRequest& request) const {
    try {
      text(json, request);
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code, kExitUsage);
      EXPECT_THAT(error.what(), AllOf(HasSubstr(path_), Not(HasSubstr("\n"))));
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }

  const std::string path_ =
      testing::TempDir() + "exports_test." + std::to_string(::getpid()) + ".json";
};

// -- what is read back ----------------------------------------------------------------------------

TEST_F(Exports, AComparisonIsReadAsItWasWritten) {
  for (const CompareResult& comparison : {sample_comparison(), sample_sweep()}) {
    const std::string json = compare_json(comparison);
    const RecordedResult result = read(json);
    ASSERT_TRUE(result.is_comparison());
    EXPECT_EQ(compare_json(*result.load), json);
  }
}

TEST_F(Exports, AnAtlasIsReadAsFarAsItIsJudged) {
  const AtlasResult atlas = sample_atlas();
  const RecordedResult result = read(atlas_json(atlas));
  ASSERT_TRUE(result.atlas);
  ASSERT_THAT(result.atlas->entries, SizeIs(atlas.entries.size()));
  for (std::size_t i = 0; i < atlas.entries.size(); ++i) {
    EXPECT_EQ(result.atlas->entries[i].name, atlas.entries[i].name);
    EXPECT_EQ(result.atlas->entries[i].skipped, atlas.entries[i].skipped);
    EXPECT_EQ(result.atlas->entries[i].expected(), atlas.entries[i].expected());
  }
}

TEST_F(Exports, AGateIsReadWithoutAnAccount) {
  const RecordedResult result = read(gated());
  EXPECT_FALSE(result.load);
  ASSERT_TRUE(result.gate);
  GateResult again = sample_gate();
  again.gate = *result.gate;
  again.verdicts = result.verdicts;
  EXPECT_EQ(gate_json(again), gated());
}

TEST_F(Exports, AGateOfRequirementsAloneHasNoBaseline) {
  GateResult result = sample_gate();
  result.gate.baseline.clear();
  result.gate.baseline_value = {};
  result.gate.ratio = {};
  EXPECT_THAT(text(gate_json(result), ExportFormat::junit),
              HasSubstr("name=\"new &lt;1&gt; against its requirements\""));
  EXPECT_THAT(text(gate_json(result), ExportFormat::csv), HasSubstr("arm,new <1>,cpu_us_per_conn"));
}

TEST_F(Exports, WhatDoesNotFitTheSchemaIsRefused) {
  const ExportRequest any{.format = ExportFormat::csv, .rows = {}, .histogram = ""};
  auto json = ordered_json::parse(compare_json(sample_comparison()));
  json["comparison"]["slices"]["rows"][0][1] = 7;
  EXPECT_THAT(error(json.dump(), any), HasSubstr("is no arm of this comparison"));
  json = ordered_json::parse(gated());
  json["gate"]["verdict"] = "good";
  EXPECT_THAT(error(json.dump(), any), HasSubstr("gate.verdict is none of fine"));
  json = ordered_json::parse(swept());
  json["sweep"].erase("scenario");
  EXPECT_THAT(error(json.dump(), any), HasSubstr("has no 'scenario'"));
  EXPECT_THAT(error("[]", any), HasSubstr("is not an object"));
}

// -- the metrics ----------------------------------------------------------------------------------

TEST_F(Exports, NoTwoMetricsHaveOneName) {
  CompareResult twice = sample_comparison();
  twice.arms.push_back(twice.arms[1]);
  for (const std::string& json :
       {run_json(sample_run()), run_json(sample_side(PlayedSide::client)), compare_json(twice),
        swept(), gated_arms(), gated(), atlas_json(sample_atlas())}) {
    std::set<std::string> names;
    for (const Metric& metric : metrics_of(read(json))) {
      const std::string name = metric.subject_name() + ": " + metric.name();
      EXPECT_TRUE(names.insert(subject_kind_name(metric.kind) + name).second) << name;
    }
    EXPECT_FALSE(names.empty());
  }
}

TEST_F(Exports, WhatWasNotMeasuredIsNoMetric) {
  for (const Metric& metric : metrics_of(read(run_json(sample_side(PlayedSide::client))))) {
    EXPECT_THAT(metric.name(), Not(HasSubstr("server_")));
  }
  for (const Metric& metric : metrics_of(read(swept()))) {
    EXPECT_FALSE(metric.subject == "rst-client" && metric.name() == "time_wait_per_connection");
  }
}

TEST_F(Exports, TheCostOfAllArmsTogetherIsNoMetric) {
  for (const Metric& metric : metrics_of(read(compare_json(sample_comparison())))) {
    EXPECT_NE(metric.name(), "segments_per_connection");
  }
}

/// "connections" to its value; of `subject`, "" for the load.
std::map<std::string, double> values_of(const RecordedResult& result, SubjectKind kind,
                                        const std::string& subject) {
  std::map<std::string, double> values;
  for (const Metric& metric : metrics_of(result)) {
    if (metric.kind == kind && metric.subject == subject) values[metric.name()] = metric.value;
  }
  return values;
}

TEST_F(Exports, EveryFigureOfTheCostIsAMetric) {
  RunResult run = sample_run();
  run.cost.memory_bytes_per_connection = 4'096;
  const auto cost = values_of(read(run_json(run)), SubjectKind::load, "");
  EXPECT_THAT(cost, IsSupersetOf({Pair("pure_acks_per_connection", 1.52),
                                  Pair("wake_ups_per_connection", 0.12),
                                  Pair("memory_bytes_per_connection", 4'096.0)}));
}

TEST_F(Exports, EveryFigureOfAnArmIsAMetric) {
  CompareResult comparison = sample_comparison();
  ArmResult& arm = comparison.arms[1];
  arm.p_value = 0.001;
  arm.p_holm = 0.002;
  arm.minimum_detectable_effect = 0.004;
  arm.pure_acks_per_connection = 1.5;
  arm.syscalls_per_connection = 0.4;
  arm.wake_ups_per_connection = 0.1;
  comparison.a_a_p_value = 0.7;
  const RecordedResult result = read(compare_json(comparison));
  EXPECT_THAT(
      values_of(result, SubjectKind::arm, arm.name),
      IsSupersetOf({Pair("p_value", 0.001), Pair("p_holm", 0.002),
                    Pair("minimum_detectable_effect", 0.004), Pair("pure_acks_per_connection", 1.5),
                    Pair("syscalls_per_connection", 0.4), Pair("wake_ups_per_connection", 0.1)}));
  EXPECT_THAT(values_of(result, SubjectKind::control, ""), Contains(Pair("p_value", 0.7)));
  EXPECT_THAT(values_of(result, SubjectKind::arm, "graceful"), Not(Contains(Key("p_value"))));
}

TEST_F(Exports, HowSureAnArmIsAlertsNobody) {
  CompareResult comparison = sample_comparison();
  comparison.arms[1].p_value = 0.001;
  EXPECT_THAT(text(compare_json(comparison), ExportFormat::bmf), Not(HasSubstr("p_value")));
}

Bill sample_bill() {
  Bill bill;
  bill.scenario = "graceful";
  bill.whole_us = {31, 30, 32};
  bill.parts = {{"teardown, active side", {32, 31, 33}},
                {"io-wq workers", {0, 0, 0}},
                {"waiting and wake-ups", {-1, -2, 0}}};
  return bill;
}

TEST_F(Exports, ABillIsAMetricForEachOfItsParts) {
  RunResult run = sample_run();
  Bill none;
  none.scenario = "refused";
  none.obstacle = "nobody listens";
  run.bills = {sample_bill(), none};
  const std::string csv = text(run_json(run), ExportFormat::csv);
  const std::string part = "_bill_part_cpu_us_per_connection,";
  EXPECT_THAT(
      csv,
      AllOf(HasSubstr("\nscenario,graceful,bill_cpu_us_per_connection,31,us,30,32,,smaller\n"),
            HasSubstr("\nscenario,graceful,teardown_active_side" + part + "32,us,31,33,,neither"),
            HasSubstr("\nscenario,graceful,io_wq_workers" + part + "0,us,"),
            HasSubstr("\nscenario,graceful,waiting_and_wake_ups" + part + "-1,us,-2,0,"),
            Not(HasSubstr("scenario,refused,bill"))));
}

TEST_F(Exports, ABillOfAComparisonIsItsArms) {
  CompareResult comparison = sample_comparison();
  for (ArmResult& arm : comparison.arms) arm.bill = sample_bill();
  const RecordedResult result = read(compare_json(comparison));
  for (const char* arm : {"graceful", "graceful #2"}) {
    EXPECT_THAT(values_of(result, SubjectKind::arm, arm),
                IsSupersetOf({Pair("bill_cpu_us_per_connection", 31.0),
                              Pair("waiting_and_wake_ups_bill_part_cpu_us_per_connection", -1.0)}));
  }
}

TEST_F(Exports, BlocksAreSummedOverTheirSlices) {
  CompareResult comparison = sample_comparison();
  comparison.slices = {{0, 0, 0, 100, 10},
                       {0, 1, 0, 50, 10},
                       {0, {}, 0, 90, 10},
                       {0, 0, 0, 140, 10},
                       {1, 0, 0, 70, 0}};
  const std::vector<ArmBlocks> arms = blocks_of(read(compare_json(comparison)));
  ASSERT_THAT(arms, SizeIs(3));
  EXPECT_EQ(arms[0].subject, "graceful");
  ASSERT_THAT(arms[0].blocks, SizeIs(1));  // nothing ended in the second
  EXPECT_EQ(arms[0].blocks[0].cost, 240);
  EXPECT_EQ(arms[0].blocks[0].count, 20);
  EXPECT_EQ(arms[2].kind, SubjectKind::control);
}

// -- the formats ----------------------------------------------------------------------------------

TEST_F(Exports, GoogleBenchmarkHoldsTimes) {
  const auto json =
      ordered_json::parse(text(run_json(sample_run()), ExportFormat::google_benchmark));
  EXPECT_TRUE(json["context"]["caches"].is_array());
  EXPECT_EQ(json["benchmarks"][0]["name"], "load/cpu_us_per_connection");
  EXPECT_EQ(json["benchmarks"][0]["real_time"], 52.31);
  EXPECT_EQ(json["benchmarks"][0]["time_unit"], "us");
  for (const auto& row : json["benchmarks"])
    EXPECT_THAT(row["time_unit"], testing::AnyOf("us", "ns"));
}

TEST_F(Exports, GoogleBenchmarkHasBlocksAsRepetitions) {
  const auto json = ordered_json::parse(text(
      compare_json(sample_comparison()), {ExportFormat::google_benchmark, ExportRows::blocks, ""}));
  ASSERT_THAT(json["benchmarks"], SizeIs(3));
  EXPECT_EQ(json["benchmarks"][1]["name"], "rst-client/cpu_us_per_connection");
  EXPECT_EQ(json["benchmarks"][1]["iterations"], 361);
  EXPECT_EQ(json["benchmarks"][1]["repetitions"], 1);
  EXPECT_NEAR(json["benchmarks"][1]["real_time"].get<double>(), 9'435.5 / 361, 1e-9);
}

TEST_F(Exports, BencherHasIntervals) {
  const auto json = ordered_json::parse(text(compare_json(sample_comparison()), ExportFormat::bmf));
  EXPECT_EQ(json["rst-client"]["cpu_ratio"]["value"], 0.842);
  EXPECT_EQ(json["rst-client"]["cpu_ratio"]["lower_value"], 0.836);
  EXPECT_EQ(json["rst-client"]["cpu_ratio"]["upper_value"], 0.848);
  EXPECT_FALSE(json["graceful"].contains("client_opened_connections"));
}

TEST_F(Exports, OnlyWhatIsBetterSmallMayAlertWhenItGrows) {
  const auto json = ordered_json::parse(text(run_json(sample_run()), ExportFormat::github_smaller));
  std::vector<std::string> names;
  for (const auto& entry : json) names.push_back(entry["name"]);
  EXPECT_THAT(names, Contains("load: cpu_us_per_connection"));
  EXPECT_THAT(names, Contains("rst-client: client_broken_pipe_unexpected_errors"));
  EXPECT_THAT(names, Not(Contains("load: connections_per_second")));
  EXPECT_THAT(names, Not(Contains(HasSubstr("_expected_errors"))));
}

TEST_F(Exports, GoBenchmarksAreWordsAndPairs) {
  CompareResult comparison = sample_comparison();
  comparison.arms[1].name = "my arm=1,\nb-7";
  for (const ExportRows rows : {ExportRows::metrics, ExportRows::blocks}) {
    std::istringstream lines(
        text(compare_json(comparison), {ExportFormat::go_benchmark, rows, ""}));
    unsigned benchmarks = 0;
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with("Benchmark")) continue;
      std::istringstream words(line);
      const auto count = std::distance(std::istream_iterator<std::string>(words), {});
      EXPECT_GE(count, 4);
      EXPECT_EQ(count % 2, 0) << line;
      benchmarks += line.starts_with("BenchmarkConnection/arm=my_arm=1,?b-7-2 ");
    }
    EXPECT_EQ(benchmarks, 1U);
  }
}

TEST_F(Exports, CsvIsQuotedWhereItMustBe) {
  CompareResult comparison = sample_comparison();
  comparison.arms[1].name = "graceful=9,\"x\"=1";
  const std::string csv = text(compare_json(comparison), ExportFormat::csv);
  EXPECT_THAT(csv, HasSubstr("arm,\"graceful=9,\"\"x\"\"=1\",cpu_ratio,0.842,1,0.836,0.848,"));
  EXPECT_THAT(csv, HasSubstr("\ncontrol,,cpu_ratio,1.001,1,0.997,1.005,248,neither\n"));
}

TEST_F(Exports, JunitHasAVerdictATestCase) {
  const std::string xml = text(run_json(sample_run()), ExportFormat::junit);
  EXPECT_THAT(xml, HasSubstr("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"0\""));
  EXPECT_THAT(xml, HasSubstr("<failure message=\"3 of 1,000,000 connections\">see the table"));
  // A warning fails nothing.
  EXPECT_THAT(xml, HasSubstr("<system-out>warning: TCPAbortOnData: 199,997 measured"));
}

TEST_F(Exports, JunitHasAGateAndItsRequirements) {
  const std::string xml = text(gated(), ExportFormat::junit);
  EXPECT_THAT(xml, HasSubstr("failures=\"1\" errors=\"1\""));
  EXPECT_THAT(xml, HasSubstr("name=\"new &lt;1&gt; against old\""));
  EXPECT_THAT(
      xml,
      HasSubstr("<error message=\"undecided: new costs 4% more &amp; nobody knows\">ratio 1.04"));
  EXPECT_THAT(xml, HasSubstr("<failure message=\"not measured\">"));
}

TEST_F(Exports, JunitTellsWhatAnAtlasMet) {
  const AtlasResult atlas = sample_atlas();
  const std::string xml = text(atlas_json(atlas), ExportFormat::junit);
  EXPECT_THAT(xml, HasSubstr("classname=\"ringchurn.atlas.reset\" name=\"recv-after-reset\""));
  EXPECT_THAT(xml, HasSubstr("<skipped message=\"skipped: "));
  EXPECT_THAT(xml, HasSubstr("<failure message=\""));
}

TEST_F(Exports, JunitOfWhatWasInterruptedIsNoSuccess) {
  RunResult run = sample_run();
  run.interrupted = true;
  EXPECT_THAT(text(run_json(run), ExportFormat::junit), HasSubstr("errors=\"1\""));
}

TEST_F(Exports, OpenMetricsAreInBaseUnitsAndEnd) {
  const std::string metrics = text(compare_json(sample_comparison()), ExportFormat::openmetrics);
  EXPECT_THAT(metrics, HasSubstr("# UNIT ringchurn_connection_cpu_seconds seconds\n"
                                 "ringchurn_connection_cpu_seconds{arm=\"graceful\"} 3.102e-05\n"));
  EXPECT_THAT(metrics, HasSubstr("ringchurn_kernel_delta{counter=\"OutRsts\"} 700000\n"));
  EXPECT_THAT(metrics,
              HasSubstr("ringchurn_cpu_ratio{control=\"A/A\",estimate=\"value\"} 1.001\n"));
  EXPECT_TRUE(metrics.ends_with("\n# EOF\n"));
}

TEST_F(Exports, OpenMetricsHaveQuantilesAndTheirCount) {
  const std::string metrics = text(run_json(sample_run()), ExportFormat::openmetrics);
  EXPECT_THAT(metrics, HasSubstr("{scenario=\"graceful\",phase=\"teardown\",quantile=\"0.999\"} "));
  EXPECT_THAT(metrics,
              HasSubstr("ringchurn_latency_seconds_count{scenario=\"graceful\",phase=\"teardown\"} "
                        "1001\n"));
}

TEST_F(Exports, OpenMetricsLabelsAreEscaped) {
  CompareResult comparison = sample_comparison();
  comparison.arms[1].name = "a\"b\\c\n";
  EXPECT_THAT(text(compare_json(comparison), ExportFormat::openmetrics),
              HasSubstr(R"({arm="a\"b\\c?"})"));
}

TEST_F(Exports, MarkdownBeginsWithTheVerdict) {
  EXPECT_TRUE(
      text(gated(), ExportFormat::markdown)
          .starts_with(
              "## ringchurn: undecided\n\n**undecided: new costs 4% more & nobody knows**\n"));
  const std::string run = text(run_json(sample_run()), ExportFormat::markdown);
  EXPECT_TRUE(
      run.starts_with("## ringchurn: 1,000,000 connections, 32,047 a second, 52.31 us CPU"));
  EXPECT_THAT(run, HasSubstr("- FAILED: **no unexpected errors**: 3 of 1,000,000 connections."));
  EXPECT_LT(run.find("**UNEXPECTED**"), run.find("| expected |"));
  EXPECT_THAT(text(atlas_json(sample_atlas()), ExportFormat::markdown),
              HasSubstr("scenarios as expected, "));
}

TEST_F(Exports, MarkdownTablesHaveRowsOfOneLength) {
  CompareResult comparison = sample_comparison();
  comparison.arms[1].name = "a|b\n<c>";
  const std::string markdown = text(compare_json(comparison), ExportFormat::markdown);
  EXPECT_THAT(markdown, HasSubstr("| a\\|b?\\<c\\> | 353,104 | 26.11 | 0.842"));
  std::istringstream lines(markdown + text(swept(), ExportFormat::markdown) +
                           text(gated(), ExportFormat::markdown));
  std::ptrdiff_t columns = 0;
  for (std::string line; std::getline(lines, line);) {
    for (std::size_t at; (at = line.find("\\|")) != line.npos;) line.erase(at, 2);
    const std::ptrdiff_t here = std::count(line.begin(), line.end(), '|');
    if (columns > 0 && here > 0) {
      EXPECT_EQ(here, columns) << line;
    }
    columns = here;
  }
}

TEST_F(Exports, AHistogramIsPrintedAtHdrHistogramsPercentiles) {
  RunResult run = sample_run();
  run.scenarios.resize(1);
  Histogram histogram;
  for (const std::uint64_t ns : {100U, 200U, 200U, 250U}) histogram.record(ns);
  run.scenarios[0].latency.teardown = histogram;
  const std::string text =
      export_result(read(run_json(run)), {ExportFormat::hgrm, {}, "graceful/teardown"});
  EXPECT_EQ(text,
            "       Value     Percentile TotalCount 1/(1-Percentile)\n"
            "\n"
            "       0.100 0.000000000000          1           1.00\n"
            "       0.100 0.100000000000          1           1.11\n"
            "       0.100 0.200000000000          1           1.25\n"
            "       0.200 0.300000000000          3           1.43\n"
            "       0.200 0.400000000000          3           1.67\n"
            "       0.200 0.500000000000          3           2.00\n"
            "       0.200 0.550000000000          3           2.22\n"
            "       0.200 0.600000000000          3           2.50\n"
            "       0.200 0.650000000000          3           2.86\n"
            "       0.200 0.700000000000          3           3.33\n"
            "       0.200 0.750000000000          3           4.00\n"
            "       0.250 0.775000000000          4           4.44\n"
            "       0.250 1.000000000000          4\n"
            "#[Mean    =        0.188, StdDeviation   =        0.054]\n"
            "#[Max     =        0.250, Total count    =            4]\n"
            "#[Buckets =           33, SubBuckets     =          256]\n"
            "#[ringchurn: teardown of graceful, microseconds]\n");
}

TEST_F(Exports, AHistogramIsChosenByName) {
  const std::string run = run_json(sample_run());
  const auto refused = [&](const char* which) {
    return error(run, {ExportFormat::hgrm, {}, which});
  };
  EXPECT_THAT(refused(""), HasSubstr("give --histogram SCENARIO"));
  EXPECT_THAT(refused("gracefull/teardown"), HasSubstr("no scenario 'gracefull'"));
  EXPECT_THAT(refused("graceful/close"), HasSubstr("no scenario 'graceful/close'"));
  EXPECT_THAT(refused("refused/teardown"), HasSubstr("recorded no teardown time"));
  EXPECT_THAT(text(run, {ExportFormat::hgrm, {}, "graceful"}), HasSubstr("lifetime of graceful"));
}

TEST_F(Exports, WhatAFormatCannotHoldIsRefused) {
  const std::string atlas = atlas_json(sample_atlas());
  using enum ExportFormat;
  for (const ExportFormat format :
       {google_benchmark, bmf, github_smaller, go_benchmark, openmetrics}) {
    EXPECT_THAT(error(atlas, {format, {}, ""}), HasSubstr("junit, csv or markdown"));
  }
  EXPECT_THAT(error(atlas, {hgrm, {}, ""}), HasSubstr("has no histograms"));
  GateResult undecided = sample_gate();
  undecided.gate.ratio = {};
  undecided.gate.baseline_value = undecided.gate.candidate_value = {};
  EXPECT_THAT(error(gate_json(undecided), {bmf, {}, ""}), HasSubstr("has no measurement"));
  EXPECT_THAT(error(run_json(sample_run()), {go_benchmark, ExportRows::blocks, ""}),
              HasSubstr("has no blocks"));
}

}  // namespace
}  // namespace ringchurn
