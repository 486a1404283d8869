#include "parallel-ssh/session.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <libssh/libssh.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/socket_pair.h"
#include "parallel-ssh/agent_broker.h"
#include "parallel-ssh/private_key.h"

// Not in libssh's client headers, though exported for clients since 0.5.
extern "C" int ssh_send_keepalive(ssh_session session);

namespace muster::ssh {
namespace {

using base::Code;
using base::Error;

constexpr std::chrono::milliseconds kSlowBannerPause{20};

void set_option(ssh_session session, ssh_options_e option, const void* value, const char* what) {
  if (ssh_options_set(session, option, value) != SSH_OK)
    throw Error(Code::usage, std::string(what) + ": " + ssh_get_error(session));
}

void set_list(ssh_session session, ssh_options_e option, const std::string& list, const char* what) {
  if (!list.empty()) set_option(session, option, list.c_str(), what);
}

// What lies in the socket, without taking it: libssh must still see it.
struct Peeked {
  std::string bytes;
  bool closed = false;
};

Peeked peek(int fd) {
  std::array<char, 1024> buffer{};
  const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), MSG_PEEK | MSG_DONTWAIT);
  if (n > 0) return {std::string(buffer.data(), static_cast<std::size_t>(n)), false};
  const bool nothing_yet = n < 0 && (errno == EAGAIN || errno == EINTR);
  return {{}, !nothing_yet};
}

// nullopt: more must arrive. A server may send other lines before its identification (RFC 4253, section 4.2).
// The two refusals are the texts of OpenSSH's sshd.c (drop_connection), since 9.3 and 9.8.
std::optional<Session::Greeting> judge(const std::string& bytes) {
  std::size_t start = 0;
  while (start < bytes.size()) {
    const std::string_view line = std::string_view(bytes).substr(start);
    if (line.starts_with("SSH-")) return Session::Greeting::ssh;
    if (line.starts_with("Exceeded MaxStartups")) return Session::Greeting::too_many_startups;
    if (line.starts_with("Not allowed at this time")) return Session::Greeting::penalised;
    const std::size_t newline = bytes.find('\n', start);
    if (newline == std::string::npos) return std::nullopt;
    start = newline + 1;
  }
  return std::nullopt;
}

// The first line of something that is no SSH server, as far as it is plain text.
std::string first_words(std::string_view bytes) {
  constexpr std::size_t kMost = 80;
  const auto plain = [](char c) { return c >= ' ' && c <= '~'; };
  const auto end = std::find_if_not(bytes.begin(), bytes.begin() + std::min(bytes.size(), kMost), plain);
  return {bytes.begin(), end};
}

// A line to an agent, lent to a session: libssh would close it together with the session, after us.
class AgentLine {
 public:
  AgentLine(ssh_session session, base::UniqueFd line) : session_(session), line_(std::move(line)) {
    ssh_set_agent_socket(session_, line_.get());
  }
  AgentLine(const AgentLine&) = delete;
  AgentLine& operator=(const AgentLine&) = delete;
  ~AgentLine() { ssh_set_agent_socket(session_, -1); }

 private:
  ssh_session session_;
  base::UniqueFd line_;
};

std::string method_names(int methods) {
  std::string names;
  const auto add = [&](int method, const char* name) {
    if ((methods & method) != 0) names += (names.empty() ? "" : ",") + std::string(name);
  };
  add(SSH_AUTH_METHOD_PUBLICKEY, "publickey");
  add(SSH_AUTH_METHOD_PASSWORD, "password");
  add(SSH_AUTH_METHOD_INTERACTIVE, "keyboard-interactive");
  add(SSH_AUTH_METHOD_HOSTBASED, "hostbased");
  add(SSH_AUTH_METHOD_GSSAPI_MIC, "gssapi-with-mic");
  return names;
}

}  // namespace

