#include "queue/dequeue.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "queue/payload_array.h"
#include "queue/rows.h"
#include "util/show.h"
#include "workflow/ends.h"

namespace pgqrs::queue {
namespace {

using sql::Statement;

// A dequeue may ask for far more than is there.
constexpr int kMaxReserved = 8192;

// Slices of one batch with one visible time: their messages come out in the order of their
// positions, whichever slice they are in.
bool InOneRun(const Slice& a, const Slice& b) {
  return a.state.visible_at == b.state.visible_at && a.batch_id() == b.batch_id();
}

}  // namespace

bool TakeTogether(const DequeueRequest& a, const DequeueRequest& b) {
  return a.queue->id == b.queue->id && a.worker == b.worker && a.lease == b.lease && a.at == b.at;
}

void AppendMessages(std::int64_t batch_id, Mask part, const TakenMessage& common,
                    const std::vector<std::string_view>& payloads,
                    std::vector<TakenMessage>& messages) {
  ForEachPosition(part, [&](int position) {
    const auto index = static_cast<std::size_t>(position);
    if (index >= payloads.size() || payloads[index].empty()) {
      throw driver::Failure(
          driver::Fault::kStatement,
          "batch " + std::to_string(batch_id) + " is damaged: it has fewer payloads than messages");
    }
    auto& message = messages.emplace_back(common);
    message.id = MessageId(batch_id, position);
    message.payload = payloads[index];
  });
}

void DealOut(std::vector<TakenMessage>& taken, bool is_cut,
             const std::vector<DequeueRequest*>& requests) {
  auto next = taken.begin();
  for (auto* request : requests) {
    const auto n = std::min<std::ptrdiff_t>(request->Missing(), taken.end() - next);
    request->taken.insert(request->taken.end(), std::make_move_iterator(next),
                          std::make_move_iterator(next + n));
    next += n;
    request->goes_on = is_cut && request->Missing() > 0;
  }
}

void DequeueStep::Run(const std::vector<DequeueRequest*>& requests) {
  std::vector<DequeueRequest*> left;
  for (auto* request : requests) {
    request->Restart();
    if (request->worker->is_retired) continue;
    if (group_.CheckQueue(*request, *request->queue)) left.push_back(request);
  }
  while (!left.empty()) {
    const auto others = std::stable_partition(
        left.begin(), left.end(),
        [first = left.front()](const auto* request) { return TakeTogether(*first, *request); });
    std::vector<DequeueRequest*> rest(others, left.end());
    left.erase(others, left.end());
    RunTogether(left);
    left = std::move(rest);
  }
}

void DequeueStep::RunTogether(const std::vector<DequeueRequest*>& requests) {
  const auto& first = *requests.front();
  const auto now = first.at ? ToMicros(*first.at) : group_.now_;
  Deal deal = {.queue_id = first.queue->id,
               .worker_id = group_.WorkerId(*first.worker),
               .now = now,
               .lease_end = now + first.lease.count(),
               .taken = {}};
  for (const auto* request : requests) deal.wanted += request->Missing();
  deal.taken.reserve(static_cast<std::size_t>(std::min(deal.wanted, kMaxReserved)));
  Take(deal);

  DealOut(deal.taken, deal.is_cut, requests);
  TellWhenNext(deal.queue_id, requests);
}

void DequeueStep::TellWhenNext(std::int64_t queue_id,
                               const std::vector<DequeueRequest*>& requests) {
  const auto waits = [](const auto* request) { return request->WaitsForMore(); };
  if (std::none_of(requests.begin(), requests.end(), waits)) return;
  auto next_visible = NextVisible(group_.connection_, queue_id);
  // What should have been found just now is damaged; asking again and again does not help it.
  constexpr std::int64_t kPause = 10'000;  // Microseconds.
  if (next_visible && *next_visible <= group_.now_) next_visible = group_.now_ + kPause;
  for (auto* request : requests) {
    if (waits(request)) request->next_visible = next_visible;
  }
}

void DequeueStep::Take(Deal& deal) {
  for (int priority = 0; priority < kPriorities && deal.wanted > 0 && !deal.is_cut; ++priority) {
    while (deal.wanted > 0 && TakeSome(deal, priority)) {
    }
  }
}

bool DequeueStep::TakeSome(Deal& deal, int priority) {
  const auto found = Find(deal, priority);
  if (found.empty()) return false;
  touched_.clear();
  for (auto begin = found.begin(); begin != found.end();) {
    const auto end = std::find_if_not(begin, found.end(), [&](const Found& other) {
      return InOneRun(begin->slice, other.slice);
    });
    const auto exhausted =
        std::count_if(begin, end, [&](const Found& each) { return IsExhausted(each); });
    deal.is_cut = exhausted > may_move_;
    if (deal.is_cut) break;
    may_move_ -= exhausted;
    TakeRun(deal, begin, end);
    begin = end;
  }
  for (const auto& [batch_id, slices] : touched_) {
    WriteChanges(group_.connection_, deal.queue_id, slices);
  }
  for (const auto& row : std::exchange(buried_, {})) {
    workflow::EndRunsOfMessages(group_.connection_, row.queue_id, row.batch_id, row.mask,
                                workflow::DeadLetterEnd(*row.reason), group_.effects_);
  }
  return !deal.is_cut;
}

std::vector<DequeueStep::Found> DequeueStep::Find(const Deal& deal, int priority) {
  std::vector<Found> found;
  int messages = 0;
  // One run more than is wanted may have to be looked at, of a batch's slices at most.
  const std::int64_t limit = std::int64_t{deal.wanted} + kBatchSize;
  group_.connection_.Run(
      Statement::kNextSlices, {deal.queue_id, std::int64_t{priority}, deal.now, limit},
      [&](const driver::Row& row) {
        auto slice = ReadSlice(row);
        if (messages >= deal.wanted && !InOneRun(found.back().slice, slice)) return false;
        found.push_back({std::move(slice), row.Int(11), row.Int(12), std::string(row.Text(13))});
        if (!IsExhausted(found.back())) messages += Count(found.back().slice.mask);
        return true;
      });
  if (std::ssize(found) == limit) {
    // Many slices of exhausted messages came first, and the limit may have cut the last run. It is
    // left for the next look, which finds it whole.
    std::erase_if(found, [last = found.back().slice](const Found& other) {
      return InOneRun(last, other.slice);
    });
  }
  return found;
}

void DequeueStep::TakeRun(Deal& deal, std::vector<Found>::const_iterator begin,
                          std::vector<Found>::const_iterator end) {
  Mask available = 0;
  for (auto it = begin; it != end; ++it) {
    if (IsExhausted(*it)) {
      MoveToDeadLetters(*it, deal.now);
    } else {
      available |= it->slice.mask;
    }
  }
  const Mask chosen = LowestBits(available, deal.wanted);
  const auto first = static_cast<std::ptrdiff_t>(deal.taken.size());
  for (auto it = begin; it != end; ++it) {
    if (const Mask part = it->slice.mask & chosen; part != 0) TakePart(deal, *it, part);
  }
  if (std::distance(begin, end) > 1) {
    std::sort(deal.taken.begin() + first, deal.taken.end(),
              [](const TakenMessage& a, const TakenMessage& b) { return a.id < b.id; });
  }
  deal.wanted -= Count(chosen);
}

void DequeueStep::TakePart(Deal& deal, const Found& found, Mask part) {
  if (deal.lease_token == 0) deal.lease_token = group_.NextLeaseToken();
  auto state = found.slice.state;
  state.visible_at = deal.lease_end;
  state.read_count += 1;
  state.worker_id = deal.worker_id;
  state.lease_token = deal.lease_token;
  state.leased_at = deal.now;
  Touched(found.slice).SetState(part, state);

  SplitPayloads(found.payloads, elements_);
  AppendMessages(found.slice.batch_id(), part,
                 {.lease_token = deal.lease_token,
                  .worker_id = deal.worker_id,
                  .producer_worker_id = found.producer,
                  .read_count = state.read_count,
                  .priority = state.priority,
                  .enqueued_at = found.enqueued_at,
                  .visible_at = found.slice.state.visible_at,
                  .dequeued_at = deal.now,
                  .lease_end = deal.lease_end,
                  .payload = {}},
                 elements_, deal.taken);
}

bool DequeueStep::IsExhausted(const Found& found) const {
  return found.slice.state.read_count >= group_.session_.max_read_ct;
}

void DequeueStep::MoveToDeadLetters(const Found& found, std::int64_t now) {
  const auto& slice = found.slice;
  auto row = ArchiveRowOf(slice.batch_id(), slice.mask, slice.state, now);
  row.dead = true;
  row.reason = "read " + util::ShowCount(slice.state.read_count, "time") +
               " without an ack (max_read_ct is " + std::to_string(group_.session_.max_read_ct) +
               ")";
  InsertArchiveRow(group_.connection_, row);
  Touched(slice).Remove(slice.mask);
  buried_.push_back(std::move(row));
}

// The slices of a batch that this step has seen, which include this one.
BatchSlices& DequeueStep::Touched(const Slice& slice) {
  const auto batch_id = slice.batch_id();
  auto& slices = touched_.try_emplace(batch_id, batch_id).first->second;
  const auto& stored = slices.slices();
  const bool known = std::any_of(stored.begin(), stored.end(),
                                 [&](const Slice& other) { return other.id == slice.id; });
  if (!known) slices.AddStored(slice);
  return slices;
}

}  // namespace pgqrs::queue
