// ringchurn: what a connection's teardown costs. This file is the program's table of contents.
#include <fmt/format.h>
#include <signal.h>

#include <cstdio>
#include <exception>

#include "bench/commands.h"
#include "bench/options.h"
#include "ring/error.h"

int main(int argc, char** argv) {
  using namespace ringchurn;
  signal(SIGPIPE, SIG_IGN);  // a reader that left is an error of one write, not the end of a run
  try {
    const std::optional<Options> options = parse_options(argc, argv);
    return options ? perform(*options) : kExitGood;
  } catch (const Error& error) {
    fmt::print(stderr, "ringchurn: {}\n", error.what());
    return error.exit_code;
  } catch (const std::exception& error) {
    fmt::print(stderr, "ringchurn: {}: please report it\n", error.what());
    return kExitCannotRun;
  }
}
