#include "fault/fault_test.h"

#include <filesystem>
#include <string_view>

#include "fault/workload.h"
#include "support/seed.h"

namespace pgqrs::testing {
namespace {

// Of a folder with a database, what is left when all its processes have died: the index of the log
// is built anew.
void CopyAsAfterCrash(const std::filesystem::path& from, const std::filesystem::path& to) {
  for (const auto* name : {"queue.db", "queue.db-wal", "queue.db-journal"}) {
    if (std::filesystem::exists(from / name)) std::filesystem::copy_file(from / name, to / name);
  }
}

}  // namespace

std::vector<std::string> FaultTest::RunWorkload(const std::function<void()>& arm) {
  const TempFolder folder;
  const TempFolder image;
  std::string first_failed;
  Expectations at_error;
  std::vector<std::string> errors;
  const auto on_error = [&](std::string_view call, std::string_view error,
                            const Expectations& now) {
    errors.emplace_back(error);
    if (first_failed.empty()) {
      first_failed = call;
      at_error = now;
      CopyAsAfterCrash(folder.path(), image.path());
    }
    if (call == "Connect" || call == "Queue") vfs_.Lift();
  };
  Workload workload(ConfigFor(folder), on_error);
  arm();
  workload.Run();
  vfs_.Lift();

  SCOPED_TRACE("the call that failed first is " + first_failed);
  workload.expectations().Check(workload.store());
  workload.GoOn();
  workload.expectations().Check(workload.store());
  workload.Close();
  CheckReopened(folder, workload.expectations());
  if (!first_failed.empty()) CheckReopened(image, at_error);
  return errors;
}

std::vector<std::int64_t> FaultTest::FaultPoints(std::int64_t n) {
  const auto how_many = FromEnvironment("PGQRS_FAULT_POINTS", IsSanitized() ? 6 : 25);
  return Seeded().Spread(n, how_many);
}

Config FaultTest::ConfigFor(const TempFolder& folder) const {
  Config config("sqlite://" + folder.File("queue.db"));
  config.clock = clock_.AsClock();
  return config;
}

void FaultTest::CheckReopened(const TempFolder& folder, Expectations expectations) const {
  SCOPED_TRACE("opened again");
  auto store = PgqrsStore::Connect(ConfigFor(folder));
  expectations.Check(store);
  auto queue = store.Queue("jobs");
  const std::vector<Json> payloads = {"new"};
  expectations.Enqueued(queue.EnqueueBatch(payloads), payloads);
  expectations.Check(store);
}

}  // namespace pgqrs::testing
