// The scenario language: what compiles, and what bad input is told.
#include "workloads/scenario_file.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "ring/error.h"
#include "tests/trial.h"

namespace ringchurn {
namespace {

std::string text_of(const std::string& client, const std::string& server,
                    const std::string& more = "") {
  return "about = \"test\"\n" + more + "[client]\nsteps = [" + client + "]\n" +
         (server.empty() ? "" : "[server]\nsteps = [" + server + "]\n");
}

Scenario compile_text(const std::string& text, const std::map<std::string, std::string>& set = {}) {
  return compile({"my", "my.toml", text}, set);
}

/// The one line that `text` is refused with.
std::string refusal(const std::string& text, const std::map<std::string, std::string>& set = {}) {
  try {
    compile_text(text, set);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code, kExitUsage);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return "(accepted)";
}

TEST(ScenarioFile, EveryBuiltinCompilesForBothEngines) {
  ASSERT_FALSE(builtin_scenarios().empty());
  for (const ScenarioFile& file : builtin_scenarios()) {
    const Scenario scenario = compile(file);
    // `ringchurn scenarios` shows the first sentence on one line of 80 columns.
    EXPECT_LE(scenario.about.find(". "), 58U) << scenario.name;
    EXPECT_LE(scenario.name.size(), 36U) << scenario.name;
    EXPECT_EQ(compile(file, {}, Engine::syscall).client.length(), scenario.client.length());
  }
}

TEST(ScenarioFile, EveryOrdinaryBuiltinDeclaresEveryTeardownCounter) {
  const std::vector<std::string> counters = {"ActiveOpens",    "PassiveOpens",   "AttemptFails",
                                             "EstabResets",    "OutRsts",        "TW",
                                             "TCPAbortOnData", "TCPAbortOnClose"};
  for (const Scenario& scenario : ordinary_builtins()) {
    for (const std::string& counter : counters) {
      EXPECT_TRUE(scenario.kernel.contains(counter)) << scenario.name << " " << counter;
    }
  }
}

TEST(ScenarioFile, BuiltinsCompileWithNothingExchanged) {
  for (const Scenario& ordinary : ordinary_builtins()) {
    const ScenarioFile file = find_scenario(ordinary.name);
    std::map<std::string, std::string> none;
    for (const auto& [name, value] : scenario_params(file)) {
      const bool must_ask = file.text.find(name + " = {") != std::string::npos;
      if ((name == "response" || name == "request") && !must_ask) none[name] = "0";
    }
    const Scenario scenario = compile(file, none);
    for (const Step& step : scenario.client.steps) {
      EXPECT_FALSE(step.op == Op::send && step.bytes == 0) << scenario.name;
    }
  }
}

TEST(ScenarioFile, ASocketIsPutInFrontAndACleanUpBehind) {
  const Scenario scenario =
      compile_text(text_of("\"connect\", \"close\"", "\"accept\", \"close\""));
  ASSERT_EQ(scenario.client.steps.size(), 4U);
  EXPECT_EQ(scenario.client.steps[0].op, Op::socket);
  EXPECT_EQ(scenario.client.length(), 3U);
  EXPECT_EQ(scenario.client.steps[scenario.client.clean_up()].op, Op::close);
}

TEST(ScenarioFile, StepsBeforeAcceptBelongToTheListener) {
  const Scenario scenario =
      compile_text(text_of("\"connect\", \"recv -> ECONNRESET\", \"close\"",
                           "\"linger 0\", \"pause 2ms\", \"accept\", \"close\""));
  ASSERT_EQ(scenario.server.listener_options.size(), 1U);
  EXPECT_EQ(scenario.server.listener_options[0].name, SO_LINGER);
  ASSERT_TRUE(scenario.server.accept_pause);
  EXPECT_EQ(scenario.server.accept_pause->tv_nsec, 2'000'000);
  EXPECT_EQ(scenario.server.steps[0].op, Op::accept);
}

TEST(ScenarioFile, TheTeardownBeginsWithItsSocketOption) {
  const Scenario scenario =
      compile_text(text_of("\"connect\", \"send 1\", \"linger 0\", \"close\"",
                           "\"accept\", \"recv 1\", \"recv -> ECONNRESET\", \"close\""));
  EXPECT_EQ(scenario.client.steps[scenario.client.teardown].text, "linger 0");
}

TEST(ScenarioFile, ParametersAreFilledInAndCanBeSet) {
  const std::string text = text_of("\"connect\", \"send {n}\", \"close\"",
                                   "\"accept\", \"recv {n}\", \"close\"", "[params]\nn = 3\n");
  EXPECT_EQ(compile_text(text).client.steps[2].bytes, 3U);
  EXPECT_EQ(compile_text(text, {{"n", "70000"}}).client.steps[2].bytes, 70000U);
  EXPECT_EQ(compile_text(text).delivered_to_server, 3U);
}

std::string payload_of(const std::string& step, const std::string& params = "",
                       const std::map<std::string, std::string>& set = {}) {
  const std::string text = text_of("'connect', '" + step + "', 'close'",
                                   "'accept', 'recv-eof', 'close'", "[params]\n" + params + "\n");
  const Step sent = compile_text(text, set).client.steps[2];
  EXPECT_EQ(sent.bytes, sent.payload.size());
  return sent.payload;
}

TEST(ScenarioFile, ATextIsSentAsItStands) {
  EXPECT_EQ(payload_of(R"(send "GET / HTTP/1.0\r\nHost: a; b -> c  d\r\n\r\n" 5ms -> ok)"),
            "GET / HTTP/1.0\r\nHost: a; b -> c  d\r\n\r\n");
  EXPECT_EQ(payload_of(R"(send "\{\"name\": \x41\}" zc)"), R"({"name": A})");
}

TEST(ScenarioFile, AParameterInATextStandsForItsBytes) {
  EXPECT_EQ(payload_of(R"(send "GET {path}")", "path = '/'"), "GET /");
  EXPECT_EQ(payload_of(R"(send "GET {path} {n}")", "path = '/'\nn = 3", {{"path", R"(/a"\r{n}")"}}),
            R"(GET /a"\r{n}" 3)");
  EXPECT_EQ(payload_of(R"(send "{crlf}")", R"(crlf = "\r\n")"), "\r\n");
}

// -- send-file ------------------------------------------------------------------------------------

/// A folder with a scenario "my.toml" in it, and what its `send-file` may find there.
class SendFile : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_ / "below"); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, std::uintmax_t size) {
    std::ofstream(folder_ / name).close();
    std::filesystem::resize_file(folder_ / name, size);
  }

