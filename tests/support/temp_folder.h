#ifndef PGQRS_TESTS_SUPPORT_TEMP_FOLDER_H_
#define PGQRS_TESTS_SUPPORT_TEMP_FOLDER_H_

#include <filesystem>
#include <string>

namespace pgqrs::testing {

// A new empty folder, removed with everything in it at the end. It lies in the folder of the test
// run, not in /tmp, which may be in memory.
class TempFolder {
 public:
  TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder();

  const std::filesystem::path& path() const { return path_; }
  std::string File(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_SUPPORT_TEMP_FOLDER_H_
