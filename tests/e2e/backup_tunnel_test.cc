// muster backup create --tunnel: machines of another hypervisor without a muster there. Its QEMU serves the disks, and
// what is read comes here through a real sshd.
#include <algorithm>

#include <signal.h>

#include "tests/e2e/backup_remote_fixture.h"

namespace muster::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using namespace std::chrono_literals;

class BackupTunnel : public BackupRemote {
 protected:
  std::string uri() const { return uri_with_client(); }
  Words tunnel_words(const Words& more = {}) const {
    Words words{"create", uri() + "#web01", "--tunnel", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  json create_through(const Words& more = {}) {
    const auto done = expect(0, tunnel_words(more));
    last_errors_ = done.err;
    return json_lines(done.out).at(0);
  }
  // Programs there that have the machine's image open.
  std::size_t servers() const {
    const auto all = all_processes();
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](pid_t pid) {
      return process_name(pid) == "qemu-nbd" && contains(process_file(pid, "cmdline"), hypervisor_->directory());
    }));
  }
  std::string raw_bytes(const std::string& image) {
    const std::string raw = file("converted.raw");
    fs::remove(raw);
    EXPECT_EQ(run({.argv = {"qemu-img", "convert", "-O", "raw", image, raw}}).code, 0);
    return read(raw);
  }
  // A machine that is off, with a raw disk that holds this byte.
  std::string raw_machine(char byte) {
    const std::string path = hypervisor_->directory() + "/web01.raw";
    write(path, std::string(4 * kMiB, byte));
    std::string xml = hypervisor_->xml_of({.name = "web01"});
    const auto replace = [&](const std::string& from, const std::string& to) {
      const auto at = xml.find(from);
      ASSERT_NE(at, std::string::npos) << xml;
      xml.replace(at, from.size(), to);
    };
    replace("type='qcow2'", "type='raw'");
    const auto begin = xml.find("file='") + 6;
    xml.replace(begin, xml.find('\'', begin) - begin, path);
    hypervisor_->define_xml(xml);
    return path;
  }
};

TEST_F(BackupTunnel, ARunningMachineIsReadByItsChanges) {
  TrackedDisk& disk = start();
  disk.write(kMiB, 3 * kMiB, 0x5a);
  const auto keys = expect(0, {"key", "list"}).out;
  const json first = create_through();
  EXPECT_EQ(first.value("name", ""), "web01");
  expect_same(restored("web01@latest"), disk.bytes());
  EXPECT_FALSE(has_job());

  next_second();
  disk.write(41 * kMiB, kPiece, 0x33);
  const json second = create_through();
  EXPECT_EQ(second.at("parent"), first.at("point"));
  EXPECT_EQ(second.at("bytes_dirty"), kPiece);
  EXPECT_EQ(whole_because(second), "");
  expect_same(restored("web01@latest"), disk.bytes());
  EXPECT_EQ(checkpoints().size(), 1U);
  EXPECT_EQ(expect(0, {"key", "list"}).out, keys) << "nobody there gets one";
  expect(0, {"check", "--read-data", "-q"});
}

TEST_F(BackupTunnel, OneThatIsOffGoesOnByItsBitmaps) {
  TrackedDisk& disk = start();
  disk.write(kMiB, 3 * kMiB, 0x5a);
  create_through();
  disk.write(9 * kMiB, kPiece, 0x61);
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  next_second();
  const json off = create_through();
  EXPECT_EQ(off.at("consistency"), "off");
  EXPECT_EQ(whole_because(off), "");
  EXPECT_LE(off.at("bytes_read").get<std::uint64_t>(), 256U << 10);
  expect_same(restored("web01@latest"), disk.bytes());
  EXPECT_TRUE(wait_until([&] { return servers() == 0; }));
}

