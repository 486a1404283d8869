#include "backup/rfc3339.h"

#include <array>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "base/error.h"

namespace muster::backup {
namespace {

using namespace std::chrono;

std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  int value = 0;
  const char* const first = text.data() + at;
  const auto parsed = std::from_chars(first, first + count, value);
  if (parsed.ec != std::errc{} || parsed.ptr != first + count || *first == '-') return std::nullopt;
  return value;
}

std::optional<sys_seconds> parse(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:ddZ";
  if (text.size() != kForm.size()) return std::nullopt;
  for (std::size_t i = 0; i < kForm.size(); ++i)
    if (kForm[i] != 'd' && kForm[i] != text[i]) return std::nullopt;
  const auto y = digits(text, 0, 4), mon = digits(text, 5, 2), d = digits(text, 8, 2);
  const auto h = digits(text, 11, 2), min = digits(text, 14, 2), s = digits(text, 17, 2);
  if (!y || !mon || !d || !h || !min || !s || *h > 23 || *min > 59 || *s > 59) return std::nullopt;
  const year_month_day date{year(*y), month(static_cast<unsigned>(*mon)), day(static_cast<unsigned>(*d))};
  if (!date.ok()) return std::nullopt;
  return sys_days(date) + hours(*h) + minutes(*min) + seconds(*s);
}

}  // namespace

std::string rfc3339(sys_seconds time) {
  const year_month_day date(floor<days>(time));
  const hh_mm_ss clock(time - floor<days>(time));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

sys_seconds parse_rfc3339(std::string_view text, std::string_view what) {
  if (const auto time = parse(text)) return *time;
  throw base::Error(base::Code::corrupt, std::string(what) + ": no time");
}

sys_seconds now() { return floor<seconds>(system_clock::now()); }

}  // namespace muster::backup
