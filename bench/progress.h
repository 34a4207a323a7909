// The live line: what a long run does right now, for who watches it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "bench/options.h"
#include "bench/result.h"
#include "bench/text.h"

namespace ringchurn {

/// How far a run has come.
struct Progress {
  double elapsed_s = 0;  ///< since the load began
  LoadCounts counts;
  double per_second = 0;  ///< connections ended, lately; ProgressLine works it out
  /// Where the run ends: after so many connections, or so many seconds. At most one of the two.
  std::optional<std::uint64_t> connections;
  std::optional<double> duration_s;
};

/// One line of at most `width` columns, without '\n': a bar, the time that is left ("~" where it is
/// estimated from the mean rate), the rate, what is in flight, unexpected errors, and errors by
/// class, the most frequent first, as many as there is room for; " +2" stands for two more classes.
std::string progress_line(const Progress& progress, unsigned width);

/// How a run's progress is shown.
struct ProgressStyle {
  enum class Kind {
    none,
    redrawn,  ///< one line of a terminal, five times a second
    lines,    ///< a line for each interval, for a log
  };
  Kind kind = Kind::none;
  unsigned width = 80;    ///< columns
  double interval_s = 1;  ///< of Kind::lines
};

/// What `wish` means here. `automatic`: only if people are watching: both standard error, where the
/// progress goes, and standard output are terminals. With standard output redirected, a script is
/// listening. `always`: redrawn if standard error is a terminal, else lines.
ProgressStyle progress_style(ProgressWish wish, double interval_s);

/// How to write to standard output: its terminal's width, 80 columns if it is none; colour on a
/// terminal that is not dumb, if it `may_color` and NO_COLOR is unset or empty
/// (https://no-color.org).
TextStyle terminal_style(bool may_color);

/// Owns the last line of a terminal: draws it, redraws it, and wipes it at its end. It moves with
/// '\r' and spaces alone, which every terminal understands, and has no colour. Where it is no
/// terminal, it writes lines, which stay. Use it from one thread, and write nothing else to the
/// terminal while it lives.
class ProgressLine {
 public:
  /// `fd` stays the caller's.
  ProgressLine(int fd, const ProgressStyle& style) : fd_(fd), style_(style) {}
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() { clear(); }

  /// Whether update() would write at that time of the load.
  bool is_due(double elapsed_s) const;

  /// Writes the line anew if it is due. Never blocks the run for long and never fails: what a
  /// terminal does not take is dropped.
  void update(Progress progress);

  /// Wipes the line; the next update() that is due draws it again.
  void clear();

 private:
  void write(const std::string& text) const;

  int fd_;
  ProgressStyle style_;
  std::size_t drawn_columns_ = 0;
  double drawn_s_ = 0;
  std::uint64_t drawn_connections_ = 0;
};

}  // namespace ringchurn