TEST_F(BackupTunnel, ARawImageIsReadOnceItChanged) {
  const std::string path = raw_machine('a');
  EXPECT_EQ(create_through().at("bytes_read"), 4 * kMiB);
  next_second();
  EXPECT_EQ(create_through().at("bytes_read"), 0) << "its times are as they were";
  next_second();
  write(path, std::string(4 * kMiB, 'b'));
  EXPECT_EQ(create_through().at("bytes_read"), 4 * kMiB);
  EXPECT_TRUE(restored("web01@latest") == std::string(4 * kMiB, 'b'));
}

// What is written to that file leaves the image's times as they are.
TEST_F(BackupTunnel, DataInAFileOfItsOwnAreAlwaysRead) {
  const std::string data = hypervisor_->directory() + "/data.raw", outer = hypervisor_->directory() + "/outer.qcow2";
  ASSERT_EQ(run({.argv = {"qemu-img", "create", "-q", "-f", "qcow2", "-o", "data_file=" + data + ",data_file_raw=on",
                          outer, "4M"}})
                .code,
            0);
  ASSERT_EQ(run({.argv = {"qemu-io", "-c", "write -P 97 0 4M", outer}}).code, 0);
  hypervisor_->define({.name = "web01", .virtio_disk = outer});
  EXPECT_EQ(create_through().at("bytes_read"), 4 * kMiB);
  next_second();
  const auto times = fs::last_write_time(outer);
  write(data, std::string(4 * kMiB, 'b'));
  EXPECT_EQ(fs::last_write_time(outer), times);
  create_through();
  EXPECT_TRUE(restored("web01@latest") == std::string(4 * kMiB, 'b'));
}

// Nobody locks it there.
TEST_F(BackupTunnel, WhatWasWrittenToMeanwhileIsNoRestorePoint) {
  const std::string path = raw_machine('a');
  MusterProcess process(backup_command(tunnel_words({"--limit-rate", "1M"})));
  ASSERT_TRUE(wait_until([&] { return servers() > 0; }));
  next_second();
  write(path, std::string(4 * kMiB, 'b'));
  const auto done = process.finish();
  EXPECT_NE(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.out, "was written to while it was read")) << told(done);
  EXPECT_FALSE(contains(expect(0, {"list"}).out, "web01"));
}

TEST_F(BackupTunnel, KilledHereNothingIsLeftThere) {
  TrackedDisk& disk = start();
  disk.write(kMiB, 8 * kMiB, 0x5a);
  {
    MusterProcess process(backup_command(tunnel_words({"--limit-rate", "64K"})));
    ASSERT_TRUE(wait_until([&] { return has_job(); }));
    process.signal(SIGKILL);
    process.finish();
  }
  EXPECT_TRUE(wait_until([&] { return !has_job(); }));
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  {
    MusterProcess process(backup_command(tunnel_words({"--limit-rate", "64K"})));
    ASSERT_TRUE(wait_until([&] { return servers() > 0; }));
    process.signal(SIGKILL);
    process.finish();
  }
  EXPECT_TRUE(wait_until([&] { return servers() == 0; }));
  create_through();
  expect_same(restored("web01@latest"), disk.bytes());
  expect(0, {"check", "-q"});
}

TEST_F(BackupTunnel, ALostConnectionLosesNothing) {
  TrackedDisk& disk = start();
  disk.write(kMiB, 8 * kMiB, 0x5a);
  create_through();
  next_second();
  disk.write(20 * kMiB, 8 * kMiB, 0x66);
  {
    MusterProcess process(backup_command(tunnel_words({"--limit-rate", "64K"})));
    ASSERT_TRUE(wait_until([&] { return has_job(); }));
    for (const pid_t pid : process_tree(process.pid()))
      if (process_name(pid) == "ssh") ::kill(pid, SIGKILL);
    const auto done = process.finish();
    EXPECT_NE(done.code, 0) << told(done);
  }
  next_second();
  create_through();
  expect_same(restored("web01@latest"), disk.bytes());
  EXPECT_FALSE(has_job());
  expect(0, {"check", "-q"});
}

