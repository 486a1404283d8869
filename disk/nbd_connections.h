// The connections to one NBD server: several where it says that all see the same bytes, else one. Each call borrows
// one. Thread-safe. None is made anew: a server that came back may have lost what was written and not yet flushed.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/context.h"
#include "disk/nbd_connection.h"

namespace muster::disk {

class NbdConnections {
 public:
  // Throws what the first connection throws. If a further one does, there are fewer, and a warning.
  NbdConnections(const base::Context& ctx, NbdTarget target, unsigned wanted);

  const std::string& name() const { return target_.name; }
  const NbdFacts& facts() const { return facts_; }

  // A connection for as long as this lives.
  class Lease {
   public:
    Lease(NbdConnections& owner, std::unique_ptr<NbdConnection> lent) : owner_(owner), lent_(std::move(lent)) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() { owner_.put_back(std::move(lent_)); }
    NbdConnection* operator->() const { return lent_.get(); }

   private:
    NbdConnections& owner_;
    std::unique_ptr<NbdConnection> lent_;
  };

  // Waits for one that is free: those who have one give it back within its deadlines.
  // Throws Error{io} once all are lost, Error{cancelled}.
  Lease take(const base::Context& ctx);

 private:
  void add(const base::Context& ctx);
  void put_back(std::unique_ptr<NbdConnection> connection);

  const NbdTarget target_;
  NbdFacts facts_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<std::unique_ptr<NbdConnection>> free_;
  std::size_t alive_ = 0;
};

}  // namespace muster::disk
