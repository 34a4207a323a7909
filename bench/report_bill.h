// Bills as text and as JSON: see bill.h for what they are.
#pragma once

#include <string>
#include <vector>

#include "bench/json.h"
#include "bench/result.h"
#include "bench/text.h"

namespace ringchurn {

/// The section of a report: a column for each bill, what cannot be billed and why, and the notes
/// without which the numbers would be misread. "" without bills. `after_a_load`: they were measured
/// after a run, whose own figures they are not.
std::string bills_text(const std::vector<Bill>& bills, bool after_a_load, const TextStyle& style);

/// Every bill as result.schema.json describes it.
Json bills_json(const std::vector<Bill>& bills);

/// Of a comparison, those of its arms, in their order.
std::vector<Bill> bills_of(const CompareResult& result);

}  // namespace ringchurn
