// A server whose tables have no room left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "support/messages.h"
#include "support/names.h"
#include "support/postgres_server.h"
#include "support/postgres_shell.h"
#include "support/temp_folder.h"
#include "support/throws.h"

namespace pgqrs::testing {
namespace {

// A small file system in memory.
class SmallDisk {
 public:
  explicit SmallDisk(const std::filesystem::path& folder) : folder_(folder) {
    std::filesystem::create_directory(folder);
    is_mounted_ = Mount("size=24m,mode=777");
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (is_mounted_) umount2(folder_.c_str(), MNT_DETACH);
  }

  bool is_mounted() const { return is_mounted_; }
  void Grow() { EXPECT_TRUE(Mount("size=64m", MS_REMOUNT)); }

 private:
  // NOLINTNEXTLINE(google-runtime-int): the type that mount takes.
  bool Mount(const char* options, unsigned long flags = 0) {
    return mount("tmpfs", folder_.c_str(), "tmpfs", flags, options) == 0;
  }

  const std::filesystem::path folder_;
  bool is_mounted_ = false;
};

TEST(FullDisk, LosesNothingAndGoesOnWhenThereIsRoom) {
  PostgresServer server;
  const auto folder = server.folder() / "small";
  SmallDisk disk(folder);
  if (!disk.is_mounted()) GTEST_SKIP() << "this user may not mount a file system";
  PostgresShell shell(server.dsn());
  std::filesystem::create_directory(folder / "tables");
  const auto [user, group] = [&] {
    struct stat data = {};
    EXPECT_EQ(stat((server.folder() / "data").c_str(), &data), 0);
    return std::pair(data.st_uid, data.st_gid);
  }();
  ASSERT_EQ(chown((folder / "tables").c_str(), user, group), 0);
  shell.Execute("CREATE TABLESPACE small LOCATION '" + (folder / "tables").string() + "'");
  shell.Execute("ALTER DATABASE postgres SET default_tablespace = small");

  auto store = PgqrsStore::Connect(server.dsn());
  auto queue = store.Queue("jobs");
  // What can be compressed takes no room.
  std::string noise;
  for (int i = 0; noise.size() < 100'000; ++i) noise += std::to_string(i * 2654435761U);
  std::vector<std::int64_t> ids;
  const auto error = MessageOf<InternalError>([&] {
    while (ids.size() < 1000) ids.push_back(queue.Enqueue(noise + std::to_string(ids.size())));
  });
  EXPECT_THAT(error, AllOf(HasSubstr("EnqueueBatch: "), HasSubstr("No space left on device")));
  EXPECT_THAT(ids, Not(IsEmpty()));
  EXPECT_EQ(queue.Metrics().waiting, static_cast<std::int64_t>(ids.size()));

  disk.Grow();
  ids.push_back(queue.Enqueue("there is room"));
  const auto messages = queue.DequeueBatch(1000);
  EXPECT_EQ(IdsOf(messages), ids);
  EXPECT_THAT(store.Ack(messages), Each(true));
  store.Admin().Verify();
}

}  // namespace
}  // namespace pgqrs::testing
