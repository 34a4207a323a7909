// The live line: what a long run does right now, on the terminal and nowhere else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "bench/text.h"

namespace ringchurn {

/// How far a run has come. Counts are of the client side.
struct Progress {
  double elapsed_s = 0;                 ///< since the load began
  std::uint64_t ended = 0;              ///< connections that ended
  std::uint64_t in_flight = 0;          ///< connections that did not
  std::uint64_t expected_errors = 0;    ///< outcomes other than success that the scenarios allow
  std::uint64_t unexpected_errors = 0;  ///< and that they do not
  double per_second = 0;                ///< connections ended, lately; ProgressLine works it out
  /// Where the run ends: after so many connections, or so many seconds. At most one of the two.
  std::optional<std::uint64_t> connections;
  std::optional<double> duration_s;
};

/// One line of at most `width` columns, without '\n'.
std::string progress_line(const Progress& progress, unsigned width);

/// True if people are watching: both standard error, where the live line goes, and standard output
/// are terminals. With standard output redirected, a script is listening, and gets no live line.
bool is_watched();

/// How to write to standard output: its terminal's width, 80 columns if it is none; colour on a
/// terminal that is not dumb, if it `may_color` and NO_COLOR is unset or empty
/// (https://no-color.org).
TextStyle terminal_style(bool may_color);

/// Owns the last line of a terminal: draws it, redraws it at most five times a second, and wipes it
/// at its end. It moves with '\r' and spaces alone, which every terminal understands, and has no
/// colour. Use it from one thread, and write nothing else to the terminal while it lives.
class ProgressLine {
 public:
  /// `fd` stays the caller's. With `is_shown` false nothing is ever written.
  ProgressLine(int fd, bool is_shown, unsigned width = 80);
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() { clear(); }

  /// Draws the line anew if it is 0.2 s of progress.elapsed_s old. Never blocks the run for long
  /// and never fails: what a terminal does not take is dropped.
  void update(Progress progress);

  /// Wipes the line; the next update() that is due draws it again.
  void clear();

 private:
  void write(const std::string& text) const;

  int fd_;
  bool is_shown_;
  unsigned width_;
  std::size_t drawn_columns_ = 0;
  std::optional<Progress> drawn_;
};

}  // namespace ringchurn
