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

// Where requests wait for the lane: first in, first out, and bounded. It also decides which thread
// works the lane: its own, or for one group a caller that would only wait for the answer.
class Intake {
 public:
  Intake(std::size_t max_requests, std::size_t max_bytes)
      : max_requests_(max_requests), max_bytes_(max_bytes) {}

  // Adds requests, which stay together. Waits first while too much is waiting. Answers false, and
  // leaves them alone, once the intake is closed.
  bool Push(std::vector<RequestPtr>& requests);

  // The same without waiting, for the engine's own threads.
  bool PushNow(std::vector<RequestPtr>& requests);

  // Where the lane is idle, lends it to the caller, who carries out one group of its own and then
  // calls GiveBack; answers false, and lends nothing, where it is not.
  bool Borrow();
  void GiveBack();

  // Makes the lane's own thread come round, be it with an empty group.
  void Poke();

  // What the lane's own thread is to do next.
  struct Work {
    std::vector<RequestPtr> group;
    bool poked = false;   // Poke was called since the last time.
    bool closed = false;  // Everything was taken, and nothing will come any more.
  };

  // Takes the next group: a job alone, or all other requests up to a limit. Waits for one, or for a
  // poke or the end.
  Work Next();

  void Close();

  std::size_t size() const;

 private:
  bool IsFull() const;
  bool HasWork() const { return !waiting_.empty() || poked_; }
  void Add(std::vector<RequestPtr>& requests);
  void WakeLane();
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
  bool lane_waits_ = false;  // Its thread does, for something to do.
  bool lent_ = false;
  bool poked_ = false;
  bool closed_ = false;
};

}  // namespace pgqrs::engine

#endif  // PGQRS_ENGINE_INTAKE_H_
