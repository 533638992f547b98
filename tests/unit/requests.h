// Requests that only say that they were completed.
#ifndef PGQRS_TESTS_UNIT_REQUESTS_H_
#define PGQRS_TESTS_UNIT_REQUESTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/intake.h"
#include "queue/request.h"

namespace pgqrs::testing {

// A request of one of the kinds that can be told from others by its `number`.
template <typename RequestT>
struct Numbered final : RequestT {
  explicit Numbered(int number_of_request) : number(number_of_request) {}
  void Complete() override {}

  int number;
};

inline std::unique_ptr<Numbered<queue::EnqueueRequest>> NewEnqueue(int number,
                                                                   std::size_t bytes = 0) {
  auto request = std::make_unique<Numbered<queue::EnqueueRequest>>(number);
  request->bytes = bytes;
  return request;
}

inline std::unique_ptr<Numbered<queue::DequeueRequest>> NewDequeue(int number, int count = 1) {
  auto request = std::make_unique<Numbered<queue::DequeueRequest>>(number);
  request->count = count;
  return request;
}

inline std::unique_ptr<Numbered<queue::JobRequest>> NewJob(int number) {
  return std::make_unique<Numbered<queue::JobRequest>>(number);
}

inline std::vector<engine::RequestPtr> Several(engine::RequestPtr first,
                                               engine::RequestPtr second = nullptr) {
  std::vector<engine::RequestPtr> requests;
  requests.push_back(std::move(first));
  if (second) requests.push_back(std::move(second));
  return requests;
}

inline std::vector<int> NumbersOf(const std::vector<engine::RequestPtr>& requests) {
  std::vector<int> numbers;
  for (const auto& request : requests) {
    if (request->kind == queue::Request::Kind::kEnqueue) {
      numbers.push_back(static_cast<const Numbered<queue::EnqueueRequest>&>(*request).number);
    } else if (request->kind == queue::Request::Kind::kDequeue) {
      numbers.push_back(static_cast<const Numbered<queue::DequeueRequest>&>(*request).number);
    } else {
      numbers.push_back(static_cast<const Numbered<queue::JobRequest>&>(*request).number);
    }
  }
  return numbers;
}

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_UNIT_REQUESTS_H_
