#include "queue/settle.h"

#include <algorithm>
#include <utility>

namespace pgqrs::queue {
namespace {

bool SameFate(const ArchiveRow& a, const ArchiveRow& b) {
  return a.dead == b.dead && a.read_count == b.read_count && a.worker_id == b.worker_id &&
         a.leased_at == b.leased_at && a.reason == b.reason && a.last_error == b.last_error;
}

// Whether the request holds the lease that the slice is under.
bool HoldsLease(const SettleRequest& request, const SettleRequest::Target& target,
                const SliceState& state) {
  if (!state.lease_token) return false;
  if (target.lease_token != 0) return *state.lease_token == target.lease_token;
  const std::int64_t worker_id = request.worker ? request.worker->id.load() : 0;
  return worker_id != 0 && state.worker_id == worker_id;
}

}  // namespace

void SettleStep::Run(const std::vector<SettleRequest*>& requests) {
  for (auto* request : requests) {
    request->answers.clear();
    for (const auto& target : request->targets) {
      request->answers.push_back(Settle(*request, target));
    }
  }
  for (const auto& [batch_id, work] : work_) Write(work);
}

SettleStep::Work& SettleStep::WorkOn(std::int64_t batch_id) {
  const auto it = work_.find(batch_id);
  if (it != work_.end()) return it->second;
  return work_.emplace(batch_id, LoadBatchSlices(group_.connection_, batch_id)).first->second;
}

bool SettleStep::Settle(SettleRequest& request, const SettleRequest::Target& target) {
  if (target.message_id <= 0) return false;
  auto& work = WorkOn(BatchOf(target.message_id));
  const Mask bit = BitOf(target.message_id);
  const auto* slice = work.slices.Find(bit);
  if (slice == nullptr || !HoldsLease(request, target, slice->state)) return false;
  work.queue_id = slice->state.queue_id;
  if (request.action != SettleRequest::Action::kExtend) {
    ++group_.settled_[slice->state.worker_id.value_or(0)];
  }
  Apply(request, work, bit, slice->state);
  return true;
}

void SettleStep::Apply(SettleRequest& request, Work& work, Mask bit, SliceState state) {
  switch (request.action) {
    case SettleRequest::Action::kAck:
      Archive(work, bit, state, nullptr);
      return;
    case SettleRequest::Action::kDeadLetter:
      Archive(work, bit, state, &request.text);
      return;
    case SettleRequest::Action::kDelete:
      work.slices.Remove(bit);
      work.deleted |= bit;
      return;
    case SettleRequest::Action::kExtend:
      state.visible_at = group_.now_ + request.delay.count();
      request.visible_at = state.visible_at;
      work.slices.SetState(bit, state);
      // Whoever waits for the end of this lease must hear where it comes sooner.
      group_.NoteVisible(state.queue_id, state.visible_at);
      return;
    case SettleRequest::Action::kRelease:
      state.visible_at = group_.now_ + std::max<std::int64_t>(0, request.delay.count());
      state.lease_token.reset();
      if (request.unread) state.read_count -= 1;
      if (!request.text.empty()) state.last_error = request.text;
      work.slices.SetState(bit, state);
      group_.NoteVisible(state.queue_id, state.visible_at);
      return;
  }
}

void SettleStep::Archive(Work& work, Mask bit, const SliceState& state, const std::string* reason) {
  auto row = ArchiveRowOf(work.slices.batch_id(), bit, state, group_.now_);
  row.dead = reason != nullptr;
  if (reason != nullptr) row.reason = *reason;
  work.slices.Remove(bit);
  const auto same = std::find_if(work.archived.begin(), work.archived.end(),
                                 [&](const ArchiveRow& other) { return SameFate(other, row); });
  if (same != work.archived.end()) {
    same->mask |= bit;
  } else {
    work.archived.push_back(std::move(row));
  }
}

void SettleStep::Write(const Work& work) {
  WriteChanges(group_.connection_, work.slices);
  for (const auto& row : work.archived) InsertArchiveRow(group_.connection_, row);
  if (work.deleted != 0) {
    ForgetPayloads(group_.connection_, work.queue_id, work.slices.batch_id(), work.deleted);
  }
}

}  // namespace pgqrs::queue
