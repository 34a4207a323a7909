// A load over time: a series that stays within bounds, and lines that are whole or not there.
#include "bench/sampler.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "ring/error.h"
#include "tests/in_child.h"

namespace ringchurn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(BoundedSeries, DoublesItsIntervalWhenItIsFull) {
  BoundedSeries series(0.5, 4);
  const auto times = [&series] {
    std::vector<double> seconds;
    for (const Sample& sample : series.series().samples) seconds.push_back(sample.t_s);
    return seconds;
  };
  for (int i = 1; i <= 17; ++i) {
    Sample sample;
    sample.t_s = i * 0.5;
    series.add(sample);
    if (i == 4) {
      EXPECT_THAT(times(), ElementsAre(0.5, 1, 1.5, 2));
    } else if (i == 6) {
      EXPECT_THAT(times(), ElementsAre(1, 2, 3));
    }
  }
  EXPECT_THAT(times(), ElementsAre(2, 4, 6, 8));
  EXPECT_EQ(series.series().interval_s, 2);
  Sample last;
  last.t_s = 8.7;
  series.add_last(last);
  EXPECT_THAT(times(), ElementsAre(2, 4, 6, 8, 8.7));
}

class LineSinkTest : public testing::Test {
 protected:
  ~LineSinkTest() override { std::filesystem::remove_all(path_); }

  std::string content() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const std::string path_ =
      testing::TempDir() + "sampler_test." + std::to_string(::getpid()) + ".jsonl";
};

TEST_F(LineSinkTest, ReplacesWhatWasThere) {
  std::ofstream(path_) << "a longer text of an earlier run\n";
  LineSink sink(path_, "the samples");
  sink.write("one");
  EXPECT_EQ(content(), "one\n");  // at once: somebody reads along
  sink.write("two");
  EXPECT_EQ(content(), "one\ntwo\n");
  EXPECT_EQ(sink.written(), 2u);
  EXPECT_EQ(sink.lost(), 0u);
}

TEST_F(LineSinkTest, SaysWhatCannotBeOpened) {
  try {
    const LineSink sink("/nonexistent/x.jsonl", "the samples");
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code, kExitUsage);
    EXPECT_THAT(error.what(), HasSubstr("cannot write the samples to '/nonexistent/x.jsonl': "));
  }
}

/// A limit on the file's size stands for a full disk: both write a part of what they should.
TEST_F(LineSinkTest, TakesHalfALineBackWhenTheDiskIsFull) {
  const std::string answer = in_child([this] {
    signal(SIGXFSZ, SIG_IGN);
    LineSink sink(path_, "the samples");
    sink.write("first");
    const rlimit limit{10, 10};
    setrlimit(RLIMIT_FSIZE, &limit);
    sink.write("second");  // 6 + 7 bytes
    sink.write("abc");
    return std::to_string(sink.written()) + " written, " + std::to_string(sink.lost()) + " lost";
  });
  EXPECT_EQ(answer, "2 written, 1 lost");
  EXPECT_EQ(content(), "first\nabc\n");
}

TEST_F(LineSinkTest, DoesNotWaitForAReaderWhoSleeps) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  const Descriptor reader(::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  LineSink sink(path_, "the samples");
  const std::string line(1000, 'x');
  for (int i = 0; i < 200; ++i) sink.write(line);  // a pipe takes 64 KiB
  EXPECT_GT(sink.written(), 10u);
  EXPECT_GT(sink.lost(), 10u);
  EXPECT_EQ(sink.error(), EAGAIN);
}

}  // namespace
}  // namespace ringchurn
