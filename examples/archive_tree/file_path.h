#ifndef ARCHIVE_TREE_FILE_PATH_H_
#define ARCHIVE_TREE_FILE_PATH_H_

#include <filesystem>
#include <string>
#include <string_view>

namespace archive_tree {

// A path as text that JSON and reports can hold: bytes that are not printable ASCII, and "%", are
// written as "%XX".
std::string EncodePath(const std::filesystem::path& path);
std::filesystem::path DecodePath(std::string_view text);

}  // namespace archive_tree

#endif  // ARCHIVE_TREE_FILE_PATH_H_
