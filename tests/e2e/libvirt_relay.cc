#include "tests/e2e/libvirt_relay.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <utility>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"

namespace muster::e2e {
namespace {

constexpr int kTickMs = 20;
// Of a message: its length, program, version, procedure, type, serial, status; each 4 bytes, the highest first.
constexpr std::size_t kHeaderBytes = 28, kProgramAt = 4, kProcedureAt = 12, kTypeAt = 16;
constexpr std::uint32_t kRemoteProgram = 0x20008086, kCall = 0, kMostBytes = 64U << 20U;
// Procedures that change a domain, by their numbers in the protocol, which are for ever.
constexpr std::uint32_t kFreeze = 335, kBackupBegin = 421;
constexpr std::array<std::uint32_t, 20> kChanges = {
    160,  // attach device
    161,  // detach device
    164,  // end a job
    174,  // update device
    185,  // create snapshot
    197,  // memory parameters
    199,  // vCPUs
    204,  // memory
    219,  // scheduler parameters
    225,  // pin vCPU
    240,  // pull a block device's chain into it
    252,  // block I/O tune
    256,  // interface parameters
    264,  // metadata
    kFreeze,
    336,  // thaw file systems
    350,  // define
    411,  // make or register a checkpoint
    417,  // delete a checkpoint
    kBackupBegin,
};

// More that leave something behind: volumes, and whether a domain is there, and runs.
constexpr std::array<std::uint32_t, 12> kLifeAndStorage = {
    9,    // start
    12,   // pull the plug
    28,   // resume
    29,   // autostart
    93,   // create volume
    94,   // delete volume
    125,  // copy volume
    196,  // start, paused
    208,  // write into volume
    231,  // undefine
    234,  // pull the plug, gently
    260,  // resize volume
};

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

base::UniqueFd unix_socket() { return base::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

std::uint32_t number_at(const std::string& bytes, std::size_t at) {
  std::uint32_t number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return ntohl(number);
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// False at the end.
bool receive(int fd, std::string& into) {
  std::array<char, 65536> piece{};
  const ssize_t count = ::recv(fd, piece.data(), piece.size(), 0);
  if (count > 0) into.append(piece.data(), static_cast<std::size_t>(count));
  return count > 0;
}

}  // namespace

class LibvirtRelay::Connection {
 public:
  Connection(LibvirtRelay& relay, int number, base::UniqueFd client, base::UniqueFd daemon)
      : relay_(relay), number_(number), client_(std::move(client)), daemon_(std::move(daemon)) {}

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested() && pass_calls()) {
      std::array<pollfd, 2> fds{pollfd{client_.get(), POLLIN, 0}, pollfd{daemon_.get(), POLLIN, 0}};
      if (::poll(fds.data(), fds.size(), kTickMs) < 0) return;
      if (fds[0].revents != 0 && !receive(client_.get(), calls_)) return outlive_the_client(stop);
      std::string answers;
      if (fds[1].revents != 0 && (!receive(daemon_.get(), answers) || !send_all(client_.get(), answers))) return;
    }
  }

 private:
  // Whole messages, up to one that may not pass. False if the daemon is gone, or what came is no message.
  bool pass_calls() {
    while (calls_.size() >= kHeaderBytes) {
      const std::uint32_t size = number_at(calls_, 0);
      if (size < kHeaderBytes || size > kMostBytes) return false;
      if (calls_.size() < size) return true;
      const bool call = number_at(calls_, kProgramAt) == kRemoteProgram && number_at(calls_, kTypeAt) == kCall;
      if (call && !relay_.may_pass(number_, number_at(calls_, kProcedureAt))) return true;
      if (!send_all(daemon_.get(), std::string_view(calls_).substr(0, size))) return false;
      calls_.erase(0, size);
    }
    return true;
  }

  void outlive_the_client(const std::stop_token& stop) {
    if (calls_.empty() || !relay_.keeping_) return;
    while (!stop.stop_requested() && relay_.holds()) std::this_thread::sleep_for(std::chrono::milliseconds(kTickMs));
    if (!pass_calls()) return;
    // As long as it has something to do: it forgets a client that has gone.
    pollfd answer{daemon_.get(), POLLIN, 0};
    while (!stop.stop_requested() && ::poll(&answer, 1, kTickMs) == 0) continue;
  }

  LibvirtRelay& relay_;
  int number_;
  base::UniqueFd client_, daemon_;
  std::string calls_;
};

LibvirtRelay::LibvirtRelay(const std::string& path, std::string daemon)
    : path_(path), daemon_(std::move(daemon)), listener_(unix_socket()) {
  const auto address = address_of(path_);
  if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_.get(), 16) != 0)
    base::throw_errno("listen on " + path_);
  thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

LibvirtRelay::~LibvirtRelay() = default;

void LibvirtRelay::let_through(int changes) {
  const std::lock_guard lock(mutex_);
  limited_ = true;
  only_ = 0;
  left_ = changes;
  held_ = 0;
  holding_ = false;
}

void LibvirtRelay::hold_freeze() { hold_only(kFreeze); }
void LibvirtRelay::hold_backup_begin() { hold_only(kBackupBegin); }

void LibvirtRelay::hold_only(std::uint32_t procedure) {
  let_through(0);
  const std::lock_guard lock(mutex_);
  only_ = procedure;
}

void LibvirtRelay::release() {
  const std::lock_guard lock(mutex_);
  limited_ = false;
  holding_ = false;
}

bool LibvirtRelay::may_pass(int connection, std::uint32_t procedure) {
  const auto among = [&](const auto& all) { return std::find(all.begin(), all.end(), procedure) != all.end(); };
  if (!among(kChanges) && !(counts_all_ && among(kLifeAndStorage))) return true;
  const std::lock_guard lock(mutex_);
  if (!limited_ || (held_ != 0 && held_ != connection)) return true;
  if (only_ != 0 && procedure != only_) return true;
  if (left_ > 0) return left_-- > 0;
  held_ = connection;
  holding_ = true;
  return false;
}

void LibvirtRelay::serve(const std::stop_token& stop) {
  int number = 0;
  while (!stop.stop_requested()) {
    pollfd incoming{listener_.get(), POLLIN, 0};
    if (::poll(&incoming, 1, kTickMs) != 1) continue;
    base::UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    base::UniqueFd daemon = unix_socket();
    const auto address = address_of(daemon_);
    if (!client || ::connect(daemon.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) continue;
    connections_.emplace_back(
        [connection = std::make_shared<Connection>(*this, ++number, std::move(client), std::move(daemon))](
            const std::stop_token& end) { connection->run(end); });
  }
}

}  // namespace muster::e2e
