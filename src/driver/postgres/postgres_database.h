// Postgres as a backend, through libpq.
#ifndef PGQRS_DRIVER_POSTGRES_POSTGRES_DATABASE_H_
#define PGQRS_DRIVER_POSTGRES_POSTGRES_DATABASE_H_

#include <pgqrs/config.h>

#include <functional>
#include <memory>
#include <string_view>

#include "driver/driver.h"
#include "driver/postgres/jsonb.h"
#include "driver/postgres/notification_hub.h"
#include "driver/postgres/postgres_dsn.h"
#include "driver/postgres/server_clock.h"

namespace pgqrs::driver {

class PostgresDatabase final : public Database {
 public:
  explicit PostgresDatabase(const Config& config)
      : options_(ParsePostgresDsn(config)), hub_(NotificationHub::Of(options_)) {}

  std::string_view dialect() const override { return "postgres"; }
  JsonCheck check_json() const override { return CheckJsonb; }
  bool is_embedded() const override { return false; }
  std::unique_ptr<Connection> OpenWriter() override;
  bool has_many_writers() const override { return true; }
  bool can_read_beside() const override { return true; }
  std::unique_ptr<Connection> OpenReader() override;
  TimePoint ApproximateNow() const override {
    return options_.clock ? options_.clock() : clock_->Now();
  }
  std::unique_ptr<ChangeListener> Listen(
      std::function<void(const Announcement&)> on_change) override;
  void Announce(const Announcement& announcement) override;

 private:
  const PostgresOptions options_;
  const std::shared_ptr<ServerClock> clock_ = std::make_shared<ServerClock>();
  const std::shared_ptr<NotificationHub> hub_;
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_POSTGRES_POSTGRES_DATABASE_H_
