#include <cctype>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

using namespace std::string_literals;  // NOLINT(google-build-using-namespace): only of literals.

class Payload : public ConformanceTest {
 protected:
  // Whether the database is as good as new for the next message.
  static void ExpectWorks(Queue& queue) {
    const auto id = queue.Enqueue("next");
    auto message = queue.Dequeue();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->id(), id);
    EXPECT_TRUE(message->Ack());
  }

  static void ExpectSame(const Json& payload, const std::string& text) {
    EXPECT_THAT(payload, IsJson(text));
    if (GetParam().keeps_text) {
      EXPECT_EQ(payload.text(), text);
    }
  }
};
PGQRS_ON_EVERY_BACKEND(Payload);

std::string Nested(int depth, std::string_view open = "[", std::string_view close = "]") {
  std::string text;
  for (int i = 0; i < depth; ++i) text += open;
  for (int i = 0; i < depth; ++i) text += close;
  return text;
}

std::string NestedObjects(int depth) {
  return Nested(depth - 1, R"({"a":)", "")
      .append("{}")
      .append(static_cast<std::size_t>(depth - 1), '}');
}

// Texts without space at their ends, which no backend keeps.
const std::vector<std::string>& UnusualTexts() {
  static const std::vector<std::string> texts = {
      "null",
      "true",
      "false",
      "0",
      "-1",
      "9223372036854775807",
      "9223372036854775808",
      "18446744073709551616",
      "123456789012345678901234567890",
      "-123456789012345678901234567890",
      "0.1",
      "3.141592653589793238462643383279502884197",
      R"("")",
      R"("1e400")",
      R"("0")",
      R"("null")",
      R"("a\"b\\c/d")",
      R"("\b\f\n\r\t")",
      R"("],[,{}:")",
      R"("\\")",
      R"("\\\"")",
      "\"\u00e9 e\u0301 \u65e5\u672c\u8a9e \U0001f600 \U0010ffff\"",
      "\"\u2028\u2029\ufeff\"",
      "[]",
      "{}",
      "[[]]",
      "[{}]",
      R"({"":""})",
      R"({"a":[]})",
      R"({"a":{"b":[1,[2,{"c":null}],"]"]}})",
      R"(["'","--",";","$1","?1","%s"])",
  };
  return texts;
}

TEST_P(Payload, ComesBackAsItWas) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  for (const auto& text : UnusualTexts()) {
    const auto id = queue.Enqueue(Json::Parse(text));
    auto message = queue.Dequeue();
    ASSERT_TRUE(message);
    ExpectSame(message->payload(), text);
    ExpectSame(store.FindMessage(id)->payload, text);
    EXPECT_TRUE(message->Ack());
  }
  store.Admin().Verify();
}

TEST_P(Payload, OfEachMessageOfABatchComesBackAsItWas) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  std::vector<Json> payloads;
  payloads.reserve(UnusualTexts().size());
  for (const auto& text : UnusualTexts()) payloads.push_back(Json::Parse(text));
  queue.EnqueueBatch(payloads);
  const auto messages = queue.DequeueBatch(1000);
  ASSERT_EQ(messages.size(), UnusualTexts().size());
  for (std::size_t i = 0; i < messages.size(); ++i) {
    ExpectSame(messages[i].payload(), UnusualTexts()[i]);
  }
  store.Admin().Verify();
}

TEST_P(Payload, OfANumberKeepsItsValueWhateverItsSize) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  // How a backend writes an exponent or a zero is its own affair.
  for (const auto* text : {"-0.0", "1e400", "-1e-400", "1E+2", "1.50", "0e0", "-12.5e-3",
                           "1234567890123456789012345678901234567890.000000000000000000000000001",
                           "[1e2000,0.1e2000,-1.0E-2000]"}) {
    queue.Enqueue(Json::Parse(text));
    auto message = queue.Dequeue();
    ASSERT_TRUE(message);
    ExpectSame(message->payload(), text);
    EXPECT_EQ(Json::Parse(message->payload().text()), message->payload()) << "still JSON";
  }
}

