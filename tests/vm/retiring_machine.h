// A running machine on libvirt's own test driver, with an image, checkpoints and metadata, that is retired and killed
// on the way. Each has the driver's state for itself.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <gtest/gtest.h>
#include <libvirt/libvirt.h>

#include "base/error.h"
#include "virt/image_files.h"
#include "virt/lifecycle.h"
#include "virt/metadata.h"
#include "vm/retire.h"

namespace muster::vm {

using base::Code;

// Thrown where the process would be killed: nothing of ours catches it.
struct Killed {};

inline constexpr const char* kRetiringDomain =
    "<domain type='test'><name>web01</name><memory>65536</memory><os><type>hvm</type></os><devices><disk type='file' "
    "device='disk'><driver name='qemu' type='qcow2'/><source file='/default-pool/web01.qcow2'/><target dev='vda' "
    "bus='virtio'/></disk></devices></domain>";

struct RetiringMachine {
  RetiringMachine() {
    make_volume("web01.qcow2");
    const auto domain = connection.define(kRetiringDomain);
    virt::start(domain);
    for (const char* xml : {"<domaincheckpoint><name>c1</name></domaincheckpoint>",
                            "<domaincheckpoint><name>c2</name></domaincheckpoint>"})
      virDomainCheckpointFree(virDomainCheckpointCreateXML(domain.handle(), xml, 0));
    domain.set_autostart(true);
    virt::put_metadata_part(domain, {.name = "master", .attributes = {{"gold", "yes"}}});
  }

  virt::Domain web() const { return connection.domain("web01"); }
  virt::Domain other() const { return connection.domain("test"); }

  void make_volume(const std::string& name) const {
    const auto pool = virStoragePoolLookupByName(connection.handle(), "default-pool");
    const std::string xml = "<volume><name>" + name + "</name><capacity>1048576</capacity></volume>";
    virStorageVolFree(virStorageVolCreateXML(pool, xml.c_str(), 0));
    virStoragePoolFree(pool);
  }
  bool has_image() const { return virt::list_images(connection, {}).images.contains("/default-pool/web01.qcow2"); }

  // What has to be as it was. The test driver takes no checkpoints again: those are the end-to-end tests'.
  std::string description() const {
    const auto domain = web();
    std::string text = domain.uuid() + (domain.autostart() ? " autostart" : "");
    if (const auto part = virt::metadata_part(domain, "master")) text += " gold " + part->attribute("gold");
    if (retirement_of(domain)) text += " retired";
    return text;
  }

  // Calls `action` with an observer that kills at its `number`th call; false: it was done before.
  static bool killed(int number, const std::function<void(const StepObserver&)>& action) {
    int calls = 0;
    try {
      action([&](const PlannedStep&, Progress) {
        if (calls++ == number) throw Killed{};
      });
      return false;
    } catch (const Killed&) {
      return true;
    }
  }

  bool retire_killed(int number, const RetireOptions& options = {}) {
    return killed(number, [&](const auto& observer) {
      retire(ctx, connection, to_retire(connection, "web01"), options, observer);
    });
  }
  bool restore_killed(int number) {
    return killed(number,
                  [&](const auto& observer) { restore(ctx, connection, to_restore(connection, "web01"), observer); });
  }
  void expect_in_trash() const {
    EXPECT_FALSE(connection.find_domain("web01"));
    const auto all = tombstones(connection);
    ASSERT_EQ(all.size(), 1U);
    EXPECT_TRUE(all[0].in_trash());
    EXPECT_FALSE(all[0].unfinished());
    EXPECT_EQ(all[0].retirement.name, "web01");
    EXPECT_FALSE(all[0].domain.autostart());
    EXPECT_TRUE(virt::moments(all[0].domain, virt::MomentKind::checkpoint).empty());
    EXPECT_EQ(all[0].retirement.checkpoints.size(), 2U) << "written down, wherever it was killed";
    EXPECT_TRUE(has_image());
  }

  base::Context ctx;
  virt::Connection connection{"test:///default"};
};

inline std::optional<Code> code_of(const std::function<void()>& action, std::string* text = nullptr) {
  try {
    action();
  } catch (const base::Error& e) {
    if (text != nullptr) *text = e.what();
    return e.code();
  }
  return std::nullopt;
}

inline const RetireOptions kPurge{.aim = Aim::purge};

}  // namespace muster::vm
