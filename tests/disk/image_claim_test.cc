// Claims beside images: whose they are, and that what cannot be read is one, too.
#include "disk/image_claim.h"

#include <filesystem>

#include "tests/disk/support.h"

namespace muster::disk {
namespace {

using base::Code;

TEST(ImageClaim, NamesItsHolder) {
  const std::string unknown = "somebody whose claim beside it cannot be read";
  struct {
    std::string text, holder;
  } const cases[] = {
      {R"({"holder":"the master 'web'"})", "the master 'web'"},
      {R"({"v":99,"holder":"a newer one","more":[1]})", "a newer one"},
      {R"({"holder":""})", ""},
      {"", unknown},
      {"{", unknown},
      {"[]", unknown},
      {"null", unknown},
      {R"("holder")", unknown},
      {R"({"v":1})", unknown},
      {R"({"holder":7})", unknown},
      {R"({"holder":{"name":"x"}})", unknown},
      {"{\"holder\":\"\xff\"}", unknown},
      {std::string(100'000, '['), unknown},
  };
  for (const auto& one : cases) EXPECT_EQ(claim_holder(one.text), one.holder) << one.text.substr(0, 60);
}

TEST(ImageClaim, RefusesNamingImageAndHolder) {
  const auto error = claimed("/i/web.qcow2", R"({"holder":"the master 'web'"})");
  EXPECT_EQ(error.code(), Code::refused);
  EXPECT_STREQ(error.what(), "/i/web.qcow2 may not change: it belongs to the master 'web'");
  EXPECT_EQ(claim_file("/i/web.qcow2"), "/i/web.qcow2.muster-claim");
}

using ImageClaims = DiskTest;

TEST_F(ImageClaims, AreLookedForBesideTheImage) {
  const std::string image = dir / "web.qcow2";
  EXPECT_NO_THROW(check_unclaimed(image)) << "neither is there";
  write_file(image, pattern(0, 10));
  write_file(dir / "other.qcow2.muster-claim", pattern(0, 10));
  EXPECT_NO_THROW(check_unclaimed(image));
  const std::string text = R"({"holder":"the master 'web'"})";
  write_file(claim_file(image), base::ByteView(reinterpret_cast<const std::byte*>(text.data()), text.size()));
  expect_error(Code::refused, "belongs to the master 'web'", [&] { check_unclaimed(image); });
}

TEST_F(ImageClaims, ThatCannotBeReadAreClaims) {
  const std::string image = dir / "web.qcow2", unreadable = "cannot be read";
  write_file(claim_file(image), {});
  expect_error(Code::refused, unreadable, [&] { check_unclaimed(image); });
  make_sparse(claim_file(image) + "-large", kMaxClaimBytes * 4, {});
  std::filesystem::rename(claim_file(image) + "-large", claim_file(image));
  expect_error(Code::refused, unreadable, [&] { check_unclaimed(image); });
  std::filesystem::remove(claim_file(image));
  std::filesystem::create_directory(claim_file(image));
  expect_error(Code::refused, unreadable, [&] { check_unclaimed(image); });
  std::filesystem::remove(claim_file(image));
  std::filesystem::create_symlink("/nowhere/at/all", claim_file(image));
  expect_error(Code::refused, unreadable, [&] { check_unclaimed(image); });
}

}  // namespace
}  // namespace muster::disk
