#include "engine/public_error.h"

#include <pgqrs/error.h>

namespace pgqrs::engine {
namespace {

std::exception_ptr FromFailure(const driver::Failure& failure) {
  const std::string what = failure.what();
  switch (failure.fault()) {
    case driver::Fault::kBusy:
      return std::make_exception_ptr(
          PgqrsConnectionError("the database did not become free in time: " + what));
    case driver::Fault::kConflict:
      return std::make_exception_ptr(
          PgqrsConnectionError("other transactions kept standing in the way: " + what));
    case driver::Fault::kLost:
      return std::make_exception_ptr(
          PgqrsConnectionError("the connection to the database was lost: " + what));
    case driver::Fault::kUnknown:
      return std::make_exception_ptr(InternalError(
          what +
          "; the outcome is unknown: the change is there or not there as a whole, which "
          "FindMessage or pgqrs_messages tells once the database can be opened"));
    case driver::Fault::kStorage:
    case driver::Fault::kStatement:
      break;
  }
  return std::make_exception_ptr(InternalError(what));
}

}  // namespace

std::string TextOf(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& exception) {
    return exception.what();
  } catch (const std::string& text) {
    return text;
  } catch (const char* text) {
    return text;
  } catch (...) {
    return "something that is no std::exception was thrown";
  }
}

// Where even the error cannot be made, for want of memory, that is the error.
std::exception_ptr MakePublicError(const std::exception_ptr& error) noexcept {
  try {
    try {
      std::rethrow_exception(error);
    } catch (const Error&) {
      return error;
    } catch (const driver::Failure& failure) {
      return FromFailure(failure);
    } catch (...) {
      return std::make_exception_ptr(InternalError(TextOf(error)));
    }
  } catch (...) {
    return std::current_exception();
  }
}

std::optional<driver::Fault> FaultOf(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const driver::Failure& failure) {
    return failure.fault();
  } catch (...) {
    return std::nullopt;
  }
}

bool MayPass(const std::exception_ptr& error) noexcept {
  const auto fault = FaultOf(error);
  return fault == driver::Fault::kLost || fault == driver::Fault::kConflict;
}

std::exception_ptr AsUnknown(const std::exception_ptr& error) noexcept {
  if (FaultOf(error) == driver::Fault::kUnknown) return error;
  try {
    return std::make_exception_ptr(driver::Failure(driver::Fault::kUnknown, TextOf(error)));
  } catch (...) {
    return std::current_exception();
  }
}

}  // namespace pgqrs::engine
