// See errno_pages.h. Everything on the page comes from the files: whoever wants it otherwise
// changes a scenario.
#include "bench/errno_pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <string_view>
#include <tuple>

#include "bench/atlas.h"
#include "bench/catalogue.h"
#include "bench/claims.h"
#include "bench/text.h"

namespace ringchurn {
namespace {

using Page = PlannedScenario;

/// Where an outcome is expected. Steps that differ in nothing but their place share one.
struct Situation {
  const Page* page = nullptr;
  std::string call;  ///< recv, send, ...
  Side side = Side::client;
  std::string unless;  ///< what else may come, or whom it comes from
  std::vector<unsigned> steps;

  auto order() const { return std::tuple(call, page->file.path, side, unless); }
};
using Situations = std::map<Outcome, std::vector<Situation>>;

std::vector<Page> read_pages(const std::vector<ScenarioFile>& files) {
  std::vector<Page> pages;
  for (const ScenarioFile& file : files) {
    Page page{file, compile(file), {}};
    if (!page.ring.ring_only) page.syscall = compile(file, {}, Engine::syscall);
    pages.push_back(std::move(page));
  }
  return pages;
}

/// What the manual calls what a step does.
std::string call_of(const Step& step) {
  switch (step.act) {
    case Act::none:
      return step.op == Op::so_error ? "getsockopt(SO_ERROR)" : op_name(step.op);
    case Act::starve_socket:
      return "socket";
    case Act::starve_accept:
      return "accept";
    case Act::bind_to:
    case Act::ports_of:
      return "bind";
    case Act::die_sigpipe:
      return "send";
    default:
      const std::size_t verb = step.text.rfind(": ");
      const std::string text = verb == step.text.npos ? step.text : step.text.substr(verb + 2);
      return text.substr(0, text.find(' '));
  }
}

std::string names_of(const std::vector<Outcome>& outcomes) {
  std::string text;
  for (const Outcome outcome : outcomes) {
    text += (text.empty() ? "" : ", ") + outcome_name(outcome);
  }
  return text;
}

/// The same step as plain system calls play it, if they can.
const Step* twin_of(const Page& page, Side side, const Step& step) {
  if (!page.syscall) return nullptr;
  const std::vector<Step>& steps = page.syscall->script(side).steps;
  const auto found = std::find_if(steps.begin(), steps.end(), [&](const Step& other) {
    return other.number == step.number && other.text == step.text;
  });
  return found == steps.end() ? nullptr : &*found;
}

/// What is to be said about `outcome` at a step where it is not the only answer.
std::string unless(Outcome outcome, const Step& ring, const Step* syscall) {
  if (!ring.expect.allows(outcome)) return "plain call; io_uring: " + names_of(ring.expect.all());
  if (syscall != nullptr && !syscall->expect.allows(outcome)) {
    return "io_uring; plain call: " + names_of(syscall->expect.all());
  }
  std::vector<Outcome> others = ring.expect.all();
  std::erase(others, outcome);
  return others.empty() ? "" : "or " + names_of(others);
}

void add(std::vector<Situation>& situations, Situation added) {
  const auto known =
      std::find_if(situations.begin(), situations.end(),
                   [&](const Situation& other) { return other.order() == added.order(); });
  if (known == situations.end()) {
    situations.push_back(std::move(added));
  } else {
    known->steps.insert(known->steps.end(), added.steps.begin(), added.steps.end());
  }
}

/// Every error that a page expects, of all its steps.
Situations situations_on(const Page& page) {
  Situations found;
  for (const Side side : {Side::client, Side::server}) {
    for (const Step& step : page.ring.script(side).steps) {
      const Step* twin = twin_of(page, side, step);
      std::set<Outcome> outcomes;
      for (const Outcome outcome : step.expect.all()) outcomes.insert(outcome);
      if (twin != nullptr) {
        for (const Outcome outcome : twin->expect.all()) outcomes.insert(outcome);
      }
      for (const Outcome outcome : outcomes) {
        if (!is_error(outcome)) continue;
        add(found[outcome],
            {&page, call_of(step), side, unless(outcome, step, twin), {step.number}});
      }
    }
  }
  return found;
}

Situations all_situations(const std::vector<Page>& pages) {
  Situations all;
  for (const Page& page : pages) {
    Situations found = situations_on(page);
    const bool has_errno = std::any_of(found.begin(), found.end(),
                                       [](const auto& entry) { return is_errno(entry.first); });
    for (auto& [outcome, situations] : found) {
      if (has_errno && !is_errno(outcome)) continue;
      std::move(situations.begin(), situations.end(), std::back_inserter(all[outcome]));
    }
  }
  for (auto& [outcome, situations] : all) {
    std::sort(situations.begin(), situations.end(),
              [](const Situation& a, const Situation& b) { return a.order() < b.order(); });
  }
  return all;
}

/// The most frequent errno first, then what is none.
std::vector<Outcome> in_order(const Situations& situations) {
  std::vector<Outcome> outcomes;
  for (const auto& [outcome, unused] : situations) outcomes.push_back(outcome);
  std::stable_sort(outcomes.begin(), outcomes.end(), [&](Outcome a, Outcome b) {
    if (is_errno(a) != is_errno(b)) return is_errno(a);
    return situations.at(a).size() > situations.at(b).size();
  });
  return outcomes;
}

std::string describe(Outcome outcome) {
  if (is_errno(outcome)) return fmt::format("\"{}\".", strerrordesc_np(static_cast<int>(outcome)));
  const std::string which = "These are the scenarios that expect no errno.";
  if (outcome == Outcome::eof) {
    return "A receive returned 0: the other end has sent all that it will ever send. " + which;
  }
  if (outcome == Outcome::timeout) {
    return "Nothing had happened when the step's own time limit was over. " + which;
  }
  return "A call moved fewer bytes than it was asked to, and says so by their number. " + which;
}

std::string title(Outcome outcome) {
  return fmt::format("What does {} mean, and when?", outcome_name(outcome));
}

/// As GitHub makes it from a heading.
std::string anchor(const std::string& heading) {
  std::string link;
  for (const char c : heading) {
    if (c == ' ') link += '-';
    if (c >= 'A' && c <= 'Z') link += static_cast<char>(c - 'A' + 'a');
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) link += c;
  }
  return link;
}

std::string link_to(const Page& page) {
  constexpr std::string_view kFolder = "scenarios/";
  return fmt::format("[{}]({})", markdown(first_sentence(page.ring.about)),
                     page.file.path.substr(kFolder.size()));
}

std::string steps_of(const Situation& situation) {
  std::string text =
      std::string(side_name(situation.side)) + (situation.steps.size() == 1 ? " step " : " steps ");
  for (std::size_t i = 0; i < situation.steps.size(); ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ", ", situation.steps[i]);
  }
  if (!situation.unless.empty()) text += fmt::format(" ({})", situation.unless);
  return markdown(text);
}

