#include "virt/backup_job.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pugixml.hpp>

#include "base/error.h"
#include "virt/domain_xml.h"
#include "virt/libvirt_error.h"
#include "virt/moments.h"
#include "virt/owned.h"

namespace muster::virt {
namespace {

using base::Code;
using base::Error;

std::string of(const Domain& domain) { return " of '" + domain.name() + "'"; }

void set(pugi::xml_node node, const char* attribute, const std::string& value) {
  node.append_attribute(attribute).set_value(value.c_str());
}

const JobDisk* find(const JobRequest& request, const std::string& target) {
  const auto found = std::find_if(request.disks.begin(), request.disks.end(),
                                  [&](const JobDisk& disk) { return disk.target == target; });
  return found == request.disks.end() ? nullptr : &*found;
}

std::string bitmap_name(const std::string& target) { return "backup-" + target; }

// Every disk of the domain is named: libvirt takes those that are not.
std::string job_xml(const JobRequest& request, const std::vector<DiskElement>& disks) {
  pugi::xml_document document;
  auto root = document.append_child("domainbackup");
  set(root, "mode", "pull");
  auto server = root.append_child("server");
  set(server, "transport", "unix");
  set(server, "socket", request.socket);
  auto list = root.append_child("disks");
  for (const auto& element : disks) {
    auto node = list.append_child("disk");
    set(node, "name", element.target);
    const JobDisk* disk = find(request, element.target);
    set(node, "backup", disk != nullptr ? "yes" : "no");
    if (disk == nullptr) continue;
    set(node, "exportname", disk->target);
    set(node, "backupmode", disk->since ? "incremental" : "full");
    if (disk->since) {
      set(node, "incremental", *disk->since);
      set(node, "exportbitmap", bitmap_name(disk->target));
    }
    set(node, "type", "file");
    set(node.append_child("scratch"), "file", disk->scratch);
  }
  return node_text(root);
}

bool records_any(const JobRequest& request) {
  return !request.checkpoint.empty() && std::any_of(request.disks.begin(), request.disks.end(),
                                                    [](const JobDisk& disk) { return !disk.bitmap.empty(); });
}

std::string new_checkpoint_xml(const JobRequest& request, const std::vector<DiskElement>& disks) {
  pugi::xml_document document;
  auto root = document.append_child("domaincheckpoint");
  root.append_child("name").text().set(request.checkpoint.c_str());
  auto list = root.append_child("disks");
  for (const auto& element : disks) {
    auto node = list.append_child("disk");
    set(node, "name", element.target);
    const JobDisk* disk = find(request, element.target);
    const bool records = disk != nullptr && !disk->bitmap.empty();
    set(node, "checkpoint", records ? "bitmap" : "no");
    // Under its own name each bitmap is found in the image whatever libvirt forgets.
    if (records) set(node, "bitmap", disk->bitmap);
  }
  return node_text(root);
}

// What a checkpoint says, as far as it is about some disks; without its parent, which need not be there any more.
std::string restricted(const std::string& xml, const std::vector<std::string>& targets) {
  pugi::xml_document document;
  if (xml.size() > DomainXml::kMaxBytes || !document.load_string(xml.c_str()))
    throw Error(Code::corrupt, "the XML of a checkpoint cannot be read");
  auto root = document.child("domaincheckpoint");
  root.remove_child("parent");
  for (auto disk : root.child("disks").children("disk")) {
    const std::string target = disk.attribute("name").value();
    if (std::find(targets.begin(), targets.end(), target) != targets.end()) continue;
    disk.remove_attribute("bitmap");
    disk.remove_attribute("size");
    disk.attribute("checkpoint").set_value("no");
  }
  return node_text(root);
}

struct FreeCheckpoint {
  void operator()(virDomainCheckpointPtr checkpoint) const { virDomainCheckpointFree(checkpoint); }
};
using OwnedCheckpoint = std::unique_ptr<virDomainCheckpoint, FreeCheckpoint>;

OwnedCheckpoint find_checkpoint(const Domain& domain, const std::string& name) {
  return OwnedCheckpoint(virDomainCheckpointLookupByName(domain.handle(), name.c_str(), 0));
}

void register_part(const Domain& domain, const std::string& xml, const std::vector<std::string>& targets,
                   unsigned flags) {
  const OwnedCheckpoint checkpoint(virDomainCheckpointCreateXML(domain.handle(), restricted(xml, targets).c_str(),
                                                                VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE | flags));
  if (!checkpoint) throw_last("look at the checkpoint" + of(domain));
}

std::vector<std::string> recording_targets(const std::string& xml) {
  pugi::xml_document document;
  std::vector<std::string> targets;
  if (!document.load_string(xml.c_str())) return targets;
  for (const auto& disk : document.child("domaincheckpoint").child("disks").children("disk"))
    if (std::string_view(disk.attribute("checkpoint").value()) == "bitmap")
      targets.emplace_back(disk.attribute("name").value());
  return targets;
}

bool delete_whole(const Domain& domain, const std::string& name) {
  const auto checkpoint = find_checkpoint(domain, name);
  if (!checkpoint && last_is_not_found()) return true;
  return checkpoint && virDomainCheckpointDelete(checkpoint.get(), 0) == 0;
}

// libvirt deletes no checkpoint of which one bitmap is gone: disk by disk, the others' go.
void delete_what_is_there(const Domain& domain, const std::string& name) {
  const std::string xml = checkpoint_xml(domain, name);
  for (const auto& target : recording_targets(xml)) {
    try {
      register_part(domain, xml, {target}, 0);
      if (delete_whole(domain, name)) continue;
    } catch (const Error&) {
      // The entry goes below, whatever was wrong with this part of it.
    }
    forget(domain, MomentKind::checkpoint, name);
  }
  forget(domain, MomentKind::checkpoint, name);
}

}  // namespace

std::string changes_context(const std::string& target) { return "qemu:dirty-bitmap:" + bitmap_name(target); }

void begin_job(const Domain& domain, const JobRequest& request) {
  const auto disks = DomainXml(domain.xml(Domain::Xml::current)).disks();
  const std::string job = job_xml(request, disks);
  const std::string checkpoint = records_any(request) ? new_checkpoint_xml(request, disks) : "";
  if (virDomainBackupBegin(domain.handle(), job.c_str(), checkpoint.empty() ? nullptr : checkpoint.c_str(), 0) != 0)
    throw_last("begin the backup" + of(domain));
}

std::optional<RunningJob> running_job(const Domain& domain) {
  const OwnedText text(virDomainBackupGetXMLDesc(domain.handle(), 0));
  if (!text) {
    const virErrorPtr error = virGetLastError();
    if (error != nullptr && error->code == VIR_ERR_NO_DOMAIN_BACKUP) return std::nullopt;
    if (last_is_unsupported()) return std::nullopt;
    throw_last("look for a backup" + of(domain));
  }
  pugi::xml_document document;
  if (!document.load_string(text.get())) return RunningJob{};
  const pugi::xml_node job = document.child("domainbackup");
  RunningJob running{.socket = job.child("server").attribute("socket").value(), .scratch = {}};
  for (const auto& disk : job.child("disks").children("disk"))
    if (const auto file = disk.child("scratch").attribute("file")) running.scratch.emplace_back(file.value());
  return running;
}

void end_job(const Domain& domain, const RunningJob& job) {
  if (running_job(domain) != job) return;
  if (virDomainAbortJob(domain.handle()) == 0) return;
  // It ended meanwhile, as with its domain.
  const bool ended = virGetLastError() != nullptr && virGetLastError()->code == VIR_ERR_OPERATION_INVALID;
  if (!ended) throw_last("end the backup" + of(domain));
}

bool has_full_disk(const Domain& domain) {
  std::array<virDomainDiskError, 64> errors{};
  const int count = virDomainGetDiskErrors(domain.handle(), errors.data(), errors.size(), 0);
  bool full = false;
  for (int i = 0; i < count; ++i) {
    full = full || errors.at(static_cast<std::size_t>(i)).error == VIR_DOMAIN_DISK_ERROR_NO_SPACE;
    std::free(errors.at(static_cast<std::size_t>(i)).disk);
  }
  return full;
}

std::vector<std::string> checkpoint_names(const Domain& domain) {
  virDomainCheckpointPtr* list = nullptr;
  const int count = virDomainListAllCheckpoints(domain.handle(), &list, 0);
  if (count < 0 && last_is_unsupported()) return {};
  if (count < 0) throw_last("list the checkpoints" + of(domain));
  const std::vector<OwnedCheckpoint> owned(list, list + count);
  std::free(list);
  std::vector<std::string> names;
  names.reserve(owned.size());
  for (const auto& checkpoint : owned) names.emplace_back(virDomainCheckpointGetName(checkpoint.get()));
  return names;
}

std::string checkpoint_xml(const Domain& domain, const std::string& name) {
  const auto checkpoint = find_checkpoint(domain, name);
  if (!checkpoint) throw_last("look up checkpoint '" + name + "'" + of(domain));
  const OwnedText text(virDomainCheckpointGetXMLDesc(checkpoint.get(), VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN));
  if (!text) throw_last("read checkpoint '" + name + "'" + of(domain));
  return text.get();
}

void check_checkpoint(const Domain& domain, const std::string& xml, const std::vector<std::string>& targets) {
  register_part(domain, xml, targets, VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE);
}

void delete_checkpoint(const Domain& domain, const std::string& name) {
  if (delete_whole(domain, name)) return;
  if (!domain.active())
    throw Error(Code::refused, "'" + domain.name() + "' is off: its checkpoints stay until it runs");
  delete_what_is_there(domain, name);
}

std::uint64_t disk_size_bytes(const Domain& domain, const std::string& target) {
  virDomainBlockInfo info{};
  if (virDomainGetBlockInfo(domain.handle(), target.c_str(), &info, 0) != 0)
    throw_last("measure disk " + target + of(domain));
  return info.capacity;
}

}  // namespace muster::virt
