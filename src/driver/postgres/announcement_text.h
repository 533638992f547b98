// Announcements as they travel: the channel and the payload of a NOTIFY.
#ifndef PGQRS_DRIVER_POSTGRES_ANNOUNCEMENT_TEXT_H_
#define PGQRS_DRIVER_POSTGRES_ANNOUNCEMENT_TEXT_H_

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "driver/driver.h"

namespace pgqrs::driver {

// So many fit in one payload, which has to be shorter than 8,000 bytes.
constexpr std::size_t kMaxAnnouncementsInText = 100;

// The channel of a schema: lower-case letters and digits, which need no quotes anywhere.
std::string ChannelOf(std::string_view schema);

// A name that no other process has: a sender leaves out what it said itself.
std::string RandomName();

// "SENDER QUEUE_ID:VISIBLE_AT QUEUE_ID:VISIBLE_AT …".
std::string AnnouncementText(std::string_view sender, std::span<const Announcement> announcements);

struct ReceivedText {
  std::string_view sender;
  std::vector<Announcement> announcements;
};

// What has no meaning here, from a newer version for example, reads as "of any queue".
ReceivedText ReadAnnouncementText(std::string_view text);

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_POSTGRES_ANNOUNCEMENT_TEXT_H_