Session::Session(base::UniqueFd socket, const SessionOptions& options)
    : socket_(std::move(socket)), session_(ssh_new()), user_(options.user) {
  if (session_ == nullptr) throw Error(Code::io, "out of memory for an ssh session");
  try {
    const int off = 0, log = SSH_LOG_NOLOG;
    const unsigned port = options.port;
    // libssh must neither read the user's files nor look up the user's home: known hosts, keys and configuration are
    // read once, by us, and several of its readers ignore what OpenSSH honours (@revoked, HostKeyAlias).
    set_option(session_, SSH_OPTIONS_PROCESS_CONFIG, &off, "configuration");
    set_option(session_, SSH_OPTIONS_LOG_VERBOSITY, &log, "log level");
    set_option(session_, SSH_OPTIONS_SSH_DIR, "/nonexistent", "directory");
    set_option(session_, SSH_OPTIONS_KNOWNHOSTS, "/dev/null", "known hosts");
    set_option(session_, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null", "known hosts");
    set_option(session_, SSH_OPTIONS_HOST, options.host.c_str(), "host name");
    set_option(session_, SSH_OPTIONS_PORT, &port, "port");
    set_option(session_, SSH_OPTIONS_USER, options.user.c_str(), "user name");
    set_list(session_, SSH_OPTIONS_KEY_EXCHANGE, options.key_exchange, "KexAlgorithms");
    set_list(session_, SSH_OPTIONS_CIPHERS_C_S, options.ciphers, "Ciphers");
    set_list(session_, SSH_OPTIONS_CIPHERS_S_C, options.ciphers, "Ciphers");
    set_list(session_, SSH_OPTIONS_HMAC_C_S, options.macs, "MACs");
    set_list(session_, SSH_OPTIONS_HMAC_S_C, options.macs, "MACs");
    set_list(session_, SSH_OPTIONS_HOSTKEYS, options.host_key_algorithms, "HostKeyAlgorithms");
    set_list(session_, SSH_OPTIONS_PUBLICKEY_ACCEPTED_TYPES, options.public_key_algorithms, "PubkeyAcceptedAlgorithms");
    set_option(session_, SSH_OPTIONS_COMPRESSION, options.compression ? "yes" : "no", "Compression");
    ssh_set_blocking(session_, 0);
  } catch (...) {
    ssh_free(session_);
    throw;
  }
}

Session::~Session() {
  if (connecting_) ssh_disconnect(session_);
  ssh_free(session_);
}

int Session::fd() const { return ssh_get_fd(session_); }

short Session::poll_events() const {
  const bool pending = (ssh_get_poll_flags(session_) & SSH_WRITE_PENDING) != 0;
  return static_cast<short>(pending ? POLLIN | POLLOUT : POLLIN);
}

std::string Session::error_text(std::string_view fallback) const {
  const char* text = ssh_get_error(session_);
  return text != nullptr && *text != '\0' ? text : std::string(fallback);
}

std::string Session::server_software() const {
  const char* banner = ssh_get_serverbanner(session_);
  return banner == nullptr ? "" : banner;
}

void Session::ask_for_life() { ssh_send_keepalive(session_); }

int Session::drive(const std::function<int()>& step, int again, const Patience& patience, const std::string& what) {
  for (;;) {
    const int rc = step();
    if (rc != again) return rc;
    const int descriptor = fd();
    if (descriptor < 0) throw Error(Code::unreachable, "connection lost " + what + ": " + error_text("closed by peer"));
    wait_for(descriptor, poll_events(), patience, what);
  }
}

// libssh takes a connection that the other end has closed already for a failure, whatever was said before it closed: a
// refusal would be lost, and with it the reason not to come back. So it says its identification to a pair of sockets,
// which we carry over, and finds the server's socket under the same number before it reads anything.
void Session::send_identification() {
  auto [libsshs, ours] = base::make_socket_pair(SOCK_NONBLOCK);
  const int number = libsshs.get();
  set_option(session_, SSH_OPTIONS_FD, &number, "socket");
  connecting_ = true;
  const bool begun = ssh_connect(session_) == SSH_AGAIN;
  const std::string trouble = error_text("says nothing");
  // libssh 0.10 closes a socket it was given at any error, but leaves it open when it disconnects in order; and that,
  // too, may end in an error, of which it does not tell. A number closed twice would close another host's connection.
  // So libssh forgets that the socket was given to it, and closes it itself, in every case.
  ssh_options_set(session_, SSH_OPTIONS_FD, nullptr);
  libsshs.release();
  std::array<char, 256> text{};  // RFC 4253, section 4.2: at most 255 bytes
  const ssize_t length = ::recv(ours.get(), text.data(), text.size(), MSG_DONTWAIT);
  if (!begun || length <= 0) throw Error(Code::io, "libssh: " + trouble);
  // A server that refused us may be gone already; what it said is still there. Nothing was sent before, so all fits.
  [[maybe_unused]] const auto sent =
      ::send(socket_.get(), text.data(), static_cast<std::size_t>(length), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (::dup3(socket_.get(), fd(), O_CLOEXEC) < 0) base::throw_errno("hand a socket over");
  socket_.reset();
}

Session::Greeting Session::greet(const Patience& patience) {
  send_identification();
  for (;;) {
    const short ready = wait_for(fd(), POLLIN | POLLRDHUP, patience, "waiting for the server's banner");
    const Peeked peeked = peek(fd());
    if (const auto greeting = judge(peeked.bytes)) return *greeting;
    if (peeked.closed) return Greeting::dropped;
    if ((ready & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
      throw Error(Code::unreachable, "no SSH server: it says \"" + first_words(peeked.bytes) + "\" and ends");
    if (peeked.bytes.size() > 512) return Greeting::ssh;  // no SSH server; libssh says so
    // Half a line is there and keeps poll awake: look again a little later.
    pause_until(base::Clock::now() + kSlowBannerPause, patience, "waiting for the server's banner");
  }
}

void Session::exchange_keys(const Patience& patience) {
  const int rc = drive([&] { return ssh_connect(session_); }, SSH_AGAIN, patience, "during key exchange");
  if (rc != SSH_OK) throw Error(Code::unreachable, "key exchange: " + error_text("closed by peer"));
}

ServerKey Session::server_key() const {
  ssh_key key = nullptr;
  if (ssh_get_server_publickey(session_, &key) != SSH_OK) throw Error(Code::unreachable, "server sent no host key");
  const PrivateKey owner(key);  // frees it
  ServerKey server{.type = {}, .blob = owner.public_blob()};
  // The blob begins with its type as an SSH string: four bytes of length, then the text.
  if (server.blob.size() < 4) throw Error(Code::unreachable, "server sent an unreadable host key");
  server.type = server.blob.substr(4, static_cast<unsigned char>(server.blob[3]));
  return server;
}

bool Session::try_key(const Credential& credential, AgentBroker* agent, const Patience& patience) {
  if (!credential.key) return agent != nullptr && try_agent_key(credential, *agent, patience);
  const int rc = drive([&] { return ssh_userauth_publickey(session_, nullptr, credential.key->handle()); },
                       SSH_AUTH_AGAIN, patience, "during login");
  if (rc == SSH_AUTH_ERROR) throw Error(Code::unreachable, "login: " + error_text("connection closed"));
  return rc == SSH_AUTH_SUCCESS;
}

bool Session::try_agent_key(const Credential& credential, AgentBroker& agent, const Patience& patience) {
  // libssh tries every key an agent offers, which runs into the server's MaxAuthTries; the broker offers just this one.
  const AgentLine line(session_, agent.open_line(credential.agent_key, patience));
  const int rc = drive([&] { return ssh_userauth_agent(session_, nullptr); }, SSH_AUTH_AGAIN, patience, "during login");
  if (rc == SSH_AUTH_ERROR && patience.cancel->raised()) throw Error(Code::cancelled, "interrupted during login");
  if (rc == SSH_AUTH_ERROR && base::Clock::now() >= patience.deadline)
    throw Error(Code::timeout, "timed out waiting for the agent to sign");
  if (rc == SSH_AUTH_ERROR && fd() < 0) throw Error(Code::unreachable, "login: " + error_text("connection closed"));
  return rc == SSH_AUTH_SUCCESS;
}

bool Session::try_password(const std::string& password, const Patience& patience) {
  int rc = drive([&] { return ssh_userauth_password(session_, nullptr, password.c_str()); }, SSH_AUTH_AGAIN, patience,
                 "during login");
  if (rc == SSH_AUTH_SUCCESS) return true;
  // Many servers ask the same question by keyboard-interactive only. A server may send further, empty, rounds.
  for (int round = 0; round < 4; ++round) {
    rc = drive([&] { return ssh_userauth_kbdint(session_, nullptr, nullptr); }, SSH_AUTH_AGAIN, patience,
               "during login");
    if (rc != SSH_AUTH_INFO) break;
    const int prompts = ssh_userauth_kbdint_getnprompts(session_);
    for (int i = 0; i < prompts; ++i)
      ssh_userauth_kbdint_setanswer(session_, static_cast<unsigned>(i), password.c_str());
  }
  if (rc == SSH_AUTH_ERROR) throw Error(Code::unreachable, "login: " + error_text("connection closed"));
  return rc == SSH_AUTH_SUCCESS;
}

void Session::authenticate(const Credentials& credentials, const Patience& patience) {
  std::vector<std::string> tried;
  for (const auto& credential : credentials.keys) {
    if (try_key(credential, credentials.agent, patience)) return;
    tried.push_back(credential.name);
  }
  if (credentials.password) {
    if (try_password(*credentials.password, patience)) return;
    tried.emplace_back("the password");
  }
  if (tried.empty() && drive([&] { return ssh_userauth_none(session_, nullptr); }, SSH_AUTH_AGAIN, patience,
                             "during login") == SSH_AUTH_SUCCESS)
    return;
  std::string text = "permission denied for user '" + user_ + "'";
  const std::string offered = method_names(ssh_userauth_list(session_, nullptr));
  if (!offered.empty()) text += " (server takes " + offered + ")";
  text += tried.empty() ? "; no usable key" : fmt::format("; tried {}", fmt::join(tried, "; "));
  if (!credentials.problems.empty()) text += fmt::format("; {}", fmt::join(credentials.problems, "; "));
  throw Error(Code::key, text);
}

}  // namespace muster::ssh
