#include "disk/image_claim.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include <nlohmann/json.hpp>

namespace muster::disk {

using base::Code;
using base::Error;
using nlohmann::json;

std::string claim_file(const std::string& image) { return image + std::string(kClaimSuffix); }

std::string next_claim_file(const std::string& image) { return image + std::string(kNextClaimSuffix); }

bool is_whole_claim(std::string_view text) {
  const json claim = json::parse(text, nullptr, false);
  return claim.is_object() && claim.contains("holder") && claim["holder"].is_string();
}

std::string claim_holder(std::string_view text) {
  const json claim = json::parse(text, nullptr, false);
  return is_whole_claim(text) ? claim["holder"].get<std::string>() : "somebody whose claim beside it cannot be read";
}

Error claimed(const std::string& image, std::string_view claim_text) {
  return {Code::refused, image + " may not change: it belongs to " + claim_holder(claim_text)};
}

namespace {

// nullopt: there is no such file.
std::optional<std::string> text_of(const std::string& path) {
  using std::filesystem::file_type;
  std::error_code error;
  // A link that leads nowhere is one, too. `none`: this process cannot look there.
  const auto type = std::filesystem::symlink_status(path, error).type();
  if (type == file_type::not_found || type == file_type::none) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxClaimBytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

std::optional<std::string> claim_at(const std::string& image) {
  if (const auto next = text_of(next_claim_file(image)); next && is_whole_claim(*next)) return next;
  return text_of(claim_file(image));
}

}  // namespace

std::optional<std::string> claim_beside(const std::string& image) {
  if (auto claim = claim_at(image)) return claim;
  std::error_code error;
  const std::string real = std::filesystem::canonical(image, error);
  return error || real == image ? std::nullopt : claim_at(real);
}

void check_unclaimed(const std::string& image) {
  if (const auto claim = claim_beside(image)) throw claimed(image, *claim);
}

}  // namespace muster::disk