  Step sent(const std::string& step) const {
    return compile({"my", (folder_ / "my.toml").string(),
                    text_of("'connect', '" + step + "', 'close'", "'accept', 'recv-eof', 'close'")})
        .client.steps[2];
  }

  /// Why the step is refused, with "HERE" for the folder.
  std::string why(const std::string& step) const {
    try {
      sent(step);
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code, kExitUsage);
      std::string text = error.what();
      for (std::size_t at; (at = text.find(folder_.string())) != text.npos;) {
        text.replace(at, folder_.string().size(), "HERE");
      }
      return text;
    }
    return "(accepted)";
  }

  const std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) / ("send-file-" + std::to_string(getpid()));
};

TEST_F(SendFile, SendsTheFilesBytes) {
  std::ofstream(folder_ / "below" / "my request") << std::string("GET /\r\n\0{x}\"", 13);
  for (const char* step :
       {R"(send-file "below/my request")", R"(send-file "below/my request" zc 5s)"}) {
    const Step send = sent(step);
    EXPECT_EQ(send.op, Op::send);
    EXPECT_EQ(send.payload, std::string("GET /\r\n\0{x}\"", 13));
    EXPECT_EQ(send.bytes, 13U);
    EXPECT_EQ(send.text, step);
  }
  write("large", 16U << 20);
  EXPECT_EQ(sent("send-file large").bytes, 16U << 20);
  EXPECT_EQ(sent("send-file " + (folder_ / "large").string()).bytes, 16U << 20);
}

