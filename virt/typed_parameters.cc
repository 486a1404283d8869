#include "virt/typed_parameters.h"

#include <limits>

#include "base/error.h"

namespace muster::virt {
namespace {

void check(int result, const char* name) {
  if (result != 0) throw base::Error(base::Code::usage, std::string("libvirt takes no value named ") + name);
}

}  // namespace

void TypedParameters::add_unsigned(const char* name, std::uint64_t value) {
  check(virTypedParamsAddULLong(&list_, &count_, &room_, name, value), name);
}

void TypedParameters::add_signed(const char* name, std::int64_t value) {
  check(virTypedParamsAddLLong(&list_, &count_, &room_, name, value), name);
}

void TypedParameters::add_short_unsigned(const char* name, unsigned value) {
  check(virTypedParamsAddUInt(&list_, &count_, &room_, name, value), name);
}

void TypedParameters::add_text(const char* name, const std::string& value) {
  check(virTypedParamsAddString(&list_, &count_, &room_, name, value.c_str()), name);
}

std::optional<std::int64_t> TypedParameters::integer(const char* name) const {
  const virTypedParameterPtr found = virTypedParamsGet(list_, count_, name);
  if (found == nullptr) return std::nullopt;
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  switch (found->type) {
    case VIR_TYPED_PARAM_INT:
      return found->value.i;
    case VIR_TYPED_PARAM_UINT:
      return found->value.ui;
    case VIR_TYPED_PARAM_LLONG:
      return found->value.l;
    case VIR_TYPED_PARAM_ULLONG:
      return static_cast<std::int64_t>(std::min<std::uint64_t>(found->value.ul, kMost));
    default:
      return std::nullopt;
  }
}

}  // namespace muster::virt
