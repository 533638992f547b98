#ifndef PGQRS_DRIVER_POSTGRES_POSTGRES_LISTENER_H_
#define PGQRS_DRIVER_POSTGRES_POSTGRES_LISTENER_H_

#include <functional>
#include <memory>

#include "driver/driver.h"
#include "driver/postgres/notification_hub.h"

namespace pgqrs::driver {

// One store's part of the hub. While it is not armed it remembers what it hears, and tells it when
// it is armed: what made somebody wait may have looked just before.
class PostgresListener final : public ChangeListener {
 public:
  // Hears what others than `owner` announce.
  PostgresListener(std::shared_ptr<NotificationHub> hub, const void* owner,
                   std::function<void(const Announcement&)> on_change);
  PostgresListener(const PostgresListener&) = delete;
  PostgresListener& operator=(const PostgresListener&) = delete;
  ~PostgresListener() override;

  void SetArmed(bool armed) override;
  bool is_deaf() const override { return hub_->is_deaf(); }

 private:
  const std::shared_ptr<NotificationHub> hub_;
  const std::shared_ptr<NotificationHub::Ear> ear_;
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_POSTGRES_POSTGRES_LISTENER_H_
