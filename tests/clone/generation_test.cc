// The record of a master's generation: nothing of it is lost on the way through its text, and what is no such record,
// or not a whole one, is corrupt. Names of masters as users write them.
#include "clone/generation.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/parallel-ssh/support.h"

namespace muster::clone {
namespace {

using base::Code;
using nlohmann::json;

// Every field has a value that it does not have by itself.
Generation full_generation() {
  return {.master = "web",
          .number = 7,
          .sealed = "2026-11-01T10:00:00Z",
          .source = "domain 'web-gold' \"quoted\" \xc3\xa4",
          .source_uuid = "11111111-2222-4333-8444-555555555555",
          .images = {{.target = "vda",
                      .path = "/images/web gold.qcow2",
                      .format = "qcow2",
                      .backing_path = "/images/base.raw",
                      .capacity_bytes = 1ULL << 60,
                      .allocation_bytes = (1ULL << 53) + 1,
                      .physical_bytes = 4097,
                      .modified = "1700000000.123456789",
                      .header_sha256 = "aa",
                      .content_sha256 = "bb",
                      .made = true,
                      .mode_before = 0640,
                      .carried_bytes = 99},
                     {.target = "sdb", .path = "/b.raw", .format = "raw"}},
          .definition = "<domain type='kvm'>\n  <name>web-gold</name>\n</domain>\n",
          .variables = std::string("\0\xff\x80 raw bytes\n", 14),
          .tpm_state = std::string("\0\xff secrets\n", 11),
          .guest = GuestKind::offline,
          .maker = virt::CreationMark{.uuid = {},
                                      .host = "kvm1",
                                      .machine = "boot-1",
                                      .pid = 4711,
                                      .started = 1ULL << 40,
                                      .since = "2026-11-01T09:59:00Z",
                                      .volumes = {}}};
}

json record() { return json::parse(to_text(full_generation())); }

ssh::Failure failure_of_text(const std::string& text) {
  return ssh::failure_of([&] { generation_from(text); });
}

TEST(GenerationRecord, KeepsEveryField) {
  const auto before = full_generation();
  const auto after = generation_from(to_text(before));
  EXPECT_EQ(after.master, before.master);
  EXPECT_EQ(after.number, before.number);
  EXPECT_EQ(after.sealed, before.sealed);
  EXPECT_EQ(after.source, before.source);
  EXPECT_EQ(after.source_uuid, before.source_uuid);
  EXPECT_EQ(after.definition, before.definition);
  EXPECT_EQ(after.variables, before.variables);
  EXPECT_EQ(after.tpm_state, before.tpm_state);
  EXPECT_EQ(after.guest, before.guest);
  ASSERT_EQ(after.images.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto &was = before.images[i], &is = after.images[i];
    EXPECT_EQ(is.target, was.target);
    EXPECT_EQ(is.path, was.path);
    EXPECT_EQ(is.format, was.format);
    EXPECT_EQ(is.backing_path, was.backing_path);
    EXPECT_EQ(is.capacity_bytes, was.capacity_bytes);
    EXPECT_EQ(is.allocation_bytes, was.allocation_bytes);
    EXPECT_EQ(is.physical_bytes, was.physical_bytes);
    EXPECT_EQ(is.modified, was.modified);
    EXPECT_EQ(is.header_sha256, was.header_sha256);
    EXPECT_EQ(is.content_sha256, was.content_sha256);
    EXPECT_EQ(is.made, was.made);
    EXPECT_EQ(is.mode_before, was.mode_before);
    EXPECT_EQ(is.carried_bytes, was.carried_bytes);
  }
  ASSERT_TRUE(after.maker);
  EXPECT_FALSE(after.whole());
  EXPECT_EQ(after.maker->host, before.maker->host);
  EXPECT_EQ(after.maker->machine, before.maker->machine);
  EXPECT_EQ(after.maker->pid, before.maker->pid);
  EXPECT_EQ(after.maker->started, before.maker->started);
  EXPECT_EQ(after.maker->since, before.maker->since);
  EXPECT_EQ(to_text(after), to_text(before));
}

TEST(GenerationRecord, WithoutAMakerIsWhole) {
  auto generation = full_generation();
  generation.maker.reset();
  EXPECT_TRUE(generation_from(to_text(generation)).whole());
}

TEST(GenerationRecord, SaysForPeopleWhoseImageItIs) {
  EXPECT_NE(record().at("holder").get<std::string>().find("generation 7 of the master 'web'"), std::string::npos);
  EXPECT_EQ(name_of(full_generation()), "web@7");
}

TEST(GenerationRecord, CutOffAnywhereIsCorrupt) {
  const std::string text = to_text(full_generation());
  for (std::size_t length = 0; length + 2 < text.size(); length += 7)
    ASSERT_TRUE(failure_of_text(text.substr(0, length)).is(Code::corrupt, "record")) << length;
}

TEST(GenerationRecord, WhatIsNoRecordIsCorrupt) {
  for (const char* text :
       {"", "[]", "{}", "null", "7", "\"web\"", "{\"holder\":\"somebody\"}", "{\"v\":1}", "{\"v\":1,\"master\":[]}",
        "{\"v\":1,\"master\":{\"name\":\"web\"}}", "\xff\xfe", "{\"v\":1}}"})
    EXPECT_TRUE(failure_of_text(text).is(Code::corrupt, "")) << text << ": " << failure_of_text(text);
  EXPECT_TRUE(failure_of_text(std::string(100'000, '[')).is(Code::corrupt, ""));
}

TEST(GenerationRecord, OfANewerVersionIsCorruptAndSaysSo) {
  auto claim = record();
  claim["v"] = 2;
  EXPECT_TRUE(failure_of_text(claim.dump()).is(Code::corrupt, "version 2")) << failure_of_text(claim.dump());
}

TEST(GenerationRecord, EveryFieldHasToBeThereAndOfItsKind) {
  for (const char* field :
       {"name", "generation", "sealed", "source", "source_uuid", "images", "definition", "variables", "guest"}) {
    auto without = record();
    without["master"].erase(field);
    EXPECT_TRUE(failure_of_text(without.dump()).is(Code::corrupt, "")) << field;
    auto other = record();
    other["master"][field] = json::object({{"x", 1}});
    EXPECT_TRUE(failure_of_text(other.dump()).is(Code::corrupt, "")) << field;
  }
  for (const char* field : {"target", "path", "format", "backing", "capacity_bytes", "allocation_bytes",
                            "physical_bytes", "modified", "header_sha256", "content_sha256", "made"}) {
    auto without = record();
    without["master"]["images"][0].erase(field);
    EXPECT_TRUE(failure_of_text(without.dump()).is(Code::corrupt, "")) << field;
  }
  for (const char* field : {"host", "machine", "pid", "started", "since"}) {
    auto without = record();
    without["master"]["maker"].erase(field);
    EXPECT_TRUE(failure_of_text(without.dump()).is(Code::corrupt, "")) << field;
  }
}

TEST(GenerationRecord, ValuesThatNobodyWroteAreCorrupt) {
  struct {
    const char *pointer, *value;
  } const cases[] = {
      {"/master/images", "[]"},
      {"/master/guest", "\"telepathy\""},
      {"/master/variables", "\"not base64\""},
      {"/master/tpm", "\"not base64\""},
      {"/master/generation", "0"},
      {"/master/generation", "-1"},
      {"/master/generation", "4294967297"},
      {"/master/name", "\"../web\""},
      {"/master/name", "\"\""},
      {"/master/name", "\"web@2\""},
      {"/v", "4294967297"},
      {"/v", "\"1\""},
  };
  for (const auto& one : cases) {
    auto claim = record();
    claim[json::json_pointer(one.pointer)] = json::parse(one.value);
    EXPECT_TRUE(failure_of_text(claim.dump()).is(Code::corrupt, ""))
        << one.pointer << " = " << one.value << ": " << failure_of_text(claim.dump());
  }
}

TEST(GenerationRecord, WhatIsNewInItIsPassedOver) {
  auto claim = record();
  claim["new"] = 1;
  claim["master"]["new"] = "x";
  claim["master"]["images"][0]["new"] = json::array();
  EXPECT_EQ(to_text(generation_from(claim.dump())), to_text(full_generation()));
}

TEST(GuestKinds, HaveNames) {
  for (const auto kind : {GuestKind::cloud_init, GuestKind::offline, GuestKind::none})
    EXPECT_EQ(guest_kind_named(name_of(kind)), kind);
  for (const char* name : {"", "cloud_init", "None", "offline "})
    EXPECT_TRUE(ssh::failure_of([&] { guest_kind_named(name); }).is(Code::usage, "cloud-init, offline or none"))
        << name;
}

TEST(MasterNames, AreReadWithTheirGeneration) {
  const std::string longest(128, 'x');
  struct {
    std::string text, name;
    std::optional<unsigned> number;
  } const cases[] = {
      {"web", "web", std::nullopt},
      {"web@1", "web", 1},
      {"web@4294967295", "web", 4294967295U},
      {"Debian-12.8_x+y", "Debian-12.8_x+y", std::nullopt},
      {"_a", "_a", std::nullopt},
      {"7", "7", std::nullopt},
      {"a.@2", "a.", 2},
      {longest, longest, std::nullopt},
      {longest + "@3", longest, 3},
  };
  for (const auto& one : cases) {
    const auto name = parse_master_name(one.text);
    EXPECT_EQ(name.name, one.name) << one.text;
    EXPECT_EQ(name.number, one.number) << one.text;
  }
}

TEST(MasterNames, ThatCannotBeAreUsageErrors) {
  for (const std::string text : {"",           "@",      "@1",      ".web",           "-web",   "..",
                                 "web/1",      "web 1",  "web:1",   "w\xc3\xa4\x62",  "web\n",  "web*",
                                 "web[01-02]", "web@",   "web@0",   "web@x",          "web@1x", "web@-1",
                                 "web@+1",     "web@ 1", "web@1@2", "web@4294967296", "web@1.0"})
    EXPECT_TRUE(ssh::failure_of([&] { parse_master_name(text); }).is(Code::usage, text.substr(0, text.find('@'))))
        << "'" << text << "': " << ssh::failure_of([&] { parse_master_name(text); });
  EXPECT_TRUE(
      ssh::failure_of([&] { parse_master_name(std::string(129, 'x')); }).is(Code::usage, "no name of a master"));
  EXPECT_TRUE(ssh::failure_of([&] { parse_master_name(std::string("w\0b", 3)); }).is(Code::usage, ""));
}

}  // namespace
}  // namespace muster::clone
