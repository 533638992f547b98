#include "fault/fault_test.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <utility>

#include "support/faulty_vfs.h"
#include "support/seed.h"

#ifdef PGQRS_WITH_TURSO
#include "fault/faulty_system_calls.h"
#endif

namespace pgqrs::testing {
namespace {

// Of a folder with a database, what is left when all its processes have died: the index of the log
// is built anew.
void CopyAsAfterCrash(const std::filesystem::path& from, const std::filesystem::path& to) {
  for (const auto* name : {"queue.db", "queue.db-wal", "queue.db-journal"}) {
    if (std::filesystem::exists(from / name)) std::filesystem::copy_file(from / name, to / name);
  }
}

std::unique_ptr<FaultyDisk> MakeDisk([[maybe_unused]] const std::string& backend) {
#ifdef PGQRS_WITH_TURSO
  if (backend == "turso") return std::make_unique<FaultySystemCalls>();
#endif
  return std::make_unique<FaultyVfs>();
}

}  // namespace

std::vector<std::string> FaultyBackends() {
#ifdef PGQRS_WITH_TURSO
  return {"sqlite", "turso"};
#else
  return {"sqlite"};
#endif
}

FaultTest::FaultTest(std::string backend)
    : backend_(std::move(backend)), disk_(MakeDisk(backend_)) {}

std::vector<std::string> FaultTest::RunWorkload(const std::function<void()>& arm,
                                                const std::function<void()>& done,
                                                void (Workload::*work)()) {
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
    if (call == "Connect" || call == "Queue") disk_->Lift();
  };
  Workload workload(ConfigFor(folder), on_error);
  arm();
  (workload.*work)();
  done();
  disk_->Lift();

  SCOPED_TRACE("the call that failed first is " + first_failed);
  workload.expectations().Check(workload.store());
  workload.GoOn();
  workload.expectations().Check(workload.store());
  workload.Close();
  CheckReopened(folder, workload.expectations());
  if (!first_failed.empty()) CheckReopened(image, at_error);
  return errors;
}

std::vector<std::int64_t> FaultTest::FaultPoints(std::int64_t n, bool takes_long) {
  const auto how_many = FromEnvironment("PGQRS_FAULT_POINTS", IsSanitized() ? 6 : 24);
  if (takes_long) return Seeded().Spread(n, std::max<std::int64_t>(1, how_many / 3));
  return Seeded().Spread(n, how_many);
}

std::string FaultTest::DsnFor(const TempFolder& folder) const {
  return backend_ + "://" + folder.File("queue.db");
}

Config FaultTest::ConfigFor(const TempFolder& folder) const {
  Config config(DsnFor(folder));
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
