#include "engine/stats.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace pgqrs {

std::uint64_t Histogram::Percentile(double fraction) const {
  if (count == 0) return 0;
  const auto rank = static_cast<std::uint64_t>(
      std::ceil(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(count)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    seen += buckets[i];
    if (seen >= rank && seen > 0) return std::uint64_t{2} << i;
  }
  return std::uint64_t{1} << buckets.size();
}

namespace engine {

void Stats::Add(Histogram& histogram, std::uint64_t value) {
  const auto bucket = static_cast<std::size_t>(std::bit_width(value | 1) - 1);
  ++histogram.buckets[std::min(bucket, histogram.buckets.size() - 1)];
  ++histogram.count;
  histogram.sum += value;
}

}  // namespace engine
}  // namespace pgqrs
