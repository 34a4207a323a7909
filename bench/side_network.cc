// See side_network.h.
#include "bench/side_network.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>

#include <cerrno>
#include <cstring>

#include "bench/veth.h"
#include "ring/error.h"

namespace ringchurn {
namespace {

Descriptor own_namespace() {
  return Descriptor(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
}

/// Takes the calling thread to `network`. What was left a moment ago can be entered again.
void go_to(const Descriptor& network) {
  if (setns(network.get(), CLONE_NEWNET) == 0) return;
  throw Error(kExitCannotRun,
              fmt::format("cannot enter a network namespace of this process: setns: {}",
                          std::strerror(errno)));
}

}  // namespace

SideNetwork::SideNetwork(const Scenario& scenario) {
  const Descriptor home = own_namespace();
  try {
    lab_ = enter_another_lab();
    namespace_ = own_namespace();
    set_for(scenario, lab_);
    before_ = KernelCounters::read();
  } catch (...) {
    go_to(home);
    throw;
  }
  go_to(home);
}

SideNetwork::SideNetwork(BeyondVeth) {
  const Descriptor home = own_namespace();
  try {
    lab_ = enter_another_lab();
    namespace_ = own_namespace();
    make_server_end(home.get(), lab_);
    before_ = KernelCounters::read();
  } catch (...) {
    go_to(home);
    throw;
  }
  go_to(home);
  is_beyond_veth_ = true;
  make_client_end();
}

SideNetwork::~SideNetwork() {
  if (is_beyond_veth_) remove_pair();
}

SideNetwork::Visit::Visit(const SideNetwork& network) : home_(own_namespace()) {
  go_to(network.namespace_);
}

SideNetwork::Visit::~Visit() { setns(home_.get(), CLONE_NEWNET); }

KernelCounters SideNetwork::moved() const {
  const Visit visit(*this);
  return KernelCounters::read().since(before_);
}

}  // namespace ringchurn
