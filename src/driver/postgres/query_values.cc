#include "driver/postgres/query_values.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace pgqrs::driver {
namespace {

// Types whose values are no texts to us: fixed numbers of pg_type.
enum : Oid {
  kBool = 16,
  kBytea = 17,
  kInt8 = 20,
  kInt2 = 21,
  kInt4 = 23,
  kOid = 26,
  kFloat4 = 700,
  kFloat8 = 701
};

std::string TextOf(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
  return {buffer.data(), end};
}

// "\\x00ff", or the older format with escapes, which the server may be set to.
std::string BytesOf(const char* text) {
  std::size_t length = 0;
  auto* bytes = PQunescapeBytea(reinterpret_cast<const unsigned char*>(text), &length);
  if (bytes == nullptr) throw Failure(Fault::kStatement, "there is no memory for the bytes");
  std::string copy(reinterpret_cast<const char*>(bytes), length);
  PQfreemem(bytes);
  return copy;
}

Cell CellOf(Oid type, std::string_view text, std::list<std::string>& bytes) {
  switch (type) {
    case kBool:
      return std::int64_t{text == "t"};
    case kInt8:
    case kInt2:
    case kInt4:
    case kOid: {
      std::int64_t number = 0;
      std::from_chars(text.data(), text.data() + text.size(), number);
      return number;
    }
    case kFloat4:
    case kFloat8:
      return std::strtod(std::string(text).c_str(), nullptr);
    case kBytea:
      return Blob{bytes.emplace_back(BytesOf(std::string(text).c_str()))};
    default:
      return text;
  }
}

}  // namespace

QueryParameters::QueryParameters(std::span<const Cell> cells) {
  for (const auto& cell : cells) {
    if (const auto* number = std::get_if<std::int64_t>(&cell)) {
      AddText(std::to_string(*number));
    } else if (const auto* real = std::get_if<double>(&cell)) {
      AddText(TextOf(*real));
    } else if (const auto* text = std::get_if<std::string_view>(&cell)) {
      if (text->find('\0') != std::string_view::npos) {
        throw Failure(Fault::kStatement, "parameters: Postgres cannot store a text with a NUL");
      }
      AddText(std::string(*text));
    } else if (const auto* blob = std::get_if<Blob>(&cell)) {
      Add(blob->bytes.data() != nullptr ? blob->bytes.data() : "", blob->bytes.size(), true);
    } else {
      Add(nullptr, 0, false);
    }
  }
}

void QueryParameters::AddText(std::string text) {
  const auto& kept = texts_.emplace_back(std::move(text));
  Add(kept.c_str(), kept.size(), false);
}

void QueryParameters::Add(const char* value, std::size_t length, bool is_binary) {
  types_.push_back(is_binary ? Oid{kBytea} : Oid{0});
  values_.push_back(value);
  lengths_.push_back(static_cast<int>(length));
  formats_.push_back(is_binary ? 1 : 0);
}

std::int64_t DeliverQuery(const PGresult* result, const QuerySink& sink) {
  const int rows = PQntuples(result);
  std::vector<std::string> names;
  names.reserve(static_cast<std::size_t>(PQnfields(result)));
  for (int i = 0; i < PQnfields(result); ++i) names.emplace_back(PQfname(result, i));
  std::vector<Cell> cells(names.size());
  for (int row = 0; row < rows; ++row) {
    std::list<std::string> bytes;
    for (int i = 0; i < static_cast<int>(cells.size()); ++i) {
      auto& cell = cells[static_cast<std::size_t>(i)];
      if (PQgetisnull(result, row, i) != 0) {
        cell = std::monostate();
        continue;
      }
      cell = CellOf(
          PQftype(result, i),
          {PQgetvalue(result, row, i), static_cast<std::size_t>(PQgetlength(result, row, i))},
          bytes);
    }
    sink({.names = names, .cells = cells});
  }
  const std::string_view count = PQcmdTuples(const_cast<PGresult*>(result));
  std::int64_t changed = 0;
  std::from_chars(count.data(), count.data() + count.size(), changed);
  return changed;
}

}  // namespace pgqrs::driver
