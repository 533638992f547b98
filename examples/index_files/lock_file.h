// One index_files a database.
#ifndef INDEX_FILES_LOCK_FILE_H_
#define INDEX_FILES_LOCK_FILE_H_

#include <string>

namespace index_files {

// Holds a lock file while it lives. The system takes the lock back when the process ends, however
// it ends. The file itself stays.
class LockFile {
 public:
  // Throws std::runtime_error where another process holds it.
  explicit LockFile(const std::string& path);
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;
  ~LockFile();

 private:
  int fd_;
};

}  // namespace index_files

#endif  // INDEX_FILES_LOCK_FILE_H_
