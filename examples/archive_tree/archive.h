// The workflows: what is done, in which steps.
#ifndef ARCHIVE_TREE_ARCHIVE_H_
#define ARCHIVE_TREE_ARCHIVE_H_

#include <pgqrs/nlohmann_json.h>
#include <pgqrs/pgqrs.h>

#include <cstdint>
#include <string>
#include <vector>

namespace archive_tree {

// Both as encoded paths.
struct Task {
  std::string from;
  std::string to;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Task, from, to)

struct Part {
  Task task;
  std::vector<std::string> files;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Part, task, files)

struct ArchivedFile {
  std::string path;
  std::uint64_t bytes = 0;
  std::uint64_t compressed = 0;
  std::string error = {};  // Why it could not be read. Empty: it is in the archive.
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ArchivedFile, path, bytes, compressed, error)

struct Totals {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t compressed = 0;
  std::uint64_t errors = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Totals, files, bytes, compressed, errors)

inline constexpr const char* kReportName = "report.txt";

struct Workflows {
  pgqrs::Workflow<Part, std::vector<ArchivedFile>> part;
  pgqrs::Workflow<Task, Totals> tree;
};
Workflows DefineWorkflows();

}  // namespace archive_tree

#endif  // ARCHIVE_TREE_ARCHIVE_H_
