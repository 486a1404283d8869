// One domain, running or not: who it is, in which state, its XML, the facts muster keeps in its metadata. What is done
// to it stands in files by topic (lifecycle.h, addresses.h, ...). A Domain is a handle: copies mean the same domain.
// Thread-safe, as libvirt's are.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct _virDomain;  // libvirt's own name. NOLINT(bugprone-reserved-identifier)

namespace muster::virt {

enum class State { running, paused, shutting_down, shut_off, crashed, suspended, saved, blocked, unknown };
// `running`, `paused`, `shut off`, ... as virsh says; `saved` for one that is off with a saved memory image.
const char* name_of(State state);
// The reason() of a machine that stands still because a write or read of its failed.
inline constexpr std::string_view kIoErrorReason = "I/O error";
// Of a virDomainState. `saved` is none of those: it is what Domain::state() makes of one that is off.
State state_from_number(int number);

class Domain {
 public:
  // Takes over the caller's reference.
  static Domain adopt(_virDomain* handle);

  // As it was when it was looked up. Asks nobody: the name stands in messages about the last error, which any other
  // call would wipe out.
  const std::string& name() const { return name_; }
  std::string uuid() const;
  // Of this run; 0 where it is off.
  unsigned id() const;
  State state() const;
  // What libvirt knows of why it is in that state (`booted`, `migrated`, `user`, ...), else empty.
  std::string reason() const;
  // False also for a transient one that has ended, and for one that was undefined: exists() tells.
  bool active() const;
  bool exists() const;
  bool persistent() const;
  bool autostart() const;
  void set_autostart(bool on) const;

  enum class Xml {
    current,     // of the running domain, or the definition where it is off
    definition,  // what the next start takes
    portable,    // the definition with its secrets, fit to be defined elsewhere
  };
  std::string xml(Xml which) const;

  // The element muster keeps in the domain's metadata (kMetadataNamespace), as XML; nullopt: there is none.
  std::optional<std::string> metadata() const;
  // In the definition, and in the running domain where there is one. Empty: removed.
  void set_metadata(const std::string& element) const;

  _virDomain* handle() const { return handle_.get(); }

 private:
  std::shared_ptr<_virDomain> handle_;
  std::string name_;
};

inline constexpr const char* kMetadataNamespace = "urn:x-muster:domain:1";
inline constexpr const char* kMetadataPrefix = "muster";

}  // namespace muster::virt
