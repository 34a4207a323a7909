// What threads tell while they play: every outcome under its class, connections of one end.
#include "bench/link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <cerrno>

namespace ringchurn {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(LoadCounts, EveryOutcomeIsCountedUnderItsClass) {
  Link link;
  link.client_outcomes.count(errno_outcome(ECONNRESET), true);
  link.client_outcomes.count(errno_outcome(EHOSTUNREACH), false);
  link.client_outcomes.count(errno_outcome(ENETUNREACH), true);
  link.client_outcomes.count(Outcome::ok, false);  // it should have failed
  link.client_outcomes.count(Outcome::timeout, false);
  link.client_outcomes.count(errno_outcome(EMSGSIZE), true);
  link.client_outcomes.count(errno_outcome(529), false);  // EIOCBQUEUED: no program sees it
  link.server_outcomes.count(errno_outcome(ECONNRESET), true);
  link.server_outcomes.count(Outcome::eof, true);
  link.server_outcomes.count(events_outcome(POLLIN | POLLRDHUP), false);
  link.server_outcomes.count(state_outcome(12), false);
  const std::array<const Link*, 1> links = {&link};
  const LoadCounts counts = load_counts(links, Side::client);
  EXPECT_THAT(counts.errors,
              ElementsAre(Pair("EMSGSIZE", 1), Pair("IN+RDHUP", 1), Pair("NEW_SYN_RECV", 1),
                          Pair("eof", 1), Pair("ok", 1), Pair("other", 1), Pair("reset", 2),
                          Pair("timeout", 1), Pair("unreachable", 2)));
  EXPECT_EQ(counts.expected_errors, 5u);
  EXPECT_EQ(counts.unexpected_errors, 6u);
}

TEST(LoadCounts, ConnectionsAreThoseOfOneEnd) {
  std::array<Link, 2> threads;
  for (Link& link : threads) {
    link.client_ended = 10;
    link.in_flight = 4;
    link.server_ended = 7;
    link.server_in_flight = 3;
  }
  const std::array<const Link*, 2> links = {&threads[0], &threads[1]};
  EXPECT_EQ(load_counts(links, Side::client).connections, 20u);
  EXPECT_EQ(load_counts(links, Side::client).in_flight, 8u);
  EXPECT_EQ(load_counts(links, Side::server).connections, 14u);
  EXPECT_EQ(load_counts(links, Side::server).in_flight, 6u);
}

class GroupOfLinksTest : public testing::Test {
 protected:
  std::array<Link, 3> links_;
  GroupOfLinks group_{links_};
};

TEST_F(GroupOfLinksTest, AddsUpWhatEachThreadPublishes) {
  for (Link& link : links_) {
    link.client_ended = 10;
    link.server_ended = 7;
  }
  EXPECT_EQ(group_.client_ended(), 30u);
  EXPECT_EQ(group_.server_ended(), 21u);
}

TEST_F(GroupOfLinksTest, ServersLagByWhatClientsHavePartedWith) {
  links_[0].client_ended = links_[1].client_ended = 100;  // of which 30 were never established
  links_[0].client_parted = 100;
  links_[1].client_parted = 70;
  links_[2].server_ended = 150;
  EXPECT_EQ(group_.servers_lag(), 20u);
}

TEST_F(GroupOfLinksTest, AServerThatIsAheadDoesNotLag) {
  links_[0].client_parted = 5;
  links_[1].server_ended = 6;
  EXPECT_EQ(group_.servers_lag(), 0u);
}

TEST_F(GroupOfLinksTest, TheBusiestServerSetsThePace) {
  links_[1].server_backlog = 40;
  links_[2].server_backlog = 3;
  EXPECT_EQ(group_.server_backlog(), 40u);
}

TEST_F(GroupOfLinksTest, NobodyKnowsHowMuchIsToServeBeforeTheLastClientIsDone) {
  links_[0].to_serve = 10;
  links_[2].to_serve = 0;
  EXPECT_EQ(group_.to_serve(), UINT64_MAX);
  links_[1].to_serve = 5;
  EXPECT_EQ(group_.to_serve(), 15u);
}

TEST_F(GroupOfLinksTest, WhoGivesUpTakesAllWithIt) {
  group_.abandon();
  for (const Link& link : links_) EXPECT_TRUE(link.abandoned);
}

}  // namespace
}  // namespace ringchurn
