#ifndef PGQRS_TESTS_SUPPORT_FAULTY_VFS_H_
#define PGQRS_TESTS_SUPPORT_FAULTY_VFS_H_

#include <sqlite3.h>

#include "support/faulty_disk.h"

namespace pgqrs::testing {

// While it lives it is the default VFS of SQLite in this process. Locks and shared memory are
// passed on.
class FaultyVfs final : public FaultyDisk {
 public:
  FaultyVfs();
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;
  ~FaultyVfs() override;

 private:
  struct File;
  struct Methods;

  sqlite3_vfs* const real_;
  sqlite3_vfs vfs_{};
  sqlite3_io_methods methods_{};
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_SUPPORT_FAULTY_VFS_H_
