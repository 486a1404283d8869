// One connection to an NBD server, over libnbd. One thread uses it at a time, and has many requests under way with it.
// A wait that is given up, for a deadline or a stop, ends the connection: its requests would still write into memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/context.h"
#include "disk/block_device.h"
#include "disk/stop_signal.h"

struct nbd_handle;

namespace muster::disk {

struct NbdTarget {
  std::string uri;
  std::string name;  // in errors about requests
  // A metadata context of QEMU's dirty bitmaps, `qemu:dirty-bitmap:NAME`, that is asked about; empty: none.
  std::string changes_context = {};
  std::chrono::milliseconds connect_timeout{};
  std::chrono::milliseconds request_timeout{};
};

// What the server said of itself.
struct NbdFacts {
  std::uint64_t size_bytes = 0;
  std::uint64_t block_bytes = 1;  // offsets and lengths of requests are multiples of it: a power of two
  std::uint64_t piece_bytes = 0;  // at most so much goes into one request that carries bytes
  bool multi_conn = false;
  bool read_only = false;
  bool can_flush = false;
  bool can_zero = false;
  bool tells_allocation = false;
  bool tells_changes = false;
};

// Of a metadata context: what reads as zeroes, or what did not change.
enum class NbdContext { allocation, changes };

struct NbdExtent {
  std::uint64_t length = 0;
  bool of_interest = false;  // may hold data; may have changed
};

class NbdConnection {
 public:
  // Throws Error{unreachable, timeout, cancelled}; Error{usage} where libnbd makes nothing of the URI. A name of a host
  // is looked up without a deadline: the resolver has its own.
  NbdConnection(const base::Context& ctx, const NbdTarget& target);
  NbdConnection(const NbdConnection&) = delete;
  NbdConnection& operator=(const NbdConnection&) = delete;
  ~NbdConnection();

  const NbdFacts& facts() const { return facts_; }
  // Nothing is under way and the server is there, as far as anybody knows.
  bool usable() const;

  // All of these throw Error{io} for what the server refuses, with the disk's name and the place, and for a lost
  // connection; Error{timeout} when request_timeout goes by without any answer; Error{cancelled}.
  void read(const base::Context& ctx, std::uint64_t offset, base::MutableBytes into);
  void write(const base::Context& ctx, std::uint64_t offset, base::ByteView bytes);
  void write_zeroes(const base::Context& ctx, ByteRange range);
  void flush(const base::Context& ctx);
  // Extents from the range's begin on, one after the other; servers may tell of less than was asked, or of more.
  std::vector<NbdExtent> extents(const base::Context& ctx, NbdContext context, ByteRange range);

 private:
  struct Close {
    void operator()(nbd_handle* handle) const noexcept;
  };
  struct Flight;
  struct Request;
  struct Work;
  struct Wait;
  struct GiveUp;

  void connect(const base::Context& ctx);
  void ask_for_facts();
  std::uint64_t piece_bytes(std::uint64_t length) const;
  std::string place(const Work& work, std::uint64_t offset) const;
  void perform(const base::Context& ctx, const Work& work);
  void issue(const Work& work, ByteRange piece, Request& request);
  void settle(const StopSignal& stop, const Work& work, Flight& flight, std::size_t most);
  void step(const StopSignal& stop, const Wait& wait);

  const NbdTarget target_;
  NbdFacts facts_;
  std::unique_ptr<nbd_handle, Close> handle_;
};

}  // namespace muster::disk
