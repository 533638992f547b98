#include "util/json_check.h"

#include <pgqrs/error.h>
#include <yyjson.h>

#include <algorithm>
#include <memory>
#include <unordered_set>

#include "util/json_text.h"
#include "util/show.h"

namespace pgqrs::util {
namespace {

struct FreeDocument {
  void operator()(yyjson_doc* document) const { yyjson_doc_free(document); }
};
using Document = std::unique_ptr<yyjson_doc, FreeDocument>;

// A key in an error message, as JSON: it may be long, and it is the user's data.
std::string Shown(std::string_view key) {
  constexpr std::size_t kLongest = 64;
  const auto begin = FirstCharacters(key, kLongest);
  const auto shown = QuoteJson(begin).value_or("\"?\"");
  return begin.size() == key.size() ? shown : shown.substr(0, shown.size() - 1) + "…\"";
}

std::string_view KeyText(yyjson_val* key) { return {yyjson_get_str(key), yyjson_get_len(key)}; }

void CheckUnique(const std::vector<std::string_view>& keys) {
  constexpr std::size_t kFew = 8;
  if (keys.size() <= kFew) {
    for (auto it = keys.begin(); it != keys.end(); ++it) {
      if (std::find(keys.begin(), it, *it) != it) {
        throw ValidationError("payload: an object has the key " + Shown(*it) + " twice");
      }
    }
    return;
  }
  std::unordered_set<std::string_view> seen;
  for (const auto key : keys) {
    if (!seen.insert(key).second) {
      throw ValidationError("payload: an object has the key " + Shown(key) + " twice");
    }
  }
}

// Walks over a document with a stack of its own, since nesting comes from outside.
class Walk {
 public:
  explicit Walk(const JsonRules& rules) : rules_(rules) {}

  void Run(yyjson_val* root) {
    CheckRequiredKeys(root);
    std::vector<yyjson_val*> level = {root};
    for (int depth = 0; !level.empty(); ++depth) {
      std::vector<yyjson_val*> next;
      for (auto* value : level) Visit(value, depth, next);
      level = std::move(next);
    }
  }

 private:
  void CheckRequiredKeys(yyjson_val* root) const {
    if (!yyjson_is_obj(root)) return;
    for (const auto& key : rules_.required_keys) {
      if (yyjson_obj_getn(root, key.data(), key.size()) == nullptr) {
        throw ValidationError("payload: the required key " + Shown(key) + " is missing");
      }
    }
  }

  void Visit(yyjson_val* value, int depth, std::vector<yyjson_val*>& next) {
    if (yyjson_is_str(value)) {
      CheckString(KeyText(value));
    } else if (yyjson_is_ctn(value)) {
      if (depth >= rules_.max_depth) {
        throw ValidationError("payload: nested deeper than " +
                              ShowCount(rules_.max_depth, "level"));
      }
      if (yyjson_is_obj(value)) {
        VisitObject(value, next);
      } else {
        VisitArray(value, next);
      }
    }
  }

  void VisitObject(yyjson_val* object, std::vector<yyjson_val*>& next) {
    keys_.clear();
    auto members = yyjson_obj_iter_with(object);
    while (auto* key = yyjson_obj_iter_next(&members)) {
      keys_.push_back(KeyText(key));
      CheckString(keys_.back());
      if (std::find(rules_.forbidden_keys.begin(), rules_.forbidden_keys.end(), keys_.back()) !=
          rules_.forbidden_keys.end()) {
        throw ValidationError("payload: the key " + Shown(keys_.back()) + " is not allowed");
      }
      Collect(yyjson_obj_iter_get_val(key), next);
    }
    CheckUnique(keys_);
  }

  static void VisitArray(yyjson_val* array, std::vector<yyjson_val*>& next) {
    auto elements = yyjson_arr_iter_with(array);
    while (auto* element = yyjson_arr_iter_next(&elements)) Collect(element, next);
  }

  // Numbers and literals need no visit.
  static void Collect(yyjson_val* value, std::vector<yyjson_val*>& next) {
    if (yyjson_is_str(value) || yyjson_is_ctn(value)) next.push_back(value);
  }

  void CheckString(std::string_view text) const {
    if (rules_.max_string_length && text.size() > *rules_.max_string_length) {
      throw ValidationError("payload: a string has " + ShowBytes(text.size()) +
                            "; max_string_length is " + ShowBytes(*rules_.max_string_length));
    }
  }

  const JsonRules& rules_;
  std::vector<std::string_view> keys_;
};

}  // namespace

void CheckJson(std::string_view text, const JsonRules& rules) {
  yyjson_read_err error = {};
  // Without the in-situ flag the text is not written to, whatever the signature says.
  const Document document(yyjson_read_opts(const_cast<char*>(text.data()), text.size(),
                                           YYJSON_READ_NUMBER_AS_RAW, nullptr, &error));
  if (!document) {
    throw SerializationError("payload: not JSON: " + std::string(error.msg) + " at byte " +
                             std::to_string(error.pos));
  }
  Walk(rules).Run(yyjson_doc_get_root(document.get()));
}

bool IsJsonArray(std::string_view text, std::size_t size) {
  const Document document(yyjson_read(text.data(), text.size(), YYJSON_READ_NUMBER_AS_RAW));
  auto* root = yyjson_doc_get_root(document.get());
  return yyjson_is_arr(root) && yyjson_arr_size(root) == size;
}

}  // namespace pgqrs::util
