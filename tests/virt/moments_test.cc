// Entries of snapshots and checkpoints, against libvirt's test driver.
#include "virt/moments.h"

#include <gtest/gtest.h>
#include <libvirt/libvirt.h>

#include "base/error.h"
#include "virt/connection.h"
#include "virt/lifecycle.h"

namespace muster::virt {
namespace {

constexpr const char* kDomain =
    "<domain type='test'><name>web01</name><memory>65536</memory><os><type>hvm</type></os><devices><disk type='file' "
    "device='disk'><driver name='qemu' type='qcow2'/><source file='/default-pool/web01.qcow2'/><target dev='vda' "
    "bus='virtio'/></disk></devices></domain>";

// The test driver forgets no snapshots: those are the end-to-end tests'.
struct Moments : testing::Test {
  Moments() {
    start(domain);
    for (const char* xml : {"<domaincheckpoint><name>one</name></domaincheckpoint>",
                            "<domaincheckpoint><name>two</name></domaincheckpoint>"})
      virDomainCheckpointFree(virDomainCheckpointCreateXML(domain.handle(), xml, 0));
  }
  std::string names(MomentKind kind) const {
    std::string text;
    for (const auto& moment : moments(domain, kind)) text += moment.name + (moment.current ? "* " : " ");
    return text;
  }

  Connection connection{"test:///default"};
  Domain domain = connection.define(kDomain);
};

TEST_F(Moments, ParentsComeFirst) {
  EXPECT_EQ(names(MomentKind::checkpoint), "one two ");
  EXPECT_EQ(names(MomentKind::snapshot), "");
  for (const char* name : {"two", "one"}) forget(domain, MomentKind::checkpoint, name);
  for (const char* xml :
       {"<domainsnapshot><name>s1</name></domainsnapshot>", "<domainsnapshot><name>s0</name></domainsnapshot>"})
    virDomainSnapshotFree(virDomainSnapshotCreateXML(domain.handle(), xml, 0));
  EXPECT_EQ(names(MomentKind::snapshot), "s1 s0* ");
}

TEST_F(Moments, ForgottenOnesCanBeRegisteredAgain) {
  const auto all = moments(domain, MomentKind::checkpoint);
  for (auto moment = all.rbegin(); moment != all.rend(); ++moment) forget(domain, MomentKind::checkpoint, moment->name);
  EXPECT_EQ(names(MomentKind::checkpoint), "");
  forget(domain, MomentKind::checkpoint, "one");
  for (const auto& moment : all) register_again(domain, MomentKind::checkpoint, moment);
  EXPECT_EQ(names(MomentKind::checkpoint), "one two ");
}

TEST_F(Moments, AreWrittenDownAsTheyAre) {
  const std::vector<Moment> written{{.name = "a&b", .xml = "<domainsnapshot>\n</domainsnapshot>", .current = true},
                                    {.name = "c", .xml = "<x/>"}};
  MetadataElement part{.name = "moving"};
  put_moments(part, MomentKind::snapshot, written);
  put_moments(part, MomentKind::checkpoint, {{.name = "d", .xml = "<y/>"}});
  const auto read = find_part(with_part("", part), "moving");
  const auto snapshots = moments_in(*read, MomentKind::snapshot);
  ASSERT_EQ(snapshots.size(), 2U);
  EXPECT_EQ(snapshots[0].name, "a&b");
  EXPECT_EQ(snapshots[0].xml, written[0].xml);
  EXPECT_TRUE(snapshots[0].current && !snapshots[1].current);
  EXPECT_EQ(moments_in(*read, MomentKind::checkpoint).at(0).name, "d");
}

TEST_F(Moments, ADomainIsRenamedWhenItIsOff) {
  EXPECT_TRUE(can_rename(domain));
  EXPECT_THROW(rename(domain, "other"), base::Error);
  power_off(domain);
  for (const auto& moment : moments(domain, MomentKind::checkpoint))
    forget(domain, MomentKind::checkpoint, moment.name);
  EXPECT_TRUE(can_rename(domain));
  const std::string uuid = domain.uuid();
  rename(domain, "other");
  EXPECT_FALSE(connection.find_domain("web01"));
  EXPECT_EQ(connection.domain("other").uuid(), uuid);
}

TEST_F(Moments, AreUndefinedWithTheirDomain) {
  power_off(domain);
  undefine(domain, FirmwareState::removed);
  EXPECT_FALSE(connection.find_domain("web01"));
}

}  // namespace
}  // namespace muster::virt
