#include "support/messages.h"

#include <chrono>
#include <stdexcept>
#include <thread>

namespace pgqrs::testing {

std::vector<Json> Payloads(int n, const Json& payload) {
  return std::vector<Json>(static_cast<std::size_t>(n), payload);
}

std::vector<Json> NumberedPayloads(int n) {
  std::vector<Json> payloads;
  payloads.reserve(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) payloads.push_back(Json::Parse(std::to_string(i)));
  return payloads;
}

std::vector<std::int64_t> IdsOf(const std::vector<Message>& messages) {
  std::vector<std::int64_t> ids;
  ids.reserve(messages.size());
  for (const auto& message : messages) ids.push_back(message.id());
  return ids;
}

std::vector<std::int64_t> IdsOf(const std::vector<MessageInfo>& messages) {
  std::vector<std::int64_t> ids;
  ids.reserve(messages.size());
  for (const auto& message : messages) ids.push_back(message.id);
  return ids;
}

std::vector<std::string> TextsOf(const std::vector<Message>& messages) {
  std::vector<std::string> texts;
  texts.reserve(messages.size());
  for (const auto& message : messages) texts.push_back(message.payload().text());
  return texts;
}

std::vector<MessageInfo> AllMessages(PgqrsStore& store) {
  std::vector<MessageInfo> all;
  Page page;
  for (;;) {
    auto messages = store.Admin().Messages(page);
    if (messages.empty()) return all;
    page.after_id = messages.back().id;
    for (auto& message : messages) all.push_back(std::move(message));
  }
}

void AwaitWaitingConsumers(const PgqrsStore& store, std::uint64_t n) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (store.EngineMetrics().waiting_consumers != n) {
    if (std::chrono::steady_clock::now() > deadline) {
      throw std::runtime_error("the consumers do not begin to wait");
    }
    std::this_thread::yield();
  }
}

}  // namespace pgqrs::testing
