#ifndef PGQRS_QUEUE_METRICS_H_
#define PGQRS_QUEUE_METRICS_H_

#include <pgqrs/records.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "driver/driver.h"

namespace pgqrs::queue {

QueueMetrics MeasureQueue(driver::Connection& connection, std::int64_t queue_id,
                          std::string_view name);

std::vector<QueueMetrics> MeasureAllQueues(driver::Connection& connection);

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_METRICS_H_
