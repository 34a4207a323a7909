// The verbs of the scenario language: what each makes of its arguments.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "workloads/script.h"
#include "workloads/words.h"

namespace ringchurn {

/// The names of a script's sockets, by number; the first, its own, has none.
using Sockets = std::vector<std::string>;

/// True for what may name a socket.
bool is_socket_name(std::string_view word);
/// The number of the socket `name`, "main" being the script's own. Throws std::invalid_argument if
/// no earlier step made it.
std::uint8_t known_socket(const Sockets& sockets, const std::string& name);
/// The number of the socket `name`, which is added if it is new.
std::uint8_t new_socket(Sockets& sockets, const std::string& name);

struct Verb {
  const char* word;
  Op op;
  /// Fills in the step. Throws std::invalid_argument.
  void (*read)(Step&, const Words&, Sockets&);
  bool may_be_limited = false;  ///< by a time behind its arguments
};

/// Throws std::invalid_argument for a word that is no verb.
const Verb& verb_named(const std::string& word);

// -- the verbs of Op::plain, in act_verbs.cc ------------------------------------------------------

void read_listen(Step& step, const Words& words, Sockets& sockets);
void read_pair(Step& step, const Words& words, Sockets& sockets);
void read_file(Step& step, const Words& words, Sockets& sockets);
void read_nonblocking(Step& step, const Words& words, Sockets& sockets);
void read_dup(Step& step, const Words& words, Sockets& sockets);
void read_state(Step& step, const Words& words, Sockets& sockets);
void read_destroy(Step& step, const Words& words, Sockets& sockets);
void read_other(Step& step, const Words& words, Sockets& sockets);
void read_die(Step& step, const Words& words, Sockets& sockets);
void read_arrives(Step& step, const Words& words, Sockets& sockets);
void read_starved(Step& step, const Words& words, Sockets& sockets);

}  // namespace ringchurn
