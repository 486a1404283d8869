// libguestfs' guestfish, kept running for many commands: it boots a small machine of its own on the disks, which takes
// seconds with KVM and half a minute without. Where KVM is there and does not work, it is done without. It ends with
// this object, and when this process is killed. At most a few at a time in a process, as each takes a gigabyte of
// memory. Not thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/child_process.h"
#include "base/context.h"
#include "disk/guest_root.h"
#include "disk/image_server.h"

namespace muster::disk {

// Its machine has to boot, perhaps without KVM and beside others.
inline constexpr std::chrono::minutes kFishPatience{5};

class FishSession {
 public:
  // Returns once its machine runs. `name` is what errors call the disks. Throws Error{unsupported} where guestfish is
  // not installed, Error{busy} where somebody uses a disk, Error{io} with what it said, Error{timeout, cancelled}.
  FishSession(const base::Context& ctx, std::vector<MachineDisk> disks, Access access, std::string name,
              const std::string& temporary_directory);
  FishSession(const FishSession&) = delete;
  FishSession& operator=(const FishSession&) = delete;
  ~FishSession();

  // Before that, for who wrote: unmounts all, and ends its machine. Throws Error{io} where not all of it is in the
  // images, Error{timeout} as where those have no room. Nothing can be asked after.
  void close(const base::Context& ctx);

  // One command and its words, which may hold anything. Output of more than kMostBytes is Error{corrupt}.
  static constexpr std::size_t kMostBytes = 16U << 20;
  struct Answer {
    std::string text;
    std::string complaint;  // empty: it succeeded
  };
  Answer ask(const base::Context& ctx, std::vector<std::string> words) const;
  // The same for one that has to succeed: throws Error{io} with what it said.
  std::string tell(const base::Context& ctx, std::vector<std::string> words) const;

  const std::string& name() const { return name_; }
  // For files, gone with this, also when this process is killed.
  const std::string& directory() const { return directory_.path(); }

 private:
  void launch(const base::Context& ctx, Access access, const char* settings);
  std::string complaint() const;
  int end();

  const std::vector<MachineDisk> disks_;  // with who serves them
  std::string name_;
  PrivateDirectory directory_;
  std::shared_ptr<void> turn_;
  std::unique_ptr<base::ChildProcess> program_;
  std::string number_;  // by which it is spoken to
};

}  // namespace muster::disk
