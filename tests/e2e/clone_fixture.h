// Masters and clones on a hypervisor of the suite's own, whose pool `images` is its directory.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/e2e/on_hypervisor.h"

namespace muster::e2e {

class CloneFixture : public OnHypervisor {
 protected:
  using Words = std::vector<std::string>;

  static void SetUpTestSuite() { start_with_images(); }
  // Nothing of a test stays for the next.
  void TearDown() override {
    if (has_hypervisor()) clear();
    EndToEnd::TearDown();
  }
  static void clear() {
    for (const auto& name : names_of(virsh({"list", "--all", "--name"}))) {
      hypervisor().try_virsh({"destroy", name});
      hypervisor().try_virsh({"undefine", name, "--nvram", "--managed-save", "--snapshots-metadata"});
    }
    for (const auto& entry : std::filesystem::directory_iterator(hypervisor().directory()))
      if (entry.is_regular_file()) std::filesystem::remove(entry.path());
    hypervisor().try_virsh({"pool-refresh", "images"});
  }
  static Words names_of(const std::string& lines) {
    Words names;
    std::istringstream stream(lines);
    for (std::string line; std::getline(stream, line);)
      if (!line.empty()) names.push_back(line);
    return names;
  }

  static std::string image(const std::string& name) { return hypervisor().directory() + "/" + name; }
  // An image with something in it.
  static void make_image(const std::string& name, const std::string& size = "64M") {
    const std::string format = name.substr(name.rfind('.') + 1);
    must({"qemu-img", "create", "-q", "-f", format, image(name), size});
    must({"qemu-io", "-f", format, "-c", "write -P 0x5a 1M 2M", image(name)});
    virsh({"pool-refresh", "images"});
  }
  static void must(const Words& argv) {
    const auto done = run({.argv = argv});
    ASSERT_EQ(done.code, 0) << argv.front() << ": " << told(done);
  }

  // `muster WORD... -c URI -q`
  Launch on(Words words, const std::string& uri) const {
    words.insert(words.begin(), program("muster"));
    words.insert(words.end(), {"-q", "-c", uri});
    return {.argv = in_clean_environment(words, {"HOME=" + home(), "TMPDIR=" + file("tmp")})};
  }
  Finished here(const Words& words) const { return run(on(words, hypervisor().uri())); }
  std::string must_here(const Words& words) const {
    const auto done = here(words);
    EXPECT_EQ(done.code, 0) << told(done);
    return done.out;
  }
  std::vector<nlohmann::json> results_of(Words words, const std::string& uri) const {
    words.emplace_back("--json");
    std::vector<nlohmann::json> found;
    for (auto& line : json_lines(run(on(words, uri)).out))
      if (line.value("type", "") == "result") found.push_back(std::move(line));
    return found;
  }
  std::vector<nlohmann::json> results(const Words& words) const { return results_of(words, hypervisor().uri()); }
  // A master of an image of its own.
  void make_master(const std::string& name, const std::string& image_name = "gold.qcow2") const {
    make_image(image_name);
    must_here({"master", "seal", "images/" + image_name, "--name", name});
  }
  static std::string definition(const std::string& name) { return virsh({"dumpxml", "--inactive", name}); }
};

// The same for guests, on a network that only the hypervisor reaches.
class GuestCloneFixture : public CloneFixture {
 protected:
  static void SetUpTestSuite() { start_with_network(); }
  // An inventory, whose group `web` lets muster in.
  void write_fleet() const {
    write(file("key.pub"), key().public_line + "\n");
    write(file("fleet.yaml"),
          "all:\n  children:\n    web:\n      vars:\n        user: root\n        identity_file: " + key().file + "\n");
  }
  // As somebody on the hypervisor, whose network has the addresses that it knows.
  Finished inside(Words words, std::chrono::seconds deadline) const {
    const Words first{program("muster"), "-q", "-i", file("fleet.yaml")};
    words.insert(words.begin(), first.begin(), first.end());
    return run({.argv = hypervisor().inside(in_clean_environment(words, {"HOME=" + home(), "TMPDIR=" + file("tmp")})),
                .deadline = deadline});
  }
};

}  // namespace muster::e2e
