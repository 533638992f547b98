#include "driver/file/file_dsn.h"

#include <pgqrs/error.h>

#include <filesystem>
#include <system_error>

namespace pgqrs::driver {
namespace {

std::string_view TakeUpTo(std::string_view& rest, char end) {
  const auto at = rest.find(end);
  const auto taken = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view{} : rest.substr(at + 1);
  return taken;
}

}  // namespace

FileDsn ParseFileDsn(std::string_view dsn, std::string_view scheme) {
  auto rest = dsn.substr(scheme.size());
  auto path = TakeUpTo(rest, '?');
  if (path.starts_with("//")) path.remove_prefix(2);
  if (path.empty()) throw ConfigError("dsn: no path after \"" + std::string(scheme) + '"');
  if (path.find('\0') != std::string_view::npos) throw ConfigError("dsn: the path holds a NUL");
  // A path that begins with a colon is SQLite's own notation; only the one we document is taken.
  // What others write for a database in memory would silently be a file here.
  const bool is_odd = path.front() == ':' && path != ":memory:";
  if (is_odd || path == "/:memory:" || path == "memory:" || path == "memory") {
    throw ConfigError("dsn: \"" + std::string(path) + "\" is not taken for a path; did you mean " +
                      std::string(scheme) +
                      ":memory:? A file of that name is ./:memory: or the like");
  }
  FileDsn parsed{.path = std::string(path), .parameters = {}};
  while (!rest.empty()) {
    auto parameter = TakeUpTo(rest, '&');
    const auto name = TakeUpTo(parameter, '=');
    for (const auto& [known, value] : parsed.parameters) {
      if (known == name) throw ConfigError("dsn: " + known + " is given twice");
    }
    parsed.parameters.emplace_back(name, parameter);
  }
  return parsed;
}

bool IsFirstOf(const std::pair<std::string, std::string>& parameter, std::string_view first,
               std::string_view second) {
  const auto& [name, value] = parameter;
  if (value != first && value != second) {
    throw ConfigError("dsn: " + name + " is \"" + std::string(first) + "\" or \"" +
                      std::string(second) + '"');
  }
  return value == first;
}

void ThrowUnknownParameter(std::string_view name, std::string_view known) {
  // What may be a key at a wrong place is not shown.
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz_";
  const bool is_name = name.size() <= 20 && name.find_first_not_of(kLetters) == name.npos;
  throw ConfigError("dsn: unknown parameter" +
                    (is_name ? " \"" + std::string(name) + '"' : std::string()) + "; " +
                    std::string(known));
}

std::string RealPath(const std::string& path) {
  if (path == ":memory:") return path;
  std::error_code error;
  // Of a path that does not exist weakly_canonical alone would leave a relative one relative.
  auto absolute = std::filesystem::absolute(path, error);
  // A link may lead to a file that is still to be made.
  constexpr int kMostLinks = 40;
  for (int i = 0; i < kMostLinks && std::filesystem::is_symlink(absolute, error); ++i) {
    absolute = absolute.parent_path() / std::filesystem::read_symlink(absolute, error);
  }
  const auto real = std::filesystem::weakly_canonical(absolute, error);
  return error ? path : real.string();
}

}  // namespace pgqrs::driver
