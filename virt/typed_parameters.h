// libvirt's named, typed values, as its calls take and give them. Not thread-safe. For files of virt/ alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <libvirt/libvirt.h>

namespace muster::virt {

class TypedParameters {
 public:
  TypedParameters() = default;
  TypedParameters(const TypedParameters&) = delete;
  TypedParameters& operator=(const TypedParameters&) = delete;
  ~TypedParameters() { virTypedParamsFree(list_, count_); }

  void add_unsigned(const char* name, std::uint64_t value);   // ullong
  void add_signed(const char* name, std::int64_t value);      // llong
  void add_short_unsigned(const char* name, unsigned value);  // uint
  void add_text(const char* name, const std::string& value);  // a name may come several times
  // Integers of any type; nullopt: there is none of that name.
  std::optional<std::int64_t> integer(const char* name) const;

  virTypedParameterPtr list() const { return list_; }
  int count() const { return count_; }

  // Calls `ask(list, &count)` twice, as libvirt wants it: for the number of values, then for them. False: the last call
  // failed.
  template <typename Ask>
  bool fill(const Ask& ask) {
    int count = 0;
    if (ask(nullptr, &count) != 0) return false;
    if (count == 0) return true;
    list_ = static_cast<virTypedParameterPtr>(std::calloc(static_cast<std::size_t>(count), sizeof *list_));
    if (list_ == nullptr) throw std::bad_alloc();
    count_ = count;
    if (ask(list_, &count_) == 0) return true;
    count_ = 0;
    return false;
  }

  // Calls `ask(&list, &count)` once, for calls that make the list themselves. False: it failed. Only for an empty one.
  template <typename Ask>
  bool take(const Ask& ask) {
    return ask(&list_, &count_) == 0;
  }

 private:
  virTypedParameterPtr list_ = nullptr;
  int count_ = 0, room_ = 0;
};

}  // namespace muster::virt
