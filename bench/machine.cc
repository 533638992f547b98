#include "machine.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sqlite3.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "measure.h"

namespace bench {
namespace {

// The value behind the first line of a /proc file that begins with `key`.
std::string ProcValue(const char* file, std::string_view key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    const auto start = line.find_first_not_of(": \t", key.size());
    return start == std::string::npos ? "" : line.substr(start);
  }
  return "";
}

// The type of the file system by the longest mount point above the folder.
std::string FileSystemOf(const std::filesystem::path& folder) {
  std::ifstream mounts("/proc/self/mounts");
  const auto path = std::filesystem::canonical(folder).string() + "/";
  std::string best_type;
  std::size_t best_length = 0;
  std::string device;
  std::string point;
  std::string type;
  std::string rest;
  while (mounts >> device >> point >> type && std::getline(mounts, rest)) {
    const auto prefix = point == "/" ? point : point + "/";
    if (!path.starts_with(prefix) || prefix.size() < best_length) continue;
    best_type = type;
    best_length = prefix.size();
  }
  return best_type;
}

double MedianSyncMilliseconds(const std::filesystem::path& folder) {
  const ScratchFolder scratch(folder);
  const auto name = (scratch.path() / "sync").string();
  const int file = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) throw std::system_error(errno, std::generic_category(), name);
  const std::array<char, 4096> block{};
  std::vector<double> milliseconds;
  bool is_written = true;
  for (int i = 0; i < 200; ++i) {
    is_written = is_written && ::pwrite(file, block.data(), block.size(), 0) > 0;
    const Stopwatch watch;
    is_written = is_written && ::fdatasync(file) == 0;
    milliseconds.push_back(watch.Milliseconds());
  }
  ::close(file);
  Expect(is_written, "cannot write in " + folder.string());
  return Median(milliseconds);
}

}  // namespace

bool IsInMemory(const std::filesystem::path& folder) {
  struct statfs info {};
  if (::statfs(folder.c_str(), &info) != 0) return false;
  return info.f_type == TMPFS_MAGIC || info.f_type == RAMFS_MAGIC;
}

nlohmann::json DescribeMachine(const std::filesystem::path& folder) {
  utsname system{};
  ::uname(&system);
  return {{"processor", ProcValue("/proc/cpuinfo", "model name")},
          {"cores", std::thread::hardware_concurrency()},
          {"memory", ProcValue("/proc/meminfo", "MemTotal")},
          {"kernel", std::string(system.sysname) + " " + system.release},
          {"file_system", FileSystemOf(folder)},
          {"sync_ms", MedianSyncMilliseconds(folder)}};
}

nlohmann::json DescribeVersions(const std::string& postgres) {
  return {{"pgqrs", PGQRS_BENCH_VERSION},
          {"sqlite", sqlite3_libversion()},
          {"postgres", postgres},
          {"compiler", __VERSION__},
          {"build_type", PGQRS_BENCH_BUILD_TYPE}};
}

}  // namespace bench
