// A disk that moves into its top image while its machine runs: QEMU copies what that does not have yet from the chain
// below, and lets go of the chain once all is there (virDomainBlockPull). Thread-safe, as libvirt's handles are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "virt/domain.h"
#include "virt/domain_xml.h"

namespace muster::virt {

struct PullProgress {
  std::uint64_t done = 0, total = 0;  // bytes
};

// `bytes_per_second`: 0 for as many as there are. Throws base::Error{refused, busy, unsupported}.
void start_pull(const Domain& domain, const std::string& target, std::uint64_t bytes_per_second);
// nullopt: none is under way, for it ended in one way or another.
std::optional<PullProgress> pull_progress(const Domain& domain, const std::string& target);
// What is there by then stays. None is fine.
void end_pull(const Domain& domain, const std::string& target);

// Whether the definition tells of an image below the disk's own. Pure.
bool has_chain(const DomainXml& xml, const std::string& target);

}  // namespace muster::virt
