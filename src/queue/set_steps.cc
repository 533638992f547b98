#include "queue/set_steps.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "queue/dequeue.h"
#include "queue/payload_array.h"
#include "queue/queues.h"
#include "queue/rows.h"

namespace pgqrs::queue {
namespace {

using driver::Scalar;
using driver::Value;
using sql::Statement;

// A dequeue may ask for far more than is there.
constexpr std::int64_t kMaxSlices = 2048;

// The columns of a set, to be filled row by row.
template <std::size_t n>
class Columns {
 public:
  void Add(const std::array<Scalar, n>& row) {
    for (std::size_t i = 0; i < n; ++i) columns_[i].push_back(row[i]);
  }
  std::vector<Value> Values() const {
    std::vector<Value> values;
    values.reserve(n + 1);  // What is not a column may follow.
    for (const auto& column : columns_) values.emplace_back(std::span<const Scalar>(column));
    return values;
  }

 private:
  std::array<std::vector<Scalar>, n> columns_;
};

Scalar OrNull(const std::optional<std::int64_t>& number) {
  return number ? Scalar(*number) : Scalar();
}
Scalar OrNull(std::int64_t number) { return number != 0 ? Scalar(number) : Scalar(); }

Value AsValue(const Scalar& scalar) {
  return std::visit([](const auto& value) { return Value(value); }, scalar);
}

// The order in which messages are handed out.
bool ComesBefore(const TakenMessage& a, const TakenMessage& b) {
  return std::tie(a.priority, a.visible_at, a.id) < std::tie(b.priority, b.visible_at, b.id);
}

}  // namespace

void SetSteps::Prepare(const std::vector<EnqueueRequest*>& enqueues,
                       const std::vector<DequeueRequest*>& dequeues) {
  FormBatches(enqueues);
  FormDeals(dequeues);
}

void SetSteps::Send(const std::vector<SettleRequest*>& settles) {
  const bool all_are_acks = std::all_of(settles.begin(), settles.end(), [](const auto* request) {
    return request->action == SettleRequest::Action::kAck;
  });
  if (all_are_acks) {
    SendAcks(settles);
  } else {
    group_.SettleRowByRow(settles);  // In their order, and before what may want what they release.
  }
  for (auto* request : enqueues_) {
    // Of one that stores nothing no answer would tell whether its queue is there.
    if (request->payloads.empty()) group_.CheckQueue(*request, *request->queue);
  }
  for (auto begin = batches_.begin(); begin != batches_.end();) {
    const auto end = std::find_if(
        begin, batches_.end(), [begin](const auto& batch) { return batch.first != begin->first; });
    SendBatches({begin, end});
    begin = end;
  }
  for (auto& deal : deals_) SendDeal(deal);
}

Scalar SetSteps::Clock() const {
  return group_.session_.clock ? Scalar(ToMicros(group_.session_.clock())) : Scalar();
}

void SetSteps::SendAcks(const std::vector<SettleRequest*>& requests) {
  for (auto* request : requests) {
    request->answers.assign(request->targets.size(), false);
    for (std::size_t i = 0; i < request->targets.size(); ++i) AddTarget(*request, i);
  }
  if (acks_.empty()) return;
  Columns<5> columns;
  for (const auto& [key, ack] : acks_) {
    columns.Add(
        {key.queue_id, key.batch_id, ToInt(ack.mask), OrNull(key.token), OrNull(key.worker_id)});
  }
  auto values = columns.Values();
  values.push_back(AsValue(Clock()));
  const auto& sink = Keep([this](const driver::Row& row) {
    NoteAcked(row);
    return true;
  });
  group_.connection_.Send(Statement::kAckSlices, values, sink);
  if (group_.earlier_ == nullptr) return;
  values.pop_back();
  group_.connection_.Send(Statement::kFindAcked, values, sink);
}

void SetSteps::NoteAcked(const driver::Row& row) {
  for (const auto& key : {AckKey{row.Int(0), row.Int(1), row.Int(4), 0},
                          AckKey{row.Int(0), row.Int(1), 0, row.Int(3)}}) {
    const auto ack = acks_.find(key);
    if (ack == acks_.end() || ToInt(ack->second.mask) != row.Int(2)) continue;
    ack->second.is_done = true;
    ack->second.worker_id = row.Int(3);
  }
}

// Only the first ack of a message whose queue is known is simple.
void SetSteps::AddTarget(SettleRequest& request, std::size_t index) {
  const auto& target = request.targets[index];
  const auto batch_id = BatchOf(target.message_id);
  auto& entry = targets_.emplace_back(Target{&request, index, nullptr});
  const std::int64_t worker_id =
      target.lease_token == 0 && request.worker ? request.worker->id.load() : 0;
  auto& queues = group_.session_.shared->queues_of_batches;
  const auto queue_id = target.queue_id != 0 ? target.queue_id : queues.Find(batch_id);
  const bool has_lease = target.lease_token != 0 || worker_id != 0;
  if (target.message_id <= 0 || queue_id == 0 || !has_lease) return;
  auto& ack = acks_[{queue_id, batch_id, target.lease_token, worker_id}];
  const Mask bit = BitOf(target.message_id);
  if ((ack.mask & bit) != 0) return;
  ack.mask |= bit;
  entry.ack = &ack;
}

void SetSteps::FormBatches(const std::vector<EnqueueRequest*>& requests) {
  enqueues_ = requests;
  BatchFormer former(group_, [this](const BatchKind& kind, NewBatch&& batch) {
    ++batches_of_[kind.queue_id].sent;
    batches_.emplace_back(kind, std::move(batch));
  });
  for (auto* request : requests) former.Add(*request);
  former.Finish();
  // Those of a kind in the order of their ids, in which they become visible.
  std::sort(batches_.begin(), batches_.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first, a.second.id) < std::tie(b.first, b.second.id);
  });
}