TEST_P(Payload, MayHaveWhiteSpaceAroundAndWithin) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const std::vector<Json> payloads = {Json::Parse("  1\n"), Json::Parse("\t\r\n [ 1 ,\n 2 ] "),
                                      Json::Parse(R"( " a , b " )"),
                                      Json::Parse(" { \"a\" : [ ] } ")};
  queue.EnqueueBatch(payloads);
  const auto messages = queue.DequeueBatch(10);
  ASSERT_THAT(messages, SizeIs(4));
  EXPECT_EQ(messages[0].payload().text(), "1");
  EXPECT_EQ(messages[2].payload().AsString(), " a , b ");
  const auto without_space = [](std::string text) {
    std::erase_if(text, [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; });
    return text;
  };
  EXPECT_EQ(without_space(messages[1].payload().text()), "[1,2]");
  EXPECT_EQ(without_space(messages[3].payload().text()), R"({"a":[]})");
  store.Admin().Verify();
}

TEST_P(Payload, OfEscapedTextHasTheContentThatWasMeant) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"("\u0041\u00e9")", "A\u00e9"},
      {R"("\ud83d\ude00")", "\U0001f600"},
      {R"("\/\"\\")", "/\"\\"},
      {R"("\u001f\u007f")", "\x1f\x7f"},
      {R"("\n\t\b\f\r")", "\n\t\b\f\r"}};
  for (const auto& [text, content] : cases) {
    queue.Enqueue(Json::Parse(text));
    auto message = queue.Dequeue();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->payload().AsString(), content);
  }
}

TEST_P(Payload, OfPlainTextMayHoldAnythingThatIsUtf8) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  for (const auto& content : {"\"quoted\""s, "back\\slash"s, "\x01\x1f\x7f"s, "\U0010ffff"s,
                              "[1,2]"s, " spaces "s, ""s}) {
    queue.Enqueue(content);
    auto message = queue.Dequeue();
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->payload().IsString());
    EXPECT_EQ(message->payload().AsString(), content);
  }
}

