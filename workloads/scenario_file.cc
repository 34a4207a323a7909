// From TOML to compiled scripts: see scenario_file.h. toml++ reads the file; what is ours is the
// meaning, and errors that name file, line and step.
#include "workloads/scenario_file.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#include "ring/error.h"
#include "workloads/embedded.h"
#include "workloads/moments.h"
#include "workloads/quoted.h"
#include "workloads/rehearsal.h"
#include "workloads/step_parser.h"
#include "workloads/suggestion.h"
#include "workloads/words.h"

namespace ringchurn {
namespace {

/// A parameter: its value, and the least that makes sense.
struct Param {
  std::string value;
  std::int64_t least = 0;
};
using Params = std::map<std::string, Param>;
using Settings = std::map<std::string, std::string>;

/// Knows which file is being read, so that every error says where.
class Reader {
 public:
  explicit Reader(const ScenarioFile& file) : file_(file) {}

  [[noreturn]] void refuse(std::size_t line, const std::string& what) const {
    std::string message = line > 0 ? fmt::format("{}:{}: {}", file_.path, line, what)
                                   : fmt::format("{}: {}", file_.path, what);
    // A file may hold anything; a message is one line without escapes.
    std::replace_if(
        message.begin(), message.end(), [](unsigned char c) { return std::iscntrl(c) != 0; }, '?');
    throw Error(kExitUsage, message);
  }
  [[noreturn]] void refuse(const toml::node& node, const std::string& what) const {
    refuse(node.source().begin.line, what);
  }

  toml::table parse() const {
    try {
      return toml::parse(file_.text, file_.path);
    } catch (const toml::parse_error& error) {
      refuse(error.source().begin.line, std::string(error.description()));
    }
  }

  /// Refuses every key of `table` that is not in `known`.
  void check_keys(const toml::table& table, const std::vector<std::string>& known,
                  const std::string& where) const {
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      refuse(key.source().begin.line,
             fmt::format("unknown key '{}' in {}{}", name, where, did_you_mean(name, known)));
    }
  }

  const toml::table* table(const toml::table& root, const char* name) const {
    const toml::node* node = root.get(name);
    if (node && !node->is_table())
      refuse(*node, fmt::format("'{}' must be a table: [{}]", name, name));
    return node ? node->as_table() : nullptr;
  }

  std::uint64_t count(const toml::node& node, const std::string& what) const {
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value < 0)
      refuse(node, fmt::format("{} must be a whole number, 0 or more", what));
    return static_cast<std::uint64_t>(*value);
  }

  /// The text at `key`, which must be one of `choices`; the first of them if there is none.
  std::string choice(const toml::table& table, const std::string& key,
                     const std::vector<std::string>& choices) const {
    const toml::node* node = table.get(key);
    if (!node) return choices.front();
    const auto text = node->value_exact<std::string>();
    if (text && std::find(choices.begin(), choices.end(), *text) != choices.end()) return *text;
    std::string wanted;
    for (const std::string& choice : choices) {
      if (!choice.empty()) wanted += fmt::format("{}\"{}\"", wanted.empty() ? "" : ", ", choice);
    }
    refuse(*node, fmt::format("{} must be one of {}", key, wanted));
  }

