// See report_bill.h.
#include "bench/report_bill.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/bill.h"
#include "bench/options.h"

namespace ringchurn {
namespace {

/// More columns than these do not fit side by side.
constexpr std::size_t kSideBySide = 3;

std::string with_error(const Estimate& estimate) {
  const double reach = (estimate.ci_high - estimate.ci_low) / 2;
  return fmt::format("{} ±{}", grouped(estimate.value, 2), grouped(reach, 2));
}

/// `bills` are of one length: a bill always has the same parts.
std::string part_table(const std::vector<const Bill*>& bills, const TextStyle& style) {
  std::vector<Column> columns = {{""}};
  for (const Bill* bill : bills) columns.push_back({bill->scenario.c_str(), true, true});
  Table table(std::move(columns));
  const auto row = [&](const std::string& name, auto&& cell) {
    std::vector<Cell> cells = {name};
    for (const Bill* bill : bills) cells.emplace_back(cell(*bill));
    table.add(std::move(cells));
  };
  for (std::size_t i = 0; i < bills.front()->parts.size(); ++i) {
    row(bills.front()->parts[i].name,
        [i](const Bill& bill) { return with_error(bill.parts[i].us); });
  }
  row("together", [](const Bill& bill) { return with_error(bill.whole_us); });
  return table.text(style);
}

std::string steps_line(const Bill& bill) {
  std::string text = bill.scenario + ", step by step:";
  for (const BillStep& step : bill.steps) {
    const char* separator = &step == &bill.steps.front() ? "" : ",";
    text += fmt::format("{} {} {} {}", separator, step.side, step.step, grouped(step.us.value, 2));
  }
  return text;
}

std::string deferred_line(const Bill& bill) {
  const DeferredCost& later = bill.deferred;
  if (!later.time_wait_per_connection) {
    return bill.scenario + " leaves for later: not known, for the kernel does not count TW";
  }
  if (*later.time_wait_per_connection == 0) return bill.scenario + " leaves nothing for later";
  const std::string sockets = grouped(*later.time_wait_per_connection, 2);
  if (!later.byte_seconds) {
    return fmt::format(
        "{} leaves for later: {} TIME_WAIT sockets, of a size that is not known ({})",
        bill.scenario, sockets, later.object_unknown);
  }
  return fmt::format(
      "{} leaves for later: {} TIME_WAIT sockets x {} bytes x {} s = {} byte-seconds",
      bill.scenario, sockets, *later.object_bytes, later.seconds, grouped(*later.byte_seconds, 0));
}

std::string method(const std::vector<const Bill*>& bills) {
  std::size_t blocks = SIZE_MAX, left_out = 0;
  for (const Bill* bill : bills) {
    blocks = std::min(blocks, bill->blocks.size());
    left_out = std::max<std::size_t>(left_out, bill->blocks_left_out);
  }
  const std::string outliers = left_out > 0 ? fmt::format(" (up to {} left out)", left_out) : "";
  return fmt::format(
      "Together: the ordinary play. The parts: the same connections in lockstep, all of a batch at "
      "one step, by the clock of the thread that pays, in the same {} blocks{}. Waiting and "
      "wake-ups: what the ordinary order costs beyond that. {} Not in the bill: the CPU time that "
      "retiring TIME_WAIT sockets takes a minute later; '{}' measures it.",
      grouped(std::uint64_t{blocks}), outliers, kWhoPays, kRetireCommand);
}

Json interval_json(const Estimate& estimate) {
  return {{"us", estimate.value}, {"ci_low", estimate.ci_low}, {"ci_high", estimate.ci_high}};
}

Json deferred_json(const DeferredCost& later) {
  return {{"time_wait_per_connection", or_null(later.time_wait_per_connection)},
          {"object_bytes", or_null(later.object_bytes)},
          {"object_unknown", later.object_bytes ? Json(nullptr) : Json(later.object_unknown)},
          {"seconds", later.seconds},
          {"byte_seconds", or_null(later.byte_seconds)},
          {"retire_measured_by", kRetireCommand}};
}

Json blocks_json(const std::vector<BillBlock>& blocks) {
  Json rows = Json::array();
  for (const BillBlock& block : blocks) {
    Json row = {block.whole_us, block.connections, block.lockstep_connections, block.workers_us,
                block.left_out ? 1 : 0};
    for (const double us : block.steps_us) row.push_back(us);
    rows.push_back(std::move(row));
  }
  return {{"columns",
           {"whole_us", "connections", "lockstep_connections", "workers_us", "left_out", "steps"}},
          {"rows", rows}};
}

Json bill_json(const Bill& bill) {
  Json parts = Json::array();
  for (const BillPart& part : bill.parts) {
    Json row = {{"name", part.name}};
    row.update(interval_json(part.us));
    parts.push_back(std::move(row));
  }
  Json steps = Json::array();
  for (const BillStep& step : bill.steps) {
    Json row = {{"side", step.side},
                {"step", step.step},
                {"step_number", step.step_number},
                {"part", step.part}};
    row.update(interval_json(step.us));
    steps.push_back(std::move(row));
  }
  const bool is_made = bill.obstacle.empty();
  return {{"of", bill.scenario},
          {"obstacle", is_made ? Json(nullptr) : Json(bill.obstacle)},
          {"whole", is_made ? interval_json(bill.whole_us) : Json(nullptr)},
          {"parts", parts},
          {"steps", steps},
          {"blocks", blocks_json(bill.blocks)},
          {"who_pays", kWhoPays},
          {"deferred", is_made ? deferred_json(bill.deferred) : Json(nullptr)}};
}

}  // namespace

std::string bills_text(const std::vector<Bill>& bills, bool after_a_load, const TextStyle& style) {
  if (bills.empty()) return "";
  std::vector<const Bill*> made;
  std::string tables, lines;
  const auto add_line = [&](const std::string& line) {
    lines += wrap("  " + printable(line), style.width, 4);
  };
  for (const Bill& bill : bills) {
    if (bill.obstacle.empty()) made.push_back(&bill);
  }
  for (std::size_t i = 0; i < made.size(); i += kSideBySide) {
    const std::size_t end = std::min(i + kSideBySide, made.size());
    tables += part_table({made.begin() + static_cast<std::ptrdiff_t>(i),
                          made.begin() + static_cast<std::ptrdiff_t>(end)},
                         style);
  }
  for (const Bill* bill : made) {
    add_line(steps_line(*bill));
    add_line(deferred_line(*bill));
  }
  for (const Bill& bill : bills) {
    if (!bill.obstacle.empty()) {
      add_line(fmt::format("{} has no bill: {}", bill.scenario, bill.obstacle));
    }
  }
  if (after_a_load && !made.empty()) {
    add_line(
        fmt::format("Measured after the load, with both ends on one thread and {} in flight: "
                    "not the cost above.",
                    kCompareConcurrency));
  }
  if (!made.empty()) add_line(method(made));
  return fmt::format(
      "\n{}\n{}{}",
      tinted("WHERE THE COST GOES, CPU us of a connection, both ends, ± 95%", Tint::bold, style),
      tables, lines);
}

Json bills_json(const std::vector<Bill>& bills) {
  Json json = Json::array();
  for (const Bill& bill : bills) json.push_back(bill_json(bill));
  return json;
}

std::vector<Bill> bills_of(const CompareResult& result) {
  std::vector<Bill> bills;
  for (const ArmResult& arm : result.arms) {
    if (arm.bill) bills.push_back(*arm.bill);
  }
  return bills;
}

}  // namespace ringchurn