// A backend that cannot store a value has to say so at the enqueue. What travels together with it
// is not its affair.
TEST_P(Payload, ThatIsHardToStoreIsKeptOrRefused) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  for (const auto& payload :
       {Json("a\0b"s), Json::Parse(R"(["a\u0000b"])"), Json::Parse(R"({"\u0000":1})"),
        Json::Parse("1e1000000"), Json::Parse("[-1e-1000000]"), Json::Parse("1e999999999999999999"),
        Json::Parse("0e-20000"), Json::Parse(std::string(131'073, '9')),
        Json::Parse("0." + std::string(16'384, '1'))}) {
    auto before = queue.EnqueueAsync("before");
    std::optional<std::int64_t> id;
    try {
      id = queue.EnqueueAsync(payload).Get();
    } catch (const SerializationError& error) {
      EXPECT_THAT(error.what(), StartsWith("payload"));
      EXPECT_THAT(MessageOf<SerializationError>([&] {
                    queue.EnqueueBatch(std::vector<Json>{"first", payload});
                  }),
                  StartsWith("payload 1 of the batch"));
    }
    auto after = queue.EnqueueAsync("after");
    EXPECT_NE(before.Get(), after.Get());
    const auto messages = queue.DequeueBatch(10);
    EXPECT_THAT(messages, SizeIs(id ? 3 : 2));
    if (id) {
      EXPECT_THAT(store.FindMessage(*id)->payload, IsJson(payload));
    }
    store.Ack(IdsOf(messages));
  }
  ExpectWorks(queue);
}

TEST_P(Payload, OfAMebibyteComesBackAsItWas) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  std::string content;
  while (content.size() < (std::size_t{1} << 20)) content += "0123456789,\"\\\n\u00e9";
  queue.EnqueueBatch(std::vector<Json>{"before", content, "after"});
  const auto messages = queue.DequeueBatch(10);
  ASSERT_THAT(messages, SizeIs(3));
  EXPECT_EQ(messages[0].payload().AsString(), "before");
  EXPECT_EQ(messages[1].payload().AsString(), content);
  EXPECT_EQ(messages[2].payload().AsString(), "after");
}

TEST_P(Payload, AtTheDepthLimitComesBackAsItWas) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  for (const auto& text : {Nested(Json::kMaxDepth), NestedObjects(Json::kMaxDepth)}) {
    const auto id = queue.Enqueue(Json::Parse(text));
    auto message = queue.Dequeue();
    ASSERT_TRUE(message);
    ExpectSame(message->payload(), text);
    ExpectSame(store.FindMessage(id)->payload, text);
  }
  store.Admin().Verify();
}

TEST(JsonParse, RefusesDeeperNestingThanTheLimit) {
  for (const auto& text :
       {Nested(Json::kMaxDepth + 1), NestedObjects(Json::kMaxDepth + 1), Nested(1'000'000)}) {
    EXPECT_THAT(MessageOf<ValidationError>([&] { Json::Parse(text); }),
                AllOf(StartsWith("payload"), HasSubstr("nested")));
  }
}

TEST(JsonParse, RefusesWhatIsNotOneJsonDocument) {
  for (const auto& text : {""s,           " "s,
                           "{"s,          "[1,]"s,
                           "{\"a\":1,}"s, "{a:1}"s,
                           "{'a':1}"s,    "1 2"s,
                           "[1] x"s,      "nul"s,
                           "NaN"s,        "Infinity"s,
                           "01"s,         "1."s,
                           ".5"s,         "+1"s,
                           "0x10"s,       "\"open"s,
                           "\"tab\t\""s,  "\"\\x\""s,
                           "\"\\u12\""s,  "// comment\n1"s,
                           "\ufeff1"s,    std::string(1'000'000, '[')}) {
    EXPECT_THAT(MessageOf<SerializationError>([&] { Json::Parse(text); }),
                AllOf(StartsWith("payload"), HasSubstr("byte")))
        << text.substr(0, 20);
  }
}

TEST(JsonParse, RefusesNulBytes) {
  for (const auto& text : {"\0"s, "1\0"s, "\"a\0b\""s, "[1,\0 2]"s, "\0 1"s, "{}\0{}"s}) {
    EXPECT_THAT(MessageOf<SerializationError>([&] { Json::Parse(text); }), HasSubstr("byte"));
  }
}

TEST(JsonParse, RefusesWhatIsNotUtf8) {
  for (const auto* bytes : {"\xff", "\xc3", "\xc0\x80", "\xe2\x82", "\xed\xa0\x80", "\xed\xbf\xbf",
                            "\xf4\x90\x80\x80", "\x80"}) {
    const std::string content = "a"s + bytes + "b";
    EXPECT_THROW(Json::Parse("\"" + content + "\""), SerializationError);
    EXPECT_THROW(Json::Parse("{\"" + content + "\":1}"), SerializationError);
    EXPECT_THAT(MessageOf<SerializationError>([&] { Json{content}; }), HasSubstr("UTF-8"));
  }
}

TEST(JsonParse, RefusesLoneSurrogates) {
  for (const auto* text :
       {R"("\ud83d")", R"("\ude00")", R"("\ude00\ud83d")", R"("\ud83dx")", R"({"\ud83d":1})"}) {
    EXPECT_THROW(Json::Parse(text), SerializationError) << text;
  }
}

TEST(JsonParse, RefusesAnObjectThatNamesAKeyTwice) {
  std::string many = "{";
  for (int i = 0; i < 30; ++i) many += "\"k" + std::to_string(i) + "\":0,";
  for (const auto& text : {R"({"a":1,"a":1})"s, R"([{"b":{"a":1,"b":2,"\u0061":3}}])"s,
                           R"({"":1,"":2})"s, many + R"("k7":1})"}) {
    EXPECT_THAT(MessageOf<ValidationError>([&] { Json::Parse(text); }), HasSubstr("twice")) << text;
  }
  EXPECT_EQ(Json::Parse(R"({"a":{"a":1},"A":1})").text(), R"({"a":{"a":1},"A":1})");
}

}  // namespace
}  // namespace pgqrs::testing
