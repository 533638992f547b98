// Small helpers around messages, used by many tests.
#ifndef PGQRS_TESTS_SUPPORT_MESSAGES_H_
#define PGQRS_TESTS_SUPPORT_MESSAGES_H_

#include <pgqrs/pgqrs.h>

#include <cstdint>
#include <string>
#include <vector>

namespace pgqrs::testing {

// So many payloads that are all the same.
std::vector<Json> Payloads(int n, const Json& payload = "x");

// The payloads 0, 1, 2, … as JSON numbers.
std::vector<Json> NumberedPayloads(int n);

std::vector<std::int64_t> IdsOf(const std::vector<Message>& messages);
std::vector<std::int64_t> IdsOf(const std::vector<MessageInfo>& messages);

// The texts of the payloads.
std::vector<std::string> TextsOf(const std::vector<Message>& messages);

// All messages of the database, page by page.
std::vector<MessageInfo> AllMessages(PgqrsStore& store);

// Waits until so many dequeues of the store wait for a message. Throws std::runtime_error when that
// takes unreasonably long.
void AwaitWaitingConsumers(const PgqrsStore& store, std::uint64_t n);

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_SUPPORT_MESSAGES_H_
