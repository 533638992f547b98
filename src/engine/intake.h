#ifndef PGQRS_ENGINE_INTAKE_H_
#define PGQRS_ENGINE_INTAKE_H_

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "queue/request.h"

namespace pgqrs::engine {

using RequestPtr = std::unique_ptr<queue::Request>;

// Where requests wait for the lanes: first in, first out, and bounded. It also decides which thread
// works a lane: its own, or for one group a caller that would only wait for the answer.
//
// Where there are several lanes, one that is idle leaves requests to one that is busy, which will
// take them all together when it has finished, unless that takes longer than they can wait. A few
// large groups are cheaper than many small ones, while what takes long is shared by all lanes.
//
// Enqueues to one queue go through one at a time, so that they
// become visible in the order in which they were made, and what settles messages of one batch too,
// so that the lanes do not wait for each other's rows. Dequeues from one queue do so while it is
// short. A job is taken when nothing that came before it is still under way.
class Intake {
 public:
  Intake(std::size_t max_requests, std::size_t max_bytes, std::size_t lanes = 1)
      : max_requests_(max_requests), max_bytes_(max_bytes), lanes_(lanes) {}

  // Adds requests, which stay together. Waits first while too much is waiting. Answers false, and
  // leaves them alone, once the intake is closed.
  bool Push(std::vector<RequestPtr>& requests);

  // The same without waiting, for the engine's own threads.
  bool PushNow(std::vector<RequestPtr>& requests);

  // Where all lanes are idle and nothing waits, lends one to the caller, who carries out one group
  // of its own, which is this request where given, and then calls GiveBack. Nothing where that
  // cannot be.
  std::optional<std::size_t> Borrow(queue::Request* request = nullptr);
  void GiveBack(std::size_t lane = 0);

  // Makes a lane's own thread come round, be it with an empty group.
  void Poke();

  // What a lane's own thread is to do next.
  struct Work {
    std::vector<RequestPtr> group;
    bool poked = false;   // Poke was called since the last time.
    bool closed = false;  // Everything was taken, and nothing will come any more.
  };

  // Takes the next group for a lane, which has finished the one before: a job alone, or all other
  // requests up to a limit. Waits for one, or for a poke or the end.
  Work Next(std::size_t lane = 0);

  void Close();

  std::size_t size() const;

 private:
  // What lanes claim while they work on it, one alone or some together.
  struct Claim {
    enum class What : std::uint8_t { kRegistration, kEnqueues, kDequeues, kBatch };

    What what;
    std::int64_t id;

    friend bool operator==(const Claim&, const Claim&) = default;
  };
  struct HashClaim {
    std::size_t operator()(const Claim& claim) const {
      return std::hash<std::int64_t>()(claim.id * 4 + static_cast<std::int64_t>(claim.what));
    }
  };
  struct Claimed {
    Claim claim;
    bool is_alone;
  };

  struct Lane {
    std::condition_variable wake;
    bool waits = false;    // Its thread does, for something to do.
    bool watches = false;  // The same, for as long as what waits can.
    bool is_lent = false;
    bool is_busy = false;                               // With what Next or Borrow gave it.
    std::unordered_map<Claim, bool, HashClaim> claims;  // Whether each is alone.
    std::size_t last_group = 0;
  };

  bool IsFull() const;
  bool HasWork() const { return !waiting_.empty() || poked_; }
  void Add(std::vector<RequestPtr>& requests);
  void CallLane();
  void WakeLane();
  void WakeAll();
  bool OthersAreBusy(const Lane& lane) const;
  bool MayStart(const Lane& lane) const;
  void Wait(Lane& lane, std::unique_lock<std::mutex>& lock);
  void LetCallersCatchUp(const Lane& lane, std::unique_lock<std::mutex>& lock);
  std::vector<RequestPtr> TakeGroup(Lane& lane);
  std::optional<std::vector<RequestPtr>> TakeJob(const Lane& lane);
  void NoteWaits(queue::Request& request);
  RequestPtr PopFront();
  static std::vector<Claimed> ClaimsOf(const queue::Request& request);
  bool CanClaim(const Lane& lane, const Claimed& wanted) const;
  bool ClaimFor(Lane& lane, queue::Request& request);
  void Finish(Lane& lane);

  const std::size_t max_requests_;
  const std::size_t max_bytes_;
  mutable std::mutex mutex_;
  std::condition_variable not_full_;
  std::vector<Lane> lanes_;
  std::deque<RequestPtr> waiting_;
  std::chrono::steady_clock::time_point waits_since_;  // The first of them, at most.
  std::size_t bytes_ = 0;                              // In what waits.
  std::size_t work_ = 0;                               // The same, as WorkOf has it.
  std::size_t blocked_callers_ = 0;
  bool poked_ = false;
  bool closed_ = false;
};

}  // namespace pgqrs::engine

#endif  // PGQRS_ENGINE_INTAKE_H_
