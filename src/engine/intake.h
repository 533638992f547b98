#ifndef PGQRS_ENGINE_INTAKE_H_
#define PGQRS_ENGINE_INTAKE_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "queue/request.h"

namespace pgqrs::engine {

using RequestPtr = std::unique_ptr<queue::Request>;

// Where requests wait for the lane: first in, first out, and bounded.
class Intake {
 public:
  Intake(std::size_t max_requests, std::size_t max_bytes)
      : max_requests_(max_requests), max_bytes_(max_bytes) {}

  // Adds requests, which stay together. Waits first while too much is waiting. Answers false, and
  // leaves them alone, once the intake is closed.
  bool Push(std::vector<RequestPtr>& requests);

  // The same without waiting, for the engine's own threads.
  bool PushNow(std::vector<RequestPtr>& requests);

  // Takes the next group: a job alone, or all other requests up to a limit. Waits for one. Empty
  // once the intake is closed and everything was taken.
  std::vector<RequestPtr> PopGroup();

  void Close();

  std::size_t size() const;

 private:
  bool IsFull() const;
  void Add(std::vector<RequestPtr>& requests);
  void LetCallersCatchUp(std::unique_lock<std::mutex>& lock);
  std::vector<RequestPtr> TakeGroup();

  const std::size_t max_requests_;
  const std::size_t max_bytes_;
  mutable std::mutex mutex_;
  std::condition_variable not_empty_;
  std::condition_variable not_full_;
  std::deque<RequestPtr> waiting_;
  std::size_t bytes_ = 0;
  std::size_t blocked_callers_ = 0;
  std::size_t last_group_ = 0;
  bool lane_waits_ = false;
  bool closed_ = false;
};

}  // namespace pgqrs::engine

#endif  // PGQRS_ENGINE_INTAKE_H_
