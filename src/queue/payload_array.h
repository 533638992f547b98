// The payloads of a batch: one JSON array as text.
#ifndef PGQRS_QUEUE_PAYLOAD_ARRAY_H_
#define PGQRS_QUEUE_PAYLOAD_ARRAY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pgqrs::queue {

// Splits a valid JSON array, which no batch leaves empty, into the texts of its elements, as views
// into it. It only looks for the commas of the outermost level; what is stored was validated when
// it came in.
void SplitPayloads(std::string_view array, std::vector<std::string_view>& elements);

// The position behind the JSON string literal whose opening quote is at `i`.
std::size_t EndOfString(std::string_view text, std::size_t i);

// The array with the elements whose bits are set replaced by null.
std::string BlankPayloads(std::string_view array, std::uint64_t mask);

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_PAYLOAD_ARRAY_H_
