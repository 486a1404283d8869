// NBD servers that are not there, do not answer, die, or fail.
#include <thread>

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "disk/nbd_disk.h"
#include "tests/disk/support.h"

namespace muster::disk {
namespace {

using base::Code;
using namespace std::chrono_literals;

struct NbdTrouble : DiskTest {
  void SetUp() override { MUSTER_NEEDS("nbdkit"); }

  // Takes reads and does not answer; what it took is in the log.
  Server hanging() {
    return Server::nbdkit(
        dir, {"--filter=log", "--filter=delay", "memory", "64M", "rdelay=600", "wdelay=600", "logfile=" + log});
  }
  bool asked(const std::string& what) {
    return eventually([&] { return logged(log, what) > 0; });
  }

  const std::string log = dir / "log";
};

// Takes connections into its queue and says nothing.
class SilentListener {
 public:
  explicit SilentListener(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(fd_.get(), 8), 0);
  }
  base::UniqueFd accept() const { return base::UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }

 private:
  base::UniqueFd fd_;
};

std::string uri_of(const std::string& socket) { return "nbd+unix:///?socket=" + socket; }

TEST_F(NbdTrouble, OtherSchemesAreRefused) {
  for (const char* uri :
       {"http://127.0.0.1/", "nbd+vsock://2/", "nbd+ssh://127.0.0.1/", "/some/path", "nbd:unix:/x", ""})
    expect_error(Code::usage, "no URI of an NBD server", [&] { open_nbd(ctx, uri); });
}

TEST_F(NbdTrouble, AUriThatMakesNoSenseIsUsage) {
  expect_error(Code::usage, "nbd+unix:///", [&] { open_nbd(ctx, "nbd+unix:///"); });
  expect_error(Code::usage, "nbd://[", [&] { open_nbd(ctx, "nbd://["); });
}

TEST_F(NbdTrouble, AUriNamesNoFileOfKeys) {
  const auto thrown = thrown_by([&] { open_nbd(ctx, "nbds://127.0.0.1:1/?tls-psk-file=/etc/passwd"); });
  EXPECT_NE(thrown->text.find("tls-psk-file"), std::string::npos) << thrown->text;
}

TEST_F(NbdTrouble, NoServerIsUnreachable) {
  expect_error(Code::unreachable, dir / "nothing", [&] { open_nbd(ctx, uri_of(dir / "nothing")); });
  expect_error(Code::unreachable, "127.0.0.1:1", [&] { open_nbd(ctx, "nbd://127.0.0.1:1/"); });
}

TEST_F(NbdTrouble, AnExportThatIsNotThereIsUnreachable) {
  MUSTER_NEEDS("qemu-nbd");
  make_sparse(dir / "x.raw", 1 * MiB, {});
  const auto server = Server::qemu_nbd(dir, {"-f", "raw", "-x", "here", dir / "x.raw"});
  expect_error(Code::unreachable, "elsewhere",
               [&] { open_nbd(ctx, "nbd+unix:///elsewhere?socket=" + dir / "qemu-nbd.socket"); });
}

TEST_F(NbdTrouble, AServerWithoutTlsIsUnreachableByNbds) {
  const auto server = Server::nbdkit(dir, {"memory", "1M"});
  expect_error(Code::unreachable, "nbds+unix", [&] { open_nbd(ctx, "nbds" + server.uri().substr(3)); });
}

TEST_F(NbdTrouble, AServerThatNeverAnswersIsGivenUpAtTheDeadline) {
  const SilentListener listener(dir / "silent");
  expect_error(Code::timeout, dir / "silent",
               [&] { open_nbd(ctx, uri_of(dir / "silent"), {.connect_timeout = 100ms}); });
}

TEST_F(NbdTrouble, AServerThatHangsUpIsUnreachable) {
  const SilentListener listener(dir / "silent");
  const std::jthread server([&] { listener.accept(); });
  expect_error(Code::unreachable, dir / "silent", [&] { open_nbd(ctx, uri_of(dir / "silent")); });
}

TEST_F(NbdTrouble, SomethingElseThanAnNbdServerIsUnreachable) {
  const SilentListener listener(dir / "silent");
  const std::jthread server([&] {
    const auto peer = listener.accept();
    base::write_all(peer.get(), "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\nthis is no NBD server at all, and says so\r\n");
  });
  expect_error(Code::unreachable, dir / "silent", [&] { open_nbd(ctx, uri_of(dir / "silent")); });
}

TEST_F(NbdTrouble, AStopEndsConnecting) {
  const SilentListener listener(dir / "silent");
  const std::jthread stopper([&] {
    const auto peer = listener.accept();
    source.request_stop();
  });
  expect_error(Code::cancelled, "interrupted",
               [&] { open_nbd(ctx, uri_of(dir / "silent"), {.connect_timeout = 60s}); });
}

TEST_F(NbdTrouble, AReadThatGetsNoAnswerEndsAtItsDeadline) {
  auto server = Server::nbdkit(dir, {"memory", "64M"});
  const auto disk = open_nbd(ctx, server.uri(), {.request_timeout = 100ms, .name = "vda of web01"});
  server.freeze();
  expect_error(Code::timeout, "vda of web01: read at byte 4096", [&] { read_at(ctx, *disk, {4096, 512}); });
}

TEST_F(NbdTrouble, OnceAllConnectionsAreGivenUpNothingIsRead) {
  auto server = Server::nbdkit(dir, {"memory", "64M"});
  const auto disk = open_nbd(ctx, server.uri(), {.connections = 2, .request_timeout = 100ms});
  server.freeze();
  for (int i = 0; i < 2; ++i) expect_error(Code::timeout, "no answer", [&] { read_at(ctx, *disk, {0, 512}); });
  expect_error(Code::io, "was lost", [&] { read_at(ctx, *disk, {0, 512}); });
}

TEST_F(NbdTrouble, AWriteThatGetsNoAnswerEndsAtItsDeadline) {
  auto server = Server::nbdkit(dir, {"memory", "64M"});
  const auto disk = open_nbd_writer(ctx, server.uri(), {.request_timeout = 100ms});
  server.freeze();
  expect_error(Code::timeout, "write at byte 0", [&] { disk->write(ctx, 0, pattern(0, 9 * MiB)); });
  expect_error(Code::timeout, "write zeroes at byte 0", [&] { disk->write_zeroes(ctx, {0, 1 * MiB}); });
  expect_error(Code::timeout, "flush", [&] { disk->flush(ctx); });
}

TEST_F(NbdTrouble, AStopEndsAReadThatWaits) {
  const auto server = hanging();
  const auto disk = open_nbd(ctx, server.uri(), {.request_timeout = 600s});
  const std::jthread stopper([&] {
    EXPECT_TRUE(asked(" Read "));
    source.request_stop();
  });
  expect_error(Code::cancelled, "interrupted", [&] { read_at(ctx, *disk, {0, 8 * MiB}); });
}

TEST_F(NbdTrouble, AStopEndsTheWaitForAConnection) {
  const auto server = hanging();
  const auto disk = open_nbd(ctx, server.uri(), {.connections = 1, .request_timeout = 600s});
  std::stop_source others;
  const base::Context other{.stop = others.get_token()};
  std::jthread holder([&] { expect_error(Code::cancelled, "interrupted", [&] { read_at(other, *disk, {0, 512}); }); });
  EXPECT_TRUE(asked(" Read "));
  const std::jthread stopper([&] { source.request_stop(); });
  expect_error(Code::cancelled, "interrupted", [&] { read_at(ctx, *disk, {0, 512}); });
  others.request_stop();
}

TEST_F(NbdTrouble, AServerThatDiesInAReadIsAnErrorThatNamesDiskAndPlace) {
  auto server = hanging();
  const auto disk = open_nbd(ctx, server.uri(), {.request_timeout = 600s, .name = "vda of web01"});
  const std::jthread killer([&] {
    EXPECT_TRUE(asked(" Read "));
    server.kill();
  });
  expect_error(Code::io, "vda of web01: read at byte ", [&] { read_at(ctx, *disk, {1 * MiB, 8 * MiB}); });
}

TEST_F(NbdTrouble, AServerThatDiedIsAnErrorForAllThatComes) {
  auto server = Server::nbdkit(dir, {"memory", "64M"});
  const auto disk = open_nbd_writer(ctx, server.uri(), {.connections = 2});
  server.kill();
  for (int i = 0; i < 3; ++i) {
    expect_error(Code::io, "", [&] { read_at(ctx, *disk, {0, 512}); });
    expect_error(Code::io, "", [&] { disk->write(ctx, 0, pattern(0, 512)); });
    expect_error(Code::io, "", [&] { disk->flush(ctx); });
    expect_error(Code::io, "", [&] { disk->data_ranges(ctx, {0, 512}); });
  }
}

TEST_F(NbdTrouble, AFailedReadNamesThePlaceAndTheReason) {
  const auto server = Server::nbdkit(
      dir, {"eval", "get_size=echo 64M",
            "pread=if [ $4 = 5242880 ]; then echo EIO >&2; exit 1; fi; dd if=/dev/zero bs=$3 count=1 status=none"});
  const auto disk = open_nbd(ctx, server.uri(), {.name = "vdb"});
  expect_error(Code::io, "vdb: read at byte 5242880: Input/output error", [&] { read_at(ctx, *disk, {0, 16 * MiB}); });
  EXPECT_EQ(read_at(ctx, *disk, {0, 16}), zeroes(16)) << "the connection is as good as before";
}

TEST_F(NbdTrouble, WhatTheServerFailsIsToldAsItIs) {
  const auto server =
      Server::nbdkit(dir, {"--filter=error", "memory", "64M", "error-pread=EIO", "error-pread-rate=100%",
                           "error-pwrite=ENOSPC", "error-pwrite-rate=100%", "error-zero=EIO", "error-zero-rate=100%",
                           "error-extents=EIO", "error-extents-rate=100%"});
  const auto disk = open_nbd_writer(ctx, server.uri());
  expect_error(Code::io, "read at byte 512: Input/output error", [&] { read_at(ctx, *disk, {512, 1}); });
  expect_error(Code::no_space, "write at byte 7: No space left", [&] { disk->write(ctx, 7, pattern(0, 1)); });
  expect_error(Code::io, "write zeroes at byte 0: Input/output", [&] { disk->write_zeroes(ctx, {0, 9}); });
  expect_error(Code::io, "ask for the allocation", [&] { disk->data_ranges(ctx, {0, 9}); });
}

TEST_F(NbdTrouble, AFailedFlushIsAnError) {
  const auto server =
      Server::nbdkit(dir, {"eval", "get_size=echo 1M", "can_write=exit 0", "can_flush=exit 0", "pwrite=cat >/dev/null",
                           "flush=echo EIO >&2; exit 1", "pread=dd if=/dev/zero bs=$3 count=1 status=none"});
  const auto disk = open_nbd_writer(ctx, server.uri());
  expect_error(Code::io, "flush: Input/output error", [&] { disk->flush(ctx); });
}

}  // namespace
}  // namespace muster::disk
