// Stands between a client and libvirtd, and holds the client's calls back from a certain one on: whoever kills the
// client then has killed it between two calls, exactly. Reads libvirt's own protocol (rpc/virnetprotocol.x there), as
// far as to tell the calls that change a domain from the rest. Runs threads of its own; the public functions are
// thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace muster::e2e {

class LibvirtRelay {
 public:
  // Listens on `path`, in front of the daemon's socket. Lets everything through. Throws base::Error{io}.
  LibvirtRelay(const std::string& path, std::string daemon);
  LibvirtRelay(const LibvirtRelay&) = delete;
  LibvirtRelay& operator=(const LibvirtRelay&) = delete;
  ~LibvirtRelay();

  std::string uri() const { return "qemu+unix:///system?socket=" + path_; }
  // From now on: so many calls that change something pass, and the connection that makes the next is held; others go
  // on.
  void let_through(int changes);
  // Volumes, starts and ends are changes, too.
  void count_all() { counts_all_ = true; }
  // The next freeze of file systems, or begin of a backup job, instead.
  void hold_freeze();
  void hold_backup_begin();
  bool holds() const { return holding_; }
  // What is held outlives its client and reaches the daemon once it is released; else it ends with its client.
  void keep_what_is_held() { keeping_ = true; }
  // What is held passes, and all that comes.
  void release();

 private:
  class Connection;
  void serve(const std::stop_token& stop);
  void hold_only(std::uint32_t procedure);
  // Whether a call of that connection, with that procedure number, may pass now.
  bool may_pass(int connection, std::uint32_t procedure);

  std::string path_, daemon_;
  base::UniqueFd listener_;
  std::mutex mutex_;
  bool limited_ = false;    // these under mutex_
  std::uint32_t only_ = 0;  // the one procedure that is held; 0: each
  int left_ = 0;
  int held_ = 0;  // the connection; 0: none
  std::atomic<bool> holding_ = false, keeping_ = false, counts_all_ = false;
  std::vector<std::jthread> connections_;  // serve()'s
  std::jthread thread_;                    // last: ends before what it uses
};

}  // namespace muster::e2e
