#include "parallel-ssh/host_key.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/text.h"
#include "parallel-ssh/wire.h"

namespace muster::ssh {
namespace {

constexpr std::string_view kFingerprintPrefix = "SHA256:";
constexpr std::size_t kFingerprintDigits = 43;  // 32 bytes in base64 without padding
constexpr std::size_t kMaxTypeBytes = 128;

PinnedKey parse_fingerprint(std::string_view text) {
  std::string_view digits = text.substr(kFingerprintPrefix.size());
  if (digits.ends_with('=')) digits.remove_suffix(1);
  // Only one text stands for each digest, so that texts can be compared.
  const auto bytes = base::base64_decode(std::string(digits) + "=");
  if (digits.size() != kFingerprintDigits || !bytes || base::base64_encode(*bytes) != std::string(digits) + "=")
    throw base::Error(
        base::Code::usage,
        fmt::format("host key '{}': write SHA256: and 43 characters, as ssh-keygen -l prints them", text));
  return {.type = {}, .blob = {}, .fingerprint = std::string(kFingerprintPrefix) + std::string(digits)};
}

}  // namespace

std::string fingerprint(std::string_view blob) {
  const auto digest = base::sha256(blob);
  std::string text = base::base64_encode(base::as_text(digest));
  text.erase(std::find(text.begin(), text.end(), '='), text.end());
  return std::string(kFingerprintPrefix) + text;
}

// RFC 4253, section 6.6: its name first, and something after that.
std::optional<std::string> key_type(std::string_view blob) {
  const auto type = take_string(blob);
  return type && !type->empty() && type->size() <= kMaxTypeBytes && !blob.empty() ? type : std::nullopt;
}

std::optional<std::string> decode_key(std::string_view type, std::string_view base64) {
  auto blob = base::base64_decode(base64);
  if (!blob || key_type(*blob) != std::string(type)) return std::nullopt;
  return blob;
}

bool PinnedKey::matches(std::string_view server_blob) const {
  return blob.empty() ? fingerprint == ssh::fingerprint(server_blob) : blob == server_blob;
}

PinnedKey parse_host_key(std::string_view text) {
  const auto words = base::words_of(text);
  if (words.size() == 1 && words[0].starts_with(kFingerprintPrefix)) return parse_fingerprint(words[0]);
  auto blob = words.size() < 2 ? std::nullopt : decode_key(words[0], words[1]);
  if (!blob)
    throw base::Error(base::Code::usage,
                      fmt::format("host key '{}': write a type and its key, as in a .pub file, or SHA256:...",
                                  text.substr(0, std::min<std::size_t>(text.size(), 100))));
  std::string print = fingerprint(*blob);
  return {.type = words[0], .blob = std::move(*blob), .fingerprint = std::move(print)};
}

}  // namespace muster::ssh
