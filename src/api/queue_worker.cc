#include <pgqrs/queue_worker.h>

#include <utility>

#include "api/queue_worker_core.h"

namespace pgqrs {

QueueWorker::QueueWorker(Queue queue, Handler handler, WorkerOptions options)
    : core_(std::make_shared<internal::QueueWorkerCore>(
          std::move(queue.core_), internal::QueueWorkerCore::AsHandler(std::move(handler)),
          std::move(options))) {}

QueueWorker::~QueueWorker() { core_->Shutdown(); }

void QueueWorker::Run() { core_->Run(); }
void QueueWorker::Start() { core_->Start(); }
void QueueWorker::RequestStop() { core_->RequestStop(); }
bool QueueWorker::Stop(Duration deadline) { return core_->Stop(deadline); }
std::int64_t QueueWorker::worker_id() const { return core_->worker_id(); }
QueueWorker::Counts QueueWorker::counts() const { return core_->counts(); }

}  // namespace pgqrs
