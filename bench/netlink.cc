// See netlink.h. A message is a header, the type's own header, and attributes, each padded to four
// bytes; an attribute may hold others.
#include "bench/netlink.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "workloads/descriptor.h"

namespace ringchurn {

NetlinkRequest::NetlinkRequest(std::uint16_t type, unsigned flags,
                               std::span<const std::byte> body) {
  const nlmsghdr head{0, type, static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags), 1, 0};
  append(std::as_bytes(std::span(&head, 1)));
  append(body);
}

void NetlinkRequest::append(std::span<const std::byte> value) {
  bytes_.insert(bytes_.end(), value.begin(), value.end());
  bytes_.resize(NLMSG_ALIGN(bytes_.size()));
}

NetlinkRequest& NetlinkRequest::attribute(std::uint16_t type, std::span<const std::byte> value) {
  const rtattr head{static_cast<unsigned short>(RTA_LENGTH(value.size())), type};
  append(std::as_bytes(std::span(&head, 1)));
  append(value);
  return *this;
}

NetlinkRequest& NetlinkRequest::begin(std::uint16_t type) {
  open_.push_back(bytes_.size());
  return attribute(type, {});
}

NetlinkRequest& NetlinkRequest::header(std::span<const std::byte> value) {
  append(value);
  return *this;
}

NetlinkRequest& NetlinkRequest::end() {
  const std::size_t at = open_.back();
  open_.pop_back();
  const auto length = static_cast<unsigned short>(bytes_.size() - at);
  std::memcpy(bytes_.data() + at + offsetof(rtattr, rta_len), &length, sizeof length);
  return *this;
}

int NetlinkRequest::send() {
  const auto length = static_cast<std::uint32_t>(bytes_.size());
  std::memcpy(bytes_.data() + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
  struct {
    nlmsghdr header;
    nlmsgerr error;
    char rest[256];
  } answer{};
  const Descriptor netlink(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!netlink.is_open() ||
      ::send(netlink.get(), bytes_.data(), bytes_.size(), 0) != std::ssize(bytes_) ||
      recv(netlink.get(), &answer, sizeof answer, 0) < 0) {
    return errno;
  }
  return answer.header.nlmsg_type == NLMSG_ERROR ? -answer.error.error : EPROTO;
}

}  // namespace ringchurn
