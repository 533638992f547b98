#ifndef PGQRS_ENGINE_PUBLIC_ERROR_H_
#define PGQRS_ENGINE_PUBLIC_ERROR_H_

#include <exception>
#include <optional>
#include <string>

#include "driver/driver.h"

namespace pgqrs::engine {

// What an exception of any type says.
std::string TextOf(const std::exception_ptr& error);

// What callers get to see: errors of the driver become errors of the public interface here and
// nowhere else, and whatever is no pgqrs::Error an InternalError with its text.
std::exception_ptr MakePublicError(const std::exception_ptr& error) noexcept;

// The fault of a driver::Failure; nothing for any other exception.
std::optional<driver::Fault> FaultOf(const std::exception_ptr& error) noexcept;

// Whether nothing was changed, and the same transaction again may succeed.
bool MayPass(const std::exception_ptr& error) noexcept;

// The same as a driver::Failure of unknown outcome.
std::exception_ptr AsUnknown(const std::exception_ptr& error) noexcept;

}  // namespace pgqrs::engine

#endif  // PGQRS_ENGINE_PUBLIC_ERROR_H_
