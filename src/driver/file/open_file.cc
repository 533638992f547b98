#include "driver/file/open_file.h"

#include <pgqrs/error.h>
#include <sys/stat.h>

#include <algorithm>
#include <mutex>
#include <vector>

#include "util/fork.h"
#include "util/fork_safe.h"

namespace pgqrs::driver {
namespace {

using Key = OpenFile::Key;

bool IsSameFile(const Key& a, const Key& b) { return a.device == b.device && a.inode == b.inode; }

// The files that are open, each as often as it is.
class Registry {
 public:
  std::mutex& mutex() { return mutex_; }

  void Add(const Key& key) {
    const std::lock_guard lock(mutex_);
    files_.push_back(key);
  }

  void Remove(const Key& key) {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(files_.begin(), files_.end(), [&](const Key& other) {
      return IsSameFile(key, other) && key.fork_generation == other.fork_generation &&
             key.engine == other.engine;
    });
    if (found != files_.end()) files_.erase(found);
  }

  // Whether the file is open in a way that `is_meant` is true of.
  template <typename F>
  bool HasOpen(const Key& key, F is_meant) {
    const std::lock_guard lock(mutex_);
    return std::any_of(files_.begin(), files_.end(),
                       [&](const Key& other) { return IsSameFile(key, other) && is_meant(other); });
  }

 private:
  std::mutex mutex_;
  std::vector<Key> files_;
};

std::optional<Key> KeyOf(const std::string& path, OpenFile::Engine engine) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) return std::nullopt;
  return Key{.device = status.st_dev,
             .inode = status.st_ino,
             .fork_generation = util::ForkGeneration(),
             .engine = engine};
}

}  // namespace

void OpenFile::PrepareForFork() { util::ForkSafe<Registry>(); }

void OpenFile::CheckMayOpen(const std::string& path, Engine engine) {
  const auto key = KeyOf(path, engine);
  if (!key) return;
  auto& registry = util::ForkSafe<Registry>();
  const auto refuse = [&](const std::string& why) {
    throw PgqrsConnectionError("cannot open \"" + path + "\": " + why);
  };
  if (registry.HasOpen(
          *key, [&](const Key& other) { return other.fork_generation != key->fork_generation; })) {
    refuse(
        "it was open when this process was forked, and such a file cannot be opened a second time; "
        "open stores after the fork only, or call exec in the child");
  }
  if (registry.HasOpen(*key, [&](const Key& other) { return other.engine != engine; })) {
    refuse(
        "this process has it open with SQLite and Turso, which works with one of them at a time");
  }
  if (engine == Engine::kTurso && registry.HasOpen(*key, [](const Key&) { return true; })) {
    refuse("this process has it open by another of its names");
  }
}

bool OpenFile::HasMoved() const {
  if (!key_) return false;
  const auto now = KeyOf(path_, key_->engine);
  return !(now && IsSameFile(*now, *key_));
}

OpenFile::OpenFile(const std::string& path, Engine engine)
    : path_(path), key_(KeyOf(path, engine)) {
  if (key_) util::ForkSafe<Registry>().Add(*key_);
}

// In a forked child SQLite's memory of the file stays as it is, and so does the note.
OpenFile::~OpenFile() {
  if (key_ && key_->fork_generation == util::ForkGeneration())
    util::ForkSafe<Registry>().Remove(*key_);
}

}  // namespace pgqrs::driver
