#ifndef ARCHIVE_TREE_GZIP_H_
#define ARCHIVE_TREE_GZIP_H_

#include <cstdint>
#include <filesystem>
#include <system_error>

namespace archive_tree {

struct Sizes {
  std::uint64_t bytes = 0;
  std::uint64_t compressed = 0;
};

// Compresses a file into another one in the format of gzip (RFC 1952), without name and time, so
// that equal contents give equal files. Throws ReadError where the first cannot be read, and
// std::system_error where the second cannot be written.
Sizes Compress(const std::filesystem::path& from, const std::filesystem::path& to);

class ReadError : public std::system_error {
 public:
  using std::system_error::system_error;
};

}  // namespace archive_tree

#endif  // ARCHIVE_TREE_GZIP_H_
