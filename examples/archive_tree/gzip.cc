#include "gzip.h"

#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <new>

namespace archive_tree {
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

// One stream of zlib.
class Deflate {
 public:
  Deflate() {
    constexpr int kGzip = 15 + 16;  // The largest window, and the header of gzip.
    constexpr int kMemory = 8;
    if (deflateInit2(&stream_, Z_BEST_COMPRESSION, Z_DEFLATED, kGzip, kMemory,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  Deflate(const Deflate&) = delete;
  Deflate& operator=(const Deflate&) = delete;
  ~Deflate() { deflateEnd(&stream_); }

  z_stream& stream() { return stream_; }

 private:
  z_stream stream_{};
};

constexpr std::size_t kBlock = std::size_t{64} << 10;

}  // namespace

Sizes Compress(const std::filesystem::path& from, const std::filesystem::path& to) {
  const File in(std::fopen(from.c_str(), "rbe"), &std::fclose);
  if (!in) throw ReadError(errno, std::generic_category());
  File out(std::fopen(to.c_str(), "wbe"), &std::fclose);
  if (!out) throw std::system_error(errno, std::generic_category(), to.string());
  Deflate deflation;
  auto& stream = deflation.stream();
  std::array<unsigned char, kBlock> input{};
  std::array<unsigned char, kBlock> output{};
  Sizes sizes;
  for (bool at_end = false; !at_end;) {
    stream.avail_in = static_cast<uInt>(std::fread(input.data(), 1, input.size(), in.get()));
    stream.next_in = input.data();
    if (std::ferror(in.get()) != 0) throw ReadError(errno, std::generic_category());
    at_end = std::feof(in.get()) != 0;
    sizes.bytes += stream.avail_in;
    do {
      stream.next_out = output.data();
      stream.avail_out = static_cast<uInt>(output.size());
      deflate(&stream, at_end ? Z_FINISH : Z_NO_FLUSH);
      const auto made = output.size() - stream.avail_out;
      if (std::fwrite(output.data(), 1, made, out.get()) != made) {
        throw std::system_error(errno, std::generic_category(), to.string());
      }
      sizes.compressed += made;
    } while (stream.avail_out == 0);
  }
  if (std::fclose(out.release()) != 0) {
    throw std::system_error(errno, std::generic_category(), to.string());
  }
  return sizes;
}

}  // namespace archive_tree
