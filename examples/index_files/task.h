// What a message of the index says: which file to read.
#ifndef INDEX_FILES_TASK_H_
#define INDEX_FILES_TASK_H_

#include <pgqrs/json.h>

#include <string>
#include <string_view>

namespace index_files {

// A path may hold any byte but NUL; JSON, terminals and SQL text want UTF-8. So a path is kept in
// an encoded form: readable UTF-8 stays as it is, while '%', control characters and bytes that are
// no UTF-8 become %XX. No two paths have the same encoded form.
std::string EncodePath(std::string_view path);
std::string DecodePath(std::string_view encoded);

struct Task {
  std::string path;     // Encoded.
  std::string problem;  // Why the scan could not look into it; empty for everything else.
};

pgqrs::Json ToJson(const Task& task);
Task TaskFromJson(const pgqrs::Json& json);

}  // namespace index_files

#endif  // INDEX_FILES_TASK_H_
