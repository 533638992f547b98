#include "support/faulty_database.h"

#include <string>
#include <vector>

namespace pgqrs::testing {
namespace {

using Moment = Step::Moment;

class FaultyConnection final : public driver::Connection {
 public:
  FaultyConnection(std::unique_ptr<driver::Connection> real, std::shared_ptr<Faults> faults)
      : real_(std::move(real)), faults_(std::move(faults)) {}

  void Adopt() override { real_->Adopt(); }
  void Begin() override {
    faults_->Ask({.moment = Moment::kBegin});
    real_->Begin();
  }
  void Commit() override {
    faults_->Ask({.moment = Moment::kCommit});
    real_->Commit();
    faults_->Ask({.moment = Moment::kCommitted});
  }
  void Rollback() noexcept override { real_->Rollback(); }
  using Connection::Run;
  void Run(sql::Statement statement, std::span<const driver::Value> rows,
           const driver::RowSink& sink) override {
    faults_->Ask({.moment = Moment::kRun, .statement = statement, .parameters = rows});
    real_->Run(statement, rows, sink);
  }
  std::int64_t Query(std::string_view sql, std::span<const driver::Cell> parameters,
                     const driver::QuerySink& sink) override {
    return real_->Query(sql, parameters, sink);
  }
  void RunScript(std::string_view script) override { real_->RunScript(script); }
  void PrepareAll() override { real_->PrepareAll(); }
  std::vector<std::string> CompareSchema() override { return real_->CompareSchema(); }
  bool SeesForeignCommits() override { return real_->SeesForeignCommits(); }
  TimePoint Now() override { return real_->Now(); }

 private:
  std::unique_ptr<driver::Connection> real_;
  std::shared_ptr<Faults> faults_;
};

}  // namespace

void Faults::Set(Decide decide) {
  const std::lock_guard lock(mutex_);
  decide_ = decide ? std::make_shared<const Decide>(std::move(decide)) : nullptr;
}

void Faults::Ask(const Step& step) {
  std::shared_ptr<const Decide> decide;
  {
    const std::lock_guard lock(mutex_);
    decide = decide_;
  }
  if (!decide) return;
  if (const auto fault = (*decide)(step)) throw driver::Failure(*fault, "an injected fault");
}

std::unique_ptr<driver::Connection> FaultyDatabase::OpenWriter() {
  return std::make_unique<FaultyConnection>(real_->OpenWriter(), faults_);
}

}  // namespace pgqrs::testing
