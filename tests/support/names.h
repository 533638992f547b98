// Names that most tests use, by themselves. The fixtures of the test folders include this header.
#ifndef PGQRS_TESTS_SUPPORT_NAMES_H_
#define PGQRS_TESTS_SUPPORT_NAMES_H_

#include <gmock/gmock.h>

#include <chrono>

namespace pgqrs::testing {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_SUPPORT_NAMES_H_
