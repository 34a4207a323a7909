// See claims.h.
#include "bench/claims.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <stdexcept>

#include "workloads/embedded.h"

namespace ringchurn {
namespace {

[[noreturn]] void refuse(const toml::node& node, std::string_view what) {
  throw std::runtime_error(fmt::format("claims, line {}: {}", node.source().begin.line, what));
}

std::string text_at(const toml::table& table, std::string_view key) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return "";
  const auto text = node->value_exact<std::string>();
  if (!text || text->empty()) refuse(*node, fmt::format("{} must be a text", key));
  return *text;
}

Claim read_claim(std::string_view id, const toml::node& node) {
  const toml::table* table = node.as_table();
  if (table == nullptr) refuse(node, fmt::format("'{}' must be a table", id));
  for (const auto& [key, value] : *table) {
    if (key != "claim" && key != "note" && key != "not_behaviour") {
      refuse(value, fmt::format("unknown key '{}'", key.str()));
    }
  }
  Claim claim{std::string(id), text_at(*table, "claim"), text_at(*table, "note"),
              text_at(*table, "not_behaviour")};
  if (claim.claim.empty()) refuse(node, fmt::format("'{}' needs claim = \"...\"", id));
  return claim;
}

/// What the entries that bear on one claim say.
struct Testimony {
  std::set<std::string> asked;  ///< every one of them, whatever came of it
  bool failed = false;          ///< one came out otherwise than its file says
  std::set<Evidence> evidence;
  std::vector<std::string> shown_by;
};

std::map<std::string, Testimony> testimonies(const std::vector<AtlasEntry>& entries) {
  std::map<std::string, Testimony> all;
  for (const AtlasEntry& entry : entries) {
    const bool was_played = entry.ring || entry.syscall;
    // A file of the user's own may say what it likes: the verdict on a claim is not its business.
    if (entry.folder.empty()) continue;
    for (const auto& [id, evidence] : entry.claims) {
      Testimony& testimony = all[id];
      testimony.asked.insert(entry.name);
      testimony.failed = testimony.failed || (was_played && !entry.expected());
      if (!was_played || !entry.expected()) continue;
      testimony.evidence.insert(evidence);
      testimony.shown_by.push_back(entry.name);
    }
  }
  return all;
}

ClaimResult::Verdict verdict_of(const std::set<Evidence>& evidence) {
  if (evidence.empty()) return ClaimResult::Verdict::not_shown;
  if (evidence == std::set{Evidence::holds}) return ClaimResult::Verdict::holds;
  if (evidence == std::set{Evidence::wrong}) return ClaimResult::Verdict::wrong;
  return ClaimResult::Verdict::partly;
}

}  // namespace

std::vector<Claim> read_claims(std::string_view toml) {
  toml::table root;
  try {
    root = toml::parse(toml);
  } catch (const toml::parse_error& error) {
    throw std::runtime_error(
        fmt::format("claims, line {}: {}", error.source().begin.line, error.description()));
  }
  std::vector<Claim> claims;  // a toml::table is sorted by key
  for (const auto& [id, node] : root) claims.push_back(read_claim(id.str(), node));
  return claims;
}

std::vector<Claim> known_claims() { return read_claims(embedded_claims()); }

std::vector<ClaimResult> judge_claims(const std::vector<AtlasEntry>& entries,
                                      const std::vector<Claim>& known, const EvidenceMap& needed,
                                      bool all) {
  std::map<std::string, Claim> claims;
  std::map<std::string, Testimony> said = testimonies(entries);
  for (const auto& [id, testimony] : said) claims[id] = {id, "", "", ""};
  for (const Claim& claim : known) {
    if (all || claims.contains(claim.id)) claims[claim.id] = claim;
  }
  std::vector<ClaimResult> results;
  for (const auto& [id, claim] : claims) {
    const Testimony& testimony = said[id];
    const auto scenarios = needed.find(id);
    const bool is_complete = scenarios == needed.end() ||
                             std::includes(testimony.asked.begin(), testimony.asked.end(),
                                           scenarios->second.begin(), scenarios->second.end());
    const bool is_beyond = !claim.not_behaviour.empty() && testimony.asked.empty();
    ClaimResult result{id, claim.claim, is_beyond ? claim.not_behaviour : claim.note,
                       ClaimResult::Verdict::not_shown, testimony.shown_by};
    if (is_complete && !testimony.failed) result.verdict = verdict_of(testimony.evidence);
    if (is_beyond) result.verdict = ClaimResult::Verdict::not_applicable;
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace ringchurn