  /// Puts the parameters' values in the place of "{name}". Inside quotes a value stands for its
  /// bytes, whatever they are, and a brace of the text's own is written \{.
  std::string fill_in(const toml::node& node, const std::string& text, const Params& params) const {
    std::string filled;
    bool in_quotes = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (text[at] == '"') in_quotes = !in_quotes;
      if (text[at] == '{') {
        const std::string& value = param_at(node, text, at, in_quotes, params);
        filled += in_quotes ? escaped(value) : value;
        continue;
      }
      filled += text[at];
      if (in_quotes && text[at] == '\\' && at + 1 < text.size()) filled += text[++at];
    }
    return filled;
  }

  const ScenarioFile& file() const { return file_; }

 private:
  /// The value of the parameter whose "{name}" begins at `at`, which is left at its '}'.
  const std::string& param_at(const toml::node& node, const std::string& text, std::size_t& at,
                              bool in_quotes, const Params& params) const {
    const char* hint = in_quotes ? "; a brace in a text is written \\{" : "";
    const std::size_t open = std::exchange(at, text.find('}', at));
    if (at == text.npos) refuse(node, fmt::format("\"{}\": '{{' without '}}'{}", text, hint));
    const std::string name = text.substr(open + 1, at - open - 1);
    const auto param = params.find(name);
    if (param != params.end()) return param->second.value;
    refuse(node, fmt::format("\"{}\": no parameter '{}' in [params]{}", text, name, hint));
  }

  const ScenarioFile& file_;
};

Param read_param(const Reader& reader, const std::string& name, const toml::node& node) {
  const std::string wanted = fmt::format(
      "parameter '{}' must be a whole number, a text, or {{ value = N, least = N }}", name);
  if (const auto text = node.value_exact<std::string>()) {
    if (text->find_first_of("{}") == std::string::npos) return {*text};
    reader.refuse(node, fmt::format("parameter '{}' cannot refer to another one", name));
  }
  if (const auto number = node.value_exact<std::int64_t>()) return {std::to_string(*number)};
  const toml::table* table = node.as_table();
  if (!table) reader.refuse(node, wanted);
  reader.check_keys(*table, {"value", "least"}, fmt::format("parameter '{}'", name));
  const auto value = (*table)["value"].value_exact<std::int64_t>();
  const auto least = (*table)["least"].value_exact<std::int64_t>();
  if (!value || !least || *value < *least) reader.refuse(node, wanted);
  return {std::to_string(*value), *least};
}

Params read_params(const Reader& reader, const toml::table& root) {
  Params params;
  const toml::table* table = reader.table(root, "params");
  if (!table) return params;
  for (const auto& [key, node] : *table) {
    params[std::string(key.str())] = read_param(reader, std::string(key.str()), node);
  }
  return params;
}

void apply_settings(const Reader& reader, Params& params, const Settings& settings) {
  for (const auto& [name, value] : settings) {
    const auto param = params.find(name);
    if (param == params.end()) {
      std::vector<std::string> known;
      for (const auto& entry : params) known.push_back(entry.first);
      reader.refuse(0, fmt::format("has no parameter '{}'{}", name, did_you_mean(name, known)));
    }
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    const bool is_number = error == std::errc{} && end == value.data() + value.size();
    if (param->second.least > 0 && (!is_number || number < param->second.least)) {
      reader.refuse(0, fmt::format("parameter '{}' must be a whole number, {} or more, not '{}'",
                                   name, param->second.least, value));
    }
    param->second.value = value;
  }
}

constexpr unsigned kMostSteps = 200;  // a step's number is 8 bits of an operation's token

/// One side's steps with their lines, as written.
struct WrittenScript {
  std::vector<Step> steps;
  std::vector<std::size_t> lines;
  std::vector<std::string> sockets{""};
};

/// Reads what a `send-file` sends; its path goes from the folder of the scenario's file.
void load_payload(Step& step, const ScenarioFile& scenario) {
  constexpr std::uintmax_t kMostBytes = 16U << 20;
  if (step.file.empty()) return;
  const auto path = std::filesystem::path(scenario.path).parent_path() / step.file;
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (exists(status) && !is_regular_file(status)) {
    refuse_step(fmt::format("'{}' is not a regular file", path.string()));
  }
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (!error && (size == 0 || size > kMostBytes)) {
    refuse_step(
        fmt::format("'{}' has {} bytes: a file may have 1 to {}", path.string(), size, kMostBytes));
  }
  step.payload.resize(error ? 0 : size);
  step.bytes = static_cast<std::uint32_t>(step.payload.size());
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  if (!stream.read(step.payload.data(), step.bytes) || error) {
    refuse_step(fmt::format("cannot read '{}': {}", path.string(), std::strerror(errno)));
  }
}

