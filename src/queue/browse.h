// Messages as records, in whatever state they are.
#ifndef PGQRS_QUEUE_BROWSE_H_
#define PGQRS_QUEUE_BROWSE_H_

#include <pgqrs/records.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "driver/driver.h"

namespace pgqrs::queue {

std::optional<MessageInfo> FindMessage(driver::Connection& connection, std::int64_t message_id);

// A page of all messages.
std::vector<MessageInfo> ListMessages(driver::Connection& connection, const Page& page);

// A page of a queue's finished messages, or of its dead letters.
std::vector<MessageInfo> ListFinished(driver::Connection& connection, std::int64_t queue_id,
                                      const Page& page);
std::vector<MessageInfo> ListDead(driver::Connection& connection, std::int64_t queue_id,
                                  const Page& page);

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_BROWSE_H_
