// What a session needs, and what is different where a pooler such as PgBouncer lends it: by
// transaction, perhaps. Then nothing may be left in it, since the next transaction may be in
// another session, and this session somebody else's. So settings are made in each transaction, and
// statements have no name.
#ifndef PGQRS_DRIVER_POSTGRES_POOLER_H_
#define PGQRS_DRIVER_POSTGRES_POOLER_H_

#include <libpq-fe.h>

#include <string>
#include <vector>

namespace pgqrs::driver {

// Makes the settings of a new session. Answers false where a pooler stands in between: nothing was
// set then, and each transaction has to begin with LocalSettings(). Throws Failure.
bool SetUpSession(PGconn* connection);

// A statement that makes them until the end of the transaction.
const char* LocalSettings();

// The same for a transaction that only reads, as of the moment of the first statement behind these.
const std::vector<std::string>& LocalSettingsWithoutSnapshot();

// Takes back, up to the end of the transaction, what is set for the plans of our own statements.
const std::vector<std::string>& LocalSettingsOfUser();

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_POSTGRES_POOLER_H_
