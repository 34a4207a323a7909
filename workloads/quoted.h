// Texts in quotes, as steps are written with them: "GET / HTTP/1.0\r\n\r\n".
#pragma once

#include <string>
#include <string_view>

namespace ringchurn {

/// The word that a step has in the place of its text in quotes: see take_quoted().
inline constexpr const char* kQuoted = "\"";

/// Takes the text in quotes out of `step` and leaves kQuoted there, a word of its own: blanks, "->"
/// and ";" within the quotes mean nothing. Returns the bytes that the text stands for, "" if the
/// step has none. A text has 1 to 65536 bytes; \r \n \t \0 \\ \" \{ \} and \xHH are its escapes.
/// Throws std::invalid_argument for a text that is empty or too long, has no end or another
/// escape, and for a second one.
std::string take_quoted(std::string& step);

/// `bytes` as they are written inside quotes: printable ASCII, and escapes for everything else.
std::string escaped(std::string_view bytes);

}  // namespace ringchurn
