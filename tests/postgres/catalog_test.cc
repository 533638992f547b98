#include "sql/catalog.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "driver/postgres/postgres_dsn.h"
#include "driver/postgres/wire.h"
#include "postgres/postgres_test.h"

namespace pgqrs::testing {
namespace {

using driver::wire::Type;
using sql::Statement;
using ::testing::Contains;

// The tables whose rows belong to one queue.
constexpr std::string_view kMessageTables = "pgqrs_(batches|slices|archive)";

// What reads the message tables as a whole, or looks for an id in every queue.
constexpr auto kAdministrative =
    std::to_array({Statement::kFindOrphans, Statement::kFindBatch, Statement::kQueueOfBatch,
                   Statement::kScanBatches, Statement::kDropOldestPartition, Statement::kHoldSlices,
                   Statement::kCompactSlices});

bool IsAdministrative(Statement statement) {
  return std::find(kAdministrative.begin(), kAdministrative.end(), statement) !=
         kAdministrative.end();
}

class PostgresCatalog : public PostgresTest {
 protected:
  using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

  PostgresCatalog() : shell_(Shell()) { Open(); }

  std::string TextOf(Statement statement) {
    return driver::WithSchema(sql::Text("postgres", statement), driver::ParsePostgresDsn(config()));
  }

  // What the server says of the statement whose parameters have the types that we declare.
  Result Describe(Statement statement) {
    const auto& info = sql::Info(statement);
    std::vector<Oid> types;
    for (const char letter : info.parameters) types.push_back(OidOf(letter));
    auto* connection = shell_.connection();
    const Result prepared(PQprepare(connection, "", TextOf(statement).c_str(),
                                    static_cast<int>(types.size()), types.data()),
                          &PQclear);
    EXPECT_EQ(PQresultStatus(prepared.get()), PGRES_COMMAND_OK)
        << info.name << ": " << PQresultErrorMessage(prepared.get());
    return {PQdescribePrepared(connection, ""), &PQclear};
  }

  static Oid OidOf(char letter) {
    switch (letter) {
      case 'i':
        return static_cast<Oid>(Type::kInt8);
      case 'z':
        return static_cast<Oid>(Type::kTimestamptz);
      case 'j':
        return static_cast<Oid>(Type::kJsonb);
      case 'I':
        return static_cast<Oid>(Type::kInt8Array);
      case 'Z':
        return static_cast<Oid>(Type::kTimestamptzArray);
      case 'J':
        return static_cast<Oid>(Type::kJsonbArray);
      case 'T':
        return static_cast<Oid>(Type::kTextArray);
      default:
        return static_cast<Oid>(Type::kText);
    }
  }

  // Whether a column of the server's type is read as what the catalogue declares.
  static bool Fits(Oid type, char letter) {
    if (letter != 'i') return type == OidOf(letter);
    constexpr auto kIntegers = std::to_array({Type::kInt8, Type::kInt4, Type::kInt2, Type::kBool});
    return std::find(kIntegers.begin(), kIntegers.end(), static_cast<Type>(type)) !=
           kIntegers.end();
  }

