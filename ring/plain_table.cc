// Slots with ordinary descriptors: see plain_table.h.
#include "ring/plain_table.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <system_error>

#include "ring/ring.h"
#include "ring/setup.h"

namespace ringchurn {
namespace {

/// Slots of all such tables of this process: they share its descriptors.
std::atomic<unsigned> reserved{0};

unsigned open_descriptors() {
  std::error_code ignored;
  const auto files = std::filesystem::directory_iterator("/proc/self/fd", ignored);
  return static_cast<unsigned>(std::distance(begin(files), end(files)));
}

}  // namespace

PlainTable::PlainTable(unsigned slots, unsigned first_accept_slot)
    : fds_(slots, -1), first_accept_slot_(first_accept_slot) {
  const unsigned all = reserved += slots;
  const SetupFacts facts = setup_facts(all + open_descriptors());
  if (facts.slots > facts.nofile_soft) {
    reserved -= slots;
    throw explain_descriptor_shortage(facts);
  }
  for (Slot slot = slots; slot-- > first_accept_slot;) free_.push_back(slot);
  notes_.reserve(slots);
  free_notes_.reserve(slots);
}

PlainTable::~PlainTable() {
  for (const int fd : fds_) {
    if (fd >= 0) ::close(fd);
  }
  reserved -= static_cast<unsigned>(fds_.size());
}

bool PlainTable::is_note(const Completion& completion) { return (completion.token & kNote) != 0; }

int PlainTable::place(Slot slot, int fd) {
  const int copy = fd < 0 ? -1 : ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (fd >= 0 && copy < 0) return -errno;
  if (fds_[slot] >= 0) ::close(fds_[slot]);
  if (copy < 0) {
    empty(slot);
  } else {
    fds_[slot] = copy;
  }
  return 0;
}

PlainTable::Token PlainTable::note(Effect effect, Slot slot, Token token) {
  if (free_notes_.empty()) {
    free_notes_.push_back(static_cast<std::uint32_t>(notes_.size()));
    notes_.emplace_back();
  }
  const std::uint32_t number = free_notes_.back();
  free_notes_.pop_back();
  notes_[number] = {token, slot, effect, true};
  return kNote | number;
}

PlainTable::Token PlainTable::in_flight_as(Token token) const {
  for (std::size_t number = 0; number < notes_.size(); ++number) {
    if (notes_[number].in_flight && notes_[number].token == token) return kNote | number;
  }
  return token;
}

Completion PlainTable::settle(const Completion& completion) {
  const auto number = static_cast<std::uint32_t>(completion.token);
  Completion told = completion;
  told.token = notes_[number].token;
  told.result = settled(notes_[number], completion.result);
  if (!completion.more) {
    notes_[number].in_flight = false;
    free_notes_.push_back(number);
  }
  return told;
}

std::int32_t PlainTable::settled(const Note& note, std::int32_t result) {
  switch (note.effect) {
    case Effect::fills:
      if (result < 0) return result;
      fill(note.slot, result);
      return 0;
    case Effect::accepts:
      return result < 0 ? result : accept(result);
    case Effect::empties:
      // A close that was never begun, because its chain broke, has closed nothing.
      if (result == 0 || result == -EBADF) empty(note.slot);
      return result;
    case Effect::copies: {
      if (result < 0) return result;
      const int copy = ::fcntl(descriptor(note.slot), F_DUPFD_CLOEXEC, 0);
      return copy < 0 ? -errno : copy;
    }
  }
  return result;
}

/// As with a direct descriptor, what was in the slot is closed.
void PlainTable::fill(Slot slot, int fd) {
  if (fds_[slot] >= 0) ::close(fds_[slot]);
  fds_[slot] = fd;
}

void PlainTable::empty(Slot slot) {
  const bool was_taken = fds_[slot] >= 0;
  fds_[slot] = -1;
  if (was_taken && slot >= first_accept_slot_) free_.push_back(slot);
}

std::int32_t PlainTable::accept(int fd) {
  if (free_.empty()) {
    ::close(fd);
    return -ENFILE;
  }
  const Slot slot = free_.back();
  free_.pop_back();
  fds_[slot] = fd;
  return static_cast<std::int32_t>(slot);
}

}  // namespace ringchurn
