// The bill's arithmetic, on blocks that were really measured: parts add up to the whole, and
// another program's figures come out.
#include "bench/bill.h"

#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "bench/report_bill.h"
#include "tests/recorded_bills.h"
#include "tests/trial.h"

namespace ringchurn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct Slices {
  std::vector<BlockCost> whole;
  std::vector<LockstepSlice> lockstep;
};

Slices slices_of(const RecordedBill& recorded) {
  Slices slices;
  for (const RecordedBlock& block : recorded.blocks) {
    slices.whole.push_back({block.whole_us * 1e3, static_cast<double>(block.connections)});
    LockstepSlice slice{block.lockstep_connections, {}, block.workers_us * 1e3};
    for (const double us : block.steps_us) slice.turns_ns.push_back(us * 1e3);
    slices.lockstep.push_back(slice);
  }
  return slices;
}

Bill bill_of(const RecordedBill& recorded) {
  const Slices slices = slices_of(recorded);
  return make_bill(builtin(recorded.scenario), slices.whole, slices.lockstep);
}

double sum_of_parts(const Bill& bill) {
  return std::accumulate(bill.parts.begin(), bill.parts.end(), 0.0,
                         [](double sum, const BillPart& part) { return sum + part.us.value; });
}

void expect_figure(const Estimate& estimate, const RecordedFigure& recorded) {
  EXPECT_NEAR(estimate.value, recorded.us, 1e-5);
  EXPECT_NEAR((estimate.ci_high - estimate.ci_low) / 2, recorded.reach, 1e-5);
  EXPECT_NEAR((estimate.ci_high + estimate.ci_low) / 2, recorded.us, 1e-5);
}

TEST(Bill, AddsUpToTheWhole) {
  for (const RecordedBill& recorded : recorded_bills()) {
    const Bill bill = bill_of(recorded);
    ASSERT_EQ(bill.obstacle, "") << recorded.scenario;
    EXPECT_NEAR(sum_of_parts(bill), bill.whole_us.value, 1e-9) << recorded.scenario;
  }
}

TEST(Bill, HasTheFiguresThatAnotherProgramHas) {
  for (const RecordedBill& recorded : recorded_bills()) {
    SCOPED_TRACE(recorded.scenario);
    const Bill bill = bill_of(recorded);
    expect_figure(bill.whole_us, recorded.whole);
    ASSERT_EQ(bill.parts.size(), recorded.parts.size());
    for (std::size_t i = 0; i < bill.parts.size(); ++i) {
      SCOPED_TRACE(bill.parts[i].name);
      expect_figure(bill.parts[i].us, recorded.parts[i]);
    }
  }
}

/// What is not told apart is small: the parts that were measured on their own are the whole but for
/// a tenth.
TEST(Bill, LeavesLittleToWaitingAndWakeUps) {
  for (const RecordedBill& recorded : recorded_bills()) {
    const Bill bill = bill_of(recorded);
    EXPECT_LT(std::abs(bill.parts.back().us.value), bill.whole_us.value / 10) << recorded.scenario;
  }
}

TEST(Bill, HasEachStepInOnePart) {
  for (const RecordedBill& recorded : recorded_bills()) {
    const Bill bill = bill_of(recorded);
    std::map<std::string, double> by_part;
    for (const BillStep& step : bill.steps) by_part[step.part] += step.us.value;
    for (std::size_t i = 0; i < kLifeParts; ++i) {
      EXPECT_NEAR(by_part[bill.parts[i].name], bill.parts[i].us.value, 1e-9) << recorded.scenario;
    }
  }
}

TEST(Bill, LeavesAnOutlierOutOfEveryFigure) {
  const RecordedBill recorded = recorded_bills().front();
  Slices slices = slices_of(recorded);
  slices.whole[3].cost *= 10;
  const Bill bill = make_bill(builtin(recorded.scenario), slices.whole, slices.lockstep);
  EXPECT_EQ(bill.blocks_left_out, 1U);
  EXPECT_TRUE(bill.blocks[3].left_out);
  EXPECT_NEAR(sum_of_parts(bill), bill.whole_us.value, 1e-9);
  slices.whole.erase(slices.whole.begin() + 3);
  slices.lockstep.erase(slices.lockstep.begin() + 3);
  const Bill without = make_bill(builtin(recorded.scenario), slices.whole, slices.lockstep);
  EXPECT_DOUBLE_EQ(bill.whole_us.value, without.whole_us.value);
  EXPECT_DOUBLE_EQ(bill.parts.back().us.ci_low, without.parts.back().us.ci_low);
}

