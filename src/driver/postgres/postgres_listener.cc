#include "driver/postgres/postgres_listener.h"

#include <utility>

namespace pgqrs::driver {

PostgresListener::PostgresListener(std::shared_ptr<NotificationHub> hub, const void* owner,
                                   std::function<void(const Announcement&)> on_change)
    : hub_(std::move(hub)), ear_(std::make_shared<NotificationHub::Ear>()) {
  ear_->on_change = std::move(on_change);
  ear_->owner = owner;
  hub_->Add(ear_);
}

PostgresListener::~PostgresListener() { hub_->Remove(ear_); }

void PostgresListener::SetArmed(bool armed) { hub_->SetArmed(*ear_, armed); }

}  // namespace pgqrs::driver
