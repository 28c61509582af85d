// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>
#include <span>
#include <spinel/core/arena.hpp>
#include <spinel/core/bits.hpp>
#include <spinel/core/fixed_vector.hpp>
#include <vector>

namespace {

template <std::size_t n>
void expect_round_trip(std::mt19937_64& random) {
  std::uint8_t bytes[(n + 7) / 8];
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  spinel::Bits<n> bits;
  bits.load_b8(bytes);
  std::size_t expected_count = 0;
  for (std::size_t k = 0; k < n; ++k) {
    const bool expected = (bytes[k / 8] >> (k % 8)) & 1;
    EXPECT_EQ(bits[k], expected) << "bit " << k << " of " << n;
    expected_count += expected;
  }
  EXPECT_EQ(bits.count(), expected_count);
  EXPECT_EQ(bits.parity(), expected_count % 2 == 1);
  std::vector<std::size_t> visited;
  spinel::for_each_set_bit(bits.words, [&](std::size_t k) { visited.push_back(k); });
  EXPECT_EQ(visited.size(), expected_count);
  for (const auto k : visited) EXPECT_TRUE(bits[k]);
  std::uint8_t stored[(n + 7) / 8];
  bits.store_b8(stored);
  for (std::size_t b = 0; b + 1 < sizeof(bytes); ++b) EXPECT_EQ(stored[b], bytes[b]);
  if (n % 8 != 0) {
    EXPECT_EQ(stored[sizeof(bytes) - 1], bytes[sizeof(bytes) - 1] & ((1u << (n % 8)) - 1)) << "stray bits are dropped";
  }
}

TEST(Bits, AgreeWithStimB8ForEveryTailLength) {
  std::mt19937_64 random(7);
  for (int repeat = 0; repeat < 20; ++repeat) {
    expect_round_trip<1>(random);
    expect_round_trip<8>(random);
    expect_round_trip<24>(random);
    expect_round_trip<63>(random);
    expect_round_trip<64>(random);
    expect_round_trip<65>(random);
    expect_round_trip<720>(random);
    expect_round_trip<2185>(random);
  }
}

TEST(Bits, SetFlipAssign) {
  spinel::Bits<70> bits;
  bits.set(69);
  bits.flip(0);
  bits.assign(69, false);
  bits.assign(1, true);
  EXPECT_EQ(bits.words[0], 3u);
  EXPECT_EQ(bits.words[1], 0u);
}

TEST(FixedVector, RefusesToGrowPastItsCapacity) {
  spinel::FixedVector<int, 2> items;
  EXPECT_TRUE(items.push_back(1));
  EXPECT_TRUE(items.push_back(2));
  EXPECT_FALSE(items.push_back(3));
  EXPECT_EQ(items.size(), 2u);
  EXPECT_EQ(items.back(), 2);
}

TEST(Arena, CountsThenLaysOutTheSame) {
  const auto lay_out = [](spinel::Arena& arena) {
    arena.take<std::uint8_t>(3);
    return arena.take<std::uint64_t>(9);
  };
  spinel::Arena counter;
  lay_out(counter);
  std::vector<std::byte> memory(counter.used() + spinel::Arena::alignment);
  spinel::Arena arena{std::span(memory).subspan(1)};
  const auto words = lay_out(arena);
  EXPECT_FALSE(arena.overflowed());
  ASSERT_EQ(words.size(), 9u);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(words.data()) % spinel::Arena::alignment, 0u);
  spinel::Arena small{std::span(memory).first(64)};
  lay_out(small);
  EXPECT_TRUE(small.overflowed());
}

}  // namespace
