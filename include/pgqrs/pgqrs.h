// pgqrs: a durable queue inside the database that you already have.
//
//   auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");
//   auto queue = store.Queue("jobs");
//   queue.Enqueue("payload");
//   auto message = queue.Dequeue();
//   store.Ack(message->id());
//
// This header brings everything; each of the headers below stands alone too.
#ifndef PGQRS_PGQRS_H_
#define PGQRS_PGQRS_H_

#include <pgqrs/admin.h>             // IWYU pragma: export
#include <pgqrs/config.h>            // IWYU pragma: export
#include <pgqrs/consumer.h>          // IWYU pragma: export
#include <pgqrs/error.h>             // IWYU pragma: export
#include <pgqrs/future.h>            // IWYU pragma: export
#include <pgqrs/json.h>              // IWYU pragma: export
#include <pgqrs/json_converter.h>    // IWYU pragma: export
#include <pgqrs/message.h>           // IWYU pragma: export
#include <pgqrs/postgres.h>          // IWYU pragma: export
#include <pgqrs/queue.h>             // IWYU pragma: export
#include <pgqrs/queue_worker.h>      // IWYU pragma: export
#include <pgqrs/records.h>           // IWYU pragma: export
#include <pgqrs/run.h>               // IWYU pragma: export
#include <pgqrs/run_context.h>       // IWYU pragma: export
#include <pgqrs/run_control.h>       // IWYU pragma: export
#include <pgqrs/store.h>             // IWYU pragma: export
#include <pgqrs/time.h>              // IWYU pragma: export
#include <pgqrs/transaction.h>       // IWYU pragma: export
#include <pgqrs/workflow.h>          // IWYU pragma: export
#include <pgqrs/workflow_records.h>  // IWYU pragma: export
#include <pgqrs/workflow_worker.h>   // IWYU pragma: export
#include <pgqrs/workflows.h>         // IWYU pragma: export

#endif  // PGQRS_PGQRS_H_
