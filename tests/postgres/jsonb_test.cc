// What the library takes for the limits of jsonb, against the server.
#include "driver/postgres/jsonb.h"

#include <stdexcept>
#include <string>
#include <vector>

#include "postgres/postgres_test.h"

namespace pgqrs::testing {
namespace {

class JsonbOfTheServer : public PostgresTest {
 protected:
  bool ServerTakes(const std::string& json) {
    try {
      Shell().Execute("SELECT '" + json + "'::jsonb");
      return true;
    } catch (const std::runtime_error&) {
      return false;
    }
  }

  static bool WeTake(const std::string& json) {
    try {
      driver::CheckJsonb(json);
      return true;
    } catch (const SerializationError&) {
      return false;
    }
  }
};

TEST_F(JsonbOfTheServer, TheSameDocumentsAreTaken) {
  const std::string longest(131'072, '9');
  const std::string fraction(16'383, '1');
  for (const auto& json :
       std::vector<std::string>{longest,
                                "9" + longest,
                                std::string(longest).append(".").append(fraction),
                                "0." + fraction,
                                "0." + std::string(16'384, '1'),
                                "1e131071",
                                "1e131072",
                                "0.001e131074",
                                "0.001e131075",
                                "-1e-16383",
                                "1e-16384",
                                "0e-16384",
                                "0.0e-16382",
                                "0.0e-16383",
                                "0e1073741822",
                                "0e1073741823",
                                "0e-1073741823",
                                "1e99999999999999999999",
                                "1e00000000000000000001",
                                R"("\u0000")",
                                R"("\\u0000")",
                                R"({"\u0000":1})",
                                R"("\u00000")",
                                R"("\u0001")"}) {
    EXPECT_EQ(WeTake(json), ServerTakes(json)) << json.substr(0, 40);
  }
}

// A number is short in the table and long when it is read.
TEST_F(JsonbOfTheServer, ABatchOfTheLongestPayloadsCanBeRead) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  std::string numbers = "[1e131071";
  for (int i = 0; i < 7; ++i) numbers += ",1e131071";
  const std::vector<Json> payloads(64, Json::Parse(numbers + "]"));
  queue.EnqueueBatch(payloads);
  EXPECT_EQ(Shell().QueryInt("SELECT count(*) FROM pgqrs_batches"), 1);
  EXPECT_THAT(queue.DequeueBatch(100), SizeIs(64));
}

}  // namespace
}  // namespace pgqrs::testing
