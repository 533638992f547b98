#include "support/json_value.h"

#include <yyjson.h>

#include <charconv>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>

#include "util/json_text.h"

namespace pgqrs::testing {
namespace {

// The significant digits and the power of ten that they are to be multiplied with.
std::string CanonicalNumber(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  if (is_negative) text.remove_prefix(1);
  std::int64_t exponent = 0;
  if (const auto mark = text.find_first_of("eE"); mark != std::string_view::npos) {
    auto written = text.substr(mark + 1);
    if (written.starts_with('+')) written.remove_prefix(1);
    std::from_chars(written.data(), written.data() + written.size(), exponent);
    text = text.substr(0, mark);
  }
  std::string digits(text);
  if (const auto point = digits.find('.'); point != std::string::npos) {
    exponent -= static_cast<std::int64_t>(digits.size() - point - 1);
    digits.erase(point, 1);
  }
  digits.erase(0, digits.find_first_not_of('0'));
  if (digits.empty()) return "0";
  const auto trailing = digits.size() - digits.find_last_not_of('0') - 1;
  exponent += static_cast<std::int64_t>(trailing);
  digits.resize(digits.size() - trailing);
  if (exponent != 0) digits += "e" + std::to_string(exponent);
  return (is_negative ? "-" : "") + digits;
}

std::string CanonicalString(yyjson_val* value) {
  return util::QuoteJson({yyjson_get_str(value), yyjson_get_len(value)}).value();
}

std::string Canonical(yyjson_val* value);

std::string CanonicalObject(yyjson_val* object) {
  std::map<std::string, std::string> members;
  auto iterator = yyjson_obj_iter_with(object);
  while (auto* key = yyjson_obj_iter_next(&iterator)) {
    members.emplace(CanonicalString(key), Canonical(yyjson_obj_iter_get_val(key)));
  }
  std::string text;
  for (const auto& [key, member] : members) {
    if (!text.empty()) text += ',';
    text.append(key).append(":").append(member);
  }
  return "{" + text + "}";
}

std::string CanonicalArray(yyjson_val* array) {
  std::string text;
  auto iterator = yyjson_arr_iter_with(array);
  while (auto* element = yyjson_arr_iter_next(&iterator)) {
    if (!text.empty()) text += ',';
    text += Canonical(element);
  }
  return "[" + text + "]";
}

std::string Canonical(yyjson_val* value) {
  if (yyjson_is_raw(value)) return CanonicalNumber({yyjson_get_raw(value), yyjson_get_len(value)});
  if (yyjson_is_str(value)) return CanonicalString(value);
  if (yyjson_is_obj(value)) return CanonicalObject(value);
  if (yyjson_is_arr(value)) return CanonicalArray(value);
  if (yyjson_is_bool(value)) return yyjson_get_bool(value) ? "true" : "false";
  return "null";
}

}  // namespace

std::string CanonicalJson(std::string_view text) {
  std::string copy(text);
  const std::unique_ptr<yyjson_doc, decltype(&yyjson_doc_free)> document(
      yyjson_read_opts(copy.data(), copy.size(), YYJSON_READ_NUMBER_AS_RAW, nullptr, nullptr),
      &yyjson_doc_free);
  if (!document) throw std::runtime_error("not JSON: " + copy);
  return Canonical(yyjson_doc_get_root(document.get()));
}

}  // namespace pgqrs::testing
