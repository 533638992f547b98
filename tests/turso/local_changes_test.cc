#include "driver/turso/local_changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace pgqrs::testing {
namespace {

using driver::Announcement;
using driver::LocalChanges;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LocalChangesTest : public ::testing::Test {
 protected:
  // A listener of the store `owner`, which notes the queues that it hears of.
  std::unique_ptr<driver::ChangeListener> Listen(const int& owner) {
    return LocalChanges::Listen(changes_, &owner, [this](const Announcement& announcement) {
      heard_.push_back(announcement.queue_id);
    });
  }

  const std::shared_ptr<LocalChanges> changes_ = std::make_shared<LocalChanges>();
  const int one_ = 1;
  const int two_ = 2;
  std::vector<std::int64_t> heard_;
};

TEST_F(LocalChangesTest, AListenerHearsOfOtherStoresOnly) {
  const auto listener = Listen(one_);
  listener->SetArmed(true);
  heard_.clear();
  changes_->Announce(&one_, {.queue_id = 11});
  changes_->Announce(&two_, {.queue_id = 12});
  EXPECT_THAT(heard_, ElementsAre(12));
}

TEST_F(LocalChangesTest, AListenerIsToldToLookWhenItIsArmedAndOfNothingBefore) {
  const auto listener = Listen(one_);
  changes_->Announce(&two_, {.queue_id = 12});
  EXPECT_THAT(heard_, IsEmpty());
  listener->SetArmed(true);
  EXPECT_THAT(heard_, ElementsAre(0));
  listener->SetArmed(true);
  listener->SetArmed(false);
  changes_->Announce(&two_, {.queue_id = 12});
  EXPECT_THAT(heard_, ElementsAre(0));
}

TEST_F(LocalChangesTest, AListenerThatIsGoneHearsNothing) {
  auto listener = Listen(one_);
  listener->SetArmed(true);
  heard_.clear();
  listener.reset();
  changes_->Announce(&two_, {.queue_id = 12});
  EXPECT_THAT(heard_, IsEmpty());
}

}  // namespace
}  // namespace pgqrs::testing
