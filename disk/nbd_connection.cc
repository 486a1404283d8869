#include "disk/nbd_connection.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <deque>
#include <functional>
#include <optional>

#include <fmt/format.h>
#include <libnbd.h>

#include "base/error.h"

namespace muster::disk {
namespace {

using base::Clock;
using base::Code;
using base::Error;

// A call of more than this is split: servers answer the pieces in parallel, and in any order.
constexpr std::uint64_t kUnsplitBytes = 2U << 20;
constexpr std::uint64_t kPieceBytes = 512U << 10;
constexpr std::size_t kMostUnderWay = 32;
// Servers without a quick way write these zeroes, within the time of one request.
constexpr std::uint64_t kZeroPieceBytes = 128U << 20;
// Of one answer; what comes after them is asked for again.
constexpr std::size_t kMostExtents = 1U << 20;

constexpr const char* kAllocation = LIBNBD_CONTEXT_BASE_ALLOCATION;

bool said(int answer) { return answer > 0; }

std::string last_text() {
  const char* text = nbd_get_error();
  return text != nullptr ? text : "unknown error";
}

short poll_events(unsigned direction) {
  const bool in = (direction & LIBNBD_AIO_DIRECTION_READ) != 0, out = (direction & LIBNBD_AIO_DIRECTION_WRITE) != 0;
  return static_cast<short>((in ? POLLIN : 0) | (out ? POLLOUT : 0));
}

// Tells libnbd what happened to its socket, as nbd_poll(3) does. What is returned says why there is no way to go on.
std::optional<std::string> notify(nbd_handle* handle, unsigned direction, short happened) {
  int result = 0;
  if ((direction & LIBNBD_AIO_DIRECTION_READ) != 0 && (happened & (POLLIN | POLLHUP)) != 0)
    result = nbd_aio_notify_read(handle);
  else if ((direction & LIBNBD_AIO_DIRECTION_WRITE) != 0 && (happened & POLLOUT) != 0)
    result = nbd_aio_notify_write(handle);
  else
    return "the connection broke";
  return result == 0 ? std::nullopt : std::optional(last_text());
}

// Of https://gitlab.com/qemu-project/qemu/-/blob/master/docs/interop/nbd.txt, "qemu:dirty-bitmap".
constexpr std::uint32_t kDirty = 1;

struct Answer {
  NbdContext context;
  const char* name;
  std::vector<NbdExtent> extents;
};

// Of one context only. Runs inside libnbd, through which nothing may be thrown.
int take_extents(void* user_data, const char* context, std::uint64_t, std::uint32_t* entries, std::size_t count,
                 int* error) {
  auto& answer = *static_cast<Answer*>(user_data);
  if (std::strcmp(context, answer.name) != 0) return 0;
  try {
    for (std::size_t i = 0; i + 1 < count && answer.extents.size() < kMostExtents; i += 2) {
      const std::uint32_t flags = entries[i + 1];
      const bool of_interest =
          answer.context == NbdContext::allocation ? (flags & LIBNBD_STATE_ZERO) == 0 : (flags & kDirty) != 0;
      answer.extents.push_back({entries[i], of_interest});
    }
  } catch (const std::bad_alloc&) {
    *error = ENOMEM;
    return -1;
  }
  return 0;
}

}  // namespace

// The requests of one call, as far as they are under way.
struct NbdConnection::Flight {
  std::size_t under_way = 0;
  int error = 0;  // of the first that failed
  std::uint64_t failed_at = 0;
};

struct NbdConnection::Request {
  Flight* flight;
  std::uint64_t offset;

