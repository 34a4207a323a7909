// The bill: where the CPU time of a scenario's connections goes, in parts that add up to the whole.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "bench/lockstep.h"
#include "bench/result.h"
#include "bench/statistics.h"
#include "workloads/script.h"

namespace ringchurn {

/// The bill of `scenario`: whole[i] is what its ordinary slices of block i cost, in nanoseconds,
/// and lockstep[i] what the lockstep slices of the same block did.
///
/// A part's figure is its total over the total of its connections, over all ordinary blocks
/// (ordinary_blocks()), so that the parts add up as the totals do. Its interval is Student's t over
/// whole blocks, of the ratio's linear part; the last part is a difference of the two kinds of
/// slices in the same blocks, and so is its interval.
///
/// Without an answer (a slice without turns, fewer than kMinBlocks blocks) the bill says why.
Bill make_bill(const Scenario& scenario, std::span<const BlockCost> whole,
               std::span<const LockstepSlice> lockstep);

/// In place of a bill.
Bill no_bill(const std::string& scenario, const std::string& why);

/// What `time_wait_per_connection` sockets in TIME_WAIT take until they are gone. `domain`: AF_INET
/// or AF_INET6.
DeferredCost deferred_cost(std::optional<double> time_wait_per_connection, int domain);

/// The size in bytes of an object of the slab cache `name`, from `sysfs` (/sys/kernel/slab), else
/// from `slabinfo` (/proc/slabinfo); empty, and `why` says why, where neither can be read.
std::optional<std::uint64_t> slab_object_bytes(const std::string& name, const std::string& sysfs,
                                               const std::string& slabinfo, std::string& why);

/// What a side that sends pays for, in one line; it is true of every bill.
extern const char* const kWhoPays;
/// What measures the CPU time of retiring a socket in TIME_WAIT: no bill has it.
extern const char* const kRetireCommand;

}  // namespace ringchurn
