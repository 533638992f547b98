#include "driver/postgres/jsonb.h"

#include <pgqrs/error.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>
#include <system_error>

namespace pgqrs::driver {
namespace {

// The server refuses larger ones, even of a zero.
constexpr std::int64_t kMaxExponent = std::numeric_limits<std::int32_t>::max() / 2 - 1;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

[[noreturn]] void ThrowNumber(const std::string& why) {
  throw SerializationError("payload: Postgres cannot store a number of it: " + why);
}

// The exponent that is written, 0 where none is.
std::int64_t ExponentOf(std::string_view written) {
  if (written.starts_with('+')) written.remove_prefix(1);
  std::int64_t exponent = 0;
  const auto parsed = std::from_chars(written.data(), written.data() + written.size(), exponent);
  if (parsed.ec == std::errc::result_out_of_range || exponent > kMaxExponent ||
      exponent < -kMaxExponent) {
    ThrowNumber("its exponent is out of range");
  }
  return exponent;
}

// The length of a number without a sign as the server writes it. Throws where it cannot store it.
std::size_t LengthAsNumeric(std::string_view number) {
  const auto mark = std::min(number.find_first_of("eE"), number.size());
  const auto digits = number.substr(0, mark);
  const auto exponent = mark < number.size() ? ExponentOf(number.substr(mark + 1)) : 0;
  const auto point = std::min(digits.find('.'), digits.size());
  const auto behind_as_written =
      static_cast<std::int64_t>(digits.size() - point) - (point < digits.size() ? 1 : 0);
  const auto behind = std::max<std::int64_t>(0, behind_as_written - exponent);
  if (behind > kMaxDigitsBehindPoint) {
    ThrowNumber("more than " + std::to_string(kMaxDigitsBehindPoint) + " digits behind the point");
  }
  // Digits count from the first that is not 0: 0.01e3 has two.
  std::int64_t before = 0;
  if (const auto first = digits.find_first_of("123456789"); first < digits.size()) {
    const auto place = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
    before = std::max<std::int64_t>(0, place + (first > point ? 1 : 0) + exponent);
  }
  if (before > kMaxDigitsBeforePoint) {
    ThrowNumber("more than " + std::to_string(kMaxDigitsBeforePoint) + " digits before the point");
  }
  return static_cast<std::size_t>(std::max<std::int64_t>(1, before) + behind + 1);
}

// The position behind the string whose opening quote is at `i`.
std::size_t CheckString(std::string_view json, std::size_t i) {
  for (++i; json[i] != '"'; ++i) {
    if (json[i] != '\\') continue;
    if (json.substr(i, 6) == "\\u0000") {
      throw SerializationError("payload: Postgres cannot store the character U+0000 of it");
    }
    ++i;
  }
  return i + 1;
}

}  // namespace

void CheckJsonb(std::string_view json) {
  std::size_t growth = 0;
  for (std::size_t i = 0; i < json.size();) {
    if (json[i] == '"') {
      i = CheckString(json, i);
      continue;
    }
    if (!IsDigit(json[i])) {
      ++i;
      continue;
    }
    const auto end = std::min(json.find_first_not_of("0123456789.eE+-", i), json.size());
    const auto length = LengthAsNumeric(json.substr(i, end - i));
    growth += std::max(length, end - i) - (end - i);
    if (growth > kMaxNumberGrowth) {
      throw SerializationError(
          "payload: its numbers have more than 1 MiB of digits when they are written without "
          "exponents, as Postgres does");
    }
    i = end;
  }
}

}  // namespace pgqrs::driver
