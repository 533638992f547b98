#include "driver/turso/local_changes.h"

#include <utility>

namespace pgqrs::driver {
class LocalChanges::Listener final : public ChangeListener {
 public:
  Listener(std::shared_ptr<LocalChanges> changes, const void* owner,
           std::function<void(const Announcement&)> on_change)
      : changes_(std::move(changes)), owner_(owner), on_change_(std::move(on_change)) {
    const std::lock_guard lock(changes_->mutex_);
    changes_->listeners_.push_back(this);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() override {
    const std::lock_guard lock(changes_->mutex_);
    std::erase(changes_->listeners_, this);
  }

  // What came while it was not armed, or before it was there, has to be looked for.
  void SetArmed(bool armed) override {
    if (is_armed_.exchange(armed) || !armed) return;
    on_change_({});
  }

  void Hear(const void* from, const Announcement& announcement) const {
    if (from != owner_ && is_armed_) on_change_(announcement);
  }

 private:
  const std::shared_ptr<LocalChanges> changes_;
  const void* const owner_;
  const std::function<void(const Announcement&)> on_change_;
  std::atomic<bool> is_armed_ = false;
};

void LocalChanges::Announce(const void* owner, const Announcement& announcement) {
  const std::lock_guard lock(mutex_);
  for (const auto* listener : listeners_) listener->Hear(owner, announcement);
}

std::unique_ptr<ChangeListener> LocalChanges::Listen(
    const std::shared_ptr<LocalChanges>& changes, const void* owner,
    std::function<void(const Announcement&)> on_change) {
  return std::make_unique<Listener>(changes, owner, std::move(on_change));
}

}  // namespace pgqrs::driver
