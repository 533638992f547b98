#ifndef PGQRS_DRIVER_FILE_WHY_NOT_OPENED_H_
#define PGQRS_DRIVER_FILE_WHY_NOT_OPENED_H_

#include <string>
#include <string_view>

namespace pgqrs::driver {

// Why a database file could not be opened. A look at the path says more than what the database
// gives for a reason, which is the answer where the path is in order.
std::string WhyNotOpened(const std::string& path, std::string_view reason);

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_FILE_WHY_NOT_OPENED_H_
