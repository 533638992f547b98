#include "util/show.h"

#include <array>

namespace pgqrs::util {
namespace {

// Every third digit from the end has a comma before it.
std::string Grouped(std::uint64_t number) {
  auto digits = std::to_string(number);
  for (auto place = static_cast<std::ptrdiff_t>(digits.size()) - 3; place > 0; place -= 3) {
    digits.insert(static_cast<std::size_t>(place), 1, ',');
  }
  return digits;
}

// Of the least number too, which has no positive counterpart.
std::uint64_t Magnitude(std::int64_t number) {
  const auto bits = static_cast<std::uint64_t>(number);
  return number < 0 ? 0 - bits : bits;
}

std::string WithNoun(std::uint64_t n, std::string_view noun) {
  return Grouped(n).append(" ").append(noun).append(n == 1 ? "" : "s");
}

struct Unit {
  std::string_view name;
  std::uint64_t micros;
};

constexpr std::array kUnits = {Unit{"h", 3'600'000'000}, Unit{"min", 60'000'000},
                               Unit{"s", 1'000'000}, Unit{"ms", 1000}, Unit{"µs", 1}};
constexpr std::uint64_t kDay = 24 * kUnits.front().micros;

}  // namespace

std::string ShowNumber(std::int64_t number) {
  std::string text(number < 0 ? 1 : 0, '-');
  return text += Grouped(Magnitude(number));
}

std::string ShowCount(std::int64_t n, std::string_view noun) {
  std::string text(n < 0 ? 1 : 0, '-');
  return text += WithNoun(Magnitude(n), noun);
}

std::string ShowDuration(Duration duration) {
  auto left = Magnitude(duration.count());
  if (left == 0) return "0 s";
  std::string text;
  if (left >= kDay) text.append(" ").append(WithNoun(left / kDay, "day"));
  left %= kDay;
  for (const auto& unit : kUnits) {
    const auto n = left / unit.micros;
    left %= unit.micros;
    if (n != 0) text.append(" ").append(std::to_string(n)).append(" ").append(unit.name);
  }
  text.front() = '-';
  return duration.count() < 0 ? text : text.substr(1);
}

std::string ShowBytes(std::size_t bytes) {
  constexpr std::size_t kKibibyte = std::size_t{1} << 10;
  constexpr std::size_t kMebibyte = std::size_t{1} << 20;
  if (bytes != 0 && bytes % kMebibyte == 0) return Grouped(bytes / kMebibyte) + " MiB";
  if (bytes != 0 && bytes % kKibibyte == 0) return Grouped(bytes / kKibibyte) + " KiB";
  return WithNoun(bytes, "byte");
}

}  // namespace pgqrs::util
