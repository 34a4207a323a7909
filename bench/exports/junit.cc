// JUnit XML, which GitLab, Jenkins and most CI systems show as test results: a test case for each
// verdict, for a gate's answer and each of its requirements, for each scenario of an atlas. Written
// after the schema of Jenkins' xUnit plugin.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "bench/atlas_words.h"
#include "bench/exports/exports.h"
#include "bench/recorded.h"
#include "bench/requirement.h"
#include "bench/text.h"

namespace ringchurn {
namespace {

/// Safe in an attribute and between tags; line breaks stay.
std::string xml(std::string_view text) {
  std::string safe;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    for (const char c : printable(text.substr(0, end))) {
      if (c == '&')
        safe += "&amp;";
      else if (c == '<')
        safe += "&lt;";
      else if (c == '>')
        safe += "&gt;";
      else if (c == '"')
        safe += "&quot;";
      else
        safe += c;
    }
    if (end < text.size()) safe += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return safe;
}

/// One test case, and what became of it.
struct Case {
  enum class Ending { passed, failed, error, skipped };
  std::string classname, name;
  Ending ending = Ending::passed;
  std::string message;  ///< one line: the evidence
  std::string details;  ///< what to do, or all that went wrong
};

std::string case_xml(const Case& test) {
  std::string text = fmt::format("    <testcase classname=\"ringchurn.{}\" name=\"{}\" time=\"0\"",
                                 xml(test.classname), xml(test.name));
  if (test.ending == Case::Ending::passed) {
    if (test.message.empty()) return text + "/>\n";
    const std::string more = test.details.empty() ? "" : "\n" + test.details;
    return text + fmt::format(">\n      <system-out>{}</system-out>\n    </testcase>\n",
                              xml(test.message + more));
  }
  const char* tag = test.ending == Case::Ending::failed  ? "failure"
                    : test.ending == Case::Ending::error ? "error"
                                                         : "skipped";
  return text + fmt::format(">\n      <{0} message=\"{1}\">{2}</{0}>\n    </testcase>\n", tag,
                            xml(test.message), xml(test.details));
}

Case verdict_case(const Verdict& verdict) {
  Case test{"verdict", verdict.name, Case::Ending::passed, verdict.evidence, verdict.remedy};
  if (verdict.ok) return test;
  if (!verdict.advisory) test.ending = Case::Ending::failed;
  if (verdict.advisory) test.message = "warning: " + verdict.evidence;
  return test;
}

/// What could not be decided is neither a success nor a failure of the candidate: an error.
Case gate_case(const Gate& gate) {
  const std::string against = gate.baseline.empty() ? "its requirements" : gate.baseline;
  Case test{"gate", fmt::format("{} against {}", gate.candidate, against), Case::Ending::passed,
            gate.sentence, ""};
  if (gate.verdict == GateVerdict::regression) test.ending = Case::Ending::failed;
  if (gate.verdict == GateVerdict::undecided) test.ending = Case::Ending::error;
  if (gate.ratio) {
    test.details =
        fmt::format("ratio {:.4f}, 95% interval {:.4f} to {:.4f}; fine below {:.4f}",
                    gate.ratio->value, gate.ratio->ci_low, gate.ratio->ci_high, 1 + gate.margin);
  }
  return test;
}

Case requirement_case(const RequirementResult& requirement) {
  return {"requirement", requirement.text,
          requirement.ok ? Case::Ending::passed : Case::Ending::failed, measured_text(requirement),
          ""};
}

Case entry_case(const AtlasEntry& entry) {
  Case test{entry.folder.empty() ? "atlas" : "atlas." + entry.folder, entry.name,
            Case::Ending::passed, "", ""};
  for (const std::string& line : details(entry)) {
    (test.message.empty() ? test.message : test.details) += line + '\n';
  }
  if (!test.message.empty()) test.message.pop_back();
  if (!entry.ring && !entry.syscall) {
    test.ending = Case::Ending::skipped;
    if (test.message.empty()) test.message = "not played";
  } else if (!entry.expected()) {
    test.ending = Case::Ending::failed;
  }
  return test;
}

std::vector<Case> cases_of(const RecordedResult& result) {
  std::vector<Case> cases;
  if (result.gate) {
    cases.push_back(gate_case(*result.gate));
    for (const auto& requirement : result.gate->requirements) {
      cases.push_back(requirement_case(requirement));
    }
  }
  for (const Verdict& verdict : result.verdicts) cases.push_back(verdict_case(verdict));
  if (result.atlas) {
    for (const AtlasEntry& entry : result.atlas->entries) cases.push_back(entry_case(entry));
  }
  if (result.interrupted) {
    cases.push_back({"verdict", "not interrupted", Case::Ending::error,
                     "a signal ended it early: the result is that of the part that was done", ""});
  }
  return cases;
}

}  // namespace

std::string junit_export(const RecordedResult& result) {
  const std::vector<Case> cases = cases_of(result);
  const auto count = [&](Case::Ending ending) {
    return std::count_if(cases.begin(), cases.end(),
                         [&](const Case& test) { return test.ending == ending; });
  };
  const Context& context = result.context;
  const std::string counts = fmt::format("tests=\"{}\" failures=\"{}\" errors=\"{}\"", cases.size(),
                                         count(Case::Ending::failed), count(Case::Ending::error));
  std::string text = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuites name=\"ringchurn\" {0}>\n"
      "  <testsuite name=\"{1}\" {0} skipped=\"{2}\" timestamp=\"{3}\" time=\"{4:.3f}\">\n"
      "    <properties>\n",
      counts, xml(context.command), count(Case::Ending::skipped),
      // ISO 8601 without zone or fraction, as the schemas have it; it is UTC.
      xml(context.started_at.substr(0, 19)),
      result.atlas ? result.atlas->elapsed_s : context.elapsed_s);
  for (const auto& [name, value] :
       {std::pair{"version", context.version}, std::pair{"kernel", context.kernel},
        std::pair{"cpu_model", context.cpu_model}}) {
    text += fmt::format("      <property name=\"{}\" value=\"{}\"/>\n", name, xml(value));
  }
  text += "    </properties>\n";
  for (const Case& test : cases) text += case_xml(test);
  return text + "  </testsuite>\n</testsuites>\n";
}

}  // namespace ringchurn
