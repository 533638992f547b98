#ifndef PGQRS_TESTS_SUPPORT_FAULTY_DISK_H_
#define PGQRS_TESTS_SUPPORT_FAULTY_DISK_H_

#include <array>
#include <csignal>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgqrs::testing {

// The calls of a database to the operating system that can be made to fail.
enum class IoCall : std::uint8_t { kOpen, kRead, kWrite, kSync, kTruncate };

std::string_view ToString(IoCall call);

// What happens instead of a call.
enum class IoFault : std::uint8_t {
  kFail,            // It is not carried out and reports an error.
  kFailHalfway,     // A half of it is carried out, and it reports an error. For writes.
  kFailAfterwards,  // It is carried out and reports an error all the same.
  kKill,            // The process dies, as by kill -9.
};

// A change of a file, as recorded. A write has data, a truncation a new size.
struct IoRecord {
  enum class Kind : std::uint8_t { kCreate, kWrite, kTruncate, kSync, kDelete };

  Kind kind;
  std::string file;  // The name without the folder; empty for a sync of the folder itself.
  std::int64_t offset = 0;
  std::string data;
};

// The disk under a database: the real one, with failures on demand. Derived classes say how it gets
// hold of the calls; it counts them and decides what becomes of each. Syncs are made in name only,
// since no test pulls the plug of the machine. It has to outlive every connection. Works from any
// thread.
class FaultyDisk {
 public:
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;
  virtual ~FaultyDisk() = default;

  // Lets the n-th call of this kind from now on fail, counting from 1, and, where `for_good`, every
  // later one too, until Lift.
  void Fail(IoCall call, std::int64_t nth, IoFault fault = IoFault::kFail, bool for_good = false);
  void Lift();

  // Calls of this kind so far.
  std::int64_t Calls(IoCall call) const;

  // The files may grow by so many bytes in all before the disk is full, until Lift.
  void SetSpace(std::int64_t bytes);

  // By how many bytes the files have grown in all.
  std::int64_t grown() const;

  // Records what changes files, until the records are taken. Where only the database knows that it
  // syncs the folder there are no records of files that are made.
  void Record();
  std::size_t RecordCount() const;
  std::vector<IoRecord> TakeRecords();

 protected:
  FaultyDisk() = default;

  // Carries out a call with the fault that is due, if any; gives `error` for one that fails.
  template <typename Result, typename F>
  Result Do(IoCall call, Result error, F call_through) {
    return Do(call, error, call_through, call_through);
  }
  template <typename Result, typename F, typename G>
  Result Do(IoCall call, Result error, F call_through, G call_halfway) {
    const auto fault = Next(call);
    if (!fault) return call_through();
    if (fault == IoFault::kKill) raise(SIGKILL);
    if (fault == IoFault::kFailHalfway) call_halfway();
    if (fault == IoFault::kFailAfterwards) call_through();
    return error;
  }

  // Takes what a file grows by where so many bytes are written to it, whose end is then here. Gives
  // how many of them there is room for.
  std::int64_t TakeSpace(std::int64_t bytes, std::int64_t end, std::int64_t file_size);
  void Add(IoRecord record);

 private:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  // What to do with the next call of this kind.
  std::optional<IoFault> Next(IoCall call);

  mutable std::mutex mutex_;
  std::array<std::int64_t, 5> calls_{};
  IoCall failing_call_ = IoCall::kOpen;
  IoFault fault_ = IoFault::kFail;
  std::int64_t fail_at_ = 0;  // 0: never.
  bool for_good_ = false;
  std::int64_t grown_ = 0;
  std::int64_t full_at_ = kNever;
  bool records_ = false;
  std::vector<IoRecord> log_;
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_SUPPORT_FAULTY_DISK_H_
