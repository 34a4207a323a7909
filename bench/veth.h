// The wire of `--lab veth`: a veth(4) pair between the clients' network and the servers'. Packets
// take the way that they take between machines (routes, neighbours, a device with a queue), and may
// be processed on the CPU of the end that receives them, which loopback never does.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/lab.h"

namespace ringchurn {

/// Makes a veth pair from the calling thread's network, the servers', to the one that `clients` is
/// open at (/proc/PID/ns/net), and furnishes this end of it: an address, and in `lab` the
/// destinations that clients may connect to, as many as a private lab has. They are of RFC 2544's
/// and RFC 5180's ranges for benchmarks. Throws Error (kExitCannotRun).
void make_server_end(int clients, Lab& lab);

/// Furnishes the other end, in the calling thread's network. Throws Error (kExitCannotRun).
void make_client_end();

/// Removes the pair by its end in the calling thread's network, at once: with a network that nobody
/// needs any more it would go when the kernel finds the time, and until then there is no other.
void remove_pair();

/// Has the packets that this network's end of the pair receives processed by `cpu` (receive packet
/// steering, Documentation/networking/scaling.rst), rather than by the CPU that sent them. That
/// takes the machine's own CAP_NET_ADMIN and CAP_SYS_ADMIN, which root of a user namespace lacks:
/// false without. Makes a thread for it, with a sysfs of its own.
bool steer_received_packets(int cpu);

}  // namespace ringchurn
