// muster backup init and key: who can open a repository and for what, with files, passphrases, recovery texts and none.
#include <filesystem>

#include <sys/stat.h>

#include "backup/directory_storage.h"
#include "backup/object_names.h"
#include "backup/repository.h"
#include "tests/e2e/backup_fixture.h"
#include "tests/e2e/pty_process.h"

namespace muster::e2e {
namespace {

namespace fs = std::filesystem;

class BackupKeys : public BackupTest {
 protected:
  BackupKeys() : image_(make_image("disk.raw", 100'000)) {}

  static unsigned mode(const std::string& path) {
    struct stat facts {};
    return ::stat(path.c_str(), &facts) == 0 ? facts.st_mode & 07777U : 0;
  }
  // Makes a key and returns its slot.
  std::string add_key(const Words& words) {
    Words all{"key", "add", "--json"};
    all.insert(all.end(), words.begin(), words.end());
    return json_lines(expect(0, all).out).at(0).value("slot", "");
  }
  void expect_opens(const Words& words = {}) {
    Words all{"create", "-q", "--name", "web01", "--image", image_};
    all.insert(all.end(), words.begin(), words.end());
    expect(0, all);
  }

  const std::string image_;
};

TEST_F(BackupKeys, InitWritesAKeyFileAndSaysToKeepACopy) {
  const auto made = expect(0, {"init"});
  EXPECT_TRUE(contains(made.out, "repository ")) << told(made);
  EXPECT_TRUE(contains(made.err, usual_key_file() + ": keep a copy")) << told(made);
  EXPECT_EQ(mode(usual_key_file()), 0600U);
  EXPECT_EQ(mode(home() + "/.config/muster/keys"), 0700U);
  EXPECT_EQ(mode(home() + "/.config"), 0700U);
  EXPECT_EQ(mode(repository()), 0700U);
  expect_opens();
}

TEST_F(BackupKeys, InitRefusesWhatIsThere) {
  make_repository();
  EXPECT_TRUE(contains(expect(5, {"init"}).err, "is a repository already"));
  fs::create_directory(file("full"));
  write(file("full/something"), "");
  expect(5, {"init", file("full")});
  expect(5, {"init", file("other"), "--key-file", usual_key_file()});
  expect(2, {"init", file("no/place/for/it")});
  expect(4, {"init", "sftp://host/backup"});
  expect(2, {"init", file("other"), "--passphrase=0", "--no-encryption"}, "x\n");
  expect(2, {"init", file("other"), "--chunk-size", "100K"});
  EXPECT_FALSE(fs::exists(file("other")));
  EXPECT_NE(usual_key_file(), "") << "no key file of what was refused";
}

TEST_F(BackupKeys, InitTakesThePlaceOfTheKeyFile) {
  const auto made = expect(0, {"init", "--json", "--key-file", file("my.key"), "--chunk-size", "64K"});
  const auto result = json_lines(made.out).at(0);
  EXPECT_EQ(result.value("key_file", ""), file("my.key"));
  EXPECT_EQ(result.value("chunk_bytes", 0), 65'536);
  EXPECT_EQ(result.value("encrypted", false), true);
  EXPECT_FALSE(fs::exists(home() + "/.config/muster"));
  const auto missing = expect(12, {"list"});
  EXPECT_TRUE(contains(missing.err, "/.config/muster/keys/" + result.value("repository_id", "?") + ".key"))
      << told(missing);
  expect_opens({"--key-file", file("my.key")});
}

TEST_F(BackupKeys, APlanMakesNothing) {
  const auto planned = json_lines(expect(0, {"init", "--dry-run", "--json"}).out);
  EXPECT_TRUE(contains(planned.at(0).value("what", ""), repository())) << planned.at(0);
  EXPECT_EQ(summary_of(planned).value("plan", ""), "init");
  EXPECT_FALSE(fs::exists(repository()));
  EXPECT_FALSE(fs::exists(home() + "/.config"));
  fs::create_directory(file("full"));
  write(file("full/something"), "");
  expect(5, {"init", file("full"), "--dry-run"});
  make_repository();
  const auto key = json_lines(expect(0, {"key", "add", "--to", file("second.key"), "--dry-run", "--json"}).out);
  EXPECT_TRUE(contains(key.at(0).value("what", ""), file("second.key"))) << key.at(0);
  EXPECT_FALSE(fs::exists(file("second.key")));
}

TEST_F(BackupKeys, WithoutEncryptionNoKeyIsNeeded) {
  expect(0, {"init", "--no-encryption"});
  EXPECT_FALSE(fs::exists(home() + "/.config/muster"));
  expect_opens();
  expect(0, {"restore", "-q", "web01@latest", "--to", file("back.raw")});
  EXPECT_TRUE(same(image_, file("back.raw")));
}

TEST_F(BackupKeys, APassphraseComesFromADescriptor) {
  expect(0, {"init", "--passphrase=0"}, "correct horse\n");
  const auto missing = expect(12, {"list"});
  EXPECT_TRUE(contains(missing.err, "--passphrase")) << told(missing);
  expect(12, {"list", "--passphrase=0"}, "wrong horse\n");
  expect(0, {"list", "--passphrase=0"}, "correct horse\n");
  expect(2, {"init", file("other"), "--passphrase=0"}, "\n");
}

TEST_F(BackupKeys, APassphraseIsAskedForTwiceAndLaterOnce) {
  const auto on_terminal = [&](const Words& words, const std::vector<std::pair<std::string, std::string>>& talk) {
    PtyProcess process(backup_command(words));
    for (const auto& [prompt, answer] : talk) {
      EXPECT_TRUE(process.wait_for(prompt)) << process.screen();
      process.write(answer + "\n");
    }
    return process.finish();
  };
  const auto differ = on_terminal({"init", "--passphrase"}, {{"new passphrase: ", "one"}, {"the same again: ", "two"}});
  EXPECT_EQ(differ.code, 2) << differ.out;
  EXPECT_FALSE(fs::exists(repository()));
  EXPECT_EQ(on_terminal({"init", "--passphrase"}, {{"new passphrase: ", "one"}, {"the same again: ", "one"}}).code, 0);
  const auto listed = on_terminal({"list"}, {{"passphrase of " + repository() + ": ", "one"}});
  EXPECT_EQ(listed.code, 0) << listed.out;
  EXPECT_EQ(on_terminal({"list"}, {{"passphrase of ", "two"}}).code, 12);
}

TEST_F(BackupKeys, AForeignOrBrokenKeyFileIsTheWrongKey) {
  make_repository();
  expect(0, {"init", "-q", file("other"), "--key-file", file("other.key")});
  const auto foreign = expect(12, {"list", "--key-file", file("other.key")});
  EXPECT_TRUE(contains(foreign.err, "the key file is for repository ")) << told(foreign);
  write(file("broken.key"), "nothing\n");
  expect(12, {"list", "--key-file", file("broken.key")});
  expect(2, {"list", "--key-file", file("missing.key")});
  std::string text = read(usual_key_file());
  const auto secret = text.find("secret: ") + 8;
  text[secret] = text[secret] == 'A' ? 'B' : 'A';
  write(file("wrong.key"), text);
  expect(12, {"list", "--key-file", file("wrong.key")});
}

TEST_F(BackupKeys, AHostMakesBackupsAndNothingElse) {
  make_repository();
  const std::string key = file("host.key");
  const std::string slot = add_key({"--role", "host", "--label", "kvm1", "--machine", "web*", "--to", key});
  expect_opens({"--key-file", key});
  EXPECT_TRUE(contains(expect(0, {"list", "--key-file", key}).out, "web01"));
  EXPECT_EQ(points().at(0).value("host", ""), "kvm1");
  expect(12, {"restore", "web01@latest", "--to", file("back.raw"), "--key-file", key});
  EXPECT_FALSE(fs::exists(file("back.raw")));
  expect(12, {"forget", "web01", "--keep-last", "1", "--key-file", key});
  expect(12, {"prune", "--key-file", key});
  expect(12, {"create", "--name", "web01", "--image", image_, "--keep-last", "1", "--key-file", key});
  expect(12, {"create", "--name", "db", "--image", image_, "--key-file", key});
  expect(12, {"key", "add", "--to", file("more.key"), "--key-file", key});
  expect(12, {"key", "export", "--key-file", key});
  EXPECT_EQ(points().size(), 1U);
  expect(0, {"restore", "-q", "web01@latest", "--to", file("back.raw")});
  EXPECT_TRUE(same(image_, file("back.raw")));
  const auto removed = expect(0, {"key", "remove", slot.substr(0, 6)});
  EXPECT_TRUE(contains(removed.out, "shut its host out")) << told(removed);
  expect(12, {"create", "--name", "web01", "--image", image_, "--key-file", key});
  EXPECT_EQ(points().size(), 1U) << "what it made before stays good";
}

TEST_F(BackupKeys, HostsOfOtherDomainsSeeNothingOfEachOther) {
  make_repository();
  add_key({"--role", "host", "--domain", "1", "--to", file("one.key")});
  add_key({"--role", "host", "--domain", "2", "--to", file("two.key")});
  expect_opens({"--key-file", file("one.key")});
  EXPECT_EQ(expect(0, {"list", "--key-file", file("two.key")}).out, "");
  EXPECT_EQ(points().size(), 1U);
  expect(0, {"restore", "-q", "web01@latest", "--to", file("back.raw")});
  EXPECT_TRUE(same(image_, file("back.raw")));
}

TEST_F(BackupKeys, ClonesOfAMasterStoreWhatTheyChanged) {
  make_repository();
  add_key({"--role", "host", "--domain", "1", "--to", file("one.key")});
  const Words create{"create", "--name", "web01", "--image", image_, "--json", "--key-file", file("one.key")};
  expect(12, {"create", "--base", "--name", "master", "--image", image_, "--key-file", file("one.key")});
  expect(0, {"create", "-q", "--base", "--name", "master", "--image", image_});
  EXPECT_TRUE(points().at(0).value("base", false));
  const auto clone = json_lines(expect(0, create).out).at(0);
  EXPECT_EQ(clone.value("bytes_new", 1U), 0U);
  EXPECT_FALSE(clone.value("base", true));
  expect(0, {"restore", "-q", "web01@latest", "--to", file("back.raw")});
  EXPECT_TRUE(same(image_, file("back.raw")));
  expect(0, {"check", "--read-data", "-q"});
}

TEST_F(BackupKeys, MaintenanceLetsGoAndMakesNothing) {
  make_repository();
  const std::string key = file("maintenance.key");
  add_key({"--role", "maintenance", "--to", key});
  expect_opens();
  overwrite(image_, 0, 1000, 5);
  next_second();
  expect_opens();
  expect(12, {"create", "--name", "web01", "--image", image_, "--key-file", key});
  expect(12, {"restore", "web01@latest", "--to", file("back.raw"), "--key-file", key});
  expect(0, {"forget", "web01", "--keep-last", "1", "--prune", "--key-file", key});
  EXPECT_EQ(points().size(), 1U);
  expect(0, {"restore", "-q", "web01@latest", "--to", file("back.raw")});
  EXPECT_TRUE(same(image_, file("back.raw")));
}

TEST_F(BackupKeys, TheLastOwnerKeyStays) {
  make_repository();
  const auto list = expect(0, {"key", "list", "--json"});
  const std::string first = json_lines(list.out).at(0).value("slot", "");
  expect(5, {"key", "remove", first});
  expect(2, {"key", "remove", "ffff"});
  const std::string second = add_key({"--label", "safe", "--to", file("second.key")});
  expect(0, {"key", "remove", first});
  expect(12, {"list"});
  expect_opens({"--key-file", file("second.key")});
  expect(5, {"key", "remove", second, "--key-file", file("second.key")});
}

TEST_F(BackupKeys, APassphraseIsAddedToAKeyFile) {
  make_repository();
  expect(0, {"key", "add", "-q", "--new-passphrase=0"}, "long enough\n");
  EXPECT_TRUE(contains(expect(0, {"key", "list"}).out, "passphrase  owner"));
  fs::remove(usual_key_file());
  expect(0, {"list", "--passphrase=0"}, "long enough\n");
  expect(2, {"key", "add"});
  expect(2, {"key", "add", "--to", file("x.key"), "--machine", "web*"});
}

TEST_F(BackupKeys, TheRecoveryTextMakesANewKey) {
  make_repository();
  expect_opens();
  const std::string text = expect(0, {"key", "export", "-q"}).out;
  fs::remove(usual_key_file());
  expect(12, {"list"});
  std::string mistyped = text;
  auto& digit = mistyped[mistyped.find("secret: ") + 8];
  digit = digit == '0' ? '1' : '0';
  expect(12, {"key", "recover", "--to", file("new.key")}, mistyped);
  EXPECT_FALSE(fs::exists(file("new.key")));
  expect(0, {"key", "recover", "--to", file("new.key")}, text);
  expect(0, {"restore", "-q", "web01@latest", "--to", file("back.raw"), "--key-file", file("new.key")});
  EXPECT_TRUE(same(image_, file("back.raw")));
  expect(0, {"init", "-q", file("other")});
  expect(12, {"key", "recover", "-R", file("other"), "--to", file("other.key")}, text);
}

TEST_F(BackupKeys, WaitingForTheRecoveryTextEndsWithOneCtrlC) {
  make_repository();
  PtyProcess muster(backup_command({"key", "recover", "--to", file("new.key")}));
  ASSERT_TRUE(muster.wait_for("then Ctrl-D"));
  muster.write("\3");
  EXPECT_EQ(muster.finish().code, 130);
}

// What a muster to come will have written.
TEST_F(BackupKeys, ANewerFormatIsToldApart) {
  const backup::NewRepository wanted{.created = "2030-01-01T00:00:00Z"};
  auto planned = backup::plan_repository(wanted);
  planned.config.format = backup::kFormat + 1;
  backup::DirectoryStorage::create(repository());
  backup::DirectoryStorage storage(repository());
  backup::create_repository({}, storage, planned, wanted);
  write(file("its.key"), backup::key_file_text(*planned.key_file));
  const auto newer = expect(4, {"list", "--key-file", file("its.key")});
  EXPECT_TRUE(contains(newer.err, "newer")) << told(newer);
}

TEST_F(BackupKeys, AFeatureThatIsNotKnownIsToldApart) {
  const backup::NewRepository wanted{.created = "2030-01-01T00:00:00Z"};
  auto planned = backup::plan_repository(wanted);
  planned.config.write_features = {"colours"};
  backup::DirectoryStorage::create(repository());
  backup::DirectoryStorage storage(repository());
  backup::create_repository({}, storage, planned, wanted);
  write(file("its.key"), backup::key_file_text(*planned.key_file));
  expect(0, {"list", "--key-file", file("its.key")});
  const auto newer = expect(4, {"create", "--name", "web01", "--image", image_, "--key-file", file("its.key")});
  EXPECT_TRUE(contains(newer.err, "colours")) << told(newer);
}

}  // namespace
}  // namespace muster::e2e
