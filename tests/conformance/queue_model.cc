#include "conformance/queue_model.h"

#include <algorithm>
#include <tuple>

namespace pgqrs::testing {

using Place = ModelMessage::Place;

void QueueModel::Add(std::int64_t id, const std::string& payload, int priority, TimePoint now,
                     TimePoint visible_at) {
  ModelMessage message;
  message.id = id;
  message.payload = payload;
  message.priority = priority;
  message.enqueued_at = now;
  message.visible_at = std::max(now, visible_at);
  messages_.emplace(id, message);
}

std::vector<QueueModel::Taken> QueueModel::Dequeue(int count, std::int64_t worker_id, TimePoint now,
                                                   Duration lease) {
  std::vector<ModelMessage*> visible;
  for (auto& [id, message] : messages_) {
    if (message.place == Place::kQueue && message.visible_at <= now) visible.push_back(&message);
  }
  std::sort(visible.begin(), visible.end(), [](const auto* a, const auto* b) {
    return std::tie(a->priority, a->visible_at, a->id) <
           std::tie(b->priority, b->visible_at, b->id);
  });
  std::vector<Taken> taken;
  ++last_lease_;
  for (auto* message : visible) {
    if (static_cast<int>(taken.size()) == count) break;
    if (message->read_count >= max_read_ct_) {
      MoveToDeadLetters(message->id, now);
      continue;
    }
    const auto was_visible_at = message->visible_at;
    message->visible_at = now + lease;
    message->lease = last_lease_;
    message->worker_id = worker_id;
    message->dequeued_at = now;
    ++message->read_count;
    taken.push_back({*message, was_visible_at});
  }
  return taken;
}

ModelMessage* QueueModel::Current(const Target& target) {
  const auto it = messages_.find(target.id);
  if (it == messages_.end()) return nullptr;
  auto& message = it->second;
  if (message.place != Place::kQueue || message.lease == 0) return nullptr;
  const bool is_current =
      target.lease != 0 ? message.lease == target.lease : message.worker_id == target.worker_id;
  return is_current ? &message : nullptr;
}

void QueueModel::Finish(ModelMessage& message, Place place, TimePoint now) {
  message.place = place;
  message.archived_at = now;
}

bool QueueModel::Ack(const Target& target, TimePoint now) {
  auto* message = Current(target);
  if (message != nullptr) Finish(*message, Place::kArchive, now);
  return message != nullptr;
}

bool QueueModel::DeadLetter(const Target& target, TimePoint now, const std::string& reason) {
  auto* message = Current(target);
  if (message == nullptr) return false;
  Finish(*message, Place::kDeadLetters, now);
  message->reason = reason;
  return true;
}

bool QueueModel::Release(const Target& target, TimePoint visible_at, const std::string& error) {
  auto* message = Current(target);
  if (message == nullptr) return false;
  message->visible_at = visible_at;
  message->lease = 0;
  if (!error.empty()) message->last_error = error;
  return true;
}

bool QueueModel::Extend(const Target& target, TimePoint end) {
  auto* message = Current(target);
  if (message != nullptr) message->visible_at = end;
  return message != nullptr;
}

bool QueueModel::Delete(const Target& target) {
  return Current(target) != nullptr && messages_.erase(target.id) == 1;
}

bool QueueModel::Replay(std::int64_t id, TimePoint now) {
  const auto it = messages_.find(id);
  if (it == messages_.end() || it->second.place != Place::kDeadLetters) return false;
  auto& message = it->second;
  const auto old = message;
  message = {};
  message.id = old.id;
  message.payload = old.payload;
  message.priority = old.priority;
  message.enqueued_at = old.enqueued_at;
  message.visible_at = now;
  return true;
}

std::int64_t QueueModel::ReplayAll(TimePoint now) {
  std::int64_t n = 0;
  for (const auto& [id, message] : messages_) n += Replay(id, now) ? 1 : 0;
  return n;
}

std::int64_t QueueModel::PurgeDeadLetters() {
  return static_cast<std::int64_t>(std::erase_if(
      messages_, [](const auto& entry) { return entry.second.place == Place::kDeadLetters; }));
}

std::int64_t QueueModel::Purge(TimePoint now) {
  return static_cast<std::int64_t>(std::erase_if(messages_, [&](const auto& entry) {
    const auto state = StateOf(entry.second, now);
    return state == MessageState::kWaiting || state == MessageState::kDelayed;
  }));
}

void QueueModel::ReleaseWorker(std::int64_t worker_id, TimePoint now) {
  for (auto& [id, message] : messages_) {
    if (message.place != Place::kQueue || message.lease == 0 || message.worker_id != worker_id) {
      continue;
    }
    message.visible_at = std::min(message.visible_at, now);
    message.lease = 0;
  }
}

std::vector<std::int64_t> QueueModel::Exhausted(TimePoint now) const {
  std::vector<std::int64_t> ids;
  for (const auto& [id, message] : messages_) {
    if (message.place == Place::kQueue && message.visible_at <= now &&
        message.read_count >= max_read_ct_) {
      ids.push_back(id);
    }
  }
  return ids;
}

void QueueModel::MoveToDeadLetters(std::int64_t id, TimePoint now) {
  auto& message = messages_.at(id);
  Finish(message, Place::kDeadLetters, now);
  // Its words are the queue's own.
  message.reason = "max_read_ct";
}

MessageState QueueModel::StateOf(const ModelMessage& message, TimePoint now) const {
  if (message.place == Place::kArchive) return MessageState::kArchived;
  if (message.place == Place::kDeadLetters) return MessageState::kDead;
  if (message.visible_at <= now) return MessageState::kWaiting;
  return message.lease == 0 ? MessageState::kDelayed : MessageState::kLeased;
}

}  // namespace pgqrs::testing
