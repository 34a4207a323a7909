// Requests to rtnetlink(7): links, addresses and routes of the calling thread's network.
#pragma once

#include <linux/rtnetlink.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace ringchurn {

/// One request, put together in order. Plain data until it is sent.
class NetlinkRequest {
 public:
  /// `flags` beside NLM_F_REQUEST and NLM_F_ACK; `body` is the type's own header: rtmsg, ifaddrmsg,
  /// ifinfomsg.
  template <typename Body>
  NetlinkRequest(std::uint16_t type, unsigned flags, const Body& body)
      : NetlinkRequest(type, flags, std::as_bytes(std::span(&body, 1))) {}

  NetlinkRequest& attribute(std::uint16_t type, std::span<const std::byte> value);
  NetlinkRequest& number(std::uint16_t type, int value) {
    return attribute(type, std::as_bytes(std::span(&value, 1)));
  }
  NetlinkRequest& text(std::uint16_t type, std::string_view value) {
    return attribute(type, std::as_bytes(std::span(value)));
  }
  /// What follows until the matching end() is inside an attribute of `type`.
  NetlinkRequest& begin(std::uint16_t type);
  /// A header inside such an attribute.
  NetlinkRequest& header(std::span<const std::byte> value);
  NetlinkRequest& end();

  /// Asks the kernel, and waits for its answer: 0, or an errno.
  int send();

 private:
  NetlinkRequest(std::uint16_t type, unsigned flags, std::span<const std::byte> body);
  void append(std::span<const std::byte> value);

  std::vector<std::byte> bytes_;
  std::vector<std::size_t> open_;  ///< where attributes begin that are not complete
};

}  // namespace ringchurn
