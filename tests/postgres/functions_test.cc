// The functions of the schema, by themselves.

#include <bit>
#include <limits>

#include "postgres/postgres_test.h"
#include "queue/slice.h"
#include "support/seed.h"

namespace pgqrs::testing {
namespace {

using queue::Mask;

Mask Any(Seeded& random) {
  return static_cast<Mask>(random.Pick(std::numeric_limits<std::int64_t>::min(),
                                       std::numeric_limits<std::int64_t>::max()));
}

std::int64_t Signed(Mask mask) { return static_cast<std::int64_t>(mask); }

class PostgresFunctions : public PostgresTest {
 protected:
  PostgresFunctions() { Open(); }
};

// Masks of all shapes: side by side at both ends and in the middle, single bits, any.
std::vector<Mask> Masks(Seeded& random) {
  std::vector<Mask> masks = {~Mask{0}, Mask{1}, Mask{1} << 63, Mask{1} << 62, ~Mask{0} >> 1};
  for (int i = 0; i < 64; ++i) {
    masks.push_back(~Mask{0} << i);
    masks.push_back(~Mask{0} >> i);
    masks.push_back((~Mask{0} >> (i / 2)) & (~Mask{0} << (i / 3)));
    masks.push_back(Any(random) | 1);
    const Mask sparse = Any(random) & (Any(random) >> 1);
    masks.push_back(sparse | Mask{1} << 63);
  }
  return masks;
}

TEST_F(PostgresFunctions, TheLowestBitsOfAMask) {
  auto shell = Shell();
  Seeded seeded;
  for (const auto mask : Masks(seeded)) {
    const int n = std::popcount(mask);
    for (const int count : {1, n / 3, n - 1, n}) {
      if (count < 1 || count > n) continue;
      const auto low = shell.QueryInt("SELECT pgqrs_low_bits('" + std::to_string(Signed(mask)) +
                                      "', " + std::to_string(count) + ")");
      EXPECT_EQ(static_cast<Mask>(low), queue::LowestBits(mask, count)) << mask << ", " << count;
    }
  }
}

TEST_F(PostgresFunctions, TheHighestPositionOfAMask) {
  auto shell = Shell();
  for (int i = 0; i < 64; ++i) {
    const Mask mask = Mask{1} << i | 1;
    EXPECT_EQ(shell.QueryInt("SELECT pgqrs_high_position('" + std::to_string(Signed(mask)) + "')"),
              i);
  }
}

}  // namespace
}  // namespace pgqrs::testing
