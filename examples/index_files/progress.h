// Shows how far the work has come.
#ifndef INDEX_FILES_PROGRESS_H_
#define INDEX_FILES_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <string>

namespace index_files {

// 1234567 as "1,234,567".
std::string WithCommas(std::int64_t number);

// A bar that redraws itself on a terminal, and a plain line a second anywhere else, on stdout.
class Progress {
 public:
  Progress();

  // To be called several times a second. `total_known` is false while the scan still adds files.
  void Show(std::int64_t done, std::int64_t total, bool total_known);

  // Takes the bar off the terminal, before other output.
  void Clear();

  double seconds() const;

 private:
  using SteadyClock = std::chrono::steady_clock;

  const bool is_terminal_;
  const SteadyClock::time_point start_;
  SteadyClock::time_point next_line_;
  std::int64_t done_before_ = -1;  // Before this run.
};

}  // namespace index_files

#endif  // INDEX_FILES_PROGRESS_H_
