#include "disk/nbd_connections.h"

#include "base/error.h"

namespace muster::disk {

using base::Code;
using base::Error;

NbdConnections::NbdConnections(const base::Context& ctx, NbdTarget target, unsigned wanted)
    : target_(std::move(target)) {
  add(ctx);
  facts_ = free_.front()->facts();
  try {
    while (facts_.multi_conn && free_.size() < wanted) add(ctx);
  } catch (const Error& e) {  // as of a server that takes fewer clients
    ctx.check_stop();
    ctx.warn(target_.name + ": no more than " + std::to_string(free_.size()) + " connections: " + e.what());
  }
  alive_ = free_.size();
}

void NbdConnections::add(const base::Context& ctx) {
  auto connection = std::make_unique<NbdConnection>(ctx, target_);
  if (!free_.empty() && connection->facts().size_bytes != facts_.size_bytes)
    throw Error(Code::io, "it changes its size meanwhile");
  free_.push_back(std::move(connection));
}

NbdConnections::Lease NbdConnections::take(const base::Context& ctx) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, ctx.stop, [&] { return !free_.empty() || alive_ == 0; });
  ctx.check_stop();
  if (free_.empty()) throw Error(Code::io, target_.name + ": the connection to its server was lost");
  auto connection = std::move(free_.back());
  free_.pop_back();
  return {*this, std::move(connection)};
}

void NbdConnections::put_back(std::unique_ptr<NbdConnection> connection) {
  const bool usable = connection->usable();
  if (!usable) connection.reset();
  {
    const std::lock_guard lock(mutex_);
    if (usable)
      free_.push_back(std::move(connection));
    else
      --alive_;
  }
  changed_.notify_all();
}

}  // namespace muster::disk
