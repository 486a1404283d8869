// A storage of another process, over pipes: it is held to what every storage does, and to what becomes of it when the
// other side is bad or gone.
#include <thread>

#include "backup/piped_storage.h"
#include "backup/storage_service.h"
#include "base/unique_fd.h"
#include "tests/backup/storage_conformance.h"
#include "tests/backup/storage_failure.h"
#include "tests/fakes/memory_storage.h"

namespace muster::backup {
namespace {

using base::Code;
using std::chrono::seconds;

constexpr seconds kPatience{20};
constexpr std::string_view kEnd = R"({"end":true})";

// Both ends in one process, each with its threads.
class Connected {
 public:
  explicit Connected(Storage& storage, StorageService::Rights rights = StorageService::Rights::all)
      : service_(storage, rights),
        here_(answers_.read_end.get(), requests_.write_end.get()),
        there_(requests_.read_end.get(), answers_.write_end.get()),
        piped_([this](auto head, auto body) { here_.send(head, body, kPatience); }, "there", {}),
        serve_([this] { serve(); }),
        listen_([this] { listen(); }) {}
  Connected(const Connected&) = delete;
  Connected& operator=(const Connected&) = delete;
  ~Connected() { hang_up(); }

  Storage& storage() { return piped_; }
  void hang_up() {
    if (hung_up_) return;
    hung_up_ = true;
    here_.send(kEnd, {}, kPatience);
    serve_.join();
    answers_.write_end.reset();
    listen_.join();
  }

 private:
  void serve() {
    while (auto frame = there_.receive({}, kPatience)) {
      if (frame->head == kEnd) return;
      const auto answer = service_.answer({}, *frame);
      const base::ByteView body = answer.body;
      there_.send(answer.head, std::span(&body, 1), kPatience);
    }
  }
  void listen() {
    while (auto frame = here_.receive({}, kPatience)) piped_.answer(std::move(*frame));
    piped_.lose(base::Error(Code::unreachable, "the other side is gone"));
  }

  base::Pipe requests_ = base::make_pipe(), answers_ = base::make_pipe();
  StorageService service_;
  base::FramedPipe here_, there_;
  PipedStorage piped_;
  bool hung_up_ = false;
  std::jthread serve_, listen_;
};

class PipedPlace : public StoragePlace {
 public:
  PipedPlace() { reopen(); }
  Storage& storage() override { return connected_->storage(); }
  void reopen() override { connected_ = std::make_unique<Connected>(memory_); }

