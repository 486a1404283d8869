// A disk of a restore point, served over NBD for as long as an object lives: nbdkit as a child, with muster's plugin.
// What opened the repository goes to it through a pipe. Made and ended by main's thread, with whose end nbdkit ends,
// too.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <sys/types.h>

#include "backup/repository.h"
#include "base/child_process.h"
#include "base/context.h"
#include "disk/image_server.h"

namespace muster::cli {

// Who may connect to a socket: whom libvirt gives its QEMU to.
struct SocketOwner {
  uid_t user = 0;
  gid_t group = 0;
};

struct ExportOptions {
  backup::ObjectId point;
  std::string disk;
  // A path that is not there yet; or a port of 127.0.0.1. Neither: a socket for this process and its children.
  std::string socket = {};
  std::optional<std::uint16_t> port = std::nullopt;
  enum class Writes { refused, forgotten } writes = Writes::refused;  // forgotten: kept until the end
  std::optional<SocketOwner> owner = std::nullopt;                    // of the socket; nullopt: who starts this
  std::chrono::milliseconds start_timeout{60'000};
};

class DiskExport {
 public:
  // Returns once it can be connected to. The socket has mode 0600. Throws Error{refused} where the path is there
  // already, or may not be given to its owner, Error{usage} for one that is too long, Error{key} where the repository
  // was opened by a key that does not read, Error{unsupported} naming what is not installed, Error{io} with what nbdkit
  // said, Error{timeout, cancelled}.
  DiskExport(const base::Context& ctx, const backup::Repository& repository, const ExportOptions& options);
  DiskExport(const DiskExport&) = delete;
  DiskExport& operator=(const DiskExport&) = delete;
  // Ends it, within a time; the socket goes.
  ~DiskExport() = default;

  const std::string& uri() const { return uri_; }
  std::uint64_t size_bytes() const { return size_bytes_; }
  bool ended() const;
  // Until a stop is requested. What nbdkit has to say meanwhile becomes warnings. Throws Error{io} where it ends
  // before.
  void wait(const base::Context& ctx);

 private:
  // What nbdkit writes on standard error, taken as it comes: a full pipe would stop it.
  class Log {
   public:
    Log(const base::Context& ctx, int fd)
        : events_(*ctx.events), thread_([this, fd](const std::stop_token& stop) { read(stop, fd); }) {}
    // From now on its lines are warnings.
    void tell();
    // What it said, once it has ended.
    std::string complaint();

   private:
    void read(const std::stop_token& stop, int fd);
    void take(char c);

    base::EventSink& events_;
    std::mutex mutex_;
    bool telling_ = false;
    std::string line_, all_;
    std::jthread thread_;
  };
  // Ended with this, cleanly where it can be: then it has removed its socket.
  struct Server {
    base::ChildProcess process;
    std::string socket = {};  // once that is its own
    ~Server();
  };

  void await_start(const base::Context& ctx, std::chrono::milliseconds patience);
  void let_in(const SocketOwner& owner) const;
  [[noreturn]] void throw_ended();

  const std::string socket_;          // empty: a port, or one of its own
  disk::PrivateDirectory directory_;  // beside the socket, which nbdkit makes there
  const std::string uri_;
  Server server_;
  Log log_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace muster::cli
