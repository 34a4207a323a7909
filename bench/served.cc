// See served.h.
#include "bench/served.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/un.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

#include "bench/json_field.h"
#include "bench/text.h"
#include "ring/error.h"

namespace ringchurn {
namespace {

using Json = nlohmann::ordered_json;

/// Of this file, whatever version the program has.
constexpr std::uint64_t kFormat = 1;

constexpr std::pair<const char*, int> kDomains[] = {
    {"ipv4", AF_INET}, {"ipv6", AF_INET6}, {"unix", AF_UNIX}};

const char* domain_name(int domain) {
  const auto* found = std::find_if(std::begin(kDomains), std::end(kDomains),
                                   [&](const auto& known) { return known.second == domain; });
  return found == std::end(kDomains) ? "unknown" : found->first;
}

Json scenario_json(const ServedScenario& scenario, int domain) {
  return {{"name", scenario.file.name},
          {"weight", scenario.weight},
          {"address", scenario.address},
          {"port", domain == AF_UNIX ? Json(nullptr) : Json(scenario.port)},
          {"path", scenario.file.path},
          {"text", scenario.file.text},
          {"set", scenario.settings}};
}

// -- reading --------------------------------------------------------------------------------------

int read_domain(const JsonField& field) {
  std::string name = field.text();
  for (const auto& [known, domain] : kDomains) {
    if (name == known) return domain;
  }
  field.reject("is none of ipv4, ipv6 and unix");
}

std::string read_run_id(const JsonField& field) {
  std::string id = field.text();
  if (id.size() != 16 || id.find_first_not_of("0123456789abcdef") != id.npos) {
    field.reject("is not 16 hex digits");
  }
  return id;
}

std::string read_name(const JsonField& field) {
  std::string name = field.text();
  if (name.empty() || printable(name) != name) field.reject("is empty or not printable");
  return name;
}

/// Neither is sent anywhere before it is known to be an address: a name would have to be resolved.
std::string read_address(const JsonField& field, int domain) {
  std::string text = field.text();
  if (domain == AF_UNIX) {
    const bool fits = !text.empty() && text != "@" && text.size() < sizeof(sockaddr_un::sun_path);
    if (!fits || text.find('\0') != text.npos) field.reject("is not a path or @NAME of a socket");
    return text;
  }
  in6_addr any{};
  if (inet_pton(domain, text.c_str(), &any) != 1 || text.find('\0') != text.npos) {
    field.reject(fmt::format("is not a numeric {} address", domain_name(domain)));
  }
  return text;
}

std::uint16_t read_port(const JsonField& field, int domain) {
  if (domain == AF_UNIX) {
    if (!field.is_null()) field.reject("is not null, though a unix socket has no port");
    return 0;
  }
  const std::uint64_t port = field.count();
  if (port < 1 || port > 65'535) field.reject("is not a port from 1 to 65535");
  return static_cast<std::uint16_t>(port);
}

ServedScenario read_scenario(const JsonField& json, int domain) {
  json.require_only({"name", "weight", "address", "port", "path", "text", "set"});
  ServedScenario scenario;
  scenario.file = {read_name(json["name"]), printable(json["path"].text()), json["text"].text()};
  scenario.weight = json["weight"].number();
  if (scenario.weight <= 0) json["weight"].reject("is not above 0");
  scenario.address = read_address(json["address"], domain);
  scenario.port = read_port(json["port"], domain);
  for (const auto& [name, value] : json["set"].members()) scenario.settings[name] = value.text();
  return scenario;
}

void require_different_names(const std::vector<ServedScenario>& scenarios, const JsonField& json) {
  for (std::size_t i = 0; i < scenarios.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (scenarios[i].file.name == scenarios[j].file.name) {
        json.reject(fmt::format("has '{}' twice", scenarios[i].file.name));
      }
    }
  }
}

/// The plan, or what compile() says, with the name of this file before it.
Plan compile_served(const std::string& path, const ServedRun& run) {
  try {
    return served_plan(run);
  } catch (const Error& error) {
    throw Error(error.exit_code, printable(fmt::format("'{}': {}", path, error.what())));
  }
}

/// The scripts themselves: what they say, and whether they can be played where they are served.
void check_scripts(const std::string& path, const ServedRun& run, const JsonField& json) {
  for (const Scenario& scenario : compile_served(path, run).scenarios) {
    if (scenario.domain == 0 || scenario.domain == run.domain) continue;
    json.reject(fmt::format("has '{}', which is for {} only, at an address of {}", scenario.name,
                            domain_name(scenario.domain), domain_name(run.domain)));
  }
}

JsonField open_served(const std::string& path) {
  const JsonField json = JsonField::read(path, "file of ringchurn serve",
                                         "give one that this ringchurn's serve wrote");
  const JsonField format = json["ringchurn_serve"];
  if (format.count() == kFormat) return json;
  throw Error(kExitUsage,
              printable(fmt::format("'{}' is of format {}, this ringchurn ({}) reads {}: use the "
                                    "same version on both machines",
                                    path, format.count(), RINGCHURN_VERSION, kFormat)));
}

}  // namespace

std::string new_run_id() {
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != ssize_t{sizeof number}) {
    throw Error(kExitCannotRun, "the kernel gives no random number (getrandom): try again");
  }
  return fmt::format("{:016x}", number);
}

std::string served_json(const ServedRun& run) {
  Json scenarios = Json::array();
  for (const ServedScenario& scenario : run.scenarios) {
    scenarios.push_back(scenario_json(scenario, run.domain));
  }
  const Json json = {{"ringchurn_serve", kFormat},
                     {"version", run.version},
                     {"run_id", run.run_id},
                     {"host", run.host},
                     {"domain", domain_name(run.domain)},
                     {"scenarios", scenarios}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

ServedRun read_served(const std::string& path) {
  const JsonField json = open_served(path);
  json.require_only({"ringchurn_serve", "version", "run_id", "host", "domain", "scenarios"});
  ServedRun run{read_name(json["version"]),
                read_run_id(json["run_id"]),
                read_name(json["host"]),
                read_domain(json["domain"]),
                {}};
  const JsonField scenarios = json["scenarios"];
  for (const JsonField& scenario : scenarios.elements()) {
    run.scenarios.push_back(read_scenario(scenario, run.domain));
  }
  if (run.scenarios.empty()) scenarios.reject("is empty");
  if (run.scenarios.size() > std::numeric_limits<std::uint16_t>::max()) {
    scenarios.reject("has more than 65,535 scenarios");
  }
  require_different_names(run.scenarios, scenarios);
  check_scripts(path, run, scenarios);
  return run;
}

Plan served_plan(const ServedRun& run) {
  Plan plan;
  Arm arm;
  arm.name = run.host;
  for (const ServedScenario& scenario : run.scenarios) {
    arm.scenarios.push_back(static_cast<std::uint16_t>(plan.scenarios.size()));
    arm.weights.push_back(scenario.weight);
    plan.scenarios.push_back(compile(scenario.file, scenario.settings));
  }
  plan.arms.push_back(std::move(arm));
  return plan;
}

}  // namespace ringchurn
