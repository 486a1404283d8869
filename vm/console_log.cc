#include "vm/console_log.h"

#include <array>
#include <exception>
#include <future>

#include <unistd.h>

#include "virt/console.h"

namespace muster::vm {

ConsoleLog::ConsoleLog(const virt::Domain& domain) : input_(base::make_pipe()), output_(base::make_pipe()) {
  base::set_nonblocking(output_.read_end.get());
  std::promise<void> opened;
  auto listening = opened.get_future();
  thread_ = std::jthread([this, domain, opened = std::move(opened)]() mutable {
    bool told = false;
    try {
      virt::join_console(domain, virt::ConsoleUse::if_free,
                         {.in = input_.read_end.get(), .out = output_.write_end.get()}, [&] {
                           told = true;
                           opened.set_value();
                         });
    } catch (const std::exception&) {
      if (!told) opened.set_exception(std::current_exception());
    }
  });
  listening.get();
}

ConsoleLog::~ConsoleLog() {
  // The end of what it would be told, which is how it ends.
  input_.write_end.reset();
}

const std::string& ConsoleLog::text() {
  std::array<char, 4096> piece{};
  for (ssize_t n = 0; (n = ::read(output_.read_end.get(), piece.data(), piece.size())) > 0;)
    text_.append(piece.data(), static_cast<std::size_t>(n));
  if (text_.size() > kKeptBytes) text_.erase(0, text_.size() - kKeptBytes);
  return text_;
}

}  // namespace muster::vm
