#include "cli/backup_machine_parts.h"

#include <nlohmann/json.hpp>

#include "backup/point_part.h"
#include "base/bytes.h"
#include "base/digest.h"
#include "cli/environment.h"

namespace muster::cli {

nlohmann::json machine_parts(const OpenedRepository& opened, const backup::Index& index,
                             const backup::RestorePoint& point) {
  const auto read = [&](const char* part) {
    return backup::read_part(opened.context, opened.repository, index, point, part);
  };
  nlohmann::json fields{{"domain_xml", base::as_text(read("domain.xml"))}, {"session_directory", libvirt_directory()}};
  for (const char* name : {"nvram", "tpm", "secrets"})
    for (const auto& part : point.parts)
      if (part.part == name) fields[name] = base::base64_encode(base::as_text(read(name)));
  return fields;
}

}  // namespace muster::cli