WrittenScript read_script(const Reader& reader, const toml::table& root, Side side,
                          const Params& params, Engine engine) {
  WrittenScript script;
  const toml::table* table = reader.table(root, side_name(side));
  if (!table) return script;
  reader.check_keys(*table, {"steps"}, fmt::format("[{}]", side_name(side)));
  const toml::array* steps = table->get_as<toml::array>("steps");
  if (!steps) reader.refuse(*table, fmt::format("[{}] needs steps = [\"...\"]", side_name(side)));
  for (const toml::node& node : *steps) {
    const auto text = node.value_exact<std::string>();
    if (!text) reader.refuse(node, "a step must be a text, as in \"send 1024\"");
    const std::string filled = reader.fill_in(node, *text, params);
    const unsigned number = static_cast<unsigned>(script.steps.size() + 1);
    try {
      script.steps.push_back(parse_step(filled, engine, script.sockets));
      load_payload(script.steps.back(), reader.file());
    } catch (const std::invalid_argument& error) {
      reader.refuse(node, fmt::format("{} step {} \"{}\": {}", side_name(side), number, filled,
                                      error.what()));
    }
    script.steps.back().number = number;
    script.lines.push_back(node.source().begin.line);
    if (side == Side::server && script.sockets.size() > 1) {
      reader.refuse(node, "only [client] may name further sockets");
    }
    if (number > kMostSteps) {
      reader.refuse(node, fmt::format("a script may have {} steps", kMostSteps));
    }
  }
  return script;
}

bool moves_nothing(const Step& step) {
  return (step.op == Op::send || step.op == Op::receive) && step.bytes == 0;
}

bool takes_down(const Step& step) {
  return step.op == Op::shutdown || step.op == Op::disconnect || step.op == Op::close ||
         step.op == Op::recv_eof || step.op == Op::plain || step.expect.allows_error();
}

/// Index of the first step that takes the connection down; socket options right before it belong to
/// it.
unsigned teardown_index(const std::vector<Step>& steps) {
  auto first = std::find_if(steps.begin(), steps.end(), takes_down);
  while (first != steps.begin() && (first - 1)->op == Op::option) --first;
  return static_cast<unsigned>(first - steps.begin());
}

Step bare_step(Op op, const char* text) {
  Step step;
  step.op = op;
  step.text = text;
  step.expect.allow(Outcome::ok);
  return step;
}

void add_pause(Script& script, const __kernel_timespec& time) {
  __kernel_timespec sum = script.accept_pause.value_or(__kernel_timespec{});
  sum.tv_nsec += time.tv_nsec;
  sum.tv_sec += time.tv_sec + sum.tv_nsec / 1'000'000'000;
  sum.tv_nsec %= 1'000'000'000;
  script.accept_pause = sum;
}

/// True for a script that waits for what it started without being told to.
bool needs_await(const std::vector<Step>& steps) {
  const auto last = std::find_if(steps.rbegin(), steps.rend(), [](const Step& step) {
    return step.op == Op::await || step.overlap != Overlap::none;
  });
  return last != steps.rend() && last->op != Op::await;
}

bool makes_own_socket(const Step& step) { return step.act == Act::pair || step.act == Act::pipe; }

Script compile_script(Side side, const WrittenScript& source) {
  const std::vector<Step>& written = source.steps;
  Script script;
  if (written.empty()) return script;
  script.sockets = source.sockets;
  const auto opening = std::find_if(written.begin(), written.end(),
                                    [](const Step& step) { return step.op == Op::accept; });
  if (side == Side::client && !makes_own_socket(written.front())) {
    script.steps.push_back(bare_step(Op::socket, "socket"));
  }
  for (auto step = written.begin(); step != written.end(); ++step) {
    if (side == Side::server && step < opening) {
      if (step->op == Op::option) script.listener_options.push_back(step->option);
      if (step->op == Op::pause) add_pause(script, step->time);
    } else if (!moves_nothing(*step)) {
      script.steps.push_back(*step);
    }
  }
  if (needs_await(script.steps)) script.steps.push_back(bare_step(Op::await, "await"));
  script.teardown = teardown_index(script.steps);
  script.steps.push_back(bare_step(Op::close, "clean up"));
  return script;
}

