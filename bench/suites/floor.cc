// Blocking calls in the story's order: see floor.h.
#include "bench/suites/floor.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

namespace ringchurn {
namespace {

constexpr sockaddr kNoAddress{AF_UNSPEC, {}};

Outcome outcome_of(long result) { return result < 0 ? errno_outcome(errno) : Outcome::ok; }

Outcome send_all(int descriptor, const std::vector<std::byte>& buffer, std::size_t bytes) {
  while (bytes > 0) {
    const ssize_t sent =
        ::send(descriptor, buffer.data(), std::min(bytes, buffer.size()), MSG_NOSIGNAL);
    if (sent < 0) return errno_outcome(errno);
    bytes -= static_cast<std::size_t>(sent);
  }
  return Outcome::ok;
}

Outcome receive_to_eof(int descriptor, std::vector<std::byte>& buffer) {
  while (true) {
    const ssize_t received = ::recv(descriptor, buffer.data(), buffer.size(), 0);
    if (received < 0) return errno_outcome(errno);
    if (received == 0) return Outcome::ok;
  }
}

Outcome receive_any(int descriptor, std::vector<std::byte>& buffer) {
  const ssize_t received = ::recv(descriptor, buffer.data(), buffer.size(), 0);
  if (received < 0) return errno_outcome(errno);
  return received == 0 ? Outcome::eof : Outcome::ok;
}

Outcome wait_for(int descriptor, int events) {
  pollfd entry{descriptor, static_cast<short>(events), 0};
  return outcome_of(::poll(&entry, 1, -1));
}

}  // namespace

Floor::Floor(const Scenario& scenario, const Endpoint& endpoint, int family)
    : scenario_(scenario), endpoint_(endpoint), family_(family), buffer_(64 * 1024) {
  for (const Turn& turn : scenario.story) {
    for (const Step& step : scenario.script(turn.side).steps) {
      if (step.number == turn.step_number && step.number > 0) parts_.push_back({turn.side, &step});
    }
  }
}

Floor::~Floor() {
  for (int descriptor : descriptors_) {
    if (descriptor >= 0) ::close(descriptor);
  }
}

void Floor::play() {
  for (const Part& part : parts_) {
    if (const Outcome outcome = perform(part); !part.step->expect.allows(outcome)) {
      throw std::runtime_error(fmt::format("floor of {}: {} step \"{}\" answered {}",
                                           scenario_.name, side_name(part.side), part.step->text,
                                           outcome_name(outcome)));
    }
  }
}

Outcome Floor::open_client() {
  int& client = descriptors_[0];
  if (client < 0) client = ::socket(family_, SOCK_STREAM, 0);
  return outcome_of(client);
}

Outcome Floor::receive_all(int descriptor, std::uint32_t bytes) {
  while (bytes > 0) {
    const ssize_t received =
        ::recv(descriptor, buffer_.data(), std::min<std::size_t>(bytes, buffer_.size()), 0);
    if (received < 0) return errno_outcome(errno);
    if (received == 0) return Outcome::eof;
    bytes -= static_cast<std::uint32_t>(received);
  }
  return Outcome::ok;
}

Outcome Floor::perform(const Part& part) {
  const Step& step = *part.step;
  if (part.side == Side::client && open_client() != Outcome::ok) return errno_outcome(errno);
  int& descriptor = descriptors_[part.side == Side::client ? 0 : 1];
  switch (step.op) {
    case Op::socket:
      return Outcome::ok;
    case Op::connect:
      return outcome_of(
          ::connect(descriptor, endpoint_.destination(destination_++), endpoint_.address_length()));
    case Op::accept:
      descriptor = ::accept(endpoint_.listener(), nullptr, nullptr);
      return outcome_of(descriptor);
    case Op::send:
      return send_all(descriptor, buffer_, step.bytes);
    case Op::receive:
      return receive_all(descriptor, step.bytes);
    case Op::receive_any:
      return receive_any(descriptor, buffer_);
    case Op::recv_eof:
      return receive_to_eof(descriptor, buffer_);
    case Op::shutdown:
      return outcome_of(::shutdown(descriptor, step.detail));
    case Op::option:
      return outcome_of(::setsockopt(descriptor, step.option.level, step.option.name,
                                     step.option.value.data(),
                                     static_cast<socklen_t>(step.option.value.size())));
    case Op::disconnect:
      return outcome_of(::connect(descriptor, &kNoAddress, sizeof kNoAddress));
    case Op::wait:
      return wait_for(descriptor, step.detail);
    case Op::pause: {
      const timespec time{step.time.tv_sec, step.time.tv_nsec};
      return outcome_of(::nanosleep(&time, nullptr));
    }
    case Op::close:
      return outcome_of(::close(std::exchange(descriptor, -1)));
    default:
      return errno_outcome(ENOSYS);  // can_play() said no
  }
}

bool Floor::can_play(const Scenario& scenario) {
  const auto plain = [](const Step& step) {
    return step.op <= Op::accept || step.op == Op::send || step.op == Op::receive ||
           step.op == Op::receive_any || step.op == Op::recv_eof || step.op == Op::shutdown ||
           step.op == Op::option || step.op == Op::disconnect || step.op == Op::wait ||
           step.op == Op::close;
  };
  const auto alone = [&plain](const Step& step) {
    // A call that blocks has no limit of its own; an end of file comes.
    const bool waits_in_vain = step.limited && step.op != Op::recv_eof;
    return plain(step) && !waits_in_vain && step.socket == 0 && step.overlap == Overlap::none &&
           step.detail == 0 && step.payload.empty();
  };
  const auto blocking = [&](const Script& script) {
    return std::all_of(script.steps.begin(), script.steps.end(), [&](const Step& step) {
      return alone(step) || step.op == Op::shutdown || step.op == Op::wait;
    });
  };
  // A listener that rests between accepts leaves the CPU idle.
  return scenario.domain == 0 && scenario.sysctls.empty() && !scenario.server.accept_pause &&
         blocking(scenario.client) && blocking(scenario.server);
}

}  // namespace ringchurn
