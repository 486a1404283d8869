#include "base/error.h"

#include <cerrno>
#include <system_error>

namespace muster::base {

std::string errno_text(int err) { return std::generic_category().message(err); }

void throw_errno(const std::string& what, int err) {
  const Code code = err == ENOSPC || err == EDQUOT ? Code::no_space : err == ENOENT ? Code::not_found : Code::io;
  throw Error(code, what + ": " + errno_text(err));
}

void throw_errno(const std::string& what) { throw_errno(what, errno); }

}  // namespace muster::base