/// What is not played as a step of the connection (a listener's options, a send of nothing) cannot
/// be held against an expectation.
void check_expectations(const Reader& reader, Side side, const WrittenScript& script) {
  const std::vector<Step>& steps = script.steps;
  const auto opening = std::find_if(steps.begin(), steps.end(),
                                    [](const Step& step) { return step.op == Op::accept; });
  for (auto step = steps.begin(); step != steps.end(); ++step) {
    const bool linked = step->overlap > Overlap::start;
    const bool followed =
        step + 1 != steps.end() && (step + 1)->op != Op::await && (step + 1)->op != Op::plain;
    if (linked && !followed) {
      reader.refuse(script.lines[static_cast<std::size_t>(step - steps.begin())],
                    fmt::format("{} step {} \"{}\": no operation comes behind it to be linked",
                                side_name(side), step->number, step->text));
    }
    const bool early = side == Side::server && step < opening;
    if (!early && !moves_nothing(*step)) continue;
    const bool plain = step->expect.all() == std::vector{Outcome::ok};
    if (plain && step->at_least_ns == 0 && step->at_most_ns == 0) continue;
    reader.refuse(script.lines[static_cast<std::size_t>(step - steps.begin())],
                  fmt::format("{} step {} \"{}\": {}: leave its expectation away", side_name(side),
                              step->number, step->text,
                              early ? "it is the listener's, and must be ok"
                                    : "it moves nothing, and is not played"));
  }
}

std::vector<Turn> check_scripts(const Reader& reader, const WrittenScript& client,
                                const WrittenScript& server) {
  // Steps that move nothing are no steps: what is rehearsed is what will be played.
  const auto played = [](const WrittenScript& script) {
    std::vector<Step> steps;
    std::remove_copy_if(script.steps.begin(), script.steps.end(), std::back_inserter(steps),
                        moves_nothing);
    return steps;
  };
  try {
    return rehearse(played(client), played(server));
  } catch (const ImpossibleStep& error) {
    const WrittenScript& script = error.side == Side::client ? client : server;
    if (error.step_number == 0) {
      reader.refuse(0, fmt::format("[{}]: {}", side_name(error.side), error.what()));
    }
    const std::size_t index = error.step_number - 1;
    reader.refuse(script.lines[index],
                  fmt::format("{} step {} \"{}\": {}", side_name(error.side), error.step_number,
                              script.steps[index].text, error.what()));
  }
}

/// A receive that is followed by one of everything need not leave anything for it.
void join_receives(std::vector<Step>& steps) {
  for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
    const Step& next = steps[i + 1];
    steps[i].takes_rest = steps[i].op == Op::receive_until && next.op == Op::recv_eof &&
                          next.socket == steps[i].socket;
  }
}

/// Sockets that keep records have no stream to look for a text in.
void check_streams(const Reader& reader, Side side, const WrittenScript& script, int type) {
  for (std::size_t i = 0; i < script.steps.size() && type == SOCK_SEQPACKET; ++i) {
    const Step& step = script.steps[i];
    if (step.op != Op::receive_until) continue;
    reader.refuse(script.lines[i],
                  fmt::format("{} step {} \"{}\": a unix-seqpacket socket has records, and no "
                              "stream: write 'recv'",
                              side_name(side), step.number, step.text));
  }
}

