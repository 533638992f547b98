// The .sql files of this folder, as the build put them into the library.
#ifndef PGQRS_SRC_SQL_EMBEDDED_H_
#define PGQRS_SRC_SQL_EMBEDDED_H_

#include <span>
#include <string_view>

namespace pgqrs::sql {

// One file. Both views stay valid as long as the program runs.
struct EmbeddedFile {
  std::string_view path;  // Relative to src/sql, for example "sqlite/queues.sql".
  std::string_view text;
};

// All files, sorted by path. Any thread may call this at any time.
std::span<const EmbeddedFile> EmbeddedFiles();

}  // namespace pgqrs::sql

#endif  // PGQRS_SRC_SQL_EMBEDDED_H_
