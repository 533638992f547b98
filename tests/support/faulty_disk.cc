#include "support/faulty_disk.h"

#include <algorithm>
#include <utility>

namespace pgqrs::testing {

std::string_view ToString(IoCall call) {
  constexpr std::array<std::string_view, 5> kNames = {"Open", "Read", "Write", "Sync", "Truncate"};
  return kNames.at(static_cast<std::size_t>(call));
}

void FaultyDisk::Fail(IoCall call, std::int64_t nth, IoFault fault, bool for_good) {
  const std::lock_guard lock(mutex_);
  failing_call_ = call;
  fault_ = fault;
  fail_at_ = calls_[static_cast<std::size_t>(call)] + nth;
  for_good_ = for_good;
}

void FaultyDisk::Lift() {
  const std::lock_guard lock(mutex_);
  fail_at_ = 0;
  full_at_ = kNever;
}

std::int64_t FaultyDisk::Calls(IoCall call) const {
  const std::lock_guard lock(mutex_);
  return calls_[static_cast<std::size_t>(call)];
}

void FaultyDisk::SetSpace(std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  full_at_ = grown_ + bytes;
}

std::int64_t FaultyDisk::grown() const {
  const std::lock_guard lock(mutex_);
  return grown_;
}

void FaultyDisk::Record() {
  const std::lock_guard lock(mutex_);
  records_ = true;
}

std::size_t FaultyDisk::RecordCount() const {
  const std::lock_guard lock(mutex_);
  return log_.size();
}

std::vector<IoRecord> FaultyDisk::TakeRecords() {
  const std::lock_guard lock(mutex_);
  records_ = false;
  return std::exchange(log_, {});
}

std::optional<IoFault> FaultyDisk::Next(IoCall call) {
  const std::lock_guard lock(mutex_);
  const auto number = ++calls_[static_cast<std::size_t>(call)];
  if (fail_at_ == 0 || call != failing_call_) return {};
  if (for_good_ ? number < fail_at_ : number != fail_at_) return {};
  return fault_;
}

std::int64_t FaultyDisk::TakeSpace(std::int64_t bytes, std::int64_t end, std::int64_t file_size) {
  const std::lock_guard lock(mutex_);
  const auto growth = std::max<std::int64_t>(0, end - file_size);
  const auto room = std::min(growth, std::max<std::int64_t>(0, full_at_ - grown_));
  grown_ += room;
  return std::max<std::int64_t>(0, bytes - (growth - room));
}

void FaultyDisk::Add(IoRecord record) {
  const std::lock_guard lock(mutex_);
  if (records_) log_.push_back(std::move(record));
}

}  // namespace pgqrs::testing
