// A step whose effects on the database happen exactly once, whatever dies in between: they and the
// record of the step are one transaction.
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>
#include <utility>
#include <variant>

int main() {
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");

  const auto transfer = pgqrs::DefineWorkflow(
      "transfer", [](pgqrs::RunContext& run, const std::pair<std::string, std::string>& between) {
        run.TransactionStep("open", [](pgqrs::Transaction& transaction) {
          transaction.Execute("CREATE TABLE accounts (name text PRIMARY KEY, euros integer)");
          transaction.Execute("INSERT INTO accounts VALUES (?1, 100), (?2, 0)", {"Ada", "Grace"});
        });
        run.TransactionStep("move", [&](pgqrs::Transaction& transaction) {
          const auto& [from, to] = between;
          const auto changed = transaction.Execute(
              "UPDATE accounts SET euros = euros - 30 WHERE name = ?1 AND euros >= 30", {from});
          // What is thrown rolls everything back.
          if (changed == 0) throw std::runtime_error(from + " has not enough");
          transaction.Execute("UPDATE accounts SET euros = euros + 30 WHERE name = ?1", {to});
        });
        return run.TransactionStep("read", [&](pgqrs::Transaction& transaction) {
          const auto rows = transaction.Query("SELECT name, euros FROM accounts ORDER BY name");
          std::string text;
          for (const auto& row : rows) {
            text += std::get<std::string>(row[0]) + " has " +
                    std::to_string(std::get<std::int64_t>(row[1])) + "\n";
          }
          return text;
        });
      });

  pgqrs::WorkflowWorker worker(store, {transfer});
  worker.Start();
  std::cout << store.Trigger(transfer, {"Ada", "Grace"}).Result(std::chrono::seconds(30));
}
