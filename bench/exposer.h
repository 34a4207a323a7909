// The part of the metrics server that needs prometheus-cpp: see metrics_server.h.
#pragma once

#include <cstdint>

namespace ringchurn {

/// Whether the program was built with prometheus-cpp.
bool has_exposer();

/// Serves what comes through `channel` (a SOCK_SEQPACKET socket; each message is a sample as
/// sample_json() writes it) until its other end is closed. Says "ready" there when the port is
/// open. Throws std::exception if it cannot be opened.
void expose(std::uint16_t port, int channel);

}  // namespace ringchurn
