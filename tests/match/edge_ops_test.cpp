// SPDX-License-Identifier: Apache-2.0
// Ways over a few edges, sixteen at a time, and pairs in a list: the instruction set's functions against their definition.
#include <spinel/simd/edge_ops.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

namespace spinel {
namespace {

using Scalar = EdgeOps<ScalarBits>;
using Native = EdgeOps<NativeBits>;

struct Ways {
  std::vector<std::uint32_t> to, over;
  explicit Ways(std::size_t n) : to(n), over(n) {}
  EdgeWays all() { return {to.data(), over.data()}; }
  bool operator==(const Ways&) const = default;
};

TEST(EdgeOps, AreTheSameWithVectorInstructions) {
  constexpr int stride = 64, n_places = 112;
  std::mt19937_64 random(11);
  // Few different lengths: many are as long as others, with and without mark.
  const auto length = [&] { return static_cast<std::uint32_t>(random() % 64); };
  for (int repeat = 0; repeat < 400; ++repeat) {
    const int n = 16 * static_cast<int>(1 + random() % 4);
    std::vector<std::uint32_t> rows(3 * n_places), weights(stride);
    std::vector<std::uint8_t> ends(2 * stride);
    for (auto& entry : rows) entry = length();
    for (auto& weight : weights) weight = length() / 4;
    for (auto& end : ends) end = static_cast<std::uint8_t>(random() % n_places);
    Ways from{2 * stride}, to{2 * stride};
    const std::uint32_t least = Scalar::reach_edges<n_places>(rows.data(), ends.data(), weights.data(), stride, n, from.all());
    Scalar::reach_edges<n_places>(&rows[n_places], ends.data(), weights.data(), stride, n, to.all());
    Ways found{2 * stride};
    ASSERT_EQ(Native::reach_edges<n_places>(rows.data(), ends.data(), weights.data(), stride, n, found.all()), least);
    ASSERT_EQ(found, from);
    const std::uint32_t start = length();
    ASSERT_EQ(Native::least_over_edges(from.all(), to.all(), stride, n, start),
              Scalar::least_over_edges(from.all(), to.all(), stride, n, start));
    std::uint64_t due[2], found_due[2];
    const std::uint32_t limit = length();
    Scalar::due_edges(limit, stride, n, from.all(), due);
    Native::due_edges(limit, stride, n, found.all(), found_due);
    for (int side = 0; side < 2; ++side) ASSERT_EQ(found_due[side], due[side]);
    Scalar::extend_over_edges<n_places>(start, &rows[2 * n_places], ends.data(), weights.data(), stride, n, limit, from.all(), due);
    Native::extend_over_edges<n_places>(start, &rows[2 * n_places], ends.data(), weights.data(), stride, n, limit, found.all(), found_due);
    ASSERT_EQ(found, from);
    for (int side = 0; side < 2; ++side) ASSERT_EQ(found_due[side], due[side]);
  }
}

template <class BitOps>
void find_pairs() {
  std::mt19937_64 random(12);
  for (int repeat = 0; repeat < 2000; ++repeat) {
    const int n = static_cast<int>(random() % 17);
    // Exactly as long as it says: what looks beyond the end is found by a sanitizer.
    std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs(static_cast<std::size_t>(n));
    for (auto& pair : pairs) pair = {static_cast<std::uint32_t>(random() % 4) - 2, static_cast<std::uint32_t>(random() % 3) << 30};
    const auto wanted = std::pair{static_cast<std::uint32_t>(random() % 4) - 2, static_cast<std::uint32_t>(random() % 3) << 30};
    const auto expected = std::find(pairs.begin(), pairs.end(), wanted) - pairs.begin();
    const int found = BitOps::index_of_pair(pairs.data(), n, wanted.first, wanted.second);
    if (expected < n) ASSERT_EQ(found, expected);
    else ASSERT_GE(found, n);
  }
}
TEST(BitOps, FindTheFirstPair) {
  find_pairs<ScalarBits>();
  find_pairs<NativeBits>();
}

}  // namespace
}  // namespace spinel
