#include "vm/care.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <thread>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace muster::vm {
namespace {

constexpr int kStopPatienceMs = 15'000;  // a thaw that is under way ends first

struct Address {
  sockaddr_un name{};
  socklen_t length = 0;
};

// Abstract: gone with whoever has it.
Address address_of(Charge charge, const std::string& uuid) {
  const std::string word =
      (charge == Charge::guest ? "muster-guest-" : "muster-job-") + std::to_string(::geteuid()) + "-" + uuid;
  Address address;
  address.name.sun_family = AF_UNIX;
  const std::size_t length = std::min(word.size(), sizeof address.name.sun_path - 1);
  std::memcpy(address.name.sun_path + 1, word.data(), length);
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
  return address;
}

// One that never waits: anybody may have that name, and take nobody's calls.
base::UniqueFd new_socket() { return base::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

const sockaddr* generic(const Address& address) { return reinterpret_cast<const sockaddr*>(&address.name); }

// Nobody else's word counts.
bool is_our_user(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == ::geteuid() || peer.uid == 0);
}

}  // namespace

Care::Care(Charge charge, const std::string& uuid) {
  take_over(charge, uuid);
  const Address address = address_of(charge, uuid);
  base::UniqueFd fd = new_socket();
  if (fd && ::bind(fd.get(), generic(address), address.length) == 0 && ::listen(fd.get(), 4) == 0)
    listener_ = std::move(fd);
}

bool Care::taken_over_within(std::chrono::milliseconds wait) {
  pollfd p{.fd = listener_.get(), .events = POLLIN, .revents = 0};
  if (!listener_) std::this_thread::sleep_for(wait);
  if (!listener_ || ::poll(&p, 1, static_cast<int>(wait.count())) <= 0) return false;
  taker_ = base::UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  return taker_ && is_our_user(taker_.get());
}

void take_over(Charge charge, const std::string& uuid) {
  const Address address = address_of(charge, uuid);
  const base::UniqueFd fd = new_socket();
  if (!fd || ::connect(fd.get(), generic(address), address.length) != 0 || !is_our_user(fd.get())) return;
  // It hangs up when it has stopped.
  pollfd p{.fd = fd.get(), .events = POLLIN, .revents = 0};
  ::poll(&p, 1, kStopPatienceMs);
}

}  // namespace muster::vm