CounterRange read_range(const Reader& reader, const std::string& name, const toml::node& node) {
  const std::string what = fmt::format("counter '{}'", name);
  const toml::array* pair = node.as_array();
  const std::string where = fmt::format("{}:{}", reader.file().path, node.source().begin.line);
  if (!pair) return {reader.count(node, what), reader.count(node, what), where};
  if (pair->size() != 2)
    reader.refuse(node, fmt::format("{} must be a number or [least, most]", what));
  const CounterRange range{reader.count((*pair)[0], what), reader.count((*pair)[1], what), where};
  if (range.min > range.max)
    reader.refuse(node, fmt::format("{}: [least, most] are swapped", what));
  return range;
}

std::uint64_t sent_by(const Script& script) {
  std::uint64_t bytes = 0;
  for (const Step& step : script.steps) {
    const bool sends = step.op == Op::send || step.op == Op::write;
    if (sends && step.socket == 0 && step.expect.allows(Outcome::ok)) bytes += step.bytes;
  }
  return bytes;
}

/// What [delivered] says of one direction; without it, everything that was sent.
std::uint64_t read_delivered(const Reader& reader, const toml::table& root, const char* direction,
                             const Params& params, const Script& sender) {
  const toml::table* table = reader.table(root, "delivered");
  if (table && !root.get("server")) {
    reader.refuse(
        *root.get("delivered"),
        "[delivered] is about the bytes between [client] and [server]: say it by 'recv N'");
  }
  if (!root.get("server")) return 0;
  const toml::node* node = table ? table->get(direction) : nullptr;
  if (!node) return sent_by(sender);
  const auto text = node->value_exact<std::string>();
  if (!text) return reader.count(*node, direction);
  const std::string filled = reader.fill_in(*node, *text, params);
  if (filled.empty() || filled.find_first_not_of("0123456789") != std::string::npos ||
      filled.size() > 12) {
    reader.refuse(*node, fmt::format("{} = \"{}\" must be a number of bytes", direction, filled));
  }
  return std::stoull(filled);
}

/// What kind of sockets the scenario plays with, on which engine, in which network.
void read_sockets(const Reader& reader, const toml::table& root, Scenario& scenario) {
  const std::string socket =
      reader.choice(root, "socket", {"tcp", "unix-stream", "unix-seqpacket"});
  const std::string family = reader.choice(root, "family", {"either", "ipv4", "ipv6"});
  if (socket != "tcp" && family != "either") {
    reader.refuse(*root.get("family"), fmt::format("a {} socket has no family", socket));
  }
  if (socket != "tcp") scenario.domain = AF_UNIX;
  if (socket == "unix-seqpacket") scenario.type = SOCK_SEQPACKET;
  if (family == "ipv4") scenario.domain = AF_INET;
  if (family == "ipv6") scenario.domain = AF_INET6;
  scenario.ring_only = reader.choice(root, "engine", {"either", "ring"}) == "ring";
  const toml::table* sysctls = reader.table(root, "sysctl");
  if (!sysctls) return;
  for (const auto& [key, node] : *sysctls) {
    const std::string name(key.str());
    if (!name.starts_with("net.")) {
      reader.refuse(node,
                    fmt::format("'{}' is no setting of a network: only net.* can be set", name));
    }
    const auto text = node.value_exact<std::string>();
    scenario.sysctls[name] =
        text ? *text : std::to_string(reader.count(node, fmt::format("sysctl '{}'", name)));
  }
}

void read_claims(const Reader& reader, const toml::table& root, Scenario& scenario) {
  const toml::table* claims = reader.table(root, "claims");
  if (!claims) return;
  for (const auto& [key, unused] : *claims) {
    const std::string id(key.str());
    if (embedded_claims().find("[" + id + "]") == std::string_view::npos) {
      reader.refuse(key.source().begin.line,
                    fmt::format("unknown claim '{}': workloads/claims.toml holds them", id));
    }
    const std::string evidence =
        reader.choice(*claims, std::string(key.str()), {"", "holds", "partly", "wrong"});
    scenario.claims[std::string(key.str())] = evidence == "holds"    ? Evidence::holds
                                              : evidence == "partly" ? Evidence::partly
                                                                     : Evidence::wrong;
  }
}

