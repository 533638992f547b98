// A step whose effects in the database happen exactly once.
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <cstdint>
#include <iostream>
#include <variant>

int main() {
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");

  const auto transfer = pgqrs::DefineWorkflow("transfer", [](pgqrs::RunContext& run, int amount) {
    run.TransactionStep("open accounts", [](pgqrs::Transaction& transaction) {
      transaction.Execute("CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, cents INT)");
      transaction.Execute("INSERT INTO accounts VALUES ('alice', 1000), ('bob', 0)");
    });
    // Both updates and the record of the step are one transaction: after the death of the process
    // at any instant all of it has happened, or nothing, and then it is done again.
    return run.TransactionStep("move", [amount](pgqrs::Transaction& transaction) {
      transaction.Execute("UPDATE accounts SET cents = cents - ?1 WHERE name = 'alice'", {amount});
      transaction.Execute("UPDATE accounts SET cents = cents + ?1 WHERE name = 'bob'", {amount});
      const auto rows = transaction.Query("SELECT cents FROM accounts WHERE name = 'bob'");
      return std::get<std::int64_t>(rows.at(0).at(0));
    });
  });

  pgqrs::WorkflowWorker worker(store, {transfer});
  worker.Start();
  std::cout << "bob has " << store.Trigger(transfer, 250).Result(std::chrono::seconds(30)) << "\n";
}
