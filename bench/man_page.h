// The manual page, in man(7)'s language, made from the tables of commands and options.
#pragma once

#include <string>
#include <string_view>

namespace ringchurn {

/// The whole page. It depends on nothing but the program's version, so that every build of one
/// version prints the same.
std::string man_page();

/// Plain text so that troff prints it as it is: backslashes, hyphens that are to be copied, and
/// lines that begin with what would be a request.
std::string roff(std::string_view text);

}  // namespace ringchurn