// The same way back: onto a hypervisor that has no muster, and gets no key.
TEST_F(BackupTunnel, AMachineIsRestoredOnTheOtherHypervisor) {
  TrackedDisk& disk = start();
  disk.write(kMiB, 3 * kMiB, 0x5a);
  create();
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  const std::string before = disk.bytes();
  const Words words{"restore", "web01@latest", "--as", uri() + "#web02", "--to", hypervisor_->directory()};
  const auto with = [&](const Words& more) {
    Words all = words;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  EXPECT_TRUE(contains(expect(0, with({"--dry-run"})).out, "web02-vda.qcow2"));
  const std::string made = hypervisor_->directory() + "/web02-vda.qcow2";
  EXPECT_FALSE(fs::exists(made));
  {
    // Killed on its way, it goes on.
    MusterProcess process(backup_command(with({"--limit-rate", "8K"})));
    ASSERT_TRUE(wait_until([&] { return servers() > 0; }));
    process.signal(SIGKILL);
    process.finish();
    ASSERT_TRUE(wait_until([&] { return servers() == 0; }));
    EXPECT_TRUE(fs::exists(made + ".muster-partial"));
  }
  const auto done = expect(0, with({"--start", "--json"}));
  EXPECT_EQ(hypervisor_->state("web02"), "running") << told(done);
  hypervisor_->virsh({"destroy", "web02"});
  EXPECT_FALSE(fs::exists(made + ".muster-partial"));
  expect_same(raw_bytes(made), before);
  EXPECT_EQ(servers(), 0U);
  EXPECT_EQ(backup(with({})).code, 5) << "the name is taken";
}

TEST_F(BackupTunnel, OneThatIsThereGetsItsDisksBack) {
  TrackedDisk& disk = start();
  disk.write(kMiB, 3 * kMiB, 0x5a);
  create();
  const std::string before = disk.bytes();
  disk.write(2 * kMiB, 4 * kMiB, 0x77);
  const Words in_place{"restore", "web01@latest", "--in-place", "--yes", "--json"};
  write(file("inventory.yaml"), "all: {hosts: {web01: {}}, vars: {hypervisor: '" + uri() + "'}}\n");
  EXPECT_EQ(backup(in_place).code, 5) << "it runs";
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  const json result = json_lines(expect(0, in_place).out).at(0);
  EXPECT_LT(result.at("written_bytes").get<std::uint64_t>(), 8 * kMiB) << "what differs";
  expect_same(raw_bytes(image()), before);
}

TEST_F(BackupTunnel, WhatCannotBeIsSaid) {
  start();
  EXPECT_EQ(backup(tunnel_words({"--copy-muster"})).code, 2);
  const auto missing = backup({"create", uri() + "#web01"});
  EXPECT_TRUE(contains(missing.err, "--tunnel")) << told(missing);
  hypervisor_->virsh({"destroy", "web01"});
  {
    // One that has said what it read has locked it: to ask with qemu-img would lock it too, and could come first.
    MusterProcess other(
        {.argv = {"stdbuf", "-oL", "qemu-io", image(), "-c", "read 0 4k", "-c", "sleep 60000"}, .deadline = 100s});
    ASSERT_TRUE(other.wait_for("read 4096")) << other.err();
    const auto locked = backup(tunnel_words());
    EXPECT_TRUE(contains(locked.out, "Failed to get shared \\\"write\\\" lock")) << told(locked);
    other.signal(SIGKILL);
    other.finish();
  }
  start_server(*hypervisor_, {"AllowStreamLocalForwarding no"});
  const auto unforwarded = backup(tunnel_words());
  EXPECT_EQ(unforwarded.code, 15) << told(unforwarded);
  EXPECT_TRUE(contains(unforwarded.out, "does not forward")) << told(unforwarded);
  server_->kill_hard();
  const auto gone = backup(tunnel_words());
  EXPECT_EQ(gone.code, 15) << told(gone);
}

}  // namespace
}  // namespace muster::e2e
