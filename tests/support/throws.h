#ifndef PGQRS_TESTS_SUPPORT_THROWS_H_
#define PGQRS_TESTS_SUPPORT_THROWS_H_

#include <exception>
#include <string>

namespace pgqrs::testing {

// The text of the error of class E that `call` throws; says so in the text where it throws another
// or none. For a check of both class and words:
//   EXPECT_THAT(MessageOf<ValidationError>([&] { queue.DequeueBatch(0); }), HasSubstr("count"));
template <typename E, typename F>
std::string MessageOf(const F& call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("(an error of another class) ") + error.what();
  }
  return "(no error)";
}

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_SUPPORT_THROWS_H_
