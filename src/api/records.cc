#include <pgqrs/records.h>

namespace pgqrs {

std::string_view ToString(MessageState state) {
  switch (state) {
    case MessageState::kWaiting:
      return "waiting";
    case MessageState::kDelayed:
      return "delayed";
    case MessageState::kLeased:
      return "leased";
    case MessageState::kArchived:
      return "archived";
    case MessageState::kDead:
      return "dead";
  }
  return "unknown";
}

std::string_view ToString(WorkerStatus status) {
  switch (status) {
    case WorkerStatus::kReady:
      return "Ready";
    case WorkerStatus::kPolling:
      return "Polling";
    case WorkerStatus::kSuspended:
      return "Suspended";
    case WorkerStatus::kInterrupted:
      return "Interrupted";
    case WorkerStatus::kStopped:
      return "Stopped";
  }
  return "unknown";
}

}  // namespace pgqrs
