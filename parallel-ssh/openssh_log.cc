#include "parallel-ssh/openssh_log.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <unistd.h>

namespace muster::ssh {
namespace {

constexpr std::size_t kMessageBytes = 4096;
constexpr std::size_t kLineBytes = 65536;

bool holds(const std::string& line, std::string_view part) { return line.find(part) != std::string::npos; }

}  // namespace

OpensshLog::OpensshLog() : pipe_(base::make_pipe()) { base::set_nonblocking(pipe_.read_end.get()); }

std::vector<std::string> OpensshLog::arguments() const {
  // By our own process id, because the client closes all inherited descriptors before it opens its log.
  const std::string path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(pipe_.write_end.get());
  return {"-E", path, "-o", "LogLevel=DEBUG1"};
}

void OpensshLog::read() {
  std::array<char, 8192> piece{};
  for (ssize_t n = 0; (n = ::read(pipe_.read_end.get(), piece.data(), piece.size())) > 0;)
    held_.append(piece.data(), static_cast<std::size_t>(n));
  for (std::size_t end = held_.find('\n'); end != std::string::npos; end = held_.find('\n')) {
    take_line(held_.substr(0, end));
    held_.erase(0, end + 1);
  }
  if (held_.size() > kLineBytes) held_.clear();
}

void OpensshLog::take_line(const std::string& line) {
  // Words of ssh's sources (sshconnect2.c, mux.c, clientloop.c), the same in all versions since 5.
  if (line.starts_with("Authenticated to ")) {
    connected_ = true;
  } else if (holds(line, "mux_client_request_session: master session id")) {
    connected_ = shared_ = true;
  } else if (holds(line, " rtype exit-status ")) {
    status_seen_ = true;
  } else if (holds(line, " rtype exit-signal ")) {
    signal_seen_ = true;
  }
  const bool own_error = !line.starts_with("debug") && !line.starts_with("Authenticated to ") &&
                         !line.starts_with("Transferred: ") && !line.starts_with("Bytes per second: ");
  if (!own_error || messages_.size() + line.size() > kMessageBytes) return;
  messages_ += line + "\n";
  std::erase(messages_, '\r');
}

}  // namespace muster::ssh
