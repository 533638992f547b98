// The schema: installed, upgraded, checked.
#ifndef PGQRS_QUEUE_SCHEMA_H_
#define PGQRS_QUEUE_SCHEMA_H_

#include <string>
#include <string_view>
#include <vector>

#include "driver/driver.h"

namespace pgqrs::queue {

enum class SchemaState : std::uint8_t { kMissing, kOlder, kCurrent };

// Looks at what is in the database. Throws SchemaError where that is newer than this library or
// another program's.
SchemaState InspectSchema(driver::Connection& connection, std::string_view dialect);

// Brings the schema up to date, in one transaction. Does nothing where it is current. Throws as
// InspectSchema does, with nothing touched.
void InstallSchema(driver::Connection& connection, std::string_view dialect);

// Reads everything and gives a line for each thing that is wrong, as of one moment. Begins the open
// transaction anew.
std::vector<std::string> FindDamage(driver::Connection& connection, std::string_view dialect);

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_SCHEMA_H_
