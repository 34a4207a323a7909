// See catalogue.h.
#include "bench/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "ring/error.h"
#include "workloads/suggestion.h"

namespace ringchurn {
namespace {

std::vector<ScenarioFile> in_folder(std::string_view folder) {
  std::vector<ScenarioFile> files = builtin_scenarios();
  std::erase_if(files, [&](const ScenarioFile& file) { return folder_of(file) != folder; });
  return files;
}

std::vector<ScenarioFile> bearing_on(const std::string& claim) {
  const std::set<std::string> names = built_in_evidence()[claim];
  std::vector<ScenarioFile> files = builtin_scenarios();
  std::erase_if(files, [&](const ScenarioFile& file) { return !names.contains(file.name); });
  return files;
}

[[noreturn]] void refuse_claim(const Claim& claim) {
  std::string why = claim.not_behaviour;
  if (why.ends_with('.')) why.pop_back();
  throw Error(kExitUsage, fmt::format("claim '{}' ({}) can be shown by no scenario{}; leave it out",
                                      claim.id, claim.claim, why.empty() ? "" : ": " + why));
}

[[noreturn]] void refuse_word(const std::string& word, const std::vector<Claim>& claims) {
  std::vector<std::string> known;
  for (const ScenarioFile& file : builtin_scenarios()) {
    known.push_back(file.name);
    known.push_back(folder_of(file) + "/");
  }
  for (const Claim& claim : claims) known.push_back(claim.id);
  throw Error(kExitUsage,
              fmt::format("unknown scenario, folder or claim '{}'{} ('ringchurn scenarios' lists "
                          "them by folder; a file of your own ends with .toml)",
                          printable(word), did_you_mean(word, known)));
}

}  // namespace

std::string folder_of(const ScenarioFile& file) {
  constexpr std::string_view kBuiltIn = "scenarios/";
  if (!file.path.starts_with(kBuiltIn)) return "";
  const std::string_view path = std::string_view(file.path).substr(kBuiltIn.size());
  const std::size_t slash = path.find('/');
  return slash == path.npos ? "" : std::string(path.substr(0, slash));
}

std::vector<ScenarioFile> find_scenarios(const std::string& word) {
  if (word.ends_with(".toml")) return {find_scenario(word)};
  for (const ScenarioFile& file : builtin_scenarios()) {
    if (file.name == word) return {file};
  }
  const std::string_view folder = std::string_view(word).substr(0, word.find('/'));
  const bool is_folder = folder.size() + 1 >= word.size() && !folder.empty();
  if (std::vector<ScenarioFile> files; is_folder && !(files = in_folder(folder)).empty()) {
    return files;
  }
  const std::vector<Claim> claims = known_claims();
  const auto claim = std::find_if(claims.begin(), claims.end(),
                                  [&](const Claim& known) { return known.id == word; });
  if (claim == claims.end()) refuse_word(word, claims);
  std::vector<ScenarioFile> files = bearing_on(word);
  if (files.empty()) refuse_claim(*claim);
  return files;
}

EvidenceMap built_in_evidence() {
  EvidenceMap evidence;
  for (const ScenarioFile& file : builtin_scenarios()) {
    for (const auto& [id, unused] : compile(file).claims) evidence[id].insert(file.name);
  }
  return evidence;
}

std::string first_sentence(const std::string& about) {
  std::string line = about.substr(std::min(about.find_first_not_of(" \n"), about.size()));
  std::replace(line.begin(), line.end(), '\n', ' ');
  const std::size_t end = line.find(". ");
  line = line.substr(0, end == line.npos ? line.size() : end + 1);
  return line.substr(0, line.find_last_not_of(' ') + 1);
}

std::string catalogue_text(const std::vector<ScenarioFile>& files, const TextStyle& style) {
  std::map<std::string, Table> folders;
  for (const ScenarioFile& file : files) {
    Table& table =
        folders.try_emplace(folder_of(file), std::vector<Column>{{""}, {"", false, true}})
            .first->second;
    table.add({file.name, first_sentence(compile(file).about)});
  }
  std::string text;
  for (const auto& [folder, table] : folders) {
    text += fmt::format("{}{}\n{}", text.empty() ? "" : "\n",
                        tinted(folder + "/", Tint::bold, style), table.text(style));
  }
  return text;
}

}  // namespace ringchurn
