// muster backup serve, ls and cat: what NBD clients see is what was backed up, nothing they write gets there, and
// nothing is left when the server ends, however that comes about.
#include <algorithm>
#include <filesystem>
#include <sstream>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/backup_fixture.h"
#include "tests/e2e/loopback.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

bool installed(const std::string& name) { return run({.argv = {"sh", "-c", "command -v " + name}}).code == 0; }

#define MUSTER_NEEDS(name) \
  if (!installed(name)) GTEST_SKIP() << (name) << " is not installed"

// A client that has read something, and stays connected.
class ConnectedClient {
 public:
  explicit ConnectedClient(const std::string& uri)
      : process_({.argv = {"stdbuf", "-oL", "qemu-io", "-r", "-f", "raw", uri, "-c", "read 0 4k", "-c", "sleep 60000"},
                  .deadline = 100s}) {
    EXPECT_TRUE(process_.wait_for("read 4096")) << process_.err();
  }
  ConnectedClient(const ConnectedClient&) = delete;
  ConnectedClient& operator=(const ConnectedClient&) = delete;
  ~ConnectedClient() {
    process_.signal(SIGKILL);
    process_.finish();
  }

 private:
  MusterProcess process_;
};

class BackupServe : public BackupTest {
 protected:
  BackupServe() { make_repository(); }

  // 40 MiB and a bit, most of it holes, as restore point `web01@latest`.
  void back_up_image() {
    make_image("disk.raw", 3U << 20U);
    fs::resize_file(image(), (40U << 20U) + 512);
    overwrite(image(), 30U << 20U, 1U << 20U, 7);
    expect(0, {"create", "-q", "--name", "web01", "--image", image()});
  }
  std::string image() const { return file("disk.raw"); }
  std::string socket() const { return file("export.socket"); }

  // `muster backup serve web01@latest WORD...`, once it can be connected to.
  MusterProcess& serve(const Words& words) {
    Words all{"serve", "web01@latest"};
    all.insert(all.end(), words.begin(), words.end());
    server_.emplace(backup_command(all));
    EXPECT_TRUE(server_->wait_for("nbd")) << server_->err();
    return *server_;
  }
  MusterProcess& serve() { return serve({"--socket", socket()}); }
  std::string uri() const { return "nbd+unix:///?socket=" + socket(); }
  // As it says it ends.
  void end() {
    server_->signal(SIGTERM);
    const auto ended = server_->finish();
    EXPECT_EQ(ended.code, 0) << told(ended);
    expect_nothing_left();
  }
  void expect_nothing_left() {
    EXPECT_TRUE(wait_until([&] { return !fs::exists(socket()); })) << "the socket was left";
    const std::string leases = repository() + "/leases";
    EXPECT_TRUE(wait_until([&] { return !fs::exists(leases) || fs::is_empty(leases); })) << "a lease was left";
    EXPECT_TRUE(wait_until([&] { return own_directories() == 0; })) << "a directory was left";
  }

  std::ptrdiff_t own_directories() const {
    return std::count_if(fs::directory_iterator(file("")), {}, [](const fs::directory_entry& entry) {
      return entry.path().filename().string().starts_with("muster-");
    });
  }

  // A client's command, with the URI as its last word but where `{}` stands.
  Finished client(Words argv) const {
    for (auto& word : argv)
      if (word == "{}") word = uri();
    return run({.argv = argv, .environment = {"HOME=" + home(), "TMPDIR=" + file("tmp")}});
  }
  void expect_same_as_image() const {
    const auto compared = client({"qemu-img", "compare", "-f", "raw", "-F", "raw", image(), "{}"});
    EXPECT_EQ(compared.code, 0) << told(compared);
  }
  Finished qemu_io(const Words& commands, bool writable) const {
    Words argv{"qemu-io", "-f", "raw"};
    if (!writable) argv.emplace_back("-r");
    for (const auto& command : commands) argv.insert(argv.end(), {"-c", command});
    argv.emplace_back("{}");
    return client(argv);
  }
  // The server's own process.
  pid_t nbdkit() const {
    for (const pid_t pid : process_tree(server_->pid()))
      if (process_name(pid) == "nbdkit") return pid;
    ADD_FAILURE() << "no nbdkit";
    return -1;
  }

