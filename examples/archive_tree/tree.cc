#include "tree.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>

#include "file_path.h"

namespace archive_tree {
namespace {

namespace fs = std::filesystem;

void Sync(const fs::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = file >= 0 && fsync(file) == 0;
  const int error = errno;
  if (file >= 0) close(file);
  if (!synced) throw std::system_error(error, std::generic_category(), path.string());
}

}  // namespace

std::vector<std::string> ListFiles(const fs::path& directory, const fs::path& excluded) {
  std::vector<std::string> files;
  const auto options = fs::directory_options::skip_permission_denied;
  for (auto entry = fs::recursive_directory_iterator(directory, options);
       entry != fs::recursive_directory_iterator(); ++entry) {
    if (entry->path() == excluded) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file() && !entry->is_symlink()) {
      files.push_back(EncodePath(entry->path().lexically_relative(directory)));
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

void WriteFile(const fs::path& file, const std::string& content) {
  auto temporary = file;
  temporary += ".part";
  std::ofstream stream(temporary, std::ios::binary | std::ios::trunc);
  stream << content;
  stream.close();
  if (!stream) throw std::system_error(EIO, std::generic_category(), temporary.string());
  Publish(temporary, file);
}

void Publish(const fs::path& temporary, const fs::path& file) {
  Sync(temporary);
  fs::rename(temporary, file);
  Sync(file.parent_path());
}

}  // namespace archive_tree