TEST_F(SendFile, RefusesWhatCannotBeSent) {
  write("empty", 0);
  write("too-large", (16U << 20) + 1);
  ASSERT_EQ(mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(
      why("send-file none"),
      "HERE/my.toml:3: client step 2 \"send-file none\": cannot read 'HERE/none': No such file "
      "or directory");
  EXPECT_EQ(
      why("send-file below"),
      "HERE/my.toml:3: client step 2 \"send-file below\": 'HERE/below' is not a regular file");
  EXPECT_EQ(why("send-file fifo"),
            "HERE/my.toml:3: client step 2 \"send-file fifo\": 'HERE/fifo' is not a regular file");
  EXPECT_EQ(
      why("send-file empty"),
      "HERE/my.toml:3: client step 2 \"send-file empty\": 'HERE/empty' has 0 bytes: a file may "
      "have 1 to 16777216");
  EXPECT_EQ(why("send-file too-large"),
            "HERE/my.toml:3: client step 2 \"send-file too-large\": 'HERE/too-large' has 16777217 "
            "bytes: a file may have 1 to 16777216");
  EXPECT_EQ(why("send-file"),
            "HERE/my.toml:3: client step 2 \"send-file\": write 'send-file PATH "
            "[dontwait|waitall|zc]'");
}

TEST(ScenarioFile, AStepIsShownWithItsTextOnOneLine) {
  const std::string text = text_of(R"('connect', "send    \"a\tb\r\n\u00e4\" 5ms -> ok", 'close')",
                                   "'accept', 'recv-eof', 'close'");
  EXPECT_EQ(compile_text(text).client.steps[2].text, R"(send "a\tb\r\n\xc3\xa4" 5ms)");
}

TEST(ScenarioFile, CountersMayBeExactOrARange) {
  const Scenario scenario =
      compile_text(text_of("\"connect\", \"close\"", "\"accept\", \"close\"") +
                   "[kernel]\nTW = [1, 2]\nOutRsts = 0\n");
  EXPECT_EQ(scenario.kernel.at("TW").min, 1U);
  EXPECT_EQ(scenario.kernel.at("TW").max, 2U);
  EXPECT_EQ(scenario.kernel.at("OutRsts").max, 0U);
}

struct Refused {
  const char* name;
  std::string text;
  const char* says;
};

class RefusedFile : public testing::TestWithParam<Refused> {};

TEST_P(RefusedFile, NamesFileLineAndStep) { EXPECT_EQ(refusal(GetParam().text), GetParam().says); }

const std::string kServer = "\"accept\", \"close\"";