// Sends those that share what a statement says once.
void SetSteps::SendBatches(std::span<const std::pair<BatchKind, NewBatch>> batches) {
  const auto& kind = batches.front().first;
  Columns<3> columns;
  for (const auto& [same_kind, batch] : batches) {
    columns.Add({batch.id, std::int64_t{batch.n}, std::string_view(batch.payloads)});
  }
  const auto sets = columns.Values();
  const auto& sink = Keep([this](const driver::Row& row) {
    ++batches_of_[row.Int(0)].stored;
    group_.NoteVisible(row.Int(0), row.Int(1));
    return true;
  });
  const std::array<Value, 9> values = {kind.queue_id,
                                       sets[0],
                                       sets[1],
                                       sets[2],
                                       std::int64_t{kind.priority},
                                       AsValue(OrNull(kind.visible_at)),
                                       AsValue(OrNull(kind.delay)),
                                       kind.producer,
                                       AsValue(Clock())};
  if (group_.earlier_ == nullptr) {
    group_.connection_.Send(Statement::kEnqueueBatches, values, sink);
    return;
  }
  group_.connection_.Send(Statement::kEnqueueBatchesAgain, values, sink);
  group_.connection_.Send(Statement::kFindStored, std::span(values).first(2), sink);
}

void SetSteps::FormDeals(const std::vector<DequeueRequest*>& requests) {
  for (auto* request : requests) {
    request->Restart();
    if (request->worker->is_retired) continue;
    const auto deal = std::find_if(deals_.begin(), deals_.end(), [&](const Deal& other) {
      return TakeTogether(*other.requests.front(), *request);
    });
    auto& joined = deal != deals_.end() ? *deal : deals_.emplace_back();
    joined.requests.push_back(request);
    joined.wanted += request->Missing();
  }
  for (auto& deal : deals_) {
    const auto& first = *deal.requests.front();
    deal.queue_id = first.queue->id;
    deal.worker_id = group_.WorkerId(*first.worker);
    deal.lease = first.lease.count();
    deal.earlier_token = group_.EarlierLeaseToken();
    deal.token = group_.NextLeaseToken();
  }
}

void SetSteps::SendDeal(Deal& deal) {
  if (TakeAgain(deal)) return;
  deal.begin = std::chrono::steady_clock::now();
  deal.scan = group_.session_.shared->hints.Begin(deal.queue_id, deal.begin);
  const auto per_slice = deal.scan.messages_per_slice;
  deal.limit = std::min(kMaxSlices, (deal.wanted + per_slice - 1) / per_slice + 1);
  std::array<Scalar, kPriorities> hints;
  std::copy(deal.scan.first_visible.begin(), deal.scan.first_visible.end(), hints.begin());
  const std::array<Value, 9> values = {
      deal.queue_id,
      deal.worker_id,
      deal.token,
      deal.wanted,
      deal.lease,
      AsValue(Clock()),
      std::int64_t{group_.session_.max_read_ct},
      std::span<const Scalar>(hints),
      deal.limit,
  };
  group_.connection_.Send(Statement::kTakeMessages, values, SinkOf(deal));
}

const driver::RowSink& SetSteps::SinkOf(Deal& deal) {
  return Keep([this, &deal](const driver::Row& row) {
    try {
      ReadTaken(deal, row);
    } catch (...) {  // The commit is on its way and goes on.
      deal.error = std::current_exception();
    }
    return true;
  });
}