  // Runs inside libnbd, in the thread that notifies it.
  static int done(void* user_data, int* error) {
    const auto& request = *static_cast<Request*>(user_data);
    Flight& flight = *request.flight;
    --flight.under_way;
    if (*error != 0 && flight.error == 0) {
      flight.error = *error;
      flight.failed_at = request.offset;
    }
    return 1;  // nobody asks for it by its cookie
  }
};

struct NbdConnection::Work {
  const char* action;
  ByteRange range;
  std::uint64_t piece_bytes;
  // Calls one of libnbd's nbd_aio functions, whose result it returns.
  std::function<std::int64_t(nbd_handle*, ByteRange, nbd_completion_callback)> start;
};

// However a call ends, nothing of it stays under way: libnbd would write into memory that is no longer lent to it.
struct NbdConnection::GiveUp {
  const Flight& flight;
  std::unique_ptr<nbd_handle, Close>& handle;
  ~GiveUp() {
    if (flight.under_way > 0) handle.reset();
  }
};

struct NbdConnection::Wait {
  base::TimePoint deadline;
  std::string action;
  Code when_lost;
};

void NbdConnection::Close::operator()(nbd_handle* handle) const noexcept { nbd_close(handle); }

NbdConnection::NbdConnection(const base::Context& ctx, const NbdTarget& target)
    : target_(target), handle_(nbd_create()) {
  if (!handle_) throw Error(Code::io, "make an NBD handle: " + last_text());
  connect(ctx);
  ask_for_facts();
}

// The polite end, which is not waited for.
NbdConnection::~NbdConnection() {
  if (usable()) nbd_aio_disconnect(handle_.get(), 0);
}

bool NbdConnection::usable() const {
  return handle_ && said(nbd_aio_is_ready(handle_.get())) && nbd_aio_in_flight(handle_.get()) == 0;
}

void NbdConnection::connect(const base::Context& ctx) {
  const std::string action = "connect to " + target_.uri;
  const StopSignal stop(ctx.stop);
  ctx.check_stop();
  nbd_handle* handle = handle_.get();
  if (nbd_set_uri_allow_transports(handle, LIBNBD_ALLOW_TRANSPORT_TCP | LIBNBD_ALLOW_TRANSPORT_UNIX) != 0 ||
      nbd_add_meta_context(handle, kAllocation) != 0 ||
      (!target_.changes_context.empty() && nbd_add_meta_context(handle, target_.changes_context.c_str()) != 0) ||
      nbd_set_pread_initialize(handle, false) != 0)
    throw Error(Code::io, action + ": " + last_text());
  if (nbd_aio_connect_uri(handle, target_.uri.c_str()) != 0)
    throw Error(nbd_get_errno() == EINVAL ? Code::usage : Code::unreachable, action + ": " + last_text());
  const Wait wait{Clock::now() + target_.connect_timeout, action, Code::unreachable};
  while (said(nbd_aio_is_connecting(handle))) step(stop, wait);
  if (!usable()) throw Error(Code::unreachable, action + ": the server ended the connection");
}

void NbdConnection::ask_for_facts() {
  nbd_handle* handle = handle_.get();
  const auto size = nbd_get_size(handle);
  if (size < 0) throw Error(Code::unreachable, "ask " + target_.uri + " for its size: " + last_text());
  const auto least = nbd_get_block_size(handle, LIBNBD_SIZE_MINIMUM);
  const auto most = nbd_get_block_size(handle, LIBNBD_SIZE_MAXIMUM);
  facts_ = {.size_bytes = static_cast<std::uint64_t>(size),
            .block_bytes = least > 0 ? static_cast<std::uint64_t>(least) : 1,
            .piece_bytes = most > 0 ? std::min(kUnsplitBytes, static_cast<std::uint64_t>(most)) : kUnsplitBytes,
            .multi_conn = said(nbd_can_multi_conn(handle)),
            .read_only = said(nbd_is_read_only(handle)),
            .can_flush = said(nbd_can_flush(handle)),
            .can_zero = said(nbd_can_zero(handle)),
            .tells_allocation = said(nbd_can_meta_context(handle, kAllocation)),
            .tells_changes = !target_.changes_context.empty() &&
                             said(nbd_can_meta_context(handle, target_.changes_context.c_str()))};
  if (!std::has_single_bit(facts_.block_bytes) || facts_.block_bytes > facts_.piece_bytes)
    throw Error(Code::unreachable, fmt::format("{} wants requests of {} to {} bytes, which makes no sense", target_.uri,
                                               facts_.block_bytes, most));
}

void NbdConnection::read(const base::Context& ctx, std::uint64_t offset, base::MutableBytes into) {
  if (into.empty()) return;
  perform(ctx, {"read",
                {offset, into.size()},
                piece_bytes(into.size()),
                [&](nbd_handle* handle, ByteRange piece, nbd_completion_callback done) {
                  const auto part = into.subspan(piece.offset - offset, piece.length);
                  return nbd_aio_pread(handle, part.data(), part.size(), piece.offset, done, 0);
                }});
}

void NbdConnection::write(const base::Context& ctx, std::uint64_t offset, base::ByteView bytes) {
  if (bytes.empty()) return;
  perform(ctx, {"write",
                {offset, bytes.size()},
                piece_bytes(bytes.size()),
                [&](nbd_handle* handle, ByteRange piece, nbd_completion_callback done) {
                  const auto part = bytes.subspan(piece.offset - offset, piece.length);
                  return nbd_aio_pwrite(handle, part.data(), part.size(), piece.offset, done, 0);
                }});
}

void NbdConnection::write_zeroes(const base::Context& ctx, ByteRange range) {
  if (range.length == 0) return;
  perform(ctx, {"write zeroes", range, kZeroPieceBytes,
                [](nbd_handle* handle, ByteRange piece, nbd_completion_callback done) {
                  return nbd_aio_zero(handle, piece.length, piece.offset, done, 0);
                }});
}

void NbdConnection::flush(const base::Context& ctx) {
  perform(ctx, {"flush", {}, 1, [](nbd_handle* handle, ByteRange, nbd_completion_callback done) {
                  return nbd_aio_flush(handle, done, 0);
                }});
}

std::vector<NbdExtent> NbdConnection::extents(const base::Context& ctx, NbdContext context, ByteRange range) {
  const bool allocation = context == NbdContext::allocation;
  Answer answer{.context = context, .name = allocation ? kAllocation : target_.changes_context.c_str(), .extents = {}};
  const nbd_extent_callback take{.callback = take_extents, .user_data = &answer, .free = nullptr};
  perform(ctx, {allocation ? "ask for the allocation" : "ask for what changed", range, range.length,
                [&](nbd_handle* handle, ByteRange piece, nbd_completion_callback done) {
                  return nbd_aio_block_status(handle, piece.length, piece.offset, take, done, 0);
                }});
  return std::move(answer.extents);
}

std::uint64_t NbdConnection::piece_bytes(std::uint64_t length) const {
  if (length <= facts_.piece_bytes) return facts_.piece_bytes;
  return std::max(facts_.block_bytes, std::min(kPieceBytes, facts_.piece_bytes));
}

void NbdConnection::perform(const base::Context& ctx, const Work& work) {
  if (!handle_) throw Error(Code::io, target_.name + ": its connection was given up");
  const StopSignal stop(ctx.stop);
  Flight flight;
  std::deque<Request> requests;  // where they stay while libnbd knows of them
  const GiveUp give_up{flight, handle_};
  std::uint64_t done = 0;
  do {  // once for a flush, which is about no bytes
    settle(stop, work, flight, kMostUnderWay - 1);
    const ByteRange piece{work.range.offset + done, std::min(work.piece_bytes, work.range.length - done)};
    issue(work, piece, requests.emplace_back(Request{&flight, piece.offset}));
    done += piece.length;
  } while (done < work.range.length && flight.error == 0);
  settle(stop, work, flight, 0);
  if (flight.error == ENOTCONN) throw Error(Code::io, place(work, flight.failed_at) + ": the server went away");
  if (flight.error != 0) base::throw_errno(place(work, flight.failed_at), flight.error);
}

std::string NbdConnection::place(const Work& work, std::uint64_t offset) const {
  if (work.range.length == 0) return fmt::format("{}: {}", target_.name, work.action);
  return fmt::format("{}: {} at byte {}", target_.name, work.action, offset);
}

void NbdConnection::issue(const Work& work, ByteRange piece, Request& request) {
  const nbd_completion_callback done{.callback = Request::done, .user_data = &request, .free = nullptr};
  ++request.flight->under_way;
  if (work.start(handle_.get(), piece, done) >= 0) return;
  --request.flight->under_way;
  throw Error(Code::io, place(work, piece.offset) + ": " + last_text());
}

// Each answer gives the others the whole time again.
void NbdConnection::settle(const StopSignal& stop, const Work& work, Flight& flight, std::size_t most) {
  while (flight.under_way > most) {
    const Wait wait{Clock::now() + target_.request_timeout, place(work, work.range.offset), Code::io};
    for (const std::size_t before = flight.under_way; flight.under_way == before;) step(stop, wait);
  }
}

void NbdConnection::step(const StopSignal& stop, const Wait& wait) {
  const unsigned direction = nbd_aio_get_direction(handle_.get());
  pollfd socket{.fd = nbd_aio_get_fd(handle_.get()), .events = poll_events(direction), .revents = 0};
  if (!stop.poll({&socket, 1}, wait.deadline)) throw Error(Code::timeout, wait.action + ": no answer in time");
  if (const auto why = notify(handle_.get(), direction, socket.revents))
    throw Error(wait.when_lost, wait.action + ": " + *why);
}

}  // namespace muster::disk
