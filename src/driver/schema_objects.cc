#include "driver/schema_objects.h"

namespace pgqrs::driver {
namespace {

// Whether an object without a namesake is a difference of its own.
bool IsDifference(const SchemaObject& object, const SchemaObjects& others) {
  return object.owner.empty() || others.contains(object.owner);
}

}  // namespace

std::vector<std::string> DifferencesOf(const SchemaObjects& expected, const SchemaObjects& found) {
  std::vector<std::string> differences;
  for (const auto& [name, object] : expected) {
    const auto it = found.find(name);
    if (it != found.end()) {
      if (it->second.definition != object.definition) {
        differences.push_back(name + " has another definition");
      }
    } else if (IsDifference(object, found)) {
      differences.push_back(name + " is missing");
    }
  }
  for (const auto& [name, object] : found) {
    if (!expected.contains(name) && IsDifference(object, expected)) {
      differences.push_back(name + " is not part of the schema");
    }
  }
  return differences;
}

}  // namespace pgqrs::driver