INSTANTIATE_TEST_SUITE_P(
    ScenarioFile, RefusedFile,
    testing::Values(
        Refused{"Toml", "about = \"x\n",
                "my.toml:1: Error while parsing string: unescaped control "
                "characters other than TAB (U+0009) are explicitly prohibited"},
        Refused{"UnknownKey", text_of("\"connect\", \"close\"", kServer, "[param]\nx = 1\n"),
                "my.toml:2: unknown key 'param' in the file, did you mean 'params'?"},
        Refused{"StepTypo", text_of("\"connect\", \"recvv 5\", \"close\"", kServer),
                "my.toml:3: client step 2 \"recvv 5\": unknown step 'recvv', did you mean 'recv'?"},
        Refused{"OutcomeTypo", text_of("\"connect\", \"recv -> ECONRESET\", \"close\"", kServer),
                "my.toml:3: client step 2 \"recv -> ECONRESET\": unknown outcome 'ECONRESET': "
                "write ok, EOF, timeout, an errno's name, poll events or a TCP state"},
        Refused{
            "BytesMissing", text_of("\"connect\", \"send\", \"close\"", kServer),
            "my.toml:3: client step 2 \"send\": write 'send BYTES|\"TEXT\" [dontwait|waitall|zc]'"},
        Refused{"BytesNegative", text_of("\"connect\", \"send -1\", \"close\"", kServer),
                "my.toml:3: client step 2 \"send -1\": '-1' is not a number of bytes from 0 to "
                "1073741824"},
        Refused{"TimeWithoutUnit", text_of("\"connect\", \"pause 5\", \"close\"", kServer),
                "my.toml:3: client step 2 \"pause 5\": '5' is not a time: write a whole number "
                "with us, "
                "ms or s, as in 200ms"},
        Refused{"RecvBeforeConnect", text_of("\"recv 1\", \"connect\", \"close\"", kServer),
                "my.toml:3: client step 1 \"recv 1\": it can never happen before 'connect'"},
        Refused{"SendBeforeConnect", text_of("\"send 1\", \"connect\", \"close\"", kServer),
                "my.toml:3: client step 1 \"send 1\": it can never happen before 'connect'"},
        Refused{"SendBeforeAccept",
                text_of("\"connect\", \"close\"", "\"send 1\", \"accept\", \"close\""),
                "my.toml:5: server step 1 \"send 1\": it can never happen before 'accept'"},
        Refused{"AfterClose", text_of("\"connect\", \"close\", \"send 1\"", kServer),
                "my.toml:3: client step 3 \"send 1\": it can never happen after 'close'"},
        Refused{
            "NeverCloses", text_of("\"connect\", \"recv-eof\"", kServer),
            "my.toml:3: client step 2 \"recv-eof\": the script leaves its socket open: end it with "
            "'close' or 'disconnect'"},
        Refused{
            "TooFewBytes",
            text_of("\"connect\", \"recv 5\", \"close\"", "\"accept\", \"send 3\", \"close\""),
            "my.toml:3: client step 2 \"recv 5\": it can never succeed: only 3 bytes come from the "
            "server by then"},
        Refused{
            "Deadlock",
            text_of("\"connect\", \"recv-eof\", \"close\"", "\"accept\", \"recv-eof\", \"close\""),
            "my.toml:3: client step 2 \"recv-eof\": it can never happen: it waits for the server, "
            "which waits at step 2 \"recv-eof\""},
        Refused{"SendAfterShutdown",
                text_of("\"connect\", \"shutdown wr\", \"send 1\", \"close\"", kServer),
                "my.toml:3: client step 3 \"send 1\": it can never succeed after 'shutdown wr'"},
        Refused{"NobodyListens", text_of("\"connect\", \"close\"", ""),
                "my.toml:3: client step 1 \"connect\": it can never succeed: the scenario has no "
                "[server]"},
        Refused{"UnknownParam", text_of("\"connect\", \"send {n}\", \"close\"", kServer),
                "my.toml:3: \"send {n}\": no parameter 'n' in [params]"},
        Refused{
            "OptionTypo", text_of("\"connect\", \"option TCP_NODELY 1\", \"close\"", kServer),
            "my.toml:3: client step 2 \"option TCP_NODELY 1\": unknown socket option 'TCP_NODELY', "
            "did you mean 'TCP_NODELAY'?"},
        Refused{"TextOfAnotherVerb", text_of("'connect', 'write \"x\"', 'close'", kServer),
                "my.toml:3: client step 2 \"write \"x\"\": only 'send' and 'recv until' take a "
                "text in quotes"},
        Refused{"TextAndBytes", text_of("'connect', 'send \"x\" 5', 'close'", kServer),
                "my.toml:3: client step 2 \"send \"x\" 5\": write 'send BYTES|\"TEXT\" "
                "[dontwait|waitall|zc]'"},
        Refused{"TextAsAnOutcome", text_of("'connect', 'send 5 -> \"x\"', 'close'", kServer),
                "my.toml:3: client step 2 \"send 5 -> \"x\"\": unknown outcome '\"': write ok, "
                "EOF, timeout, an errno's name, poll events or a TCP state"},
        Refused{"TextWithoutAnEnd", text_of("'connect', 'send \"x\\\"', 'close'", kServer),
                "my.toml:3: client step 2 \"send \"x\\\"\": its text has no closing '\"'"},
        Refused{
            "TextEmpty", text_of("'connect', 'send \"\"', 'close'", kServer),
            "my.toml:3: client step 2 \"send \"\"\": its text is empty: write at least one byte "
            "between the quotes"},
        Refused{"TextWithAnUnknownBrace", text_of("'connect', 'send \"{x}\"', 'close'", kServer),
                "my.toml:3: \"send \"{x}\"\": no parameter 'x' in [params]; a brace in a text is "
                "written \\{"},
        Refused{"TextWithAnOpenBrace", text_of("'connect', 'send \"{\"', 'close'", kServer),
                "my.toml:3: \"send \"{\"\": '{' without '}'; a brace in a text is written \\{"},
        Refused{"UntilWithoutAText", text_of("'connect', 'recv until x', 'close'", kServer),
                "my.toml:3: client step 2 \"recv until x\": "
                "write 'recv until \"TEXT\"' or 'recv until \"TEXT\" plus BYTES'"},
        Refused{"UntilWithAFlag", text_of("'connect', 'recv until \"x\" peek', 'close'", kServer),
                "my.toml:3: client step 2 \"recv until \"x\" peek\": "
                "write 'recv until \"TEXT\"' or 'recv until \"TEXT\" plus BYTES'"},
        Refused{"UntilPlusNothing", text_of("'connect', 'recv until \"x\" plus', 'close'", kServer),
                "my.toml:3: client step 2 \"recv until \"x\" plus\": "
                "write 'recv until \"TEXT\"' or 'recv until \"TEXT\" plus BYTES'"},
        Refused{"TextWithoutUntil", text_of("'connect', 'recv \"x\"', 'close'", kServer),
                "my.toml:3: client step 2 \"recv \"x\"\": "
                "write 'recv until \"TEXT\"' or 'recv until \"TEXT\" plus BYTES'"},
        Refused{
            "UntilPlusAWord", text_of("'connect', 'recv until \"x\" plus many', 'close'", kServer),
            "my.toml:3: client step 2 \"recv until \"x\" plus many\": 'many' is not a number of "
            "bytes from 0 to 1073741824"},
        Refused{"UntilStarted", text_of("'connect', 'start recv until \"x\"', 'close'", kServer),
                "my.toml:3: client step 2 \"start recv until \"x\"\": it takes several operations, "
                "and only one can be started"},
        Refused{
            "UntilOfRecords",
            text_of("'connect', 'recv until \"x\"', 'close'", "'accept', 'send 1', 'close'",
                    "socket = 'unix-seqpacket'\n"),
            "my.toml:4: client step 2 \"recv until \"x\"\": a unix-seqpacket socket has records, "
            "and no stream: write 'recv'"},
        Refused{
            "UntilATextThatNobodySends",
            text_of("'connect', 'recv until \"ok\\r\\n\"', 'close'",
                    "'accept', 'send \"ok\"', 'close'"),
            "my.toml:3: client step 2 \"recv until \"ok\\r\\n\"\": it can never succeed: that text "
            "does not come from the server by then"},
        Refused{"CounterNegative",
                text_of("\"connect\", \"close\"", kServer) + "[kernel]\nTW = -1\n",
                "my.toml:7: counter 'TW' must be a whole number, 0 or more"},
        Refused{"NoAbout",
                "[client]\nsteps = [\"connect\", \"close\"]\n[server]\nsteps = [" + kServer + "]\n",
                "my.toml: needs about = \"...\": what happens and why, in a sentence"},
        Refused{"Empty", "", "my.toml: [client]: a script needs steps"}),
    [](const auto& param_info) { return param_info.param.name; });

TEST(ScenarioFile, AnUnknownSettingNamesTheFile) {
  const std::string text = text_of("\"connect\", \"send {n}\", \"close\"",
                                   "\"accept\", \"recv {n}\", \"close\"", "[params]\nn = 3\n");
  EXPECT_EQ(refusal(text, {{"m", "1"}}), "my.toml: has no parameter 'm', did you mean 'n'?");
}

TEST(ScenarioFile, ASettingThatMakesAStepImpossibleIsRefused) {
  for (const ScenarioFile& file : builtin_scenarios()) {
    if (file.name != "unread-data") continue;
    try {
      compile(file, {{"request", "0"}});
      FAIL() << "accepted";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("1 or more, not '0'"), std::string::npos)
          << error.what();
    }
  }
}

TEST(ScenarioFile, AnUnknownNameSuggestsTheNearest) {
  try {
    find_scenario("gracefull");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code, kExitUsage);
    EXPECT_NE(std::string(error.what()).find("did you mean 'graceful'?"), std::string::npos);
  }
}

}  // namespace
}  // namespace ringchurn