 private:
  fakes::MemoryStorage memory_;
  std::unique_ptr<Connected> connected_;
};

INSTANTIATE_TEST_SUITE_P(Piped, StorageConformance,
                         testing::Values(StorageKind{"Pipe", [] { return std::make_unique<PipedPlace>(); }}), name_of);

const std::string kId(32, 'a'), kOther(32, 'b'), kLease = "leases/" + kId + ".00000001." + kOther;

TEST(PipedStorage, ABackupPutsAndRemovesWhatBackupsDo) {
  fakes::MemoryStorage memory;
  const auto bytes = base::as_bytes("x");
  for (const auto& name : {"points/" + kOther, "keys/" + kId, std::string("config")}) put_new({}, memory, name, bytes);
  Connected connected(memory, StorageService::Rights::backup);
  Storage& storage = connected.storage();
  for (const auto& name : {"packs/aa/" + kId, "index/" + kId, "points/" + kId, "decisions/" + kId, kLease})
    EXPECT_EQ(put_new({}, storage, name, bytes), Put::created) << name;
  for (const auto& name : {"decisions/" + kOther, "hosts/" + kId, "revoked/" + kId, "keys/" + kOther, "labels/" + kId,
                           "forgotten/" + kId, "sentenced/" + kId, "packs/" + kId, std::string("other")})
    EXPECT_EQ(failure_of([&] { put_new({}, storage, name, bytes); }).code, Code::refused) << name;
  for (const auto& name : {"points/" + kOther, "points/" + kId, "packs/aa/" + kId, std::string("config")})
    EXPECT_EQ(failure_of([&] { storage.remove({}, name); }).code, Code::refused) << name;
  EXPECT_TRUE(storage.remove({}, kLease));
  EXPECT_TRUE(storage.stat({}, "config"));
  EXPECT_EQ(failure_of([&] { storage.stat({}, "keys/" + kId); }).code, Code::refused);
  EXPECT_EQ(failure_of([&] { get_all({}, storage, "keys/" + kId, 100); }).code, Code::refused);
  for (const char* prefix : {"keys/", ""})
    EXPECT_EQ(failure_of([&] { storage.list({}, prefix, [](const StoredObject&) {}); }).code, Code::refused);
}

TEST(PipedStorage, FailsOnceTheOtherSideIsGone) {
  fakes::MemoryStorage memory;
  Connected connected(memory);
  connected.hang_up();
  EXPECT_EQ(failure_of([&] { connected.storage().stat({}, "a"); }).code, Code::unreachable);
}

TEST(PipedStorage, AStopEndsTheWait) {
  const auto stop = std::make_unique<std::stop_source>();
  PipedStorage silent([&](auto, auto) { stop->request_stop(); }, "there", {});
  EXPECT_EQ(failure_of([&] { silent.stat({.stop = stop->get_token()}, "a"); }).code, Code::cancelled);
}

TEST(PipedStorage, WhatIsNoRequestIsAnsweredWithAnError) {
  fakes::MemoryStorage memory;
  StorageService service(memory, StorageService::Rights::backup);
  for (const char* head : {R"({"call":1,"storage":"get","name":"../x","offset":0,"size":1})",
                           R"({"call":1,"storage":"get","name":"a","offset":0,"size":99999999999})",
                           R"({"call":1,"storage":"format","name":"a"})", R"({"call":-1,"storage":"stat","name":"a"})",
                           R"({"storage":"put"})", "nonsense"})
    EXPECT_NE(service.answer({}, {.head = head, .body = {}}).head.find("\"error\""), std::string::npos) << head;
}

TEST(FramedPipe, WhatIsTooLongIsNotTaken) {
  const base::Pipe pipe = base::make_pipe(), other = base::make_pipe();
  base::Bytes bytes;
  base::ByteWriter writer(bytes);
  writer.u32(4);
  writer.u64(std::uint64_t{1} << 40);
  base::write_all(pipe.write_end.get(), base::as_text(bytes));
  base::FramedPipe framed(pipe.read_end.get(), other.write_end.get());
  EXPECT_EQ(failure_of([&] { framed.receive({}, kPatience); }).code, Code::corrupt);
}

TEST(FramedPipe, AStopWithinAFrameLosesNothingOfIt) {
  const base::Pipe pipe = base::make_pipe(), other = base::make_pipe();
  base::Bytes bytes;
  base::ByteWriter writer(bytes);
  writer.u32(2);
  writer.u64(4);
  writer.raw(base::as_bytes("{}ab"));
  base::write_all(pipe.write_end.get(), base::as_text(bytes));
  base::FramedPipe framed(pipe.read_end.get(), other.write_end.get());
  EXPECT_EQ(failure_of([&] { framed.receive({}, std::chrono::milliseconds(150)); }).code, Code::timeout);
  base::write_all(pipe.write_end.get(), "cd");
  const auto frame = framed.receive({}, kPatience);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->head, "{}");
  EXPECT_EQ(base::as_text(frame->body), "abcd");
}

TEST(FramedPipe, WhatWaitsToBeTakenEndsOnceItIsGivenUp) {
  const base::Pipe pipe = base::make_pipe(), other = base::make_pipe();
  base::FramedPipe framed(other.read_end.get(), pipe.write_end.get());
  const base::Bytes much(4U << 20);
  const base::ByteView body = much;
  std::jthread sender(
      [&] { EXPECT_EQ(failure_of([&] { framed.send("{}", std::span(&body, 1), kPatience); }).code, Code::io); });
  framed.abandon();
  sender.join();
}

TEST(FramedPipe, AnEndWithinAFrameIsNoEnd) {
  base::Pipe pipe = base::make_pipe();
  const base::Pipe other = base::make_pipe();
  base::write_all(pipe.write_end.get(), "abc");
  pipe.write_end.reset();
  base::FramedPipe framed(pipe.read_end.get(), other.write_end.get());
  EXPECT_EQ(failure_of([&] { framed.receive({}, kPatience); }).code, Code::corrupt);
  EXPECT_EQ(
      failure_of([&] { base::FramedPipe(other.read_end.get(), other.write_end.get()).receive({}, seconds(0)); }).code,
      Code::timeout);
}

}  // namespace
}  // namespace muster::backup