 private:
  PostgresShell shell_;
};

template <typename F>
void ForEachStatement(F call) {
  for (std::size_t i = 0; i < sql::kCatalog.size(); ++i) {
    const auto statement = static_cast<Statement>(i);
    if (statement == Statement::kCreateMigrations) continue;  // A script.
    if (!sql::Text("postgres", statement).empty()) call(statement);
  }
}

TEST_F(PostgresCatalog, EveryStatementHasTheDeclaredParameters) {
  ForEachStatement([&](Statement statement) {
    const auto& info = sql::Info(statement);
    const auto described = Describe(statement);
    ASSERT_EQ(PQnparams(described.get()), static_cast<int>(info.parameters.size())) << info.name;
    for (int i = 0; i < PQnparams(described.get()); ++i) {
      EXPECT_EQ(PQparamtype(described.get(), i),
                OidOf(info.parameters[static_cast<std::size_t>(i)]))
          << info.name << ", parameter " << i + 1;
    }
  });
}

TEST_F(PostgresCatalog, EveryStatementHasTheDeclaredColumns) {
  ForEachStatement([&](Statement statement) {
    const auto& info = sql::Info(statement);
    const auto described = Describe(statement);
    ASSERT_EQ(PQnfields(described.get()), static_cast<int>(info.columns.size())) << info.name;
    for (int i = 0; i < PQnfields(described.get()); ++i) {
      EXPECT_TRUE(Fits(PQftype(described.get(), i), info.columns[static_cast<std::size_t>(i)]))
          << info.name << ", column " << i << " has type " << PQftype(described.get(), i);
    }
  });
}

// Neither comments nor what stands in quotes.
std::string BareText(Statement statement) {
  auto text = std::string(sql::Text("postgres", statement));
  text = std::regex_replace(text, std::regex("--[^\n]*"), "");
  return std::regex_replace(text, std::regex("'[^']*'"), "''");
}

// The same with the bodies of the functions that it calls.
std::string WholeText(Statement statement) {
  static const std::regex call("\\{schema\\}\\.(pgqrs_[a-z_]+)\\(");
  auto text = BareText(statement);
  std::smatch name;
  if (!std::regex_search(text, name, call)) return text;
  for (const auto& migration : sql::Migrations("postgres")) {
    const auto begin = migration.text.find("CREATE FUNCTION {schema}." + name.str(1) + "(");
    if (begin == std::string_view::npos) continue;
    const auto body = migration.text.find("$$", begin);
    return std::string(migration.text.substr(body, migration.text.find("$$", body + 2) - body));
  }
  return text;
}

// Where a distributed server places queues on several machines, such a statement is one machine's
// affair.
TEST(PostgresCatalogText, EveryHotStatementNamesTheQueue) {
  const std::regex names_messages{std::string(kMessageTables)};
  const std::regex conditions("\\bqueue_id = (\\$[0-9]+|q\\.id|w\\.queue_id|of_queue)");
  int hot = 0;
  ForEachStatement([&](Statement statement) {
    const auto text = WholeText(statement);
    if (!std::regex_search(text, names_messages) || IsAdministrative(statement)) return;
    ++hot;
    const auto name = sql::Info(statement).name;
    if (name.starts_with("Insert") || name.starts_with("EnqueueBatch")) {
      EXPECT_THAT(text, HasSubstr("queue_id")) << name;
      return;
    }
    const auto where = std::min(text.find("WHERE"), text.size());
    EXPECT_TRUE(std::regex_search(text.substr(where), conditions)) << name;
  });
  EXPECT_GT(hot, 20);
}

TEST(PostgresCatalogText, EachAdministrativeStatementIsOne) {
  for (const auto statement : kAdministrative) {
    EXPECT_TRUE(std::regex_search(WholeText(statement), std::regex(std::string(kMessageTables))))
        << sql::Info(statement).name;
  }
}

TEST_F(PostgresCatalog, EveryKeyOfTheMessageTablesBeginsWithTheQueue) {
  const auto keys = Shell().Query(
      "SELECT c.relname, i.indisprimary, a.attname FROM pg_index AS i "
      "JOIN pg_class AS c ON c.oid = i.indrelid "
      "JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] "
      "WHERE i.indisunique AND c.relname ~ '^" +
      std::string(kMessageTables) + "'");
  for (const auto& key : keys) EXPECT_EQ(key[2], "queue_id") << key[0];
  for (const std::string table : {"pgqrs_batches", "pgqrs_slices", "pgqrs_archive"}) {
    EXPECT_THAT(keys, Contains(ElementsAre(table, "t", "queue_id")));
  }
}

}  // namespace
}  // namespace pgqrs::testing
