// The command line.
#ifndef INDEX_FILES_OPTIONS_H_
#define INDEX_FILES_OPTIONS_H_

#include <filesystem>
#include <stdexcept>
#include <string>

namespace index_files {

struct Options {
  std::filesystem::path directory = {};  // Absolute, without symbolic links.
  std::filesystem::path database = {};   // Absolute; its directory exists.
  std::string synchronous = "full";      // Or "normal".
  int workers = 1;
  bool fresh = false;
  bool retry_dead = false;
};

// The command line asks for nothing more than a text (help: exit code 0), or is wrong (2).
class OptionsExit : public std::runtime_error {
 public:
  OptionsExit(int exit_code, const std::string& text)
      : std::runtime_error(text), exit_code_(exit_code) {}
  int exit_code() const { return exit_code_; }

 private:
  int exit_code_;
};

// Throws OptionsExit.
Options ParseOptions(int argc, char** argv);

}  // namespace index_files

#endif  // INDEX_FILES_OPTIONS_H_
