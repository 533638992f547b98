#include "queue/set_dequeue.h"

#include <algorithm>
#include <array>
#include <span>
#include <tuple>
#include <utility>

#include "queue/columns.h"
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

// The columns of the answer, see pgqrs_take.
enum Column {
  kDeal,
  kSlice,
  kPart,
  kReads,
  kPriority,
  kWasVisible,
  kEnqueued,
  kProducer,
  kPayloads,
  kNow,
  kSlices,
  kNextVisible
};

// The order in which messages are handed out.
bool ComesBefore(const TakenMessage& a, const TakenMessage& b) {
  return std::tie(a.priority, a.visible_at, a.id) < std::tie(b.priority, b.visible_at, b.id);
}

}  // namespace

void SetDequeue::Prepare(const std::vector<DequeueRequest*>& requests) {
  for (auto* request : requests) {
    request->Restart();
    if (request->worker->is_retired) continue;
    auto& deal = DealOf(*request);
    deal.requests.push_back(request);
    deal.wanted += request->Missing();
  }
  for (auto& haul : hauls_) {
    for (auto& deal : haul.deals) Number(haul, deal);
  }
}

SetDequeue::Deal& SetDequeue::DealOf(const DequeueRequest& request) {
  auto haul = std::find_if(hauls_.begin(), hauls_.end(), [&](const Haul& other) {
    return other.queue_id == request.queue->id && other.at == request.at;
  });
  if (haul == hauls_.end()) {
    haul = hauls_.emplace(hauls_.end());
    haul->queue_id = request.queue->id;
    haul->at = request.at;
  }
  const auto deal = std::find_if(haul->deals.begin(), haul->deals.end(), [&](const Deal& other) {
    return TakeTogether(*other.requests.front(), request);
  });
  return deal != haul->deals.end() ? *deal : haul->deals.emplace_back();
}

void SetDequeue::Number(const Haul& haul, Deal& deal) {
  const auto& first = *deal.requests.front();
  deal.worker_id = group_.WorkerId(*first.worker);
  deal.lease = first.lease.count();
  deal.token = group_.NextLeaseToken();
  group_.used_.lease_tokens[KeyOf(haul, deal)] = deal.token;
}

void SetDequeue::Send() {
  for (auto& haul : hauls_) {
    if (group_.earlier_ != nullptr) TakeAgain(haul);
    Send(haul);
  }
}

// Finds what an earlier attempt has taken, where it was committed after all.
void SetDequeue::TakeAgain(Haul& haul) {
  const auto& earlier = group_.earlier_->lease_tokens;
  Columns<2> columns;
  for (auto& deal : haul.deals) {
    const auto token = earlier.find(KeyOf(haul, deal));
    if (token == earlier.end()) continue;
    columns.Add({deal.worker_id, token->second});
    deal.token = token->second;
    haul.asked.push_back(&deal);
  }
  if (haul.asked.empty()) return;
  const auto sets = columns.Values();
  group_.connection_.Run(Statement::kRetakeMessages, {haul.queue_id, sets[0], sets[1]},
                         SinkOf(haul));
  for (auto* deal : haul.asked) {
    auto& used = group_.used_.lease_tokens.at(KeyOf(haul, *deal));
    deal->is_retaken = !deal->taken.empty() || deal->error;
    if (deal->is_retaken) {
      used = deal->token;
    } else {
      deal->token = used;
    }
  }
}

void SetDequeue::Send(Haul& haul) {
  Columns<4> columns;
  haul.asked.clear();
  for (auto& deal : haul.deals) {
    if (deal.is_retaken) continue;
    columns.Add({deal.worker_id, deal.token, deal.wanted, deal.lease});
    haul.asked.push_back(&deal);
    haul.wanted += deal.wanted;
  }
  if (haul.asked.empty()) return;
  haul.is_answered = false;
  haul.taken_slices = 0;
  haul.begin = std::chrono::steady_clock::now();
  haul.scan = haul.at ? ScanHints::Full() : hints().Begin(haul.queue_id, haul.begin);
  const auto per_slice = haul.scan.messages_per_slice;
  haul.limit = std::min(kMaxSlices, (haul.wanted + per_slice - 1) / per_slice + 1);
  std::array<Scalar, kPriorities> first_visible;
  std::copy(haul.scan.first_visible.begin(), haul.scan.first_visible.end(), first_visible.begin());
  const auto sets = columns.Values();
  const std::array<Value, 9> values = {
      haul.queue_id,
      sets[0],
      sets[1],
      sets[2],
      sets[3],
      haul.at ? Value(ToMicros(*haul.at)) : AsValue(group_.connection_.Clock()),
      std::int64_t{group_.session_.max_read_ct},
      std::span<const Scalar>(first_visible),
      haul.limit,
  };
  group_.connection_.Send(Statement::kTakeMessages, values, SinkOf(haul));
}

