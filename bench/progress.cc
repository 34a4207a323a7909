// Drawing and wiping the live line: see progress.h.
#include "bench/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

namespace ringchurn {
namespace {

constexpr double kRedrawSeconds = 0.2;
constexpr int kBarColumns = 8;
constexpr unsigned kLogColumns = 200;

/// How much of the run is done, 0 to 1; nullopt if it has no planned end.
std::optional<double> done_share(const Progress& progress) {
  double done = 0;
  if (progress.connections) {
    done = static_cast<double>(progress.counts.connections) /
           static_cast<double>(*progress.connections);
  } else if (progress.duration_s) {
    done = progress.elapsed_s / *progress.duration_s;
  } else {
    return std::nullopt;
  }
  return std::clamp(done, 0.0, 1.0);
}

std::string bar(double done) {
  const auto full = static_cast<std::size_t>(done * kBarColumns);
  return fmt::format("[{:.<{}}]", std::string(full, '#'), kBarColumns);
}

std::string rounded_up(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::ceil(std::max(seconds, 0.0)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}:{:02} min", whole / 60, whole % 60);
  return fmt::format("{}:{:02} h", whole / 3600, whole / 60 % 60);
}

/// A number of connections lasts as long as the mean rate so far makes it last.
std::string time_left(const Progress& progress, double done) {
  if (progress.duration_s) return rounded_up(*progress.duration_s - progress.elapsed_s) + " left  ";
  if (done <= 0) return "";
  return '~' + rounded_up(progress.elapsed_s * (1 - done) / done) + " left  ";
}

/// Whole entries only, and behind a "+" how many found no room: a terminal of 80 columns is narrow.
void append_classes(const LoadCounts& counts, unsigned width, std::string& line) {
  std::vector<std::pair<std::uint64_t, std::string>> classes;
  for (const auto& [name, count] : counts.errors) classes.emplace_back(count, name);
  std::stable_sort(classes.begin(), classes.end(),
                   [](const auto& one, const auto& other) { return one.first > other.first; });
  const auto more = [](std::size_t left_out) {
    return left_out == 0 ? "" : fmt::format(" +{}", left_out);
  };
  for (std::size_t i = 0; i < classes.size(); ++i) {
    const std::string entry =
        fmt::format("  {} {}", grouped(classes[i].first), printable(classes[i].second));
    const std::string rest = more(classes.size() - i - 1);
    if (line.size() + entry.size() + rest.size() > width) {
      line += more(classes.size() - i);
      return;
    }
    line += entry;
  }
}

/// Columns of the terminal `fd`; 80 if it is none, or does not say.
unsigned terminal_width(int fd) {
  winsize size{};
  return ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string progress_line(const Progress& progress, unsigned width) {
  std::string line;
  if (const auto done = done_share(progress)) line = bar(*done) + ' ' + time_left(progress, *done);
  line +=
      fmt::format("{}/s  {} in flight  {} unexpected", grouped(progress.per_second, 0),
                  grouped(progress.counts.in_flight), grouped(progress.counts.unexpected_errors));
  append_classes(progress.counts, width, line);
  return line.substr(0, width);
}

ProgressStyle progress_style(ProgressWish wish, double interval_s) {
  ProgressStyle style{ProgressStyle::Kind::none, kLogColumns, interval_s};
  const bool is_terminal = ::isatty(STDERR_FILENO) == 1;
  const bool is_watched = is_terminal && ::isatty(STDOUT_FILENO) == 1;
  if (wish == ProgressWish::never || (wish == ProgressWish::automatic && !is_watched)) return style;
  style.kind = is_terminal ? ProgressStyle::Kind::redrawn : ProgressStyle::Kind::lines;
  if (is_terminal) style.width = std::min(terminal_width(STDERR_FILENO), 120U);
  return style;
}

TextStyle terminal_style(bool may_color) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  TextStyle style;
  if (::isatty(STDOUT_FILENO) != 1) return style;
  style.color = may_color && (no_color == nullptr || *no_color == '\0') && terminal != nullptr &&
                std::string_view(terminal) != "dumb";
  style.width = std::clamp<unsigned>(terminal_width(STDOUT_FILENO), 60, 120);
  return style;
}

bool ProgressLine::is_due(double elapsed_s) const {
  if (style_.kind == ProgressStyle::Kind::none) return false;
  const bool redraws = style_.kind == ProgressStyle::Kind::redrawn;
  return elapsed_s - drawn_s_ >= (redraws ? kRedrawSeconds : style_.interval_s);
}

void ProgressLine::update(Progress progress) {
  if (!is_due(progress.elapsed_s)) return;
  progress.per_second = static_cast<double>(progress.counts.connections - drawn_connections_) /
                        (progress.elapsed_s - drawn_s_);
  // One column stays free: a terminal may wrap as soon as the last one is written.
  const std::string line = progress_line(progress, style_.width - 1);
  if (style_.kind == ProgressStyle::Kind::lines) {
    write(line + '\n');
  } else {
    const std::size_t stale = drawn_columns_ - std::min(drawn_columns_, line.size());
    write('\r' + line + std::string(stale, ' '));
    drawn_columns_ = line.size();
  }
  drawn_s_ = progress.elapsed_s;
  drawn_connections_ = progress.counts.connections;
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
