// Asking io_uring for its operations: see features.h.
#include "ring/features.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <chrono>
#include <memory>

#include "ring/ring.h"

namespace ringchurn {
namespace {

struct Operation {
  const char* name;
  int code;
  const char* since;
  bool needed;
};

// The last two are younger than liburing 2.3's header.
constexpr Operation kOperations[] = {
    {"IORING_OP_SOCKET", IORING_OP_SOCKET, "5.19", true},
    {"IORING_OP_CONNECT", IORING_OP_CONNECT, "5.5", true},
    {"IORING_OP_ACCEPT", IORING_OP_ACCEPT, "5.5", true},
    {"IORING_OP_SEND", IORING_OP_SEND, "5.6", true},
    {"IORING_OP_RECV", IORING_OP_RECV, "5.6", true},
    {"IORING_OP_SHUTDOWN", IORING_OP_SHUTDOWN, "5.11", true},
    {"IORING_OP_CLOSE", IORING_OP_CLOSE, "5.6", true},
    {"IORING_OP_POLL_ADD", IORING_OP_POLL_ADD, "5.1", true},
    {"IORING_OP_TIMEOUT", IORING_OP_TIMEOUT, "5.4", true},
    {"IORING_OP_LINK_TIMEOUT", IORING_OP_LINK_TIMEOUT, "5.5", true},
    {"IORING_OP_ASYNC_CANCEL", IORING_OP_ASYNC_CANCEL, "5.5", true},
    {"IORING_OP_URING_CMD", IORING_OP_URING_CMD, "5.19", true},
    {"IORING_OP_PROVIDE_BUFFERS", IORING_OP_PROVIDE_BUFFERS, "5.7", false},
    {"IORING_OP_READ", IORING_OP_READ, "5.6", false},
    {"IORING_OP_WRITE", IORING_OP_WRITE, "5.6", false},
    {"IORING_OP_SEND_ZC", IORING_OP_SEND_ZC, "6.0", false},
    {"IORING_OP_FIXED_FD_INSTALL", 54, "6.8", false},
    {"IORING_OP_BIND", 56, "6.11", false},
};

/// What an operation of `ring` came to; -ETIME if that takes more than a second.
int result_of(Ring& ring) {
  int result = -ETIME;
  ring.submit_and_wait(1, std::chrono::seconds(1));
  ring.reap(1, [&result](const Completion& completion) { result = completion.result; });
  return result;
}

/// IORING_OP_URING_CMD is older than what it does with sockets, and no probe tells.
bool sets_socket_options() {
  constexpr Ring::Slot kSlot = 0;
  Ring ring({8, 8, 1, 0});
  ring.socket(kSlot, AF_INET, 0);
  if (result_of(ring) < 0) return false;
  const int one = 1;
  ring.set_option(kSlot, IPPROTO_TCP, TCP_NODELAY, std::as_bytes(std::span(&one, 1)), 0);
  return result_of(ring) == 0;
}

}  // namespace

std::vector<RingFeature> ring_features() {
  const bool sets_options = sets_socket_options();  // throws where there is no ring
  const std::unique_ptr<io_uring_probe, decltype(&io_uring_free_probe)> probe(io_uring_get_probe(),
                                                                              io_uring_free_probe);
  std::vector<RingFeature> features;
  for (const Operation& operation : kOperations) {
    const bool available = probe && io_uring_opcode_supported(probe.get(), operation.code) != 0;
    features.push_back({operation.name, operation.since, operation.needed, available});
  }
  features.push_back({"setsockopt through IORING_OP_URING_CMD", "6.7", true, sets_options});
  return features;
}

}  // namespace ringchurn
