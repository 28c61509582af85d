// SPDX-License-Identifier: Apache-2.0
// The containers and the arena that every engine stands on, instantiated for footprint.py.
#include <span>

#include <spinel/core/arena.hpp>
#include <spinel/core/bits.hpp>
#include <spinel/core/fixed_vector.hpp>
#include <spinel/core/status.hpp>

std::size_t decoder_footprint_core(std::span<std::byte> memory, const std::uint8_t* shot) {
  spinel::Arena arena{memory};
  const auto counts = arena.take<std::uint32_t>(720);
  spinel::Bits<720> bits;
  bits.load_b8(shot);
  spinel::FixedVector<std::size_t, 64> first;
  spinel::for_each_set_bit(bits.words, [&](std::size_t k) {
    if (k < counts.size()) ++counts[k];
    first.push_back(k);
  });
  return first.size() + bits.count();
}
