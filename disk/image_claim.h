// A claim on an image: somebody needs its bytes as they are, and says so in a file beside it, IMAGE.muster-claim, a
// JSON object whose `holder` is for people; what else is in it is the holder's. Whoever is about to change an image
// looks for its claim first. One that cannot be read is a claim, too.
//
// Where files can be made and removed, but not renamed, a claim is changed by way of IMAGE.muster-claim-next: that is
// written whole, then the claim is, then it goes. One that can be read counts before the claim; one that cannot was cut
// off, and counts for nothing. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace muster::disk {

inline constexpr std::string_view kClaimSuffix = ".muster-claim";
inline constexpr std::uint64_t kMaxClaimBytes = 8U << 20;

std::string claim_file(const std::string& image);
std::string next_claim_file(const std::string& image);
inline constexpr std::string_view kNextClaimSuffix = ".muster-claim-next";
// It was not cut off.
bool is_whole_claim(std::string_view text);

// Who holds it, out of the claim's text.
std::string claim_holder(std::string_view text);

// What refuses to change the image.
base::Error claimed(const std::string& image, std::string_view claim_text);

// The claim beside an image file of this host, or beside the file that it is a link to; nullopt: there is none. What
// cannot be read is a text that is no whole claim. Blocks on the file system.
std::optional<std::string> claim_beside(const std::string& image);
// Throws base::Error{refused} where there is one.
void check_unclaimed(const std::string& image);

}  // namespace muster::disk
