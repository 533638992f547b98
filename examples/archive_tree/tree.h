#ifndef ARCHIVE_TREE_TREE_H_
#define ARCHIVE_TREE_TREE_H_

#include <filesystem>
#include <string>
#include <vector>

namespace archive_tree {

// The regular files below a directory, as encoded paths from there, in their order. Links are not
// followed, and `excluded`, the archive itself, is left out. Throws
// std::filesystem::filesystem_error where the directory cannot be read; one below it that cannot is
// left out.
std::vector<std::string> ListFiles(const std::filesystem::path& directory,
                                   const std::filesystem::path& excluded);

// Writes a file as a whole or not at all, and so that it survives the loss of power.
void WriteFile(const std::filesystem::path& file, const std::string& content);

// Makes durable what was written to a file under `temporary`, and gives it its name.
void Publish(const std::filesystem::path& temporary, const std::filesystem::path& file);

}  // namespace archive_tree

#endif  // ARCHIVE_TREE_TREE_H_