// Whether an earlier attempt took something for it after all.
bool SetSteps::TakeAgain(Deal& deal) {
  if (deal.earlier_token == 0) return false;
  const Scalar token = deal.earlier_token;
  const auto new_token = std::exchange(deal.token, deal.earlier_token);
  group_.connection_.Run(Statement::kRetakeMessages,
                         {deal.queue_id, deal.worker_id, std::span<const Scalar>(&token, 1)},
                         SinkOf(deal));
  auto& used = group_.used_.lease_tokens;
  if (deal.is_answered) {
    std::replace(used.begin(), used.end(), new_token, deal.token);
  } else {
    deal.token = new_token;
  }
  return deal.is_answered;
}

void SetSteps::ReadTaken(Deal& deal, const driver::Row& row) {
  deal.is_answered = true;
  deal.now = row.Int(8);
  deal.seen_slices = row.Int(9);
  if (row.IsNull(0)) {
    deal.next_visible = row.OptionalInt(10);
    return;
  }
  ++deal.taken_slices;
  const auto part = static_cast<Mask>(row.Int(1));
  const auto batch_id = row.Int(0);
  const TakenMessage common = {.lease_token = deal.token,
                               .worker_id = deal.worker_id,
                               .producer_worker_id = row.Int(6),
                               .read_count = static_cast<int>(row.Int(2)),
                               .priority = static_cast<int>(row.Int(3)),
                               .enqueued_at = row.Int(5),
                               .visible_at = row.Int(4),
                               .dequeued_at = deal.now,
                               .lease_end = deal.now + deal.lease,
                               .payload = {}};
  SplitPayloads(row.Text(7), elements_);
  AppendMessages(batch_id, part, common, elements_, deal.taken);
  auto& shared = *group_.session_.shared;
  shared.queues_of_batches.Note(batch_id, deal.queue_id);
  shared.hints.Took(deal.queue_id, deal.scan, common.priority, common.visible_at, Count(part));
}

void SetSteps::Conclude() {
  ConcludeAcks();
  ConcludeEnqueues();
  for (auto& deal : deals_) Conclude(deal);
}

void SetSteps::ConcludeAcks() {
  for (const auto& [key, ack] : acks_) {
    if (ack.is_done) group_.settled_[ack.worker_id] += Count(ack.mask);
  }
  for (const auto& [request, index, ack] : targets_) {
    if (ack != nullptr && ack->is_done) {
      request->answers[index] = true;
      continue;
    }
    if (request->left.empty()) left_over_.push_back(request);
    request->left.push_back(index);
  }
}

void SetSteps::ConcludeEnqueues() {
  for (auto* request : enqueues_) {
    // What was stored before the queue was closed went with it. Where it was looked for too, the
    // same may have been counted twice.
    const auto& of_queue = batches_of_[request->queue->id];
    if (!request->payloads.empty() && of_queue.stored < of_queue.sent) {
      request->error = QueueIsGone(*request->queue);
    }
  }
}

void SetSteps::Conclude(Deal& deal) {
  const auto end = std::chrono::steady_clock::now();
  std::sort(deal.taken.begin(), deal.taken.end(), ComesBefore);
  const auto n = static_cast<std::int64_t>(deal.taken.size());
  const bool is_short = n < deal.wanted;
  const bool saw_all = is_short && deal.is_answered && deal.seen_slices < deal.limit;
  group_.session_.shared->hints.Ended(deal.queue_id, deal.scan, saw_all, deal.begin, end);
  // Another lane may have held what this one missed: it is run again when it has its turn.
  const bool had_turn = std::all_of(deal.requests.begin(), deal.requests.end(),
                                    [](const auto* request) { return request->has_turn; });
  const bool may_have_missed = is_short && deal.is_answered && !had_turn;
  for (const auto* request : deal.requests) {
    request->queue->is_short = is_short;
    request->queue->messages_per_slice = deal.scan.messages_per_slice;
  }
  DealOut(deal.taken, deal.seen_slices == deal.limit || may_have_missed, deal.requests);
  // What was locked and not taken another process may have missed.
  if (!is_short && deal.seen_slices > deal.taken_slices) {
    group_.NoteVisible(deal.queue_id, deal.now);
  }
  for (auto* request : deal.requests) {
    if (!deal.is_answered && request->taken.empty()) {
      request->error = QueueIsGone(*request->queue);
    }
    if (deal.error && request->Missing() > 0) request->error = deal.error;
    if (request->WaitsForMore()) request->next_visible = deal.next_visible;
  }
}

}  // namespace pgqrs::queue
