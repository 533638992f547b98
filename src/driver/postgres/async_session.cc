#include "driver/postgres/async_session.h"

#include <memory>

namespace pgqrs::driver {
namespace {

struct FreeNotification {
  void operator()(PGnotify* notification) const { PQfreemem(notification); }
};

}  // namespace

AsyncSession::AsyncSession(const Parameters& parameters) {
  const ConnectionWords words({parameters});
  connection_.reset(PQconnectStartParams(words.keywords(), words.values(), 0));
  if (!connection_ || PQstatus(connection_.get()) == CONNECTION_BAD) ThrowLost("connecting");
  IgnoreNotices(connection_.get());
}

pollfd AsyncSession::WaitsFor() const {
  pollfd file = {.fd = PQsocket(connection_.get()), .events = POLLIN, .revents = 0};
  if (waits_to_write_) {
    // While it connects libpq says which of the two it waits for.
    if (state_ == State::kConnecting) file.events = 0;
    file.events |= POLLOUT;
  }
  return file;
}

void AsyncSession::Advance() {
  if (state_ == State::kConnecting) {
    Connect();
    return;
  }
  if (waits_to_write_) {
    const int left = PQflush(connection_.get());
    if (left < 0) ThrowLost("sending");
    waits_to_write_ = left > 0;
  }
  if (PQconsumeInput(connection_.get()) != 1) ThrowLost("receiving");
  if (state_ == State::kBusy) ReadResults();
}

// libpq takes the socket for connected when it is asked before the socket says anything.
void AsyncSession::Connect() {
  auto ready = WaitsFor();
  if (poll(&ready, 1, 0) <= 0) return;
  switch (PQconnectPoll(connection_.get())) {
    case PGRES_POLLING_READING:
      waits_to_write_ = false;
      break;
    case PGRES_POLLING_WRITING:
      waits_to_write_ = true;
      break;
    case PGRES_POLLING_OK:
      if (PQsetnonblocking(connection_.get(), 1) != 0) ThrowLost("connecting");
      waits_to_write_ = false;
      state_ = State::kIdle;
      break;
    default:
      ThrowLost("connecting");
  }
}

void AsyncSession::Send(const std::string& text) {
  Sent(PQsendQuery(connection_.get(), text.c_str()));
}

void AsyncSession::Send(const char* text, const std::vector<const char*>& parameters) {
  Sent(PQsendQueryParams(connection_.get(), text, static_cast<int>(parameters.size()), nullptr,
                         parameters.data(), nullptr, nullptr, 0));
}

void AsyncSession::Sent(int sent) {
  if (sent != 1) ThrowLost("sending");
  state_ = State::kBusy;
  waits_to_write_ = true;
  succeeded_ = true;
  value_.clear();
  Advance();
}

void AsyncSession::ReadResults() {
  while (PQisBusy(connection_.get()) == 0) {
    const PostgresResult result(PQgetResult(connection_.get()));
    if (!result) {
      if (PQstatus(connection_.get()) == CONNECTION_BAD) ThrowLost("receiving");
      state_ = State::kIdle;
      return;
    }
    const auto status = PQresultStatus(result.get());
    if (status == PGRES_TUPLES_OK && PQntuples(result.get()) > 0) {
      value_ = PQgetvalue(result.get(), PQntuples(result.get()) - 1, 0);
    } else if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      succeeded_ = false;
    }
  }
}

std::vector<std::string> AsyncSession::TakeHeard() {
  std::vector<std::string> heard;
  if (state_ == State::kConnecting) return heard;
  for (;;) {
    const std::unique_ptr<PGnotify, FreeNotification> next(PQnotifies(connection_.get()));
    if (!next) return heard;
    heard.emplace_back(next->extra);
  }
}

void AsyncSession::ThrowLost(const char* what) const {
  throw PostgresFailure(connection_.get(), nullptr, what);
}

}  // namespace pgqrs::driver
