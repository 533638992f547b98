#include "file_reader.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

namespace index_files {
namespace {

constexpr std::size_t kBlockSize = std::size_t{256} << 10;

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() { close(fd_); }
  int get() const { return fd_; }

 private:
  int fd_;
};

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) {
    Check(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }

  void Update(std::span<const char> block) {
    Check(EVP_DigestUpdate(context_.get(), block.data(), block.size()) == 1);
  }

  std::string Finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    Check(EVP_DigestFinal_ex(context_.get(), digest.data(), &size) == 1);
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string text;
    for (const unsigned char byte : std::span(digest).first(size)) {
      text += kHex[byte >> 4];
      text += kHex[byte & 0xF];
    }
    return text;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };

  static void Check(bool ok) {
    if (!ok) throw std::runtime_error("OpenSSL could not compute a SHA-256");
  }

  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

[[noreturn]] void ThrowSystemError(const char* attempt, int error) {
  const bool passing = error == EMFILE || error == ENFILE || error == ENOMEM || error == EAGAIN;
  if (passing) throw std::system_error(error, std::generic_category(), attempt);
  throw UnreadableFile(std::string(attempt) + ": " + std::generic_category().message(error));
}

const char* KindOf(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "a directory";
    case S_IFIFO:
      return "a named pipe";
    case S_IFSOCK:
      return "a socket";
    case S_IFBLK:
      return "a block device";
    case S_IFCHR:
      return "a character device";
    default:
      return "of an unknown kind";
  }
}

void ThrowUnlessRegular(const struct stat& status) {
  if (S_ISREG(status.st_mode)) return;
  throw UnreadableFile(std::string("not a regular file but ") + KindOf(status.st_mode));
}

// Opens nothing but regular files: merely opening a device can have effects, and opening a named
// pipe waits for its other end. The file may change in between, so it is looked at twice.
int OpenRegular(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    const int error = errno;
    const bool is_link = lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
    ThrowSystemError(is_link && error == ENOENT ? "dangling link" : "cannot open", error);
  }
  ThrowUnlessRegular(status);
  const int fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) ThrowSystemError("cannot open", errno);
  return fd;
}

}  // namespace

FileContent ReadContent(const std::string& path, const std::stop_token& stop) {
  const FileDescriptor file(OpenRegular(path));
  struct stat status {};
  if (fstat(file.get(), &status) != 0) ThrowSystemError("cannot read", errno);
  ThrowUnlessRegular(status);

  FileContent content;
  Sha256 hash;
  bool in_word = false;
  std::vector<char> buffer(kBlockSize);
  for (;;) {
    if (stop.stop_requested()) throw ReadStopped();
    const ssize_t length = read(file.get(), buffer.data(), buffer.size());
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) ThrowSystemError("cannot read", errno);
    if (length == 0) break;

    const auto block = std::span<const char>(buffer).first(static_cast<std::size_t>(length));
    hash.Update(block);
    content.size += length;
    for (const char c : block) {
      const bool space = IsSpace(c);
      content.lines += c == '\n' ? 1 : 0;
      content.words += !space && !in_word ? 1 : 0;
      in_word = !space;
    }
  }
  content.sha256 = hash.Finish();
  return content;
}

}  // namespace index_files
