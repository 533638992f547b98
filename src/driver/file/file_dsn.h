// The DSN of a backend whose database is a file: `scheme:PATH`, `scheme://PATH` or
// `scheme::memory:`, with parameters as in a URL.
#ifndef PGQRS_DRIVER_FILE_FILE_DSN_H_
#define PGQRS_DRIVER_FILE_FILE_DSN_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgqrs::driver {

struct FileDsn {
  std::string path;  // ":memory:" for a private database in memory.
  std::vector<std::pair<std::string, std::string>> parameters;
};

// `scheme` is "sqlite:", for example, with which the DSN begins. Throws ConfigError, which names
// the part that has no meaning.
FileDsn ParseFileDsn(std::string_view dsn, std::string_view scheme);

// The value of a parameter that is one of two words: whether it is the first of them. Throws
// ConfigError, which shows no value.
bool IsFirstOf(const std::pair<std::string, std::string>& parameter, std::string_view first,
               std::string_view second);

// Throws ConfigError; `known` is a sentence about those that there are.
[[noreturn]] void ThrowUnknownParameter(std::string_view name, std::string_view known);

// The path by which a file is opened: real and absolute, so that it stays right when the process
// changes its folder, and all names of a file are the same. `:memory:` stays as it is.
std::string RealPath(const std::string& path);

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_FILE_FILE_DSN_H_
