// What a schema consists of, and where two of them differ.
#ifndef PGQRS_DRIVER_SCHEMA_OBJECTS_H_
#define PGQRS_DRIVER_SCHEMA_OBJECTS_H_

#include <map>
#include <string>
#include <vector>

namespace pgqrs::driver {

struct SchemaObject {
  std::string owner;  // Say, the table of an index; empty where it stands by itself.
  std::string definition;
};

// By kind and name, as the statement DescribeSchema gives them: "index pgqrs_slices_hot".
using SchemaObjects = std::map<std::string, SchemaObject>;

// A line for each difference. What belongs to an object that is missing or too many is not named.
std::vector<std::string> DifferencesOf(const SchemaObjects& expected, const SchemaObjects& found);

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_SCHEMA_OBJECTS_H_
