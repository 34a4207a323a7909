// Drawing and wiping the live line: see progress.h.
#include "bench/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>

namespace ringchurn {
namespace {

constexpr double kRedrawSeconds = 0.2;

std::string time_left(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::ceil(std::max(seconds, 0.0)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}:{:02} min", whole / 60, whole % 60);
  return fmt::format("{}:{:02} h", whole / 3600, whole / 60 % 60);
}

std::string what_is_left(const Progress& progress) {
  if (progress.connections) {
    const std::uint64_t left =
        *progress.connections - std::min(*progress.connections, progress.ended);
    return grouped(left) + " connections left";
  }
  if (progress.duration_s) return time_left(*progress.duration_s - progress.elapsed_s) + " left";
  return "";
}

}  // namespace

std::string progress_line(const Progress& progress, unsigned width) {
  std::string line =
      fmt::format("{}/s  {} in flight  errors: {} unexpected, {} expected",
                  grouped(progress.per_second, 0), grouped(progress.in_flight),
                  grouped(progress.unexpected_errors), grouped(progress.expected_errors));
  const std::string left = what_is_left(progress);
  if (!left.empty()) line = left + "  " + line;
  return line.substr(0, width);
}

bool is_watched() { return ::isatty(STDERR_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1; }

TextStyle terminal_style(bool may_color) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  TextStyle style;
  if (::isatty(STDOUT_FILENO) != 1) return style;
  style.color = may_color && (no_color == nullptr || *no_color == '\0') && terminal != nullptr &&
                std::string_view(terminal) != "dumb";
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    style.width = std::clamp<unsigned>(size.ws_col, 60, 120);
  }
  return style;
}

ProgressLine::ProgressLine(int fd, bool is_shown, unsigned width)
    : fd_(fd), is_shown_(is_shown), width_(width) {}

void ProgressLine::update(Progress progress) {
  if (!is_shown_) return;
  const Progress since = drawn_.value_or(Progress{});
  const double passed_s = progress.elapsed_s - since.elapsed_s;
  if (passed_s < kRedrawSeconds) return;
  progress.per_second = static_cast<double>(progress.ended - since.ended) / passed_s;
  // One column stays free: a terminal may wrap as soon as the last one is written.
  const std::string line = progress_line(progress, width_ - 1);
  const std::size_t stale = drawn_columns_ - std::min(drawn_columns_, line.size());
  write('\r' + line + std::string(stale, ' '));
  drawn_columns_ = line.size();
  drawn_ = progress;
}

void ProgressLine::clear() {
  if (drawn_columns_ == 0) return;
  write('\r' + std::string(drawn_columns_, ' ') + '\r');
  drawn_columns_ = 0;
}

void ProgressLine::write(const std::string& text) const {
  [[maybe_unused]] const ssize_t ignored = ::write(fd_, text.data(), text.size());
}

}  // namespace ringchurn
