// A real database behind a wrapper that makes its writer fail on demand.
#ifndef PGQRS_TESTS_SUPPORT_FAULTY_DATABASE_H_
#define PGQRS_TESTS_SUPPORT_FAULTY_DATABASE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "driver/driver.h"

namespace pgqrs::testing {

// Something that the writing connection is about to do, or (kCommitted) has just done.
struct Step {
  enum class Moment : std::uint8_t { kBegin, kRun, kCommit, kCommitted };

  Moment moment;
  std::optional<sql::Statement> statement = {};  // Of kRun.
  std::span<const driver::Value> parameters = {};
};

// Decides what goes wrong. It is asked on the thread of the connection, and may hold that up.
class Faults {
 public:
  using Decide = std::function<std::optional<driver::Fault>(const Step&)>;

  void Set(Decide decide);
  void Clear() { Set(nullptr); }

  // Throws driver::Failure where the step is to fail.
  void Ask(const Step& step);

 private:
  std::mutex mutex_;
  std::shared_ptr<const Decide> decide_;
};

class FaultyDatabase final : public driver::Database {
 public:
  FaultyDatabase(std::unique_ptr<driver::Database> real, std::shared_ptr<Faults> faults)
      : real_(std::move(real)), faults_(std::move(faults)) {}

  std::string_view dialect() const override { return real_->dialect(); }
  bool is_embedded() const override { return real_->is_embedded(); }
  std::unique_ptr<driver::Connection> OpenWriter() override;
  bool has_many_writers() const override { return real_->has_many_writers(); }
  bool can_read_beside() const override { return real_->can_read_beside(); }
  std::unique_ptr<driver::Connection> OpenReader() override { return real_->OpenReader(); }
  TimePoint ApproximateNow() const override { return real_->ApproximateNow(); }
  // Hears nothing, so that what the engine notices by itself is not covered up.
  std::unique_ptr<driver::ChangeListener> Listen(
      std::function<void(const driver::Announcement&)>) override {
    return nullptr;
  }

 private:
  std::unique_ptr<driver::Database> real_;
  std::shared_ptr<Faults> faults_;
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_SUPPORT_FAULTY_DATABASE_H_