std::string section(Outcome outcome, const std::vector<Situation>& situations) {
  std::string text =
      fmt::format("\n## {}\n\n{}\n\n| from | situation | at | see it |\n|---|---|---|---|\n",
                  title(outcome), describe(outcome));
  for (const Situation& situation : situations) {
    text += fmt::format("| {} | {} | {} | `ringchurn atlas {}` |\n", markdown(situation.call),
                        link_to(*situation.page), steps_of(situation), situation.page->file.name);
  }
  return text;
}

std::string contents(const Situations& situations) {
  std::string text = "\n| answer | from | situations |\n|---|---|---|\n";
  for (const Outcome outcome : in_order(situations)) {
    std::set<std::string> calls;
    for (const Situation& situation : situations.at(outcome)) calls.insert(situation.call);
    text += fmt::format("| [{}](#{}) | {} | {} |\n", outcome_name(outcome), anchor(title(outcome)),
                        markdown(fmt::format("{}", fmt::join(calls, ", "))),
                        situations.at(outcome).size());
  }
  return text;
}

/// Each scenario as if it had been played and had come out as expected.
std::vector<AtlasEntry> as_expected(const std::vector<Page>& pages) {
  std::vector<AtlasEntry> entries;
  for (const Page& page : pages) {
    entries.push_back(entry_of(page));
    entries.back().ring.emplace().expected = true;
  }
  return entries;
}

std::string claims(const std::vector<Page>& pages) {
  std::string text =
      "\n## Common claims\n\n"
      "What manuals, tutorials and forums say, put to the test. `ringchurn atlas S001-14` plays "
      "all "
      "that bears on one.\n\n| id | claim | on Linux | really | shown by "
      "|\n|---|---|---|---|---|\n";
  for (const ClaimResult& claim : judge_claims(as_expected(pages), known_claims(), {}, true)) {
    std::string names;
    for (const std::string& name : claim.shown_by) {
      names += fmt::format("{}`{}`", names.empty() ? "" : ", ", name);
    }
    text += fmt::format("| {} | {} | {} | {} | {} |\n", claim.id, markdown(claim.claim),
                        verdict_words(claim.verdict), markdown(claim.note), names);
  }
  return text;
}

std::string by_folder(const std::vector<Page>& pages) {
  std::map<std::string, std::string> folders;
  for (const Page& page : pages) {
    folders[folder_of(page.file)] += fmt::format("| `{}` | {} |\n", page.file.name, link_to(page));
  }
  std::string text = "\n## All scenarios\n";
  for (const auto& [folder, rows] : folders) {
    text += fmt::format("\n### {}\n\n| scenario | what happens |\n|---|---|\n{}", folder, rows);
  }
  return text;
}

}  // namespace

std::string errno_pages(const std::vector<ScenarioFile>& files) {
  const std::vector<Page> pages = read_pages(files);
  const Situations situations = all_situations(pages);
  std::string text =
      "<!-- Made by `ringchurn scenarios --format markdown`: change a scenario, not this. -->\n"
      "# What an errno means, and when\n\n"
      "Every answer below is Linux 6.18's; `ringchurn atlas` says whether your kernel gives\n"
      "the same. A link leads to the scenario: a text of some lines that says what each end\n"
      "does, and why the kernel answers so; [workloads/README.md](../README.md) says how to\n"
      "read and write one. `ringchurn atlas --explain NAME` plays one connection and prints\n"
      "what happened, step by step.\n";
  text += contents(situations);
  for (const Outcome outcome : in_order(situations)) {
    text += section(outcome, situations.at(outcome));
  }
  return text + claims(pages) + by_folder(pages);
}

}  // namespace ringchurn
