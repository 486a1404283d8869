// OpenSSH's known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT), read once and asked for thousands of hosts. What
// is to be done about a key that is missing or differs is not decided here. Never changes once loaded: thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"

namespace muster::ssh {

struct KnownKey {
  std::string type;
  std::string blob;  // raw bytes of the public key
  std::string file;
  int line = 0;
};

// What the files say about one host, in their order.
struct HostKeys {
  std::vector<KnownKey> keys;
  std::vector<KnownKey> revoked;      // @revoked: must not be accepted, whatever else says so
  std::vector<KnownKey> authorities;  // @cert-authority: sign host certificates
};

class KnownHosts {
 public:
  // Missing files are skipped. Lines that are not understood are, too, with one warning a file. Blocks on the files.
  // Throws base::Error{usage} for a file above 64 MiB, Error{io} for one that cannot be read: it may hold revocations.
  static KnownHosts load(const base::Context& ctx, const std::vector<std::string>& files);
  // The same from a text; `name` stands for its file.
  static KnownHosts parse(const base::Context& ctx, std::string_view text, const std::string& name);

  KnownHosts(KnownHosts&&) noexcept;
  KnownHosts& operator=(KnownHosts&&) noexcept;
  ~KnownHosts();

  // Asks for `[name]:port`, or for the name alone where the port is 22, without case. A HostKeyAlias is asked for with
  // port 22, as OpenSSH does; and for other ports OpenSSH also takes a matching key of the plain name, which is another
  // lookup. Costs one HMAC for each hashed line, and a comparison for each line with wildcards.
  HostKeys lookup(const std::string& name, std::uint16_t port) const;

  // Lines understood.
  std::size_t size() const;

 private:
  struct Content;
  explicit KnownHosts(std::unique_ptr<const Content> content);
  std::unique_ptr<const Content> content_;
};

enum class NameForm { plain, hashed };

// One line to append, with its newline. Throws base::Error{usage} for a name that would not read back as itself.
std::string known_hosts_line(const std::string& name, std::uint16_t port, const std::string& type,
                             std::string_view blob, NameForm form = NameForm::plain);

}  // namespace muster::ssh
