#include "driver/postgres/postgres_database.h"

#include "driver/postgres/postgres_connection.h"

namespace pgqrs::driver {

std::unique_ptr<Connection> PostgresDatabase::OpenWriter() {
  return std::make_unique<PostgresConnection>(options_, PostgresConnection::Role::kWriter,
                                              clock_);
}

std::unique_ptr<Connection> PostgresDatabase::OpenReader() {
  return std::make_unique<PostgresConnection>(options_, PostgresConnection::Role::kReader,
                                              clock_);
}

std::unique_ptr<ChangeListener> PostgresDatabase::Listen(std::function<void()>) { return nullptr; }

}  // namespace pgqrs::driver
