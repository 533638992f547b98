#include "driver/postgres/announcement_text.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <random>
#include <system_error>

namespace pgqrs::driver {
namespace {

std::string Hex(std::uint64_t number) {
  std::array<char, 16> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
  return {digits.data(), end};
}

// A number and nothing else.
std::optional<std::int64_t> ReadNumber(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Announcement ReadOne(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return {};
  const auto queue_id = ReadNumber(text.substr(0, colon));
  const auto visible_at = ReadNumber(text.substr(colon + 1));
  if (!queue_id || !visible_at || *queue_id <= 0) return {};
  return {.queue_id = *queue_id, .visible_at = *visible_at};
}

// The text up to the next space, which is taken off with it.
std::string_view TakeWord(std::string_view& text) {
  const auto space = text.find(' ');
  const auto word = text.substr(0, space);
  text = space == std::string_view::npos ? std::string_view{} : text.substr(space + 1);
  return word;
}

}  // namespace

// A hash (FNV-1a, 64 bits), since a name with a prefix can be longer than the 63 bytes of a
// channel. Two schemas of one hash wake each other for nothing, no more.
std::string ChannelOf(std::string_view schema) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : schema) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return "pgqrs_" + Hex(hash);
}

std::string RandomName() {
  std::random_device random;
  return Hex((std::uint64_t{random()} << 32) | random());
}

std::string AnnouncementText(std::string_view sender, std::span<const Announcement> announcements) {
  std::string text(sender);
  for (const auto& one : announcements) {
    text += ' ' + std::to_string(one.queue_id) + ':' + std::to_string(one.visible_at);
  }
  return text;
}

ReceivedText ReadAnnouncementText(std::string_view text) {
  ReceivedText received;
  received.sender = TakeWord(text);
  while (!text.empty()) received.announcements.push_back(ReadOne(TakeWord(text)));
  return received;
}

}  // namespace pgqrs::driver