TEST(Bill, SaysWhyThereIsNone) {
  const RecordedBill recorded = recorded_bills().front();
  Slices slices = slices_of(recorded);
  slices.lockstep[2].turns_ns.clear();
  EXPECT_THAT(make_bill(builtin("graceful"), slices.whole, slices.lockstep).obstacle,
              HasSubstr("waited"));
  slices = slices_of(recorded);
  slices.whole.resize(kMinBlocks - 1);
  slices.lockstep.resize(kMinBlocks - 1);
  EXPECT_THAT(make_bill(builtin("graceful"), slices.whole, slices.lockstep).obstacle,
              HasSubstr("too few blocks"));
}

// -- what comes later -----------------------------------------------------------------------------

/// A folder that is gone when the test is over.
struct Folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / fmt::format("ringchurn-bill-{}", ::getpid());
  Folder() { std::filesystem::create_directories(path / "tw_sock_TCP"); }
  ~Folder() { std::filesystem::remove_all(path); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path / name) << text;
  }
};

TEST(SlabObject, HasItsSizeFromSysfsElseFromSlabinfo) {
  const Folder folder;
  std::string why;
  const auto bytes = [&] {
    return slab_object_bytes("tw_sock_TCP", folder.path, folder.path / "slabinfo", why);
  };
  EXPECT_EQ(bytes(), std::nullopt);
  EXPECT_THAT(why, AllOf(HasSubstr("tw_sock_TCP/slab_size"), HasSubstr("No such file")));
  folder.write("slabinfo",
               "slabinfo - version: 2.1\n# name <active_objs> <num_objs> <objsize>\n"
               "tw_sock_TCPv6 1 16 264 16 1\ntw_sock_TCP 1 16 248 16 1\n");
  EXPECT_EQ(bytes(), 248U);
  folder.write("tw_sock_TCP/slab_size", "256\n");
  EXPECT_EQ(bytes(), 256U);
}

TEST(DeferredCost, IsNotKnownWithoutItsFactors) {
  EXPECT_EQ(deferred_cost(std::nullopt, AF_INET).byte_seconds, std::nullopt);
  const DeferredCost cost = deferred_cost(0.5, AF_INET);
  EXPECT_EQ(cost.byte_seconds.has_value(), cost.object_bytes.has_value());
  EXPECT_EQ(cost.object_unknown.empty(), cost.object_bytes.has_value());
  if (cost.byte_seconds) {
    EXPECT_DOUBLE_EQ(*cost.byte_seconds, 30 * static_cast<double>(*cost.object_bytes));
  }
}

// -- as text --------------------------------------------------------------------------------------

TEST(BillText, IsEmptyWithoutBills) { EXPECT_EQ(bills_text({}, false, {}), ""); }

TEST(BillText, FitsAndNamesWhatHasNoBill) {
  std::vector<Bill> bills;
  for (const RecordedBill& recorded : recorded_bills()) bills.push_back(bill_of(recorded));
  bills.push_back(no_bill("refused", "nobody listens"));
  const std::string text = bills_text(bills, false, {false, 80});
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), 80U) << line;
  EXPECT_THAT(text, HasSubstr("refused has no bill: nobody listens\n"));
  EXPECT_THAT(text, Not(HasSubstr("not the cost above")));
  EXPECT_THAT(bills_text(bills, true, {false, 80}), HasSubstr("Measured after the load"));
}

TEST(BillJson, HasNothingInABillThatCouldNotBeMade) {
  const Json json = bills_json({no_bill("refused", "nobody listens")})[0];
  EXPECT_EQ(json["obstacle"], "nobody listens");
  EXPECT_TRUE(json["whole"].is_null() && json["deferred"].is_null());
  EXPECT_THAT(json["parts"], IsEmpty());
}

}  // namespace
}  // namespace ringchurn
