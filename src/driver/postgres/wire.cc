#include "driver/postgres/wire.h"

#include <limits>

#include "driver/driver.h"

namespace pgqrs::driver::wire {
namespace {

// The server counts from 2000-01-01 00:00 UTC.
constexpr std::int64_t kServerEpoch = 946'684'800'000'000;
constexpr std::int64_t kInfinity = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMinusInfinity = std::numeric_limits<std::int64_t>::min();

// 4714-11-24 BC, the first time that the server can store. Its last lies behind those that 64 bits
// of microseconds since 1970 can say.
constexpr std::int64_t kFirstTime = -211'813'488'000'000'000;

constexpr char kJsonbVersion = 1;

void AppendBytes(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out += static_cast<char>(value >> shift & 0xff);
  }
}

[[noreturn]] void ThrowMalformed(Type type) {
  throw Failure(Fault::kStatement, "the server sent a malformed value of type " +
                                       std::to_string(static_cast<std::uint32_t>(type)));
}

// A big-endian number of two's complement, of as many bytes as the text has.
std::int64_t ReadBigEndian(std::string_view bytes) {
  std::uint64_t value = (static_cast<unsigned char>(bytes.front()) & 0x80) != 0 ? ~0ULL : 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return static_cast<std::int64_t>(value);
}

}  // namespace

void AppendInt8(std::string& out, std::int64_t value) {
  AppendBytes(out, static_cast<std::uint64_t>(value), 8);
}

void AppendTimestamptz(std::string& out, std::int64_t micros) {
  AppendInt8(out, micros >= kFirstTime + kServerEpoch ? micros - kServerEpoch : kMinusInfinity);
}

void AppendJsonb(std::string& out, std::string_view json) {
  out += kJsonbVersion;
  out += json;
}

ArrayWriter::ArrayWriter(std::string& out, Type element_type, std::size_t count) : out_(out) {
  AppendBytes(out_, count > 0 ? 1 : 0, 4);  // Dimensions.
  AppendBytes(out_, 1, 4);                  // There may be NULLs.
  AppendBytes(out_, static_cast<std::uint32_t>(element_type), 4);
  if (count == 0) return;
  AppendBytes(out_, count, 4);
  AppendBytes(out_, 1, 4);  // The lower bound.
}

void ArrayWriter::AddNull() { AppendBytes(out_, 0xffffffff, 4); }

std::size_t ArrayWriter::BeginElement() {
  const auto length_at = out_.size();
  AppendBytes(out_, 0, 4);
  return length_at;
}

void ArrayWriter::EndElement(std::size_t length_at) {
  std::string length;
  AppendBytes(length, out_.size() - length_at - 4, 4);
  out_.replace(length_at, 4, length);
}

std::int64_t ReadInt(Type type, std::string_view bytes) {
  std::size_t size = 0;
  switch (type) {
    case Type::kBool:
      size = 1;
      break;
    case Type::kInt2:
      size = 2;
      break;
    case Type::kInt4:
      size = 4;
      break;
    case Type::kInt8:
      size = 8;
      break;
    case Type::kTimestamptz:
      return ReadTimestamptz(bytes);
    default:
      ThrowMalformed(type);
  }
  if (bytes.size() != size) ThrowMalformed(type);
  return ReadBigEndian(bytes);
}

std::int64_t ReadTimestamptz(std::string_view bytes) {
  if (bytes.size() != 8) ThrowMalformed(Type::kTimestamptz);
  const auto value = ReadBigEndian(bytes);
  const bool fits = value > kMinusInfinity && value < kInfinity - kServerEpoch;
  if (fits) return value + kServerEpoch;
  return value < 0 ? kMinusInfinity : kInfinity;
}

std::string_view ReadText(Type type, std::string_view bytes) {
  if (type != Type::kJsonb) return bytes;
  if (bytes.empty() || bytes.front() != kJsonbVersion) ThrowMalformed(type);
  return bytes.substr(1);
}

}  // namespace pgqrs::driver::wire
