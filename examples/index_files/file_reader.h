// Reads a file once, from front to back, and says what is in it.
#ifndef INDEX_FILES_FILE_READER_H_
#define INDEX_FILES_FILE_READER_H_

#include <cstdint>
#include <stdexcept>
#include <stop_token>
#include <string>

namespace index_files {

struct FileContent {
  std::int64_t size = 0;   // Bytes.
  std::int64_t lines = 0;  // Newline characters.
  std::int64_t words = 0;  // Runs of bytes other than ASCII white space.
  std::string sha256;      // 64 hexadecimal digits.
};

// The file cannot be read, and trying again is of no use. The text is the reason.
class UnreadableFile : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Reading was interrupted by the stop token.
class ReadStopped : public std::runtime_error {
 public:
  ReadStopped() : std::runtime_error("stopped") {}
};

// Reads the regular file at `path`, or the one that a symbolic link there leads to, in constant
// memory. Throws UnreadableFile; ReadStopped once `stop` is requested; and std::system_error where
// a later try may succeed, because the system was short of something.
FileContent ReadContent(const std::string& path, const std::stop_token& stop);

}  // namespace index_files

#endif  // INDEX_FILES_FILE_READER_H_
