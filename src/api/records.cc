#include <pgqrs/records.h>
#include <pgqrs/workflow_records.h>

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

std::string_view ToString(RunStatus status) {
  switch (status) {
    case RunStatus::kQueued:
      return "Queued";
    case RunStatus::kRunning:
      return "Running";
    case RunStatus::kPaused:
      return "Paused";
    case RunStatus::kSuccess:
      return "Success";
    case RunStatus::kError:
      return "Error";
    case RunStatus::kCancelling:
      return "Cancelling";
    case RunStatus::kCancelled:
      return "Cancelled";
  }
  return "unknown";
}

std::string_view ToString(StepStatus status) {
  switch (status) {
    case StepStatus::kRunning:
      return "Running";
    case StepStatus::kSuccess:
      return "Success";
    case StepStatus::kError:
      return "Error";
  }
  return "unknown";
}

std::string_view ToString(StepKind kind) {
  switch (kind) {
    case StepKind::kStep:
      return "Step";
    case StepKind::kTransaction:
      return "Transaction";
    case StepKind::kSleep:
      return "Sleep";
    case StepKind::kNow:
      return "Now";
    case StepKind::kUuid:
      return "Uuid";
    case StepKind::kEvent:
      return "Event";
    case StepKind::kChild:
      return "Child";
    case StepKind::kParallel:
      return "Parallel";
  }
  return "unknown";
}

}  // namespace pgqrs
