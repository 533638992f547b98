#include "driver/postgres/postgres_database.h"

#include <exception>
#include <utility>

#include "driver/postgres/postgres_connection.h"
#include "driver/postgres/postgres_listener.h"

namespace pgqrs::driver {

std::unique_ptr<Connection> PostgresDatabase::OpenWriter() {
  return std::make_unique<PostgresConnection>(options_, PostgresConnection::Role::kWriter, clock_);
}

std::unique_ptr<Connection> PostgresDatabase::OpenReader() {
  return std::make_unique<PostgresConnection>(options_, PostgresConnection::Role::kReader, clock_);
}

std::unique_ptr<ChangeListener> PostgresDatabase::Listen(
    std::function<void(const Announcement&)> on_change) {
  return std::make_unique<PostgresListener>(hub_, this, std::move(on_change));
}

void PostgresDatabase::Announce(const Announcement& announcement) {
  try {
    const auto visible_at = TimePoint(Duration(announcement.visible_at));
    hub_->Announce(this, announcement, visible_at - ApproximateNow());
  } catch (const std::exception&) {
    // What cannot be told is found by the fallback poll.
  }
}

}  // namespace pgqrs::driver
