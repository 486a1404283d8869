#include "virt/devices.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace muster::virt {
namespace {

using base::Code;

const DomainXml kDomain(
    "<domain type='qemu'><name>a</name><devices>"
    "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='/old.iso' index='3'/>"
    "<backingStore/><target dev='sda' bus='sata'/><readonly/></disk>"
    "<interface type='user'><mac address='52:54:00:AA:BB:CC'/></interface></devices></domain>");

TEST(Devices, AreFoundByTargetOrAddress) {
  EXPECT_NE(find_device(kDomain, "sda")->find("/old.iso"), std::string::npos);
  EXPECT_NE(find_device(kDomain, "52:54:00:aa:bb:cc")->find("<interface"), std::string::npos);
  EXPECT_FALSE(find_device(kDomain, "sdb"));
}

TEST(Devices, AnotherSourceTakesThePlaceOfTheOld) {
  const std::string drive = *find_device(kDomain, "sda");
  const std::string block = with_source(drive, ImageSource{.path = "/dev/sr0", .block = true, .format = "raw"});
  EXPECT_NE(block.find(R"(<disk type="block")"), std::string::npos) << block;
  EXPECT_NE(block.find(R"(<source dev="/dev/sr0" />)"), std::string::npos) << block;
  EXPECT_EQ(block.find("old.iso"), std::string::npos);
  const std::string empty = with_source(drive, std::nullopt);
  EXPECT_EQ(empty.find("<source"), std::string::npos) << empty;
  EXPECT_NE(empty.find(R"(dev="sda")"), std::string::npos) << empty;
}

TEST(Devices, PathsAreNoMarkup) {
  const std::string xml = device_xml(NewDisk{.source = {.path = "/a'<b>&.raw", .block = false, .format = "raw"},
                                             .target = "vdb",
                                             .bus = "virtio",
                                             .read_only = true});
  EXPECT_NE(xml.find("/a'&lt;b>&amp;.raw"), std::string::npos) << xml;
  EXPECT_NE(xml.find("<readonly"), std::string::npos) << xml;
}

TEST(Devices, VolumesAreResolvedToTheirPath) {
  const Connection connection("test:///default");
  try {
    volume_source(connection, "default-pool", "none");
    FAIL();
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), Code::not_found) << e.what();
  }
  EXPECT_FALSE(volume_at(connection, "/nowhere.qcow2"));
}

TEST(Devices, WhatTheDriverCannotDoIsUnsupported) {
  const Connection connection("test:///default");
  try {
    attach_device(connection.domain("test"), "<interface type='user'/>", Reach::both);
    FAIL();
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), Code::unsupported) << e.what();
  }
}

}  // namespace
}  // namespace muster::virt
