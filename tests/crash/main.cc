// The test program is also the other processes of its tests: `crash_tests --child ROLE
// ARGUMENT...`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>
#include <string_view>

#include "crash/child.h"

int main(int argc, char** argv) {
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  if (argc > 2 && std::string_view(argv[1]) == "--child") {
    return pgqrs::testing::RunChild({arguments.begin() + 2, arguments.end()});
  }
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
