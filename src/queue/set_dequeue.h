// The dequeues of a group, carried out by statements that work on sets: one for all of a queue.
#ifndef PGQRS_QUEUE_SET_DEQUEUE_H_
#define PGQRS_QUEUE_SET_DEQUEUE_H_

#include <pgqrs/time.h>

#include <cstdint>
#include <exception>
#include <list>
#include <optional>
#include <string_view>
#include <vector>

#include "driver/driver.h"
#include "queue/group.h"
#include "queue/request.h"
#include "queue/scan_hints.h"
#include "queue/slice.h"

namespace pgqrs::queue {

class SetDequeue {
 public:
  explicit SetDequeue(Group& group) : group_(group) {}

  // See SetSteps, whose functions call these.
  void Prepare(const std::vector<DequeueRequest*>& requests);
  void Send();
  void Conclude();

 private:
  // What all requests of one worker on one queue with one lease get together.
  struct Deal {
    std::vector<DequeueRequest*> requests;
    std::int64_t worker_id = 0;
    std::int64_t lease = 0;
    std::int64_t token = 0;
    std::int64_t wanted = 0;
    bool is_retaken = false;  // An earlier attempt took something for it after all.
    std::vector<TakenMessage> taken;
    std::exception_ptr error;  // Of what could not be read.
  };
  // A part of a slice that a deal gets.
  struct Part {
    std::int64_t slice_id;
    Mask mask;
    Deal* deal;
  };
  // All deals on one queue at one time.
  struct Haul {
    std::int64_t queue_id = 0;
    std::optional<TimePoint> at;  // Now, where there is none.
    std::list<Deal> deals;
    std::vector<Deal*> asked;  // Those that the next rows are for, in the order of the parameters.
    std::vector<Part> split_off;  // Whose payloads come with the row of the slice.
    std::int64_t wanted = 0;
    std::int64_t limit = 0;
    ScanHints::Scan scan;
    ScanHints::SteadyTime begin;
    bool is_answered = false;  // Otherwise the queue is gone.
    std::int64_t seen_slices = 0;
    std::int64_t taken_slices = 0;
    bool left_some = false;  // A part of a slice.
    std::int64_t now = 0;
    std::optional<std::int64_t> next_visible;
  };

  Deal& DealOf(const DequeueRequest& request);
  static Numbers::LeaseKey KeyOf(const Haul& haul, const Deal& deal) {
    return {haul.queue_id, deal.worker_id, deal.lease, haul.at};
  }
  void Number(const Haul& haul, Deal& deal);
  void TakeAgain(Haul& haul);
  void Send(Haul& haul);
  void Read(Haul& haul, const driver::Row& row);
  void ReadSlice(Haul& haul, const driver::Row& row);
  void Conclude(Haul& haul);
  void NoteFound(const Haul& haul, bool is_short);
  const driver::RowSink& SinkOf(Haul& haul);
  ScanHints& hints() { return group_.session_.shared->hints; }

  Group& group_;
  std::list<Haul> hauls_;
  std::list<driver::RowSink> sinks_;
  std::vector<std::string_view> elements_;
};

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_SET_DEQUEUE_H_
