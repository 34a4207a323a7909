// Two scripts played against each other on paper: the story that they tell together, and the steps
// that can never happen where they stand. (scenario_file_test.cc checks how a user is told.)
#include "workloads/rehearsal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/trial.h"
#include "workloads/scenario_file.h"
#include "workloads/step_parser.h"

namespace ringchurn {
namespace {

using testing::ElementsAre;

std::vector<Step> steps(const std::vector<const char*>& lines) {
  std::vector<Step> parsed;
  std::vector<std::string> sockets{""};
  for (const char* line : lines) {
    parsed.push_back(parse_step(line, Engine::ring, sockets));
    parsed.back().number = static_cast<unsigned>(parsed.size());
  }
  return parsed;
}

/// The story as "c1 c2 s1": whose turn it is, and at which of its steps.
std::vector<std::string> words(const std::vector<Turn>& story) {
  std::vector<std::string> all;
  for (const Turn& turn : story) {
    all.push_back((turn.side == Side::client ? "c" : "s") + std::to_string(turn.step_number));
  }
  return all;
}

std::vector<std::string> story_of(const char* name,
                                  const std::map<std::string, std::string>& set = {}) {
  return words(compile(find_scenario(name), set).story);
}

// -- stories -------------------------------------------------------------------------------------

TEST(Rehearsal, TellsGracefulInTimeOrder) {
  // connect, send; accept, recv, send; recv, close; recv-eof, close
  EXPECT_THAT(story_of("graceful"),
              ElementsAre("c1", "c2", "s1", "s2", "s3", "c3", "c4", "s4", "s5"));
}

TEST(Rehearsal, AServerThatClosesFirstIsFollowedByTheClient) {
  EXPECT_THAT(story_of("graceful-server"),
              ElementsAre("c1", "c2", "s1", "s2", "s3", "s4", "c3", "c4", "c5"));
}

TEST(Rehearsal, AHalfCloseLetsTheServerAnswerAfterTheFin) {
  EXPECT_THAT(story_of("half-close"),
              ElementsAre("c1", "c2", "c3", "s1", "s2", "s3", "s4", "s5", "c4", "c5", "c6"));
}

TEST(Rehearsal, ATimeLimitIsTheLastResort) {
  // The server's: accept, recv, send, shutdown wr, recv-eof {drain_timeout}, close.
  EXPECT_THAT(story_of("lingering-close"),
              ElementsAre("c1", "c2", "s1", "s2", "s3", "s4", "c3", "c4", "c5", "s5", "s6"));
  EXPECT_THAT(words(rehearse(steps({"connect", "recv-eof 1ms -> timeout", "close"}),
                             steps({"accept", "recv-eof", "close"}))),
              ElementsAre("c1", "s1", "c2", "c3", "s2", "s3"));
}

TEST(Rehearsal, StepsBeforeAcceptWaitForNobody) {
  // The server's: linger 0; accept, recv, send, close.
  EXPECT_THAT(story_of("rst-server"),
              ElementsAre("c1", "c2", "s1", "s2", "s3", "s4", "s5", "c3", "c4", "c5"));
}

TEST(Rehearsal, AClientMayBeGoneBeforeTheServerAccepts) {
  EXPECT_THAT(story_of("abort-before-accept"),
              ElementsAre("c1", "c2", "c3", "s1", "s2", "s3", "s4"));
}

TEST(Rehearsal, AClientAloneTellsItsOwnStory) {
  EXPECT_THAT(story_of("refused"), ElementsAre("c1", "c2"));
}

TEST(Rehearsal, StepsThatMoveNothingAreNoPartOfTheStory) {
  // connect, close; accept, recv-eof, close
  EXPECT_THAT(story_of("graceful", {{"request", "0"}, {"response", "0"}}),
              ElementsAre("c1", "c4", "s1", "s4", "s5"));
}

TEST(Rehearsal, AClosingStepMayFollowDisconnect) {
  EXPECT_THAT(words(rehearse(steps({"connect", "linger 0", "disconnect", "close"}),
                             steps({"accept", "recv -> ECONNRESET", "close"}))),
              ElementsAre("c1", "c2", "c3", "c4", "s1", "s2", "s3"));
}

/// What one side has done so far, from the steps' own words.
struct Done {
  unsigned last_step = 0;
  bool connected = false, ended = false;
  std::uint64_t sent = 0, received = 0;
};

void expect_what_it_waits_for(const Step& step, const Done& own, const Done& peer) {
  if (step.op == Op::accept) {
    EXPECT_TRUE(peer.connected) << step.text;
  }
  if (step.op == Op::receive) {
    EXPECT_GE(peer.sent - own.received, step.bytes) << step.text;
  }
  const bool waits_for_end = step.op == Op::recv_eof && !step.limited;
  const bool must_fail = !step.expect.allows(Outcome::ok);
  if (waits_for_end || (must_fail && step.expect.allows(errno_outcome(ECONNRESET)))) {
    EXPECT_TRUE(peer.ended) << step.text;
  }
}

void note(const Step& step, Done& own) {
  if (step.op == Op::connect) own.connected = true;
  if (step.op == Op::send) own.sent += step.bytes;
  if (step.op == Op::receive) own.received += step.bytes;
  if (step.op == Op::shutdown || step.op == Op::close || step.op == Op::disconnect)
    own.ended = true;
}

/// Null for a step before `accept`: the listener's, and not in the compiled script.
const Step* step_of(const Scenario& scenario, const Turn& turn) {
  for (const Step& step : scenario.script(turn.side).steps) {
    if (step.number == turn.step_number) return &step;
  }
  return nullptr;
}

TEST(Rehearsal, NoStepOfABuiltinComesBeforeWhatItWaitsFor) {
  for (const Scenario& scenario : ordinary_builtins()) {
    SCOPED_TRACE(scenario.name);
    Done client, server;
    for (const Turn& turn : scenario.story) {
      Done& own = turn.side == Side::client ? client : server;
      const Done& peer = turn.side == Side::client ? server : client;
      EXPECT_GT(turn.step_number, own.last_step) << "a side's own steps keep their order";
      own.last_step = turn.step_number;
      const Step* step = step_of(scenario, turn);
      if (!step) continue;
      expect_what_it_waits_for(*step, own, peer);
      note(*step, own);
    }
  }
}

TEST(Rehearsal, EveryStepOfABuiltinComesOnce) {
  for (const Scenario& scenario : ordinary_builtins()) {
    SCOPED_TRACE(scenario.name);
    for (const Side side : {Side::client, Side::server}) {
      for (const Step& step : scenario.script(side).steps) {
        if (step.number == 0) continue;  // the compiler's own: socket and clean-up
        const auto is_its_turn = [&](const Turn& turn) {
          return turn.side == side && turn.step_number == step.number;
        };
        EXPECT_EQ(std::count_if(scenario.story.begin(), scenario.story.end(), is_its_turn), 1)
            << side_name(side) << " " << step.text;
      }
    }
  }
}

// -- what may happen -----------------------------------------------------------------------------

const std::vector<const char*> kPassive = {"accept", "recv-eof", "close"};

TEST(Rehearsal, AcceptsWhateverTheKernelMayAnswer) {
  const std::pair<std::vector<const char*>, std::vector<const char*>> possible[] = {
      {{"connect", "recv 5 -> EOF", "close"}, {"accept", "send 3", "close"}},
      {{"connect", "recv -> EOF", "close"}, {"accept", "close"}},
      {{"connect", "shutdown wr", "send 1 -> EPIPE", "close"}, kPassive},
      {{"connect", "recv -> ECONNRESET", "close"}, {"accept", "linger 0", "close"}},
      {{"connect -> ECONNREFUSED", "send 1 -> EPIPE", "close"}, {}},
      {{"connect -> ECONNREFUSED", "recv -> ECONNREFUSED | EOF", "close"}, {}},
      {{"connect", "wait writable", "close"}, kPassive},
      {{"connect", "send 1", "close"}, {"accept", "wait readable", "recv 1", "close"}},
      {{"connect", "close"}, {"accept", "wait readable", "recv-eof", "close"}},
      {{"connect", "recv-eof 1ms -> timeout", "close"}, kPassive},
      {{"pause 1ms", "option TCP_NODELAY 1", "connect", "close"}, kPassive},
      {{"connect", "shutdown rd", "send 1", "close"}, {"accept", "recv 1", "recv-eof", "close"}},
      {{"connect", "disconnect"}, {"accept", "wait readable", "close"}},
      {{"connect", R"(send "GET /\r\n")", R"(send "\r\n")", "recv 3", "close"},
       {"accept", R"(recv until "\r\n\r\n")", "send 3", "close"}},
      {{"connect", R"(send "abc")", "send 1000000000", "recv-eof", "close"},
       {"accept", R"(recv until "cxx" plus 999999998)", "close"}},
      {{"connect", "recv 2", R"(recv until "b")", "recv 1", "close"},
       {"accept", R"(send "abab!")", "close"}},
      {{"connect", R"(recv until "b" -> EOF)", "close"}, {"accept", R"(send "a")", "close"}},
      {{"connect", R"(recv until "b" 1ms -> timeout)", "close"}, kPassive},
  };
  for (const auto& [client, server] : possible) {
    const std::vector<Turn> story = rehearse(steps(client), steps(server));
    EXPECT_EQ(story.size(), client.size() + server.size()) << testing::PrintToString(client);
  }
}

// -- what can never happen -----------------------------------------------------------------------

struct Impossible {
  const char* name;
  std::vector<const char*> client, server;
  Side side;
  unsigned step;
  const char* why;
};

const std::vector<Impossible>& impossible_cases() {
  static const std::vector<const char*> active = {"connect", "close"};
  static const std::vector<Impossible> cases = {
      {"TheServerConnects",
       active,
       {"connect", "close"},
       Side::server,
       1,
       "only the client connects"},
      {"TheClientAccepts",
       {"accept", "close"},
       kPassive,
       Side::client,
       1,
       "only the server accepts"},
      {"TheServerDisconnects",
       active,
       {"accept", "recv-eof", "disconnect"},
       Side::server,
       3,
       "only the client disconnects; a server resets with 'linger 0' and 'close'"},
      {"TheSecondConnect",
       {"connect", "connect", "close"},
       kPassive,
       Side::client,
       2,
       "the second 'connect' of this side"},
      {"TheSecondAccept",
       active,
       {"accept", "accept", "close"},
       Side::server,
       2,
       "the second 'accept' of this side"},
      {"CloseBeforeAccept",
       active,
       {"linger 0", "close"},
       Side::server,
       2,
       "it can never happen before 'accept'"},
      {"ShutdownBeforeAccept",
       active,
       {"shutdown wr", "accept", "close"},
       Side::server,
       1,
       "it can never happen before 'accept'"},
      {"WaitBeforeConnect",
       {"wait readable", "connect", "close"},
       kPassive,
       Side::client,
       1,
       "it can never happen before 'connect'"},
      {"AfterDisconnect",
       {"connect", "disconnect", "recv-eof"},
       kPassive,
       Side::client,
       3,
       "it can never happen after 'disconnect'"},
      {"AfterDisconnectAndClose",
       {"connect", "disconnect", "close", "close"},
       kPassive,
       Side::client,
       4,
       "it can never happen after 'close'"},
      {"DisconnectAfterClose",
       {"connect", "close", "disconnect"},
       kPassive,
       Side::client,
       3,
       "it can never happen after 'close'"},
      {"OptionsOutliveDisconnect",
       {"connect", "option TCP_NODELAY 1", "disconnect"},
       kPassive,
       Side::client,
       3,
       "the next connection would inherit this one's socket options: put a 'close' behind it"},
      {"OptionsBeforeConnectDoToo",
       {"linger 0", "connect", "disconnect"},
       kPassive,
       Side::client,
       3,
       "the next connection would inherit this one's socket options: put a 'close' behind it"},
      {"TheServerNeverCloses",
       active,
       {"accept", "recv-eof"},
       Side::server,
       2,
       "the script leaves its socket open: end it with 'close' or 'disconnect'"},
      {"TheClientHasNoSteps", {}, kPassive, Side::client, 0, "a script needs steps"},
      {"SendAfterARefusedConnect",
       {"connect -> ECONNREFUSED", "send 1", "close"},
       {},
       Side::client,
       2,
       "it can never succeed after a connect that must fail"},
      {"ReceiveAfterARefusedConnect",
       {"connect -> ECONNREFUSED", "recv 1", "close"},
       {},
       Side::client,
       2,
       "it can never succeed after a connect that must fail"},
      {"SendAfterShutdownOfBothWays",
       {"connect", "shutdown rdwr", "send 1", "close"},
       kPassive,
       Side::client,
       3,
       "it can never succeed after 'shutdown wr'"},
      {"TheServerWaitsForARefusedClient",
       {"connect -> ECONNREFUSED", "close"},
       kPassive,
       Side::server,
       1,
       "it can never happen: the client does nothing that would end it"},
      {"MoreThanTheClientSends",
       {"connect", "send 3", "close"},
       {"accept", "recv 5", "close"},
       Side::server,
       2,
       "it can never succeed: only 3 bytes come from the client by then"},
      {"BytesAlreadyTaken",
       {"connect", "send 3", "close"},
       {"accept", "recv 2", "recv 2", "close"},
       Side::server,
       3,
       "it can never succeed: only 1 bytes come from the client by then"},
      {"BytesAlreadyDiscarded",
       {"connect", "send 3", "close"},
       {"accept", "recv-eof", "recv 1", "close"},
       Side::server,
       3,
       "it can never succeed: only 0 bytes come from the client by then"},
      {"ATextThatIsNotSent",
       {"connect", R"(send "GET /\r\n")", "close"},
       {"accept", R"(recv until "\r\n\r\n")", "close"},
       Side::server,
       2,
       "it can never succeed: that text does not come from the client by then"},
      {"ATextThatHasBeenTaken",
       {"connect", R"(recv until "\n" plus 1)", R"(recv until "ab")", "close"},
       {"accept", R"(send "ab\nab")", "close"},
       Side::client,
       3,
       "it can never succeed: that text does not come from the server by then"},
      {"TooLittleBehindAText",
       {"connect", R"(recv until "\n" plus 5)", "close"},
       {"accept", R"(send "ab\nab")", "send 1", "close"},
       Side::client,
       2,
       "it can never succeed: only 3 bytes come behind that text from the server by then"},
      {"BytesBehindATextAreLeftAndNoMore",
       {"connect", R"(recv until "\n")", "recv 3", "close"},
       {"accept", R"(send "ab\nab")", "close"},
       Side::client,
       3,
       "it can never succeed: only 2 bytes come from the server by then"},
      {"ATextBeforeConnect",
       {R"(recv until "x")", "connect", "close"},
       kPassive,
       Side::client,
       1,
       "it can never happen before 'connect'"},
      {"ATextAfterARefusedConnect",
       {"connect -> ECONNREFUSED", R"(recv until "x")", "close"},
       {},
       Side::client,
       2,
       "it can never succeed after a connect that must fail"},
      {"ATextThatTheOtherWaitsToSend",
       {"connect", R"(recv until "x")", "close"},
       {"accept", "recv 1", "send 1", "close"},
       Side::client,
       2,
       "it can never happen: it waits for the server, which waits at step 2 \"recv 1\""},
      {"BothWaitForTheFirstByte",
       {"connect", "recv 1", "send 1", "close"},
       {"accept", "recv 1", "send 1", "close"},
       Side::client,
       2,
       "it can never happen: it waits for the server, which waits at step 2 \"recv 1\""},
      {"NothingToRead",
       {"connect", "wait readable", "close"},
       {"accept", "wait readable", "close"},
       Side::client,
       2,
       "it can never happen: it waits for the server, which waits at step 2 \"wait readable\""},
  };
  return cases;
}

class ImpossibleScript : public testing::TestWithParam<Impossible> {};

TEST_P(ImpossibleScript, IsRefusedAtTheStepWithTheReason) {
  const Impossible& c = GetParam();
  try {
    rehearse(steps(c.client), steps(c.server));
    FAIL() << "accepted";
  } catch (const ImpossibleStep& refusal) {
    EXPECT_EQ(refusal.side, c.side);
    EXPECT_EQ(refusal.step_number, c.step);
    EXPECT_STREQ(refusal.what(), c.why);
  }
}

INSTANTIATE_TEST_SUITE_P(Rehearsal, ImpossibleScript, testing::ValuesIn(impossible_cases()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace ringchurn