  std::optional<MusterProcess> server_;
};

TEST_F(BackupServe, ClientsSeeTheDiskAsItWas) {
  MUSTER_NEEDS("nbdkit");
  back_up_image();
  serve();
  EXPECT_EQ(server_->out(), uri() + "\n");
  struct stat facts {};
  ASSERT_EQ(::stat(socket().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777U, 0600U);
  expect_same_as_image();
  const auto info = client({"nbdinfo", "{}"});
  EXPECT_TRUE(contains(info.out, "export-size: 41943552")) << told(info);
  EXPECT_TRUE(contains(info.out, "is_read_only: true")) << told(info);
  EXPECT_TRUE(contains(info.out, "can_multi_conn: true")) << told(info);
  EXPECT_EQ(client({"nbdcopy", "{}", file("copy.raw")}).code, 0);
  EXPECT_TRUE(same(image(), file("copy.raw")));
  EXPECT_LE(allocated_bytes(file("copy.raw")), 5U << 20U) << "holes did not stay holes";
  EXPECT_NE(qemu_io({"write 0 512"}, true).code, 0);
  end();
}

TEST_F(BackupServe, HolesAreToldOfByTheMap) {
  MUSTER_NEEDS("nbdkit");
  back_up_image();
  serve();
  const auto map = nlohmann::json::parse(client({"nbdinfo", "--map", "--json", "{}"}).out);
  std::vector<std::pair<std::uint64_t, bool>> extents;
  for (const auto& extent : map) extents.emplace_back(extent.at("offset"), extent.at("type") == 3);
  const decltype(extents) expected{{0, false}, {3U << 20U, true}, {30U << 20U, false}, {31U << 20U, true}};
  EXPECT_EQ(extents, expected);
  end();
}

TEST_F(BackupServe, JsonNamesUriAndSize) {
  MUSTER_NEEDS("nbdkit");
  back_up_image();
  serve({"--socket", socket(), "--json"});
  server_->signal(SIGINT);
  const auto lines = json_lines(server_->finish().out);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(missing_fields(lines[0], {"uri", "disk", "size_bytes"}), "");
  EXPECT_EQ(lines[0].value("uri", ""), uri());
  EXPECT_EQ(lines[0].value("size_bytes", 0U), (40U << 20U) + 512);
  EXPECT_EQ(summary_of(lines).value("exit", -1), 0);
  expect_nothing_left();
}

TEST_F(BackupServe, APlanServesNothing) {
  back_up_image();
  const auto planned =
      json_lines(expect(0, {"serve", "web01@latest", "--socket", socket(), "--dry-run", "--json"}).out);
  EXPECT_EQ(planned.at(0).value("plan", ""), "serve");
  EXPECT_FALSE(fs::exists(socket()));
}

TEST_F(BackupServe, AnOverlayTakesWritesAndForgetsThem) {
  MUSTER_NEEDS("nbdkit");
  back_up_image();
  serve({"--socket", socket(), "--overlay"});
  const auto written = qemu_io({"write -P 0x5a 1M 64k", "write -P 0x5b 20M 64k", "read -P 0x5a 1M 64k"}, true);
  EXPECT_EQ(written.code, 0) << told(written);
  const auto again = qemu_io({"read -P 0x5b 20M 64k"}, false);
  EXPECT_FALSE(contains(again.out, "erification failed")) << told(again);
  EXPECT_EQ(client({"qemu-img", "compare", "-f", "raw", "-F", "raw", image(), "{}"}).code, 1);
  end();
  serve();
  expect_same_as_image();
  end();
  expect(0, {"check", "--read-data"});
}

TEST_F(BackupServe, APortIsOneOfThisMachineAlone) {
  MUSTER_NEEDS("nbdkit");
  back_up_image();
  const std::string port = std::to_string(free_port("127.0.0.1"));
  serve({"--port", port});
  EXPECT_EQ(server_->out(), "nbd://127.0.0.1:" + port + "\n");
  const auto compared = client({"qemu-img", "compare", "-f", "raw", "-F", "raw", image(), "nbd://127.0.0.1:" + port});
  EXPECT_EQ(compared.code, 0) << told(compared);
  EXPECT_FALSE(connect_to({.address = fresh_address(), .port = static_cast<std::uint16_t>(std::stoi(port))}));
  const auto taken = backup({"serve", "web01@latest", "--port", port});
  EXPECT_EQ(taken.code, 1) << told(taken);
  EXPECT_TRUE(contains(taken.err, "in use")) << told(taken);
  end();
}

TEST_F(BackupServe, APathThatIsThereIsLeftAlone) {
  MUSTER_NEEDS("nbdkit");
  back_up_image();
  write(socket(), "mine");
  expect(5, {"serve", "web01@latest", "--socket", socket()});
  EXPECT_EQ(read(socket()), "mine");
  fs::remove(socket());
  serve();
  const auto second = expect(5, {"serve", "web01@latest", "--socket", socket()});
  EXPECT_TRUE(contains(second.err, "is there already")) << told(second);
  expect_same_as_image();
  end();
}

TEST_F(BackupServe, WrongUsageStartsNothing) {
  back_up_image();
  const std::string deep = file(std::string(120, 'd'));
  fs::create_directory(deep);
  for (const Words& words : std::vector<Words>{{"serve", "web01@latest"},
                                               {"serve", "web01@latest", "--socket", socket(), "--port", "1000"},
                                               {"serve", "web01@latest", "--port", "0"},
                                               {"serve", "web01@latest", "--port", "65536"},
                                               {"serve", "web01@latest", "--socket", ""},
                                               {"serve", "web01@latest", "--socket", deep + "/s"},
                                               {"serve", "--socket", socket()},
                                               {"serve", "web02@latest", "--socket", socket()},
                                               {"serve", "web01@latest:2", "--socket", socket()},
                                               {"serve", "web01@latest:1:/etc", "--socket", socket()},
                                               {"ls", "web01@latest"},
                                               {"ls", "web01@latest:2:/"},
                                               {"cat", "web01@latest:1"},
                                               {"cat", "web01@latest:1:/x", "--json"}}) {
    const auto done = backup(words);
    EXPECT_EQ(done.code, 2) << told(done);
  }
}

TEST_F(BackupServe, WithoutNbdkitItsPackageIsNamed) {
  back_up_image();
  fs::create_directory(file("bin"));
  fs::create_symlink("/bin/sh", file("bin/sh"));
  Launch launch = backup_command({"serve", "web01@latest", "--socket", socket()});
  launch.environment.push_back("PATH=" + file("bin"));
  const auto missing = run(launch);
  EXPECT_EQ(missing.code, 4) << told(missing);
  EXPECT_TRUE(contains(missing.err, "nbdkit is not installed: install nbdkit")) << told(missing);
}

TEST_F(BackupServe, AServerThatDiesEndsItWithAWord) {
  MUSTER_NEEDS("nbdkit");
  back_up_image();
  serve();
  ::kill(nbdkit(), SIGKILL);
  const auto ended = server_->finish();
  EXPECT_EQ(ended.code, 1) << told(ended);
  EXPECT_TRUE(contains(ended.err, "nbdkit ended")) << told(ended);
  EXPECT_FALSE(fs::exists(socket()));
}

TEST_F(BackupServe, KilledItLeavesNothingEvenWithAClientConnected) {
  MUSTER_NEEDS("nbdkit");
  back_up_image();
  serve();
  const ConnectedClient connected(uri());
  server_->signal(SIGKILL);
  server_->finish();
  expect_nothing_left();
}

TEST_F(BackupServe, AClientThatStaysDoesNotKeepItFromEnding) {
  MUSTER_NEEDS("nbdkit");
  back_up_image();
  serve();
  const ConnectedClient connected(uri());
  end();
}

TEST_F(BackupServe, SecretsAreSeenByNobody) {
  MUSTER_NEEDS("nbdkit");
  back_up_image();
  serve();
  const std::string key = read(usual_key_file());
  for (const std::string& where : {process_file(nbdkit(), "cmdline"), process_file(nbdkit(), "environ")}) {
    EXPECT_FALSE(where.empty());
    std::istringstream words(key);
    for (std::string word; words >> word;) EXPECT_FALSE(word.size() >= 40 && contains(where, word));
    EXPECT_FALSE(contains(where, ".key"));
  }
  end();
}

TEST_F(BackupServe, APassphraseOpensItToo) {
  MUSTER_NEEDS("nbdkit");
  make_image("disk.raw", 1U << 20U);
  add_environment("MUSTER_REPOSITORY=" + file("other"));
  expect(0, {"init", "-q", "--passphrase=0", file("other")}, "correct horse\n");
  expect(0, {"create", "-q", "--passphrase=0", "--name", "web01", "--image", image()}, "correct horse\n");
  Launch launch = backup_command({"serve", "web01@latest", "--passphrase=0", "--socket", socket()});
  launch.input = "correct horse\n";
  server_.emplace(launch);
  ASSERT_TRUE(server_->wait_for("nbd")) << server_->err();
  expect_same_as_image();
  EXPECT_FALSE(contains(process_file(nbdkit(), "cmdline"), "horse"));
  server_->signal(SIGTERM);
  EXPECT_EQ(server_->finish().code, 0);
}

TEST_F(BackupServe, DamageIsAnErrorToTheClientAndAWordHere) {
  MUSTER_NEEDS("nbdkit");
  back_up_image();
  std::string largest;
  for (const auto& entry : fs::recursive_directory_iterator(repository() + "/packs"))
    if (entry.is_regular_file() && (largest.empty() || entry.file_size() > fs::file_size(largest)))
      largest = entry.path();
  overwrite(largest, fs::file_size(largest) / 2, 16, 3);
  serve();
  const auto copied = client({"nbdcopy", "{}", "null:"});
  EXPECT_NE(copied.code, 0) << told(copied);
  EXPECT_TRUE(server_->wait_for_error("chunk ")) << server_->err();
  EXPECT_EQ(qemu_io({"read 39M 4k"}, false).code, 0);
  end();
}

TEST_F(BackupServe, AReaderKeepsAPruneAway) {
  MUSTER_NEEDS("nbdkit");
  back_up_image();
  serve();
  overwrite(image(), 0, 1U << 20U, 9);
  next_second();
  expect(0, {"create", "-q", "--name", "web01", "--image", image()});
  overwrite(image(), 0, 1U << 20U, 1);
  fs::copy_file(image(), file("now.raw"));
  expect(0, {"forget", "web01", "--keep-last", "1", "--prune", "-q"});
  expect(0, {"prune", "-q"});
  EXPECT_EQ(client({"nbdcopy", "{}", file("copy.raw")}).code, 0);
  end();
}

// --- single files

class BackupFiles : public BackupServe {
 protected:
  // An ext4 disk of a few files, as restore point `web01@latest`.
  void back_up_guest() {
    fs::create_directories(file("tree/etc"));
    fs::create_directories(file("tree/a b"));
    write(file("tree/etc/hostname"), "web01\n", 0640);
    write(file("tree/a b/c\nd"), noise(3U << 20U, 5), 0644);
    fs::create_symlink("/etc/hostname", file("tree/name"));
    const auto made = run({.argv = {"mke2fs", "-q", "-F", "-t", "ext4", "-d", file("tree"), file("guest.raw"), "32M"}});
    ASSERT_EQ(made.code, 0) << told(made);
    expect(0, {"create", "-q", "--name", "web01", "--image", file("guest.raw")});
  }
};

#define MUSTER_NEEDS_GUEST_FILES()     \
  MUSTER_NEEDS("nbdkit");              \
  MUSTER_NEEDS("qemu-storage-daemon"); \
  MUSTER_NEEDS("mke2fs");              \
  if (!fs::exists("/dev/fuse")) GTEST_SKIP() << "there is no /dev/fuse"

TEST_F(BackupFiles, AreListedAndRead) {
  MUSTER_NEEDS_GUEST_FILES();
  back_up_guest();
  EXPECT_EQ(expect(0, {"ls", "web01@latest:1:/"}).out, "a b\netc\nlost+found\nname\n");
  EXPECT_EQ(expect(0, {"ls", "web01@latest:1:/a b"}).out, "c^Jd\n");
  const auto table = expect(0, {"ls", "--long", "web01@latest:1:/etc"});
  EXPECT_TRUE(contains(table.out, "-rw-r-----")) << told(table);
  EXPECT_TRUE(contains(expect(0, {"ls", "--long", "web01@latest:1:/"}).out, "name -> /etc/hostname"));
  EXPECT_EQ(expect(0, {"cat", "web01@latest:1:/name"}).out, "web01\n");
  EXPECT_EQ(expect(0, {"cat", "web01@latest:1:/a b/c\nd"}).out, noise(3U << 20U, 5));
  expect_nothing_left();
}

TEST_F(BackupFiles, JsonHasOneResultAFile) {
  MUSTER_NEEDS_GUEST_FILES();
  back_up_guest();
  const auto lines = json_lines(expect(0, {"ls", "--json", "web01@latest:1:/"}).out);
  ASSERT_EQ(lines.size(), 5U);
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_EQ(missing_fields(lines[i], {"name", "kind", "size_bytes", "mode", "uid", "gid", "modified"}), "");
  EXPECT_EQ(lines[3].value("target", ""), "/etc/hostname");
  EXPECT_EQ(summary_of(lines).value("entries", 0), 4);
}

TEST_F(BackupFiles, WhatIsNoFileIsSaid) {
  MUSTER_NEEDS_GUEST_FILES();
  back_up_guest();
  const auto missing = expect(2, {"cat", "web01@latest:1:/etc/none"});
  EXPECT_TRUE(contains(missing.err, "1:/etc/none: no such file or directory")) << told(missing);
  EXPECT_EQ(missing.out, "");
  EXPECT_TRUE(contains(expect(2, {"cat", "web01@latest:1:/etc"}).err, "is a directory"));
  EXPECT_TRUE(contains(expect(2, {"ls", "web01@latest:1.2:/"}).err, "no such partition"));
  expect(2, {"ls", "web01@latest:1.x:/"});
}

TEST_F(BackupFiles, KilledWhileNobodyReadsNothingIsLeft) {
  MUSTER_NEEDS_GUEST_FILES();
  back_up_guest();
  MusterProcess process(backup_command({"cat", "web01@latest:1:/a b/c\nd"}));
  // It writes more than a pipe takes.
  const auto started = [&] {
    for (const pid_t pid : process_tree(process.pid()))
      if (contains(process_file(pid, "cmdline"), std::string("debugfs\0-c\0-R\0cat", 16))) return true;
    return false;
  };
  EXPECT_TRUE(wait_until(started));
  process.signal(SIGKILL);
  process.finish();
  expect_nothing_left();
  EXPECT_TRUE(wait_until([&] { return fs::is_empty(file("tmp")); })) << listing(file("tmp"));
}

TEST_F(BackupFiles, WithoutFuseItSaysSo) {
  MUSTER_NEEDS_GUEST_FILES();
  if (!is_root()) GTEST_SKIP() << "mounting needs root";
  back_up_guest();
  Launch launch = backup_command({"ls", "web01@latest:1:/"});
  Words inside{"unshare",
               "--mount",
               "sh",
               "-c",
               "mount -t tmpfs none /dev && mknod /dev/null c 1 3 && mknod /dev/urandom c 1 9 && exec \"$@\"",
               "sh"};
  inside.insert(inside.end(), launch.argv.begin(), launch.argv.end());
  launch.argv = inside;
  const auto without = run(launch);
  EXPECT_EQ(without.code, 4) << told(without);
  EXPECT_TRUE(contains(without.err, "there is no /dev/fuse")) << told(without);
}

}  // namespace
}  // namespace muster::e2e
