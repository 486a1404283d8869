#include "virt/libvirt_error.h"

#include <optional>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

namespace muster::virt {
namespace {

using base::Code;

// What only the words tell: drivers differ in the number they give for the same thing.
std::optional<Code> code_of_words(const std::string& text) {
  const auto has = [&](const char* words) { return text.find(words) != std::string::npos; };
  if (has("No space left on device") || has("Not enough free space in pool")) return Code::no_space;
  if (has("cannot acquire state change lock") || has("Is another process using")) return Code::busy;
  if (has("already exists with uuid") || has("storage vol already exists") || has("File exists") ||
      has("is already running") || has("is already active"))
    return Code::refused;
  if (has("unsupported flags") || has("guest agent is not connected")) return Code::unsupported;
  // The kernel's traffic control has not what it takes.
  if (has("Child process (tc ")) return Code::unsupported;
  return std::nullopt;
}

Code code_of(const virError& error) {
  if (const auto told = code_of_words(error.message == nullptr ? "" : error.message)) return *told;
  switch (error.code) {
    case VIR_ERR_NO_DOMAIN:
    case VIR_ERR_NO_NETWORK:
    case VIR_ERR_NO_STORAGE_POOL:
    case VIR_ERR_NO_STORAGE_VOL:
    case VIR_ERR_NO_DOMAIN_SNAPSHOT:
    case VIR_ERR_NO_DOMAIN_CHECKPOINT:
    case VIR_ERR_NO_DOMAIN_METADATA:
      return Code::not_found;
    case VIR_ERR_NO_SUPPORT:
    case VIR_ERR_CONFIG_UNSUPPORTED:
    case VIR_ERR_OPERATION_UNSUPPORTED:
    case VIR_ERR_ARGUMENT_UNSUPPORTED:
      return Code::unsupported;
    case VIR_ERR_XML_ERROR:
    case VIR_ERR_XML_DETAIL:
    case VIR_ERR_XML_INVALID_SCHEMA:
    case VIR_ERR_INVALID_ARG:
      return Code::usage;
    case VIR_ERR_OPERATION_INVALID:
    case VIR_ERR_DOM_EXIST:
    case VIR_ERR_SNAPSHOT_REVERT_RISKY:
    case VIR_ERR_STORAGE_VOL_EXIST:
      return Code::refused;
    case VIR_ERR_OPERATION_TIMEOUT:
    case VIR_ERR_AGENT_UNRESPONSIVE:
    case VIR_ERR_AGENT_UNSYNCED:
      return Code::timeout;
    case VIR_ERR_RESOURCE_BUSY:
      return Code::busy;
    case VIR_ERR_NO_CONNECT:
    case VIR_ERR_INVALID_CONN:
    case VIR_ERR_RPC:
    case VIR_ERR_AUTH_FAILED:
    case VIR_ERR_AUTH_CANCELLED:
    case VIR_ERR_AUTH_UNAVAILABLE:
    case VIR_ERR_GNUTLS_ERROR:
      return Code::unreachable;
    case VIR_ERR_OPERATION_ABORTED:
      return Code::cancelled;
    default:
      return error.domain == VIR_FROM_RPC ? Code::unreachable : Code::io;
  }
}

void say_nothing(void*, virErrorPtr) {}

}  // namespace

void silence_libvirt() { virSetErrorFunc(nullptr, say_nothing); }

void throw_last(const std::string& action) {
  const virErrorPtr error = virGetLastError();
  if (error == nullptr) throw base::Error(Code::io, action + ": libvirt does not say why");
  std::string text = error->message == nullptr ? "libvirt does not say why" : error->message;
  // What it quotes of other programs ends in newlines.
  text.erase(text.find_last_not_of(" \n") + 1);
  throw base::Error(code_of(*error), action + ": " + text);
}

bool last_is_unsupported() {
  const virErrorPtr error = virGetLastError();
  return error != nullptr && code_of(*error) == Code::unsupported;
}

bool last_is_not_found() {
  const virErrorPtr error = virGetLastError();
  return error != nullptr && code_of(*error) == Code::not_found;
}

}  // namespace muster::virt
