#ifndef PGQRS_TESTS_FAULT_EXPECTATIONS_H_
#define PGQRS_TESTS_FAULT_EXPECTATIONS_H_

#include <pgqrs/pgqrs.h>

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace pgqrs::testing {

// What may be in a database, by what a store has answered so far. A value: a copy stands for the
// moment at which it was made.
class Expectations {
 public:
  // The state of a message that was deleted, purged or removed by retention.
  static constexpr const char* kGone = "gone";

  // The store gave these ids for the payloads. Each id has to be a new one.
  void Enqueued(std::span<const std::int64_t> ids, std::span<const Json> payloads);

  // The store does not know whether these payloads are there: all of them or none.
  void MayHaveEnqueued(std::span<const Json> payloads);

  // The message is in this state now.
  void Is(std::int64_t id, const std::string& state) { messages_.at(id).states = {state}; }

  // The message is in this state now, or what it was before.
  void MayBe(std::int64_t id, const std::string& state) { messages_.at(id).states.insert(state); }

  // The message is no longer in this state, where it may have been before.
  void IsNot(std::int64_t id, const std::string& state) { messages_.at(id).states.erase(state); }

  // Messages that may be in the given state.
  std::vector<std::int64_t> Which(const std::string& state) const;

  // Fails the running test where the database is something else, or not sound.
  void Check(PgqrsStore& store) const;

 private:
  struct Expected {
    std::string payload;
    std::set<std::string> states;
  };

  std::map<std::int64_t, Expected> messages_;
  std::vector<std::set<std::string>> uncertain_;  // Payloads that are there all or none.
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_FAULT_EXPECTATIONS_H_
