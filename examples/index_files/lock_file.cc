#include "lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace index_files {

LockFile::LockFile(const std::string& path)
    : fd_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  if (fd_ < 0) {
    throw std::system_error(errno, std::generic_category(), "cannot create " + path);
  }
  if (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    close(fd_);
    if (error == EWOULDBLOCK) {
      throw std::runtime_error("another index_files is at work on this database (" + path + ")");
    }
    throw std::system_error(error, std::generic_category(), "cannot lock " + path);
  }
}

LockFile::~LockFile() { close(fd_); }

}  // namespace index_files
