// This program once more, as a process of its own.
#ifndef PGQRS_BENCH_CHILD_PROCESS_H_
#define PGQRS_BENCH_CHILD_PROCESS_H_

#include <sys/types.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "place.h"

namespace bench {

class ChildProcess {
 public:
  // Starts the child `name` (scenarios.h) on the database of the place.
  ChildProcess(std::string_view name, const Place& place);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  // Kills it unless it was waited for.
  ~ChildProcess();

  // The next line that it writes to stdout. Throws where none comes in time.
  std::string ReadLine(std::chrono::milliseconds timeout);

  // Waits for its end. Throws unless it went well.
  void Wait();

 private:
  pid_t process_ = -1;
  int output_ = -1;
  std::string buffer_;
};

// What a child says to whoever started it, in a line.
void Answer(const nlohmann::json& answer);

}  // namespace bench

#endif  // PGQRS_BENCH_CHILD_PROCESS_H_
