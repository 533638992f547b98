#include "driver/file/why_not_opened.h"

#include <filesystem>
#include <system_error>

namespace pgqrs::driver {

std::string WhyNotOpened(const std::string& path, std::string_view reason) {
  std::error_code ignored;
  const std::filesystem::path file(path);
  if (std::filesystem::is_directory(file, ignored)) return "it is a directory";
  const auto parent = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  if (!std::filesystem::exists(parent, ignored)) {
    return "the directory \"" + parent.string() + "\" does not exist";
  }
  return std::string(reason);
}

}  // namespace pgqrs::driver
