#include "queue/settle.h"

#include <algorithm>
#include <utility>

#include "workflow/ends.h"
#include "workflow/run_rows.h"

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
    answers_.clear();
    if (request->left.empty()) {
      Run(*request, request->targets);
      request->answers = answers_;
    } else {
      RunLeft(*request);
    }
  }
  for (const auto& [batch_id, work] : work_) Write(work);
}

void SettleStep::Run(SettleRequest& request, Targets targets) {
  while (!targets.empty()) targets = targets.subspan(SettleSome(request, targets));
}

void SettleStep::RunLeft(SettleRequest& request) {
  std::vector<SettleRequest::Target> targets;
  targets.reserve(request.left.size());
  for (const auto index : request.left) targets.push_back(request.targets[index]);
  Run(request, targets);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    auto answer = request.answers[request.left[i]];
    // An earlier attempt that had it may have been committed after all.
    const bool was_done = answer && group_.earlier_ != nullptr && IsArchived(request, targets[i]);
    answer = answers_[i] || was_done;
  }
}

bool SettleStep::IsArchived(const SettleRequest& request, const SettleRequest::Target& target) {
  const bool has_token = target.lease_token != 0;
  const driver::Scalar queue_id = WorkOn(target).queue_id;
  const driver::Scalar batch_id = BatchOf(target.message_id);
  const driver::Scalar mask = ToInt(BitOf(target.message_id));
  const driver::Scalar token = has_token ? driver::Scalar(target.lease_token) : driver::Scalar();
  const driver::Scalar worker_id =
      has_token || !request.worker ? driver::Scalar() : driver::Scalar(request.worker->id.load());
  const auto one = [](const driver::Scalar& value) { return std::span(&value, 1); };
  bool found = false;
  group_.connection_.Run(sql::Statement::kFindAcked,
                         {one(queue_id), one(batch_id), one(mask), one(token), one(worker_id)},
                         [&](const driver::Row& row) {
                           found = true;
                           group_.settled_[row.Int(3)] += 1;
                           return false;
                         });
  return found;
}

SettleStep::Work& SettleStep::WorkOn(const SettleRequest::Target& target) {
  const auto batch_id = BatchOf(target.message_id);
  const auto it = work_.find(batch_id);
  if (it != work_.end()) return it->second;
  auto& connection = group_.connection_;
  auto queue_id = target.queue_id;
  if (queue_id == 0) {
    connection.Run(sql::Statement::kQueueOfBatch, {batch_id}, [&](const driver::Row& row) {
      queue_id = row.Int(0);
      return true;
    });
  }
  Work work(queue_id, LockBatchSlices(connection, queue_id, batch_id));
  return work_.emplace(batch_id, std::move(work)).first->second;
}

std::size_t SettleStep::SettleSome(SettleRequest& request, Targets targets) {
  const auto& first = targets.front();
  if (first.message_id <= 0) {
    answers_.push_back(false);
    return 1;
  }
  // A message that is named twice is settled once, and then looked at again.
  std::size_t n = 0;
  Mask wanted = 0;
  for (const auto& target : targets) {
    if (BatchOf(target.message_id) != BatchOf(first.message_id) ||
        target.lease_token != first.lease_token || (wanted & BitOf(target.message_id)) != 0) {
      break;
    }
    wanted |= BitOf(target.message_id);
    ++n;
  }
  const Mask settled = Settle(request, WorkOn(first), first, wanted);
  for (const auto& target : targets.first(n)) {
    answers_.push_back((settled & BitOf(target.message_id)) != 0);
  }
  return n;
}

Mask SettleStep::Settle(SettleRequest& request, Work& work, const SettleRequest::Target& target,
                        Mask wanted) {
  Mask settled = 0;
  while ((wanted & ~settled) != 0) {
    const auto& slices = work.slices.slices();
    const auto slice = std::find_if(slices.begin(), slices.end(), [&](const Slice& candidate) {
      return (candidate.mask & wanted & ~settled) != 0 &&
             HoldsLease(request, target, candidate.state);
    });
    if (slice == slices.end()) break;
    const Mask part = slice->mask & wanted & ~settled;
    if (request.action != SettleRequest::Action::kExtend) {
      group_.settled_[slice->state.worker_id.value_or(0)] += Count(part);
    }
    Apply(request, work, part, slice->state);
    settled |= part;
  }
  return settled;
}

void SettleStep::Apply(SettleRequest& request, Work& work, Mask part, SliceState state) {
  switch (request.action) {
    case SettleRequest::Action::kAck:
      Archive(work, part, state, nullptr);
      return;
    case SettleRequest::Action::kDeadLetter:
      Archive(work, part, state, &request.text);
      return;
    case SettleRequest::Action::kDelete:
      work.slices.Remove(part);
      work.deleted |= part;
      return;
    case SettleRequest::Action::kExtend:
      state.visible_at = group_.now_ + request.delay.count();
      request.visible_at = state.visible_at;
      work.slices.SetState(part, state);
      // Whoever waits for the end of this lease must hear where it comes sooner.
      group_.NoteVisible(state.queue_id, state.visible_at);
      return;
    case SettleRequest::Action::kRelease:
      state.visible_at = std::max(group_.now_, request.until ? ToMicros(*request.until)
                                                             : group_.now_ + request.delay.count());
      state.lease_token.reset();
      if (request.unread) state.read_count -= 1;
      if (!request.text.empty()) state.last_error = request.text;
      work.slices.SetState(part, state);
      group_.NoteVisible(state.queue_id, state.visible_at);
      return;
  }
}

void SettleStep::Archive(Work& work, Mask part, const SliceState& state,
                         const std::string* reason) {
  auto row = ArchiveRowOf(work.slices.batch_id(), part, state, group_.now_);
  row.dead = reason != nullptr;
  if (reason != nullptr) row.reason = *reason;
  work.slices.Remove(part);
  const auto same = std::find_if(work.archived.begin(), work.archived.end(),
                                 [&](const ArchiveRow& other) { return SameFate(other, row); });
  if (same != work.archived.end()) {
    same->mask |= part;
  } else {
    work.archived.push_back(std::move(row));
  }
}

// Where the messages are runs of a workflow.
void SettleStep::EndRuns(const Work& work, Mask messages, const workflow::End& end) {
  const auto [known, is_new] = workflows_.try_emplace(work.queue_id);
  if (is_new) known->second = workflow::IsWorkflow(group_.connection_, work.queue_id);
  if (!known->second) return;
  workflow::EndRunsOfMessages(group_.connection_, work.queue_id, work.slices.batch_id(), messages,
                              end, group_.effects_);
}

void SettleStep::Write(const Work& work) {
  WriteChanges(group_.connection_, work.queue_id, work.slices);
  for (const auto& row : work.archived) InsertArchiveRow(group_.connection_, row);
  if (work.deleted != 0) {
    ForgetPayloads(group_.connection_, work.queue_id, work.slices.batch_id(), work.deleted);
    EndRuns(work, work.deleted, workflow::DeletedEnd());
  }
  for (const auto& row : work.archived) {
    EndRuns(work, row.mask,
            row.dead ? workflow::DeadLetterEnd(*row.reason) : workflow::ArchivedEnd());
  }
}

}  // namespace pgqrs::queue
