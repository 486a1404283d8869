// What the documents of a repository say, behind a good signature: a host that may write is not thereby to be trusted.
// The first byte chooses what the rest is read as.
#include <cstdint>
#include <map>
#include <memory>

#include "backup/boot_record.h"
#include "backup/index.h"
#include "backup/labels.h"
#include "backup/lease.h"
#include "backup/object_names.h"
#include "backup/repository.h"
#include "backup/restore_point.h"
#include "backup/sentence.h"
#include "base/error.h"
#include "tests/fakes/memory_storage.h"

namespace {

using namespace muster;
using namespace muster::backup;

struct Opened {
  std::shared_ptr<fakes::MemoryStorage> storage = std::make_shared<fakes::MemoryStorage>();
  CreatedRepository created = plan_repository({.slot = SlotKind::clear, .created = "2026-11-28T00:00:00Z"});
  std::unique_ptr<Repository> repository = std::make_unique<Repository>(storage, created.config, created.owner);
};

void put_and_read(const Repository& repository, unsigned kind, base::ByteView payload) {
  static const ObjectId id = random_object_id();
  const NumberedName numbered{.of = id, .number = 0, .own = id};
  const auto put = [&](const std::string& name, DocumentKind as) {
    repository.put_document({}, repository.address(name, as), payload, Encrypted::no);
  };
  const auto put_maintenance = [&](const std::string& name, DocumentKind as) {
    repository.put_maintenance({}, repository.address(name, as), payload);
  };
  switch (kind % 7) {
    case 0:
      put(object_name(kPointsPrefix, id), DocumentKind::point);
      get_point({}, repository, id);
      break;
    case 1:
      put(numbered_name(kLeasesPrefix, numbered), DocumentKind::lease);
      find_leases({}, repository, {});
      break;
    case 2:
      put(numbered_name(kLabelsPrefix, numbered), DocumentKind::label);
      labels_of(RestorePoint(), read_labels({}, repository));
      put(numbered_name(kBootsPrefix, numbered), DocumentKind::boot);
      boot_record_of(RestorePoint(), read_boot_records({}, repository));
      break;
    case 3:
      put_maintenance(object_name(kSentencesPrefix, id), DocumentKind::sentence);
      put_maintenance(object_name(kVerdictsPrefix, id), DocumentKind::verdict);
      doomed_packs(read_sentences({}, repository));
      break;
    case 4:
      put(object_name(kDamagedPrefix, id), DocumentKind::damaged);
      read_damaged({}, repository);
      break;
    case 5:
      put(object_name(kHostsPrefix, id), DocumentKind::host);
      repository.host({}, id);
      break;
    default:
      put_maintenance(object_name(kForgottenPrefix, id), DocumentKind::forgotten);
      list_points({}, repository);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Opened opened;
  try {
    put_and_read(*opened.repository, data[0], {reinterpret_cast<const std::byte*>(data) + 1, size - 1});
  } catch (const base::Error&) {
    // That is an answer.
  }
  return 0;
}
