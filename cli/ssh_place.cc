#include "cli/ssh_place.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/error.h"
#include "base/quantity.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

struct UriParts {
  std::string driver, transport;  // qemu, ssh
  std::string user, host, port, path;
  std::map<std::string, std::string> parameters;
};

[[noreturn]] void reject(const std::string& uri) { throw Error(Code::usage, uri + ": no URI of a hypervisor"); }

std::string decoded(const std::string& uri, std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    const auto digit = [&](std::size_t at) -> unsigned {
      const std::size_t value =
          at < text.size()
              ? std::string_view("0123456789abcdef")
                    .find(static_cast<char>(text[at] >= 'A' && text[at] <= 'F' ? text[at] - 'A' + 'a' : text[at]))
              : std::string_view::npos;
      if (value == std::string_view::npos) reject(uri);
      return static_cast<unsigned>(value);
    };
    plain += static_cast<char>(digit(i + 1) * 16 + digit(i + 2));
    i += 2;
  }
  return plain;
}

// What is before the first of `mark`, which goes; all of it where there is none.
std::string_view take_until(std::string_view& text, char mark) {
  const std::size_t at = std::min(text.find(mark), text.size());
  const std::string_view first = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return first;
}

void take_authority(const std::string& uri, std::string_view authority, UriParts& parts) {
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    parts.user = decoded(uri, authority.substr(0, at));
    authority.remove_prefix(at + 1);
  }
  const bool bracketed = authority.starts_with('[');
  if (bracketed) authority.remove_prefix(1);
  parts.host = decoded(uri, take_until(authority, bracketed ? ']' : ':'));
  if (bracketed && authority.starts_with(':')) authority.remove_prefix(1);
  parts.port = authority;
}

UriParts parse(const std::string& uri) {
  UriParts parts;
  const std::size_t scheme = uri.find("://");
  if (scheme == std::string::npos) reject(uri);
  std::string_view rest = uri;
  std::string_view kind = rest.substr(0, scheme);
  rest.remove_prefix(scheme + 3);
  parts.driver = take_until(kind, '+');
  parts.transport = kind;
  std::string_view where = take_until(rest, '?');
  take_authority(uri, where.substr(0, std::min(where.find('/'), where.size())), parts);
  if (const std::size_t slash = where.find('/'); slash != std::string_view::npos) parts.path = where.substr(slash);
  while (!rest.empty()) {
    std::string_view pair = take_until(rest, '&');
    const std::string name(take_until(pair, '='));
    parts.parameters[name] = decoded(uri, pair);
  }
  return parts;
}

std::string local_uri(const UriParts& parts) {
  const auto socket = parts.parameters.find("socket");
  if (socket == parts.parameters.end()) return parts.driver + "://" + parts.path;
  return parts.driver + "+unix://" + parts.path + "?socket=" + socket->second;
}

std::vector<std::string> client(const UriParts& parts, std::chrono::milliseconds connect_patience) {
  const auto parameter = [&](const char* name) {
    const auto found = parts.parameters.find(name);
    return found == parts.parameters.end() ? "" : found->second;
  };
  const std::string program = parameter("command");
  std::vector<std::string> argv{
      program.empty() ? "ssh" : program,
      "-T",
      "-oBatchMode=yes",
      "-oLogLevel=ERROR",
      "-oForwardAgent=no",
      "-oForwardX11=no",
      "-oServerAliveInterval=15",
      "-oServerAliveCountMax=3",
      fmt::format("-oConnectTimeout={}", std::max<std::int64_t>(1, connect_patience.count() / 1000))};
  if (!parts.port.empty()) argv.push_back("-p" + parts.port);
  if (const auto key = parameter("keyfile"); !key.empty()) argv.insert(argv.end(), {"-i", key});
  if (const auto known = parameter("known_hosts"); !known.empty()) argv.push_back("-oUserKnownHostsFile=" + known);
  if (const auto trusting = parameter("no_verify"); !trusting.empty() && trusting != "0")
    argv.emplace_back("-oStrictHostKeyChecking=no");
  argv.insert(argv.end(), {"--", parts.user.empty() ? parts.host : parts.user + "@" + parts.host});
  return argv;
}

}  // namespace

bool is_of_this_host(const std::string& uri) {
  const std::size_t host = uri.find("://");
  return host == std::string::npos || uri.compare(host, 4, ":///") == 0;
}

std::optional<SshPlace> ssh_place(const std::string& uri, std::chrono::milliseconds connect_patience) {
  if (is_of_this_host(uri)) return std::nullopt;
  const UriParts parts = parse(uri);
  if (parts.transport != "ssh" && parts.transport != "libssh" && parts.transport != "libssh2") return std::nullopt;
  if (!parts.port.empty()) base::parse_integer(parts.port, 1, 65535, "port");
  if (parts.host.empty() || parts.host.starts_with('-')) reject(uri);
  const auto trusting = parts.parameters.find("no_verify");
  return SshPlace{.host = parts.host,
                  .argv = client(parts, connect_patience),
                  .local_uri = local_uri(parts),
                  .trusts_any = trusting != parts.parameters.end() && trusting->second != "0"};
}

}  // namespace muster::cli
