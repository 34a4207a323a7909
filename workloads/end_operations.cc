// What a step is on the ring: one operation, or a plain system call behind one. See end.h.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "workloads/act.h"
#include "workloads/end.h"

namespace ringchurn {
namespace {

constexpr sockaddr kNoAddress{AF_UNSPEC, {}};

/// An address that no program has.
std::byte* nowhere() { return reinterpret_cast<std::byte*>(1); }

void close_if_open(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

}  // namespace

void End::prepare(std::uint32_t index, const Step& step, Ring::Token token) {
  const Slot& slot = slots_[index];
  const bool cleans = slot.connection.stage == Stage::cleaning;
  const Ring::Slot at = place(index, cleans ? socket_to_close(slot.connection) : step.socket);
  switch (step.op) {
    case Op::socket: {
      const Endpoint& endpoint = endpoints_[slot.connection.scenario];
      return ring_.socket(at, endpoint.domain(), token, endpoint.type());
    }
    case Op::bind: {
      const Endpoint& endpoint = endpoints_[slot.connection.scenario];
      return ring_.bind(at, endpoint.source(source_++), endpoint.address_length(), token);
    }
    case Op::connect:
      return prepare_connect(index, step, token);
    case Op::accept_from:
      return prepare_accept(index, step, token);
    case Op::accept_multi:
      return ring_.accept_multishot(place(index, step.other), token);
    case Op::shutdown:
      return ring_.shutdown(at, step.detail, token);
    case Op::option:
      return ring_.set_option(at, step.option.level, step.option.name,
                              step.option.bad_pointer
                                  ? std::span<const std::byte>(nowhere(), sizeof(int))
                                  : std::span<const std::byte>(step.option.value),
                              token);
    case Op::get_option:
    case Op::so_error:
      return ring_.get_option(at, step.option.level, step.option.name,
                              step.option.bad_pointer
                                  ? std::span<std::byte>(nowhere(), sizeof(int))
                                  : std::span<std::byte>(belongings_[index].value),
                              token);
    case Op::disconnect:
      return ring_.connect(at, &kNoAddress, sizeof kNoAddress, token);
    case Op::wait:
    case Op::poll:
      return ring_.poll(at, static_cast<unsigned>(step.detail), token);
    case Op::pause:
      return ring_.pause(&step.time, token);
    case Op::cancel:
      return prepare_cancel(index, step, token);
    case Op::plain:
      return prepare_plain(index, step, token);
    case Op::accept:  // done before the connection had a slot
    case Op::await:   // no operation
    case Op::close:
      return ring_.close(at, token);
    default:
      return prepare_transfer(index, step, token);
  }
}

void End::prepare_connect(std::uint32_t index, const Step& step, Ring::Token token) {
  const Endpoint& endpoint = endpoints_[slots_[index].connection.scenario];
  const Ring::Slot at = place(index, step.socket);
  if (step.place == Place::server) {
    const std::uint64_t destination =
        belongings_.empty() ? destination_++ : belongings_[index].destination;
    return ring_.connect(at, endpoint.destination(destination), endpoint.address_length(), token);
  }
  if (step.place == Place::own) {
    const Belongings::Address& own = belongings_[index].listeners[step.other];
    return ring_.connect(at, reinterpret_cast<const sockaddr*>(&own.address), own.length, token);
  }
  const auto [address, length] = endpoint.place(step.place);
  ring_.connect(at, address, length, token);
}

void End::prepare_accept(std::uint32_t index, const Step& step, Ring::Token token) {
  const Ring::Slot listener = place(index, step.other);
  if (step.detail == kNoSlotFree) return ring_.accept_into_full_table(listener, token);
  if (step.detail == kSlotBeyond) return ring_.accept_beyond_table(listener, token);
  ring_.accept_into(listener, place(index, step.socket), token);
}

/// What is left to send. What is one operation goes at once, all else by the buffer.
std::span<const std::byte> End::bytes_to_send(std::uint32_t index, const Step& step) const {
  const bool whole = step.is_one_operation();
  const std::size_t left = whole ? step.bytes : slots_[index].connection.remaining;
  const std::size_t size = whole ? left : std::min(left, kBufferBytes);
  if (step.payload.empty()) return std::span(out_).first(size);
  return std::as_bytes(std::span(step.payload)).subspan(step.bytes - left, size);
}

void End::prepare_transfer(std::uint32_t index, const Step& step, Ring::Token token) {
  const std::size_t left =
      step.is_one_operation() ? step.bytes : slots_[index].connection.remaining;
  const std::size_t wanted = std::min(left, kBufferBytes);
  const Ring::Slot at = place(index, step.socket);
  switch (step.op) {
    case Op::send:
      return step.zero_copy ? ring_.send_zero_copy(at, bytes_to_send(index, step), token)
                            : ring_.send(at, bytes_to_send(index, step), token, step.detail);
    case Op::write:
      return ring_.write(at, bytes_to_send(index, step), token);
    case Op::fill:
      return ring_.send(at, std::span(out_).first(kBufferBytes), token, MSG_DONTWAIT);
    case Op::read:
      return ring_.read(at, in_, token);
    case Op::receive:
      return ring_.receive(at, std::span(in_).first(wanted), token, step.detail);
    case Op::receive_until:
      return prepare_until(index, step, token);
    case Op::receive_multi:
      ring_.provide_buffers(in_, step.bytes, static_cast<std::uint16_t>(at),
                            this->token(kIgnored, 0, 0, index));
      return ring_.receive_multishot(at, static_cast<std::uint16_t>(at), token);
    default:
      return ring_.receive(at, in_, token, step.detail);
  }
}

// -- receives that look for a text
// ----------------------------------------------------------------
//
// Bytes behind the landmark stay in the socket's queue: they are the next step's, or are to be
// unread when the socket is closed. So bytes are looked at before they are taken, as long as the
// text has not come; what is taken then is there already. Where the next step takes all that is
// behind the landmark (Step::takes_rest), it makes no difference, and saves two operations.

void End::prepare_until(std::uint32_t index, const Step& step, Ring::Token token) {
  const Connection& connection = slots_[index].connection;
  Belongings& own = belongings_[index];
  if (connection.moved == 0) own.passed = {};
  const bool searches = !step.until.has_text_before(own.passed);
  own.looks = searches && !step.takes_rest;
  const auto into =
      searches ? std::span(own.window)
               : std::span(in_).first(std::min<std::size_t>(connection.remaining, kBufferBytes));
  ring_.receive(place(index, step.socket), into, token, own.looks ? MSG_PEEK : 0);
}

/// Takes a receive's bytes to where the landmark is looked for. True if they are only looked at:
/// the receive that takes them is under way.
bool End::received(std::uint32_t index, unsigned number, std::int32_t result) {
  Connection& connection = slots_[index].connection;
  Belongings& own = belongings_[index];
  const Step& step = script(slots_[index]).steps[number];
  const bool searched = own.looks || (step.takes_rest && !step.until.has_text_before(own.passed));
  if (result <= 0 || !searched || connection.stage != Stage::playing) return false;
  const auto seen = std::span(own.window).first(static_cast<std::size_t>(result));
  const std::size_t wanted = step.until.pass(seen, own.passed);
  const std::uint32_t left = step.until.least_left(own.passed);
  const bool looked = std::exchange(own.looks, false);
  connection.remaining = static_cast<std::uint32_t>(looked ? wanted : seen.size()) + left;
  if (!looked) return false;
  ++connection.in_flight;
  ring_.receive(place(index, step.socket), seen.first(wanted),
                token(kStep, connection.generation, number, index), MSG_WAITALL);
  return true;
}

void End::prepare_cancel(std::uint32_t index, const Step& step, Ring::Token token) {
  const Connection& connection = slots_[index].connection;
  if ((connection.sockets >> step.socket & 1) != 0) {
    return ring_.cancel(place(index, step.socket), token);
  }
  // The slot is empty; what holds the socket can only be named itself.
  const std::vector<Step>& steps = script(slots_[index]).steps;
  unsigned started = connection.step;
  while (started > 0 &&
         (steps[started].overlap == Overlap::none || steps[started].socket != step.socket)) {
    --started;
  }
  ring_.cancel_token(this->token(kStep, connection.generation, started, index), token);
}

void End::prepare_plain(std::uint32_t index, const Step& step, Ring::Token token) {
  const ActNeeds needed = needs(step.act);
  if (!needed.fd && !needed.other) return ring_.nop(token);
  ring_.install(place(index, needed.fd ? step.socket : step.other), token);
}

// -- steps that are plain system calls
// ------------------------------------------------------------

/// An act's descriptors come one after the other.
void End::installed(std::uint32_t index, unsigned number, std::int32_t result, Nanoseconds now) {
  Belongings& own = belongings_[index];
  const Step& step = script(slots_[index]).steps[number];
  const ActNeeds needed = needs(step.act);
  if (result >= 0 && needed.fd && own.fd < 0) {
    own.fd = result;
  } else if (result >= 0 && needed.other) {
    own.other = result;
  }
  if (result >= 0 && needed.other && own.other < 0) {
    ++slots_[index].connection.in_flight;
    return ring_.install(place(index, step.other),
                         token(kStep, slots_[index].connection.generation, number, index));
  }
  if (result >= 0) result = act_on(index, step);
  close_if_open(own.fd);
  close_if_open(own.other);
  step_done(index, number, result, now);
}

std::int32_t End::act_on(std::uint32_t index, const Step& step) {
  Belongings& own = belongings_[index];
  const Endpoint& endpoint = endpoints_[slots_[index].connection.scenario];
  ActOn on{endpoint.domain(), endpoint.type(), own.fd, own.other, {}};
  on.let_go = [&] {
    ring_.place(place(index, step.socket), -1);
    close_if_open(own.fd);
  };
  Acted acted = act(step, on);
  for (auto [made, socket] :
       {std::pair{&acted.made, step.socket}, std::pair{&acted.made_other, step.other}}) {
    if (*made >= 0) ring_.place(place(index, socket), *made);
    close_if_open(*made);
  }
  if (step.act == Act::listen) {
    own.listeners[step.socket] = {acted.address, acted.address_length};
  }
  return acted.result;
}

}  // namespace ringchurn
