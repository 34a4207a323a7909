// Ordinary descriptors in the place of direct ones. Callers go on speaking of slots; the table
// knows which descriptor a slot has, and learns it from completions: a socket's, an accept's, a
// close's.
//
// The user_data of such an operation is not its token but a note of the table's:
//
//   63  62                            32 31                             0
//   +--+--------------------------------+--------------------------------+
//   | 1|                              0 |                    note number |
//   +--+--------------------------------+--------------------------------+
#pragma once

#include <cstdint>
#include <vector>

namespace ringchurn {

struct Completion;

/// The slots of one ring, each with a descriptor or empty. Owns the descriptors. Belongs to the
/// ring's thread. Grows only by operations in flight at once, and so not for long.
class PlainTable {
 public:
  using Slot = std::uint32_t;
  using Token = std::uint64_t;

  /// True for an operation of note(). No token may have that bit.
  static bool is_note(const Completion& completion);

  /// What an operation does to the table when it ends well.
  enum class Effect : std::uint8_t {
    fills,    ///< its result is the descriptor of a slot that the caller named
    accepts,  ///< its result is a descriptor, which gets a slot of the table's choice
    empties,  ///< a close
    copies,   ///< its result is to be a further descriptor for what is in the slot
  };

  /// `slots` of them; accepted sockets land in [first_accept_slot, slots). Throws Error (exit code
  /// 1) if RLIMIT_NOFILE has no room for so many, those of all other such tables included.
  PlainTable(unsigned slots, unsigned first_accept_slot);
  ~PlainTable();
  PlainTable(const PlainTable&) = delete;
  PlainTable& operator=(const PlainTable&) = delete;

  /// The slot's descriptor, or -1, with which every operation says EBADF.
  int descriptor(Slot slot) const { return slot < fds_.size() ? fds_[slot] : -1; }
  /// Puts a duplicate of `fd` into `slot`, and closes what was there; -1 empties it. Returns 0 or
  /// -errno.
  int place(Slot slot, int fd);

  /// The user_data of an operation with such an effect, whose completion is to have `token`.
  Token note(Effect effect, Slot slot, Token token);
  /// The user_data of the accept in flight that was noted for `token`, or `token` itself.
  Token in_flight_as(Token token) const;
  /// What the completion of a note is for a caller who knows slots alone.
  Completion settle(const Completion& completion);

 private:
  static constexpr Token kNote = Token{1} << 63;

  struct Note {
    Token token = 0;
    Slot slot = 0;
    Effect effect = Effect::fills;
    bool in_flight = false;
  };

  std::int32_t settled(const Note& note, std::int32_t result);
  void fill(Slot slot, int fd);
  void empty(Slot slot);
  std::int32_t accept(int fd);

  std::vector<int> fds_;  ///< by slot; -1: empty
  unsigned first_accept_slot_;
  std::vector<Slot> free_;  ///< for accepted sockets, the last emptied on top
  std::vector<Note> notes_;
  std::vector<std::uint32_t> free_notes_;
};

}  // namespace ringchurn
