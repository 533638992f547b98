// A message that is stored together with the program's own data, or not at all (Postgres).
//
// Usage: transactional_enqueue [DSN]    without a DSN, the one in PGQRS_EXAMPLE_POSTGRES_DSN
#include <libpq-fe.h>
#include <pgqrs/pgqrs.h>
#include <pgqrs/postgres.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

namespace {

using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;

void Execute(const Connection& connection, const std::string& sql) {
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection.get(), sql.c_str()),
                                                             &PQclear);
  if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) {
    throw std::runtime_error(PQerrorMessage(connection.get()));
  }
}

// Stores an order, and a message for whoever ships it.
void PlaceOrder(const Connection& connection, const pgqrs::Queue& queue, int id) {
  Execute(connection, "BEGIN");
  Execute(connection, "INSERT INTO orders VALUES (" + std::to_string(id) + ")");
  pgqrs::EnqueueIn(connection.get(), queue,
                   pgqrs::Json::Parse("{\"order\": " + std::to_string(id) + "}"));
  Execute(connection, "COMMIT");
}

void Run(const std::string& dsn) {
  auto store = pgqrs::PgqrsStore::Connect(dsn);
  auto queue = store.Queue("shipping");
  const Connection connection(PQconnectdb(dsn.c_str()), &PQfinish);
  Execute(connection, "CREATE TEMPORARY TABLE orders (id int PRIMARY KEY)");

  PlaceOrder(connection, queue, 1);
  try {
    PlaceOrder(connection, queue, 1);  // There is such an order already.
  } catch (const std::runtime_error&) {
    Execute(connection, "ROLLBACK");
  }

  // One order, one message.
  while (auto message = queue.Dequeue()) {
    std::cout << "ship " << message->payload().text() << "\n";
    message->Ack();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  const char* dsn = argc > 1 ? arguments[1] : std::getenv("PGQRS_EXAMPLE_POSTGRES_DSN");
  if (dsn == nullptr || *dsn == '\0') {
    std::cout << "there is no DSN of a Postgres database, so there is nothing to show\n";
    return 0;
  }
  try {
    Run(dsn);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
