// The part of the suite about names and lists.
#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <thread>

#include "tests/backup/storage_conformance.h"
#include "tests/backup/storage_failure.h"

namespace muster::backup {

using base::Code;
using Names = std::set<std::string>;

TEST_P(StorageConformance, ListsHaveWhatIsThereWhileOthersPutAndRemove) {
  const std::string text(5000, 'x');
  Names fixed;
  for (int i = 0; i < 5; ++i) put(*fixed.insert("packs/fixed/" + std::to_string(i)).first, text);
  ASSERT_EQ(list_until("packs/", fixed), fixed);
  std::atomic<bool> done = false;
  {
    const std::jthread writer([&] {
      for (int i = 0; i < 30; ++i) {
        put("packs/" + std::to_string(i % 3) + "/" + std::to_string(i), text);
        if (i % 2 == 0) storage().remove(ctx, "packs/" + std::to_string(i % 3) + "/" + std::to_string(i));
      }
      done = true;
    });
    do {
      Names seen;
      storage().list(ctx, "packs/", [&](const StoredObject& object) {
        seen.insert(object.name);
        EXPECT_EQ(object.size_bytes, text.size()) << object.name;
      });
      EXPECT_TRUE(std::ranges::includes(seen, fixed));
    } while (!done);
  }
  for (int i = 1; i < 30; i += 2) fixed.insert("packs/" + std::to_string(i % 3) + "/" + std::to_string(i));
  EXPECT_EQ(list_until("packs/", fixed), fixed);
}

TEST_P(StorageConformance, PrefixesAreWholeWords) {
  for (const char* name : {"config", "packs/aa/1", "packs/aa/2", "packs/ab/3", "packs-old/4", "index/5"})
    put(name, "x");
  const Names all = {"config", "packs/aa/1", "packs/aa/2", "packs/ab/3", "packs-old/4", "index/5"};
  EXPECT_EQ(list_until("", all), all);
  EXPECT_EQ(list("packs/"), (Names{"packs/aa/1", "packs/aa/2", "packs/ab/3"}));
  EXPECT_EQ(list("packs/aa/"), (Names{"packs/aa/1", "packs/aa/2"}));
  EXPECT_EQ(list("packs/a/"), Names{});
  EXPECT_EQ(list("config/"), Names{});
  EXPECT_EQ(list("absent/"), Names{});
}

TEST_P(StorageConformance, PrefixesEndWithASlash) {
  put("packs/aa/1", "x");
  for (const char* prefix : {"packs", "/", "packs//", "/packs/", "../", "packs/../", "tmp/", "P/"})
    EXPECT_EQ(code_of([&] { list(prefix); }), Code::usage) << prefix;
}

TEST_P(StorageConformance, StatTellsWhatListsTell) {
  put("packs/1", "12345");
  ASSERT_EQ(list_until("", {"packs/1"}), Names{"packs/1"});
  const auto object = storage().stat(ctx, "packs/1");
  ASSERT_TRUE(object);
  EXPECT_EQ(object->name, "packs/1");
  EXPECT_EQ(object->size_bytes, 5U);
  storage().list(ctx, "packs/", [&](const StoredObject& listed) {
    EXPECT_EQ(listed.name, object->name);
    EXPECT_EQ(listed.size_bytes, object->size_bytes);
    EXPECT_EQ(listed.stored, object->stored);
  });
}

TEST_P(StorageConformance, OtherNamesAreRefused) {
  const std::string longest(200, 'n');
  EXPECT_EQ(put(longest, "x"), Put::created);
  for (const std::string& name :
       {longest + "n", std::string(), std::string("/"), std::string("/a"), std::string("a/"), std::string("a//b"),
        std::string("."), std::string(".."), std::string("a/../b"), std::string("a/./b"), std::string("A"),
        std::string("a b"), std::string("a\nb"), std::string("a\0b", 3), std::string("\xc3\xa4"), std::string("tmp"),
        std::string("tmp/a"), std::string("a\\b")}) {
    EXPECT_EQ(code_of([&] { put(name, "x"); }), Code::usage) << name;
    EXPECT_EQ(code_of([&] { get(name, 0, 1); }), Code::usage) << name;
    EXPECT_EQ(code_of([&] { storage().remove(ctx, name); }), Code::usage) << name;
    EXPECT_EQ(code_of([&] { storage().stat(ctx, name); }), Code::usage) << name;
  }
  EXPECT_EQ(list_until("", {longest}), Names{longest});
}

TEST_P(StorageConformance, NamesHaveDotsDashesAndUnderlines) {
  const Names names = {"...", "a..b", ".hidden", "-rf", "_", "a-b_c.d/0", "tmp.1", "packs/tmp"};
  for (const auto& name : names) EXPECT_EQ(put(name, name), Put::created);
  for (const auto& name : names) EXPECT_EQ(get(name), name);
  EXPECT_EQ(list_until("", names), names);
}

TEST_P(StorageConformance, ATakerMayUseTheStorageAndMayThrow) {
  put("a", "1");
  put("b", "2");
  ASSERT_EQ(list_until("", {"a", "b"}), (Names{"a", "b"}));
  std::string all;
  storage().list(ctx, "", [&](const StoredObject& object) { all += get(object.name); });
  EXPECT_EQ(all.size(), 2U);
  EXPECT_THROW(storage().list(ctx, "", [](const StoredObject&) { throw std::out_of_range("enough"); }),
               std::out_of_range);
}

}  // namespace muster::backup
