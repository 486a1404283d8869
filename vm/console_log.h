// What a running domain says on its serial console, kept as text up to a limit, for as long as the object lives. What
// it says is a guest's word, and may be anything. One thread's; another of its own listens.
#pragma once

#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "virt/domain.h"

namespace muster::vm {

class ConsoleLog {
 public:
  // Of the last so many bytes.
  static constexpr std::size_t kKeptBytes = 256U << 10;

  // Blocks until it listens: what the domain says after that is heard. Throws base::Error{unsupported} for a domain
  // without a console, {busy}.
  explicit ConsoleLog(const virt::Domain& domain);
  ConsoleLog(const ConsoleLog&) = delete;
  ConsoleLog& operator=(const ConsoleLog&) = delete;
  ~ConsoleLog();

  // With what came since the last call.
  const std::string& text();

 private:
  base::Pipe input_, output_;
  std::string text_;
  std::jthread thread_;
};

}  // namespace muster::vm
