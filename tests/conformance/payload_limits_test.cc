#include <string>
#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

// What only this store asks of its payloads.
class PayloadLimits : public ConformanceTest {
 protected:
  // Each of the texts is taken, and each of the others refused with a word in the error, alone and
  // in a batch, without anything stored.
  void ExpectLimit(const std::vector<std::string>& taken, const std::vector<std::string>& refused,
                   const std::string& word) {
    auto store = Open();
    auto queue = store.Queue("jobs");
    for (const auto& text : refused) {
      const auto payload = Json::Parse(text);
      EXPECT_THAT(MessageOf<ValidationError>([&] { queue.Enqueue(payload); }),
                  AllOf(HasSubstr("payload"), HasSubstr(word)))
          << text;
      EXPECT_THAT(MessageOf<ValidationError>([&] {
                    queue.EnqueueBatch(std::vector{Json::Parse(taken.front()), payload});
                  }),
                  AllOf(HasSubstr("payload 1"), HasSubstr(word)))
          << text;
    }
    EXPECT_THAT(AllMessages(store), IsEmpty());
    for (const auto& text : taken) queue.Enqueue(Json::Parse(text));
    EXPECT_THAT(TextsOf(queue.DequeueBatch(100)), ::testing::Pointwise(SameJson(), taken));
  }
};
PGQRS_ON_EVERY_BACKEND(PayloadLimits);

TEST_P(PayloadLimits, MaxPayloadSizeCountsTheBytesOfTheText) {
  config().max_payload_size = 10;
  ExpectLimit({R"("12345678")", R"([1,2,3,45])", R"("éééé")"},
              {R"("123456789")", R"([1,2,3,456])", R"("ééééé")"}, "max_payload_size");
}

TEST_P(PayloadLimits, APayloadOfTheLargestSizeIsTaken) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const std::string content(config().max_payload_size - 2, 'x');
  queue.Enqueue(content);
  EXPECT_EQ(queue.Dequeue()->payload().AsString(), content);
  EXPECT_THROW(queue.Enqueue(content + "x"), ValidationError);
}

TEST_P(PayloadLimits, MaxStringLengthCountsTheBytesOfKeysAndValues) {
  config().max_string_length = 4;
  ExpectLimit({R"("1234")", R"("éé")", R"("\n\n\n\n")", R"({"1234":["1234",123456]})", "12345"},
              {R"("12345")", R"("ééé")", R"({"12345":1})", R"([[{"a":"12345"}]])"},
              "max_string_length");
}

TEST_P(PayloadLimits, MaxObjectDepthCountsArraysAndObjects) {
  config().max_object_depth = 2;
  ExpectLimit({"1", "[]", "[[]]", R"({"a":{}})", R"([{"a":1},[2]])"},
              {"[[[]]]", R"({"a":{"b":{}}})", R"([1,[2,[3]]])"}, "nested");
}

TEST_P(PayloadLimits, AMaxObjectDepthOfZeroLeavesOnlySingleValues) {
  config().max_object_depth = 0;
  ExpectLimit({"1", R"("[]")", "null"}, {"[]", "{}"}, "nested");
}

TEST_P(PayloadLimits, ForbiddenKeysAreRefusedInAnyObject) {
  config().forbidden_keys = {"__proto__", "b"};
  ExpectLimit({R"({"a":"b"})", R"(["b"])", R"("b")", R"({"B":1})"},
              {R"({"b":1})", R"({"\u0062":1})", R"([[{"a":{"__proto__":null}}]])"}, "not allowed");
}

TEST_P(PayloadLimits, RequiredKeysAreNeededInAPayloadThatIsAnObject) {
  config().required_keys = {"id", "to"};
  ExpectLimit({R"({"id":1,"to":null})", R"({"to":[],"x":0,"\u0069d":2})", "[]", R"("id")", "[{}]"},
              {R"({"id":1})", "{}", R"({"a":{"id":1,"to":2}})", R"({"ID":1,"to":2})"}, "missing");
}

TEST_P(PayloadLimits, AnErrorDoesNotRepeatThePayload) {
  config().max_string_length = 4;
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto error = MessageOf<ValidationError>([&] { queue.Enqueue("a secret of some length"); });
  EXPECT_THAT(error, ::testing::Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace pgqrs::testing
