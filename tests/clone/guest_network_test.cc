// Settings of a guest's network: hardware addresses and connections become its own, and a fixed address is told in the
// way that each of the usual services reads.
#include "clone/guest_network.h"

#include <gtest/gtest.h>

namespace muster::clone {
namespace {

const StaticAddress kFixed{
    .address = "192.0.2.11/24", .gateway = "192.0.2.1", .name_servers = {"192.0.2.2", "192.0.2.3"}};
const StaticAddress kSix{.address = "2001:db8::11/64", .gateway = "", .name_servers = {}};

TEST(GuestNetwork, HardwareAddressesAreReplacedInWhateverLetters) {
  const std::map<std::string, std::string> words{{"52:54:00:AA:bb:01", "52:54:00:00:00:02"}};
  EXPECT_EQ(with_words_replaced("HWADDR=52:54:00:aa:BB:01\nmac=\"52:54:00:aa:bb:01\"", words),
            "HWADDR=52:54:00:00:00:02\nmac=\"52:54:00:00:00:02\"");
  EXPECT_EQ(with_words_replaced("52:54:00:aa:bb:01:02 and 52:54:00:aa:bb", words),
            "52:54:00:aa:bb:01:02 and 52:54:00:aa:bb");
  EXPECT_EQ(with_words_replaced("", words), "");
}

TEST(GuestNetwork, HardwareAddressesAreFoundOnce) {
  EXPECT_EQ(hardware_addresses("HWADDR=52:54:00:AA:BB:01\n  # 52:54:00:aa:bb:09\nmac: '52:54:00:aa:bb:01'\n"),
            std::vector<std::string>{"52:54:00:aa:bb:01"});
  EXPECT_TRUE(hardware_addresses("52:54:00:aa:bb 52-54-00-aa-bb-01 52:54:00:aa:bb:01:02 2001:db8::11 fe80::1").empty());
}

TEST(GuestNetwork, ConnectionsAreKnownByTheirUuids) {
  const std::string uuid = "6a7a1c3e-0000-4000-8000-0123456789ab";
  EXPECT_EQ(connection_uuids("[connection]\nuuid=" + uuid + "\n"), std::vector{uuid});
  EXPECT_EQ(connection_uuids("UUID=\"" + uuid + "\"\n"), std::vector{uuid});
  EXPECT_TRUE(connection_uuids("uuid=short\nother=" + uuid + "\n").empty());
}

TEST(GuestNetwork, AFixedAddressOfTheMasterIsNoticed) {
  EXPECT_TRUE(names_fixed_address("auto eth0\niface eth0 inet static\n"));
  EXPECT_TRUE(names_fixed_address("[Network]\nAddress=192.0.2.7/24\n"));
  EXPECT_TRUE(names_fixed_address("[ipv4]\naddress1=192.0.2.7/24\n"));
  EXPECT_TRUE(names_fixed_address("IPADDR=192.0.2.7\n"));
  EXPECT_TRUE(names_fixed_address("  ethernets:\n    eth0:\n      addresses: [192.0.2.7/24]\n"));
  EXPECT_FALSE(names_fixed_address("iface eth0 inet dhcp\n# Address=192.0.2.7\n[Network]\nDHCP=yes\n"));
}

TEST(GuestNetwork, EachServiceIsToldInItsOwnWay) {
  EXPECT_EQ(networkd_settings("52:54:00:00:00:02", kFixed),
            "[Match]\nMACAddress=52:54:00:00:00:02\n\n[Network]\nAddress=192.0.2.11/24\nGateway=192.0.2.1\n"
            "DNS=192.0.2.2\nDNS=192.0.2.3\n");
  EXPECT_EQ(connection_settings("52:54:00:00:00:02", kFixed, "U"),
            "[connection]\nid=muster-clone\nuuid=U\ntype=ethernet\nautoconnect-priority=999\n\n[ethernet]\n"
            "mac-address=52:54:00:00:00:02\n\n[ipv4]\nmethod=manual\naddress1=192.0.2.11/24,192.0.2.1\n"
            "dns=192.0.2.2;192.0.2.3;\n\n[ipv6]\nmethod=auto\n");
  EXPECT_EQ(connection_settings("52:54:00:00:00:02", kSix, "U"),
            "[connection]\nid=muster-clone\nuuid=U\ntype=ethernet\nautoconnect-priority=999\n\n[ethernet]\n"
            "mac-address=52:54:00:00:00:02\n\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=manual\n"
            "address1=2001:db8::11/64\n");
}

TEST(GuestNetwork, OfIfupdownOnlyTheFirstInterfaceIsToldAnAddress) {
  const std::string before =
      "source interfaces.d/*\n\nauto lo\niface lo inet loopback\n\nallow-hotplug eth0\niface eth0 inet static\n"
      "    address 192.0.2.7\n    netmask 255.255.255.0\n    mtu 1400\n\nauto eth1\niface eth1 inet dhcp\n"
      "    hostname gold\n";
  EXPECT_EQ(interfaces_settings(before, kFixed),
            "source interfaces.d/*\n\nauto lo\niface lo inet loopback\n\nallow-hotplug eth0\niface eth0 inet static\n"
            "    address 192.0.2.11/24\n    gateway 192.0.2.1\n    dns-nameservers 192.0.2.2 192.0.2.3\n"
            "    mtu 1400\n\nauto eth1\niface eth1 inet dhcp\n    hostname gold\n");
  EXPECT_EQ(interfaces_settings("iface ens3 inet dhcp\niface ens3 inet6 auto\n", kSix),
            "iface ens3 inet dhcp\niface ens3 inet6 static\n    address 2001:db8::11/64\n");
  EXPECT_EQ(interfaces_settings("iface ens3 inet dhcp\n", kSix),
            "iface ens3 inet dhcp\n\niface ens3 inet6 static\n    address 2001:db8::11/64\n");
  EXPECT_EQ(interfaces_settings("auto lo\niface lo inet loopback\n", kFixed), std::nullopt);
}

}  // namespace
}  // namespace muster::clone
