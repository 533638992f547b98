#include "fault/expectations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string_view>

namespace pgqrs::testing {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Eq;
using ::testing::SizeIs;

std::vector<MessageInfo> AllMessages(PgqrsStore& store) {
  std::vector<MessageInfo> all;
  Page page;
  for (auto found = store.Admin().Messages(page); !found.empty();
       found = store.Admin().Messages(page)) {
    all.insert(all.end(), found.begin(), found.end());
    page.after_id = found.back().id;
  }
  return all;
}

}  // namespace

void Expectations::Enqueued(std::span<const std::int64_t> ids, std::span<const Json> payloads) {
  ASSERT_EQ(ids.size(), payloads.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const Expected expected = {.payload = payloads[i].text(), .states = {"waiting"}};
    EXPECT_TRUE(messages_.emplace(ids[i], expected).second) << "id " << ids[i] << " came twice";
  }
}

void Expectations::MayHaveEnqueued(std::span<const Json> payloads) {
  auto& group = uncertain_.emplace_back();
  for (const auto& payload : payloads) group.insert(payload.text());
}

std::vector<std::int64_t> Expectations::Which(const std::string& state) const {
  std::vector<std::int64_t> ids;
  for (const auto& [id, expected] : messages_) {
    if (expected.states.contains(state)) ids.push_back(id);
  }
  return ids;
}

void Expectations::Check(PgqrsStore& store) const {
  EXPECT_NO_THROW(store.Admin().Verify());
  std::map<std::int64_t, Expected> missing = messages_;
  std::set<std::string> unasked;  // Payloads of messages that were never acknowledged.
  for (const auto& message : AllMessages(store)) {
    const auto expected = missing.find(message.id);
    if (expected == missing.end()) {
      EXPECT_FALSE(messages_.contains(message.id)) << "message " << message.id << " is there twice";
      EXPECT_TRUE(unasked.insert(message.payload.text()).second) << message.payload.text();
      continue;
    }
    EXPECT_EQ(message.payload.text(), expected->second.payload);
    EXPECT_THAT(expected->second.states, Contains(std::string(ToString(message.state))))
        << "message " << message.id;
    missing.erase(expected);
  }
  for (const auto& [id, expected] : missing) {
    EXPECT_THAT(expected.states, Contains(kGone)) << "message " << id << " is lost";
  }
  for (const auto& group : uncertain_) {
    std::size_t there = 0;
    for (const auto& payload : group) there += unasked.erase(payload);
    EXPECT_THAT(there, AnyOf(Eq(0U), Eq(group.size()))) << "a part of a batch is there";
  }
  EXPECT_THAT(unasked, SizeIs(0)) << "messages whose enqueue had failed are there";
}

}  // namespace pgqrs::testing
