// Enqueueing within a transaction of the program's own, on Postgres.
//
// A program that keeps its data in the same database as its queue can store both or neither: it
// enqueues on its own connection, in the transaction that also changes its tables.
//
//   PGconn* connection = ...;
//   PQexec(connection, "BEGIN");
//   PQexec(connection, "INSERT INTO orders ...");
//   pgqrs::EnqueueIn(connection, queue, payload);
//   PQexec(connection, "COMMIT");  // Now there are both, and a waiting consumer is woken.
//
// From other languages, and from psql, the functions pgqrs_enqueue and pgqrs_enqueue_batch of the
// schema do the same:
//
//   SELECT pgqrs_enqueue('jobs', '{"to": "ada"}', delay => '1 hour', priority => 3);
//   SELECT pgqrs_enqueue_batch('jobs', ARRAY['{"to": "ada"}', '{"to": "bob"}']::jsonb[]);
//
// Roles other than the owner of the schema need the right to EXECUTE them.
#ifndef PGQRS_POSTGRES_H_
#define PGQRS_POSTGRES_H_

#include <pgqrs/json.h>
#include <pgqrs/queue.h>

#include <cstdint>
#include <span>
#include <vector>

struct pg_conn;  // libpq's PGconn.

namespace pgqrs {

// Stores a message within the transaction that is open on `connection`, and gives its id. It is
// there, for others to see, once that transaction is committed; after a rollback, also one to a
// savepoint, it never was. A delay counts from this call on.
//
// The connection has to be one to the database of the queue's store, in UTF-8, with a transaction
// open and nothing under way, and not in pipeline mode; its role and search path may be any. It is
// used during the call only, and by nobody else meanwhile.
//
// The message goes to the queue that has the name of `queue` now. It has no producer. What is
// checked is what Queue::Enqueue checks, limits of Config and the rate limit among it. A message
// that is rolled back has taken its part of that rate.
//
// Throws before anything is sent, so that the transaction goes on unharmed: ValidationError where
// payload, options or connection are not as they should be, SerializationError, RateLimitedError.
// Throws what the server says, after which Postgres lets the transaction only be rolled back (or to
// a savepoint): QueueNotFoundError where the queue was deleted; SchemaError where the database of
// the connection has no such schema; PgqrsConnectionError where the connection is lost, or other
// transactions stand in the way and the whole may succeed when it is done again; InternalError for
// anything else, the lack of the right to enqueue for example.
std::int64_t EnqueueIn(pg_conn* connection, const Queue& queue, const Json& payload,
                       const EnqueueOptions& options = {});

// The same for many, of which all are stored, or none. Gives their ids in the order of the
// payloads, of which there are up to Queue::kMaxBatchSize.
std::vector<std::int64_t> EnqueueBatchIn(pg_conn* connection, const Queue& queue,
                                         std::span<const Json> payloads,
                                         const EnqueueOptions& options = {});

}  // namespace pgqrs

#endif  // PGQRS_POSTGRES_H_
