#include "virt/console.h"

#include <array>
#include <cerrno>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "virt/libvirt_error.h"

namespace muster::virt {
namespace {

constexpr std::size_t kMaxHeldBytes = 64U << 10;
constexpr std::size_t kPieceBytes = 4096;
// What virStreamRecv and virStreamSend return when they would have to wait.
constexpr int kWouldWait = -2;

struct FreeStream {
  void operator()(virStreamPtr stream) const { virStreamFree(stream); }
};
using Stream = std::unique_ptr<virStream, FreeStream>;

// Copies both ways as far as each side takes it. Its callbacks run in the thread of the event loop.
class Copier : public std::enable_shared_from_this<Copier> {
 public:
  Copier(Stream stream, const ConsoleEnds& ends) : stream_(std::move(stream)), ends_(ends) {}

  void run() {
    std::unique_lock lock(mutex_);
    if (virStreamEventAddCallback(stream_.get(), VIR_STREAM_EVENT_READABLE, on_stream, hold(), release) != 0)
      throw_last("listen to a console");
    in_ = virEventAddHandle(ends_.in, VIR_EVENT_HANDLE_READABLE, on_end, hold(), release);
    out_ = virEventAddHandle(ends_.out, 0, on_end, hold(), release);
    changed_.wait(lock, [&] { return over_; });
    lock.unlock();
    virEventRemoveHandle(in_);
    virEventRemoveHandle(out_);
    virStreamEventRemoveCallback(stream_.get());
    virStreamAbort(stream_.get());
  }

 private:
  // The event loop may still be in a callback when everything is over: it holds on to what it uses.
  void* hold() { return new std::shared_ptr<Copier>(shared_from_this()); }
  static void release(void* held) { delete static_cast<std::shared_ptr<Copier>*>(held); }
  static void on_stream(virStreamPtr, int, void* held) { (*static_cast<std::shared_ptr<Copier>*>(held))->turn(); }
  static void on_end(int, int, int, void* held) { (*static_cast<std::shared_ptr<Copier>*>(held))->turn(); }

  void turn() {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    if (!take_from_guest() || !give_to_guest() || !take_from_user() || !give_to_guest() || !give_to_user()) {
      over_ = true;
      changed_.notify_all();
      return;
    }
    virStreamEventUpdateCallback(stream_.get(), (to_user_.size() < kMaxHeldBytes ? VIR_STREAM_EVENT_READABLE : 0) |
                                                    (to_guest_.empty() ? 0 : VIR_STREAM_EVENT_WRITABLE));
    virEventUpdateHandle(in_, to_guest_.size() < kMaxHeldBytes ? VIR_EVENT_HANDLE_READABLE : 0);
    virEventUpdateHandle(out_, to_user_.empty() ? 0 : VIR_EVENT_HANDLE_WRITABLE);
  }

  // Each false once its side has ended.
  bool take_from_guest() {
    std::array<char, kPieceBytes> piece{};
    while (to_user_.size() < kMaxHeldBytes) {
      const int n = virStreamRecv(stream_.get(), piece.data(), piece.size());
      if (n == kWouldWait) return true;
      if (n <= 0) return give_to_user(), false;
      to_user_.append(piece.data(), static_cast<std::size_t>(n));
    }
    return true;
  }
  bool give_to_guest() {
    while (!to_guest_.empty()) {
      const int n = virStreamSend(stream_.get(), to_guest_.data(), std::min(to_guest_.size(), kPieceBytes));
      if (n == kWouldWait) return true;
      if (n < 0) return false;
      to_guest_.erase(0, static_cast<std::size_t>(n));
    }
    return true;
  }
  bool take_from_user() {
    std::array<char, kPieceBytes> piece{};
    while (to_guest_.size() < kMaxHeldBytes) {
      const ssize_t n = ::read(ends_.in, piece.data(), piece.size());
      if (n < 0) return errno == EAGAIN || errno == EINTR;
      if (n == 0) return false;
      to_guest_.append(piece.data(), static_cast<std::size_t>(n));
    }
    return true;
  }
  bool give_to_user() {
    while (!to_user_.empty()) {
      const ssize_t n = ::write(ends_.out, to_user_.data(), to_user_.size());
      if (n < 0) return errno == EAGAIN || errno == EINTR;
      to_user_.erase(0, static_cast<std::size_t>(n));
    }
    return true;
  }

  Stream stream_;
  ConsoleEnds ends_;
  int in_ = -1, out_ = -1;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string to_guest_, to_user_;
  bool over_ = false;
};

[[noreturn]] void throw_not_opened(const Domain& domain) {
  const std::string action = "open the console of '" + domain.name() + "'";
  try {
    throw_last(action);
  } catch (const base::Error& e) {
    if (std::string(e.what()).find("ctive console session exists") != std::string::npos)
      throw base::Error(base::Code::busy, action + ": somebody else is on it; --force takes it away from them");
    throw;
  }
}

}  // namespace

void join_console(const Domain& domain, ConsoleUse use, const ConsoleEnds& ends, const std::function<void()>& opened) {
  base::set_nonblocking(ends.in);
  base::set_nonblocking(ends.out);
  Stream stream(virStreamNew(virDomainGetConnect(domain.handle()), VIR_STREAM_NONBLOCK));
  if (!stream) throw_last("open a stream for a console");
  const unsigned flags = use == ConsoleUse::take_over ? VIR_DOMAIN_CONSOLE_FORCE : 0;
  if (virDomainOpenConsole(domain.handle(), nullptr, stream.get(), flags) != 0) throw_not_opened(domain);
  opened();
  std::make_shared<Copier>(std::move(stream), ends)->run();
}

}  // namespace muster::virt
