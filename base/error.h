// The one error type of the project. Everything that goes wrong is thrown as an Error and caught in three places only:
// in main, at the border of one unit among many (a host, a disk, a VM), and at a thread's or C callback's border.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace muster::base {

// A closed set: cli/ maps each to one exit status (cli.md), so a new one needs a row there.
enum class Code {
  usage,        // wrong option, inventory or configuration; nothing was started
  not_found,    // the named thing does not exist
  unsupported,  // this machine, driver or library cannot do it
  refused,      // would lose data or trust; the text says what would allow it
  busy,         // locked by somebody else
  key,          // wrong or missing key or password
  corrupt,      // damaged data from outside
  no_space,     // disk or quota full
  unreachable,  // the peer cannot be reached
  timeout,      // a deadline passed
  cancelled,    // the caller asked to stop
  io,           // anything else the operating system reports
};

// `not_found`; for other processes of ours. What is no such name is Code::io.
const char* name_of(Code code);
Code code_named(std::string_view name);

class Error : public std::runtime_error {
 public:
  // `text` names object and action, lower case, no full stop.
  Error(Code code, const std::string& text) : std::runtime_error(text), code_(code) {}
  Code code() const noexcept { return code_; }

 private:
  Code code_;
};

// Throws Error{io} (Error{no_space} for ENOSPC and EDQUOT, Error{not_found} for ENOENT) with `what: strerror(err)`.
[[noreturn]] void throw_errno(const std::string& what, int err);
[[noreturn]] void throw_errno(const std::string& what);

// strerror, thread-safe.
std::string errno_text(int err);

}  // namespace muster::base
