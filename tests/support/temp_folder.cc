#include "support/temp_folder.h"

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace pgqrs::testing {

TempFolder::TempFolder() {
  std::string pattern = (std::filesystem::current_path() / "pgqrs-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), "mkdtemp " + pattern);
  }
  path_ = pattern;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace pgqrs::testing
