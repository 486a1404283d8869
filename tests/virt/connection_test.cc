// Against libvirt's own test driver, whose state lives in this process.
#include "virt/connection.h"

#include <functional>

#include <gtest/gtest.h>

#include "base/error.h"
#include "virt/capabilities.h"
#include "virt/lifecycle.h"
#include "virt/statistics.h"

namespace muster::virt {
namespace {

using base::Code;

std::optional<Code> code_of(const std::function<void()>& action, std::string* text = nullptr) {
  try {
    action();
  } catch (const base::Error& e) {
    if (text != nullptr) *text = e.what();
    return e.code();
  }
  return std::nullopt;
}

struct TestDriver : testing::Test {
  Connection connection{"test:///default"};
  Domain domain = connection.domain("test");
};

TEST_F(TestDriver, FindsDomainsByNameAndUuid) {
  EXPECT_EQ(connection.driver(), "TEST");
  EXPECT_TRUE(connection.alive());
  ASSERT_EQ(connection.domains().size(), 1U);
  EXPECT_EQ(connection.domain(domain.uuid()).name(), "test");
  EXPECT_FALSE(connection.find_domain("nobody"));
  std::string text;
  EXPECT_EQ(code_of([&] { connection.domain("nobody"); }, &text), Code::not_found);
  EXPECT_EQ(text, "no domain 'nobody' on test:///default");
}

TEST_F(TestDriver, WhoDoesNotAnswerIsUnreachable) {
  std::string text;
  EXPECT_EQ(code_of([] { Connection("qemu+unix:///system?socket=/nonexistent/sock"); }, &text), Code::unreachable);
  EXPECT_NE(text.find("connect to qemu+unix"), std::string::npos) << text;
  EXPECT_EQ(code_of([] { Connection("nosuchdriver:///x"); }), Code::unreachable);
}

TEST_F(TestDriver, GoesThroughALife) {
  EXPECT_EQ(domain.state(), State::running);
  pause(domain);
  EXPECT_EQ(domain.state(), State::paused);
  EXPECT_EQ(domain.reason(), "user");
  resume(domain);
  save(domain);
  EXPECT_EQ(domain.state(), State::saved);
  EXPECT_TRUE(has_saved_image(domain));
  start(domain);
  EXPECT_EQ(domain.state(), State::running);
  EXPECT_FALSE(has_saved_image(domain));
  std::string text;
  EXPECT_EQ(code_of([&] { start(domain); }, &text), Code::refused) << text;
  power_off(domain);
  EXPECT_EQ(domain.state(), State::shut_off);
  EXPECT_EQ(domain.reason(), "destroyed");
  const std::string definition = domain.xml(Domain::Xml::portable);
  undefine(domain, FirmwareState::removed);
  EXPECT_FALSE(connection.find_domain("test"));
  EXPECT_EQ(connection.define(definition).name(), "test");
}

TEST_F(TestDriver, ADomainThatVanishedIsNotFound) {
  power_off(domain);
  undefine(domain, FirmwareState::removed);
  EXPECT_EQ(code_of([&] { domain.state(); }), Code::not_found);
  EXPECT_EQ(code_of([&] { start(domain); }), Code::not_found);
}

TEST_F(TestDriver, XmlThatLibvirtDoesNotTakeIsUsage) {
  EXPECT_EQ(code_of([&] { connection.define("<domain type='test'><name>x</name>"); }), Code::usage);
  std::string other = domain.xml(Domain::Xml::portable);
  other.replace(other.find("<uuid>") + 6, 8, "99999999");
  EXPECT_EQ(code_of([&] { connection.define(other); }), Code::refused) << "the name belongs to another UUID";
}

TEST_F(TestDriver, KeepsOurMetadata) {
  EXPECT_FALSE(domain.metadata());
  domain.set_metadata("<facts master='gold'/>");
  ASSERT_TRUE(domain.metadata());
  EXPECT_NE(domain.metadata()->find("gold"), std::string::npos);
  domain.set_metadata("");
  EXPECT_FALSE(domain.metadata());
  domain.set_metadata("");
}

TEST_F(TestDriver, StatisticsComeAlsoWithoutTheOneCall) {
  const auto all = statistics(connection, Detail::all);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].state, State::running);
  EXPECT_EQ(all[0].cpus, 2U);
  EXPECT_EQ(all[0].memory_bytes, 2ULL << 30);
  EXPECT_FALSE(all[0].stale);
  ASSERT_FALSE(all[0].disks.empty());
  EXPECT_EQ(all[0].disks[0].target, "vda");
  EXPECT_EQ(node_statistics(connection).cpus, 16U);
}

TEST_F(TestDriver, CapabilitiesAreLibvirtsOwnAnswers) {
  const auto find = [](const std::vector<Capability>& all, const std::string& name) {
    for (const auto& capability : all)
      if (capability.name == name) return capability;
    ADD_FAILURE() << "no " << name;
    return Capability{};
  };
  const auto all = capabilities(connection, domain);
  EXPECT_EQ(find(all, "snapshots").answer, Answer::yes);
  EXPECT_EQ(find(all, "checkpoints").answer, Answer::yes);
  EXPECT_EQ(find(all, "backup").answer, Answer::no);
  EXPECT_NE(find(all, "backup").detail.find("not supported"), std::string::npos);
  EXPECT_EQ(find(capabilities(connection, std::nullopt), "snapshots").answer, Answer::unknown);
  EXPECT_EQ(domain.state(), State::running) << "asking changes nothing";
}

}  // namespace
}  // namespace muster::virt