std::string read_about(const Reader& reader, const toml::table& root) {
  const auto about = root["about"].value<std::string>();
  if (!about || about->empty()) {
    reader.refuse(0, "needs about = \"...\": what happens and why, in a sentence");
  }
  return *about;
}

}  // namespace

ScenarioFile find_scenario(std::string_view name) {
  if (name.ends_with(".toml")) {
    const std::filesystem::path path(name);
    std::ifstream stream(path);
    std::stringstream text;
    // An empty file is readable, but streaming it sets failbit.
    const bool is_file = std::filesystem::is_regular_file(path) && stream;
    if (is_file) text << stream.rdbuf();
    if (!is_file || stream.bad()) {
      throw Error(kExitUsage, fmt::format("cannot read scenario file '{}': give the path of a TOML "
                                          "file, or a name from 'ringchurn scenarios'",
                                          name));
    }
    return {path.stem().string(), std::string(name), text.str()};
  }
  std::vector<std::string> known;
  for (const ScenarioFile& file : builtin_scenarios()) {
    if (file.name == name) return file;
    known.push_back(file.name);
  }
  throw Error(kExitUsage,
              fmt::format("unknown scenario '{}'{} ('ringchurn scenarios' lists them; a "
                          "file of your own ends with .toml)",
                          name, did_you_mean(name, known)));
}

std::vector<ScenarioFile> builtin_scenarios() {
  std::vector<ScenarioFile> files;
  for (const EmbeddedScenario& embedded : embedded_scenarios()) {
    files.push_back({std::string(embedded.name), "scenarios/" + std::string(embedded.path),
                     std::string(embedded.text)});
  }
  return files;
}

std::map<std::string, std::string> scenario_params(const ScenarioFile& file) {
  const Reader reader(file);
  std::map<std::string, std::string> values;
  for (const auto& [name, param] : read_params(reader, reader.parse())) values[name] = param.value;
  return values;
}

Scenario compile(const ScenarioFile& file, const std::map<std::string, std::string>& settings,
                 Engine engine) {
  const Reader reader(file);
  const toml::table root = reader.parse();
  reader.check_keys(root,
                    {"about", "socket", "family", "engine", "sysctl", "params", "client", "server",
                     "kernel", "delivered", "claims"},
                    "the file");
  Params params = read_params(reader, root);
  apply_settings(reader, params, settings);

  const WrittenScript client = read_script(reader, root, Side::client, params, engine);
  const WrittenScript server = read_script(reader, root, Side::server, params, engine);
  Scenario scenario;
  scenario.name = file.name;
  check_expectations(reader, Side::client, client);
  check_expectations(reader, Side::server, server);
  scenario.story = check_scripts(reader, client, server);
  scenario.client = compile_script(Side::client, client);
  scenario.server = compile_script(Side::server, server);
  join_receives(scenario.client.steps);
  join_receives(scenario.server.steps);
  scenario.about = read_about(reader, root);
  read_sockets(reader, root, scenario);
  check_streams(reader, Side::client, client, scenario.type);
  check_streams(reader, Side::server, server, scenario.type);
  read_claims(reader, root, scenario);
  mark_moments(scenario);
  if (const toml::table* kernel = reader.table(root, "kernel")) {
    for (const auto& [key, node] : *kernel) {
      scenario.kernel[std::string(key.str())] = read_range(reader, std::string(key.str()), node);
    }
  }
  if (const toml::table* delivered = reader.table(root, "delivered")) {
    reader.check_keys(*delivered, {"client_to_server", "server_to_client"}, "[delivered]");
  }
  scenario.delivered_to_server =
      read_delivered(reader, root, "client_to_server", params, scenario.client);
  scenario.delivered_to_client =
      read_delivered(reader, root, "server_to_client", params, scenario.server);
  return scenario;
}

}  // namespace ringchurn
