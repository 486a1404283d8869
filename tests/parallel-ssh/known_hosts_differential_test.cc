// Holds the index over known_hosts against `ssh-keygen -F`, plain and after `ssh-keygen -H`, and fingerprints against
// `ssh-keygen -l`, with real keys and generated files.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child_process.h"
#include "base/error.h"
#include "parallel-ssh/host_key.h"
#include "parallel-ssh/known_hosts.h"

namespace muster::ssh {
namespace {

using Strings = std::vector<std::string>;
using Random = std::mt19937;

std::string run(const Strings& argv) {
  base::ChildProcess child(argv);
  child.standard_input().reset();
  std::string text;
  char piece[65536];
  for (;;) {
    pollfd p{.fd = child.standard_output().get(), .events = POLLIN, .revents = 0};
    if (::poll(&p, 1, 30'000) <= 0) return "no answer in time";
    const ssize_t n = ::read(p.fd, piece, sizeof piece);
    if (n <= 0) break;
    text.append(piece, static_cast<std::size_t>(n));
  }
  child.wait(std::chrono::seconds(30));
  return text;
}

std::string read_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

class KeygenPeer : public testing::Test {
 protected:
  void SetUp() override {
    try {
      run({"ssh-keygen", "-?"});
    } catch (const base::Error&) {
      GTEST_SKIP() << "ssh-keygen is not installed";
    }
    char pattern[] = "/tmp/muster-keygen-peer-XXXXXX";
    folder_ = ::mkdtemp(pattern);
    for (const std::string type : {"ed25519", "ecdsa", "rsa", "ed25519", "ed25519"}) {
      const std::string path = folder_ + "/key" + std::to_string(keys_.size());
      run({"ssh-keygen", "-q", "-t", type, "-N", "", "-C", "", "-f", path});
      keys_.push_back(read_line(path + ".pub"));
    }
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  // `line marker fingerprint` for each entry that ssh-keygen finds.
  static Strings ask_keygen(const std::string& file, const std::string& host) {
    std::istringstream out(run({"ssh-keygen", "-l", "-F", host, "-f", file}));
    Strings found;
    std::string place;
    for (std::string line; std::getline(out, line);) {
      if (const auto at = line.find(" found: line "); at != std::string::npos) {
        place = line.substr(at + 13);
        if (place.ends_with(' ')) place += "-";
      } else if (const auto print = line.find("SHA256:"); print != std::string::npos) {
        found.push_back(place + " " + line.substr(print, line.find(' ', print) - print));
      }
    }
    return found;
  }

  static Strings ask_ours(const KnownHosts& hosts, const std::string& name, std::uint16_t port) {
    const auto found = hosts.lookup(name, port);
    std::vector<std::pair<int, std::string>> sorted;
    const auto add = [&](const std::vector<KnownKey>& keys, const char* marker) {
      for (const auto& key : keys)
        sorted.emplace_back(key.line, std::to_string(key.line) + " " + marker + " " + fingerprint(key.blob));
    };
    add(found.keys, "-");
    add(found.revoked, "REVOKED");
    add(found.authorities, "CA");
    std::sort(sorted.begin(), sorted.end());
    Strings texts;
    for (auto& [line, text] : sorted) texts.push_back(text);
    return texts;
  }

  void compare(const std::string& file, const Strings& asked) const {
    const auto hosts = KnownHosts::load({}, {file});
    for (const auto& name : asked) {
      EXPECT_EQ(ask_ours(hosts, name, 22), ask_keygen(file, name)) << name;
      EXPECT_EQ(ask_ours(hosts, name, 2222), ask_keygen(file, "[" + name + "]:2222")) << name;
    }
  }

  std::string folder_;
  Strings keys_;
};

const std::string& pick(Random& random, const Strings& from) { return from[random() % from.size()]; }

std::string random_file(Random& random, const Strings& keys, const Strings& names) {
  std::string text;
  for (std::size_t lines = 1 + random() % 12; lines > 0; --lines) {
    if (random() % 5 == 0) text += pick(random, {"@revoked ", "@cert-authority "});
    text += pick(random, names);
    for (std::size_t more = random() % 3; more > 0; --more) text += "," + pick(random, names);
    text += " " + pick(random, keys) + (random() % 4 == 0 ? " a comment\n" : "\n");
    if (random() % 10 == 0) text += pick(random, {"# note\n", "\n", " \t\n"});
  }
  return text;
}

TEST_F(KeygenPeer, FindsTheLinesThatKeygenFinds) {
  const Strings names = {"web1", "Web2",  "db.lan", "10.0.0.1", "[web1]:2222", "[10.0.0.1]:2222", "w*",
                         "*",    "!web1", "*.lan",  "10.0.0.?", "[*]:2222",    "!*.lan"};
  Random random(20261123);
  const std::string file = folder_ + "/known_hosts";
  for (int i = 0; i < 60 && !HasFailure(); ++i) {
    std::ofstream(file) << random_file(random, keys_, names);
    compare(file, {"web1", "WEB2", "db.lan", "10.0.0.1", "nobody"});
    if (HasFailure()) ADD_FAILURE() << run({"cat", file});
  }
}

TEST_F(KeygenPeer, FindsTheLinesThatKeygenHashed) {
  const Strings names = {"web1", "web2", "db.lan", "10.0.0.1", "[web1]:2222", "[10.0.0.1]:2222"};
  Random random(5);
  const std::string file = folder_ + "/hashed";
  for (int i = 0; i < 25 && !HasFailure(); ++i) {
    std::ofstream(file) << "web1 " << keys_[0] << "\n" << random_file(random, keys_, names);
    run({"ssh-keygen", "-q", "-H", "-f", file});
    ASSERT_NE(run({"cat", file}).find("|1|"), std::string::npos);
    // ssh-keygen does not lower a name before it hashes it; ssh never comes here with another than a lowered one.
    compare(file, {"web1", "web2", "db.lan", "10.0.0.1", "nobody"});
  }
}

TEST_F(KeygenPeer, FindsTheLinesThatWeWrite) {
  const std::string file = folder_ + "/ours";
  std::ofstream out(file);
  const auto key = parse_host_key(keys_[0]);
  for (const auto form : {NameForm::plain, NameForm::hashed})
    for (const auto port : {std::uint16_t{22}, std::uint16_t{2222}})
      out << known_hosts_line("WEB1", port, key.type, key.blob, form);
  out.close();
  EXPECT_EQ(ask_keygen(file, "web1"), (Strings{"1 - " + key.fingerprint, "3 - " + key.fingerprint}));
  EXPECT_EQ(ask_keygen(file, "[web1]:2222"), (Strings{"2 - " + key.fingerprint, "4 - " + key.fingerprint}));
}

TEST_F(KeygenPeer, PrintsTheSameFingerprints) {
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    const auto theirs = run({"ssh-keygen", "-l", "-f", folder_ + "/key" + std::to_string(i) + ".pub"});
    EXPECT_NE(theirs.find(" " + parse_host_key(keys_[i]).fingerprint + " "), std::string::npos) << theirs;
  }
}

}  // namespace
}  // namespace muster::ssh
