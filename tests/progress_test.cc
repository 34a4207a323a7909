// The live line: what it says, when it is drawn, and that it leaves nothing behind.
#include "bench/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace ringchurn {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

Progress sample_progress() {
  Progress progress;
  progress.elapsed_s = 2.6;
  progress.counts = {81'000, 18'000, {{"eof", 5}, {"reset", 16'195}, {"timed_out", 3}}, 16'200, 3};
  progress.per_second = 31'204.4;
  return progress;
}

TEST(ProgressLine, TellsTimeLeftRateFlightAndErrorsByClass) {
  Progress progress = sample_progress();
  progress.duration_s = 10;
  EXPECT_EQ(progress_line(progress, 100),
            "[##......] 8 s left  31,204/s  18,000 in flight  3 unexpected  16,195 reset  5 eof"
            "  3 timed_out");
  progress.duration_s = 200;
  EXPECT_THAT(progress_line(progress, 79), HasSubstr("3:18 min left"));
  progress.duration_s = 24 * 3600;
  EXPECT_THAT(progress_line(progress, 79), HasSubstr("23:59 h left"));
  progress.elapsed_s = 24 * 3600 + 1;
  EXPECT_THAT(progress_line(progress, 79), StartsWith("[########] 0 s left"));
}

TEST(ProgressLine, ClassesThatFindNoRoomAreCounted) {
  Progress progress = sample_progress();
  progress.duration_s = 10;
  EXPECT_EQ(progress_line(progress, 79),
            "[##......] 8 s left  31,204/s  18,000 in flight  3 unexpected  16,195 reset +2");
  progress.counts.errors.erase("reset");
  EXPECT_EQ(progress_line(progress, 79),
            "[##......] 8 s left  31,204/s  18,000 in flight  3 unexpected  5 eof +1");
}

TEST(ProgressLine, EstimatesTheTimeThatConnectionsTake) {
  Progress progress = sample_progress();
  progress.connections = 1'000'000;  // 919,000 left, 2.6 s for 81,000
  EXPECT_THAT(progress_line(progress, 79), StartsWith("[........] ~30 s left  31,204/s"));
  progress.counts.connections = 1'000'001;
  EXPECT_THAT(progress_line(progress, 79), StartsWith("[########] ~0 s left"));
  progress.counts.connections = 0;
  EXPECT_THAT(progress_line(progress, 79), StartsWith("[........] 31,204/s"));
}

TEST(ProgressLine, IsCutAtTheTerminalsWidth) {
  EXPECT_EQ(progress_line(sample_progress(), 20).size(), 20u);
}

/// A pipe in the terminal's place.
class ProgressOutput : public testing::Test {
 protected:
  ProgressOutput() { EXPECT_EQ(::pipe(ends_.data()), 0); }
  ~ProgressOutput() override {
    ::close(ends_[0]);
    if (ends_[1] >= 0) ::close(ends_[1]);
  }

  /// Everything that was written; closes the pipe.
  std::string written() {
    ::close(ends_[1]);
    ends_[1] = -1;
    std::string text;
    std::array<char, 512> buffer{};
    for (ssize_t got = 0; (got = ::read(ends_[0], buffer.data(), buffer.size())) > 0;) {
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return text;
  }

  static Progress at(double elapsed_s, std::uint64_t ended) {
    Progress progress;
    progress.elapsed_s = elapsed_s;
    progress.counts.connections = ended;
    return progress;
  }

  std::array<int, 2> ends_{};
};

TEST_F(ProgressOutput, NothingIsWrittenWhereNobodyWatches) {
  {
    ProgressLine line(ends_[1], {ProgressStyle::Kind::none});
    line.update(at(1, 1000));
    line.clear();
  }
  EXPECT_EQ(written(), "");
}

TEST_F(ProgressOutput, IsDrawnAtMostFiveTimesASecond) {
  {
    ProgressLine line(ends_[1], {ProgressStyle::Kind::redrawn});
    for (int i = 0; i <= 100; ++i) line.update(at(i / 100.0, static_cast<std::uint64_t>(i)));
  }
  const std::string text = written();
  const auto returns = std::count(text.begin(), text.end(), '\r');
  EXPECT_GE(returns, 4 + 2);  // and 2 for wiping
  EXPECT_LE(returns, 5 + 2);
}

TEST_F(ProgressOutput, TellsTheRateSinceItWasDrawnLast) {
  {
    ProgressLine line(ends_[1], {ProgressStyle::Kind::redrawn});
    line.update(at(1, 1000));
    line.update(at(1.1, 9999));
    line.update(at(1.5, 6000));
  }
  const std::string text = written();
  EXPECT_THAT(text, HasSubstr("\r1,000/s  "));
  EXPECT_THAT(text, HasSubstr("\r10,000/s  "));
}

TEST_F(ProgressOutput, LeavesAnEmptyLineBehindWhateverWasLongest) {
  {
    ProgressLine line(ends_[1], {ProgressStyle::Kind::redrawn});
    Progress longest = at(1, 1000);
    longest.counts.in_flight = 1'000'000;
    line.update(longest);
    line.update(at(2, 1000));
  }
  // Plays the terminal: '\r' goes to column 0, anything else overwrites.
  std::string screen;
  std::size_t column = 0;
  for (const char c : written()) {
    if (c == '\r') {
      column = 0;
      continue;
    }
    ASSERT_GE(c, ' ') << "escape sequence";
    screen.resize(std::max(screen.size(), column + 1), ' ');
    screen[column++] = c;
  }
  EXPECT_EQ(column, 0u);
  EXPECT_EQ(screen.find_first_not_of(' '), screen.npos) << screen;
  EXPECT_LT(screen.size(), 80u);
}

TEST_F(ProgressOutput, ALogGetsALineForEachInterval) {
  {
    ProgressLine line(ends_[1], {ProgressStyle::Kind::lines, 200, 2});
    for (int i = 0; i <= 50; ++i) line.update(at(i / 10.0, static_cast<std::uint64_t>(i)));
  }
  EXPECT_EQ(written(),
            "10/s  0 in flight  0 unexpected\n"
            "10/s  0 in flight  0 unexpected\n");
}

TEST_F(ProgressOutput, OnlyAPairOfTerminalsIsWatched) {
  const int saved = ::dup(STDOUT_FILENO), saved_error = ::dup(STDERR_FILENO);
  ::dup2(ends_[1], STDOUT_FILENO);
  EXPECT_EQ(progress_style(ProgressWish::automatic, 1).kind, ProgressStyle::Kind::none);
  const TextStyle style = terminal_style(true);
  ::dup2(saved, STDOUT_FILENO);
  ::dup2(ends_[1], STDERR_FILENO);
  EXPECT_EQ(progress_style(ProgressWish::automatic, 1).kind, ProgressStyle::Kind::none);
  EXPECT_EQ(progress_style(ProgressWish::always, 1).kind, ProgressStyle::Kind::lines);
  EXPECT_EQ(progress_style(ProgressWish::never, 1).kind, ProgressStyle::Kind::none);
  ::dup2(saved_error, STDERR_FILENO);
  ::close(saved_error);
  ::close(saved);
  EXPECT_FALSE(style.color);
  EXPECT_EQ(style.width, 80u);
}

}  // namespace
}  // namespace ringchurn
