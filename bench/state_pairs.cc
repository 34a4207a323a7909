// See state_pairs.h.
#include "bench/state_pairs.h"

#include <fmt/format.h>
#include <netinet/tcp.h>

#include <map>
#include <utility>

#include "workloads/outcome.h"
#include "workloads/sock_diag.h"

namespace ringchurn {

std::string StatePairs::look() {
  const auto sockets = tcp_sockets().value_or(std::vector<TcpSocketState>{});
  for (const TcpSocketState& socket : sockets) {
    if (socket.state == TCP_LISTEN) listened_.insert(socket.local_port);
  }
  // By the client's port and the server's: the states of the two.
  std::map<std::pair<std::uint16_t, std::uint16_t>, std::pair<int, int>> pairs;
  for (const TcpSocketState& socket : sockets) {
    if (socket.state == TCP_LISTEN || socket.remote_port == 0) continue;
    if (listened_.contains(socket.local_port)) {
      pairs[{socket.remote_port, socket.local_port}].second = socket.state;
    } else {
      pairs[{socket.local_port, socket.remote_port}].first = socket.state;
    }
  }
  std::string text;
  for (const auto& [ports, states] : pairs) {
    text += fmt::format("{}client {}, server {}", text.empty() ? "" : "; ",
                        outcome_name(state_outcome(states.first)),
                        outcome_name(state_outcome(states.second)));
  }
  return text;
}

}  // namespace ringchurn
