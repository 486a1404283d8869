#include "base/error.h"

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace muster::base {
namespace {

constexpr std::array<std::pair<Code, const char*>, 12> kNames{{{Code::usage, "usage"},
                                                               {Code::not_found, "not_found"},
                                                               {Code::unsupported, "unsupported"},
                                                               {Code::refused, "refused"},
                                                               {Code::busy, "busy"},
                                                               {Code::key, "key"},
                                                               {Code::corrupt, "corrupt"},
                                                               {Code::no_space, "no_space"},
                                                               {Code::unreachable, "unreachable"},
                                                               {Code::timeout, "timeout"},
                                                               {Code::cancelled, "cancelled"},
                                                               {Code::io, "io"}}};

}  // namespace

const char* name_of(Code code) {
  for (const auto& [known, name] : kNames)
    if (known == code) return name;
  return "io";
}

Code code_named(std::string_view name) {
  for (const auto& [known, text] : kNames)
    if (name == text) return known;
  return Code::io;
}

std::string errno_text(int err) { return std::generic_category().message(err); }

void throw_errno(const std::string& what, int err) {
  const Code code = err == ENOSPC || err == EDQUOT ? Code::no_space : err == ENOENT ? Code::not_found : Code::io;
  throw Error(code, what + ": " + errno_text(err));
}

void throw_errno(const std::string& what) { throw_errno(what, errno); }

}  // namespace muster::base