const driver::RowSink& SetDequeue::SinkOf(Haul& haul) {
  return sinks_.emplace_back([this, &haul](const driver::Row& row) {
    Read(haul, row);
    return true;
  });
}

// Reads a row of the answer.
void SetDequeue::Read(Haul& haul, const driver::Row& row) {
  haul.is_answered = true;
  haul.now = row.Int(kNow);
  haul.seen_slices = row.Int(kSlices);
  haul.next_visible = row.OptionalInt(kNextVisible);
  if (row.IsNull(kSlice)) return;
  if (row.IsNull(kDeal)) {
    haul.left_some = true;
  } else {
    auto* deal = haul.asked.at(static_cast<std::size_t>(row.Int(kDeal) - 1));
    haul.split_off.push_back({row.Int(kSlice), static_cast<Mask>(row.Int(kPart)), deal});
  }
  if (!row.IsNull(kReads)) ReadSlice(haul, row);
}

// What went before it of the same slice gets its messages too.
void SetDequeue::ReadSlice(Haul& haul, const driver::Row& row) {
  const auto slice_id = row.Int(kSlice);
  const auto batch_id = BatchOf(slice_id);
  TakenMessage common;
  common.producer_worker_id = row.Int(kProducer);
  common.read_count = static_cast<int>(row.Int(kReads));
  common.priority = static_cast<int>(row.Int(kPriority));
  common.enqueued_at = row.Int(kEnqueued);
  common.visible_at = row.Int(kWasVisible);
  common.dequeued_at = haul.now;
  elements_.clear();
  int taken = 0;
  std::erase_if(haul.split_off, [&](const Part& part) {
    if (part.slice_id != slice_id) return false;
    auto& deal = *part.deal;
    common.lease_token = deal.token;
    common.worker_id = deal.worker_id;
    common.lease_end = haul.now + deal.lease;
    try {
      if (elements_.empty()) SplitPayloads(row.Text(kPayloads), elements_);
      AppendMessages(batch_id, part.mask, common, elements_, deal.taken);
    } catch (...) {  // The commit is on its way and goes on.
      deal.error = std::current_exception();
    }
    taken += Count(part.mask);
    return true;
  });
  ++haul.taken_slices;
  group_.session_.shared->queues_of_batches.Note(batch_id, haul.queue_id);
  if (!haul.at) hints().Took(haul.queue_id, haul.scan, common.priority, common.visible_at, taken);
}

void SetDequeue::Conclude() {
  for (auto& haul : hauls_) Conclude(haul);
}

void SetDequeue::Conclude(Haul& haul) {
  std::int64_t n = 0;
  bool had_turn = true;
  for (const auto* deal : haul.asked) {
    n += static_cast<std::int64_t>(deal->taken.size());
    had_turn &= std::all_of(deal->requests.begin(), deal->requests.end(),
                            [](const auto* request) { return request->has_turn; });
  }
  const bool is_short = n < haul.wanted;
  if (!haul.asked.empty()) NoteFound(haul, is_short);
  // Another lane may have held what this one missed: it is run again when it has its turn.
  const bool may_have_missed = is_short && haul.is_answered && !had_turn;
  const bool is_cut = haul.seen_slices == haul.limit || may_have_missed;
  for (auto& deal : haul.deals) {
    std::sort(deal.taken.begin(), deal.taken.end(), ComesBefore);
    DealOut(deal.taken, deal.is_retaken || is_cut, deal.requests);
    for (auto* request : deal.requests) {
      if (!haul.is_answered && request->taken.empty()) {
        request->error = QueueIsGone(*request->queue);
      }
      if (deal.error && request->Missing() > 0) request->error = deal.error;
      if (request->WaitsForMore()) request->next_visible = haul.next_visible;
    }
  }
}

// What the scan tells the next ones.
void SetDequeue::NoteFound(const Haul& haul, bool is_short) {
  for (const auto* deal : haul.asked) {
    for (const auto* request : deal->requests) {
      request->queue->is_short = is_short;
      request->queue->messages_per_slice = haul.scan.messages_per_slice;
    }
  }
  // What was locked and not taken another process may have missed.
  if (!is_short && (haul.left_some || haul.seen_slices > haul.taken_slices)) {
    group_.NoteVisible(haul.queue_id, haul.at ? 0 : haul.now);
  }
  if (haul.at) return;  // It saw nothing of what is visible now.
  const bool saw_all = is_short && haul.is_answered && haul.seen_slices < haul.limit;
  hints().Ended(haul.queue_id, haul.scan, saw_all, haul.begin, std::chrono::steady_clock::now());
}

}  // namespace pgqrs::queue
