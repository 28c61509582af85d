// SPDX-License-Identifier: Apache-2.0
// Bit sets of compile-time size, least significant bit first: on a little-endian host the words are Stim's `b8` bytes.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <spinel/core/span.hpp>

namespace spinel {

/// Number of ones. Written out because std::popcount becomes a call into the compiler's run-time library where the
/// baseline instruction set has no such instruction; GCC and Clang turn this form into the instruction where it exists.
constexpr int count_ones(std::uint64_t word) noexcept {
  word -= (word >> 1) & 0x5555555555555555u;
  word = (word & 0x3333333333333333u) + ((word >> 2) & 0x3333333333333333u);
  word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
  return static_cast<int>((word * 0x0101010101010101u) >> 56);
}

/// `n_bits` bits in 64-bit words; bit k is bit k % 64 of word k / 64. Bits past the end are always zero.
template <std::size_t n_bits>
struct Bits {
  static constexpr std::size_t n_words = (n_bits + 63) / 64;
  static constexpr std::size_t n_bytes = (n_bits + 7) / 8;
  std::uint64_t words[n_words == 0 ? 1 : n_words]{};

  static constexpr std::size_t size() noexcept { return n_bits; }
  constexpr bool operator[](std::size_t k) const noexcept { return (words[k >> 6] >> (k & 63)) & 1u; }
  constexpr void set(std::size_t k) noexcept { words[k >> 6] |= std::uint64_t{1} << (k & 63); }
  constexpr void flip(std::size_t k) noexcept { words[k >> 6] ^= std::uint64_t{1} << (k & 63); }
  constexpr void assign(std::size_t k, bool bit) noexcept {
    words[k >> 6] = (words[k >> 6] & ~(std::uint64_t{1} << (k & 63))) | (std::uint64_t{bit} << (k & 63));
  }
  constexpr void clear() noexcept {
    for (auto& word : words) word = 0;
  }
  constexpr std::size_t count() const noexcept {
    std::size_t total = 0;
    for (const auto word : words) total += static_cast<std::size_t>(count_ones(word));
    return total;
  }
  constexpr bool parity() const noexcept {
    std::uint64_t folded = 0;
    for (const auto word : words) folded ^= word;
    return (count_ones(folded) & 1) != 0;
  }
  constexpr Bits& operator^=(const Bits& other) noexcept {
    for (std::size_t w = 0; w < n_words; ++w) words[w] ^= other.words[w];
    return *this;
  }
  friend constexpr bool operator==(const Bits&, const Bits&) = default;

  /// Copies one packed `b8` shot of exactly `n_bytes` bytes; stray bits past the end are dropped.
  void load_b8(const std::uint8_t* bytes) noexcept {
    if constexpr (n_bits > 0) {
      if constexpr (std::endian::native == std::endian::little) {
        words[n_words - 1] = 0;
        std::memcpy(words, bytes, n_bytes);
      } else {
        clear();
        for (std::size_t b = 0; b < n_bytes; ++b) words[b >> 3] |= std::uint64_t{bytes[b]} << (8 * (b & 7));
      }
      if constexpr (n_bits % 64 != 0) words[n_words - 1] &= (std::uint64_t{1} << (n_bits % 64)) - 1;
    }
  }
  /// Writes `n_bytes` bytes of packed `b8`.
  void store_b8(std::uint8_t* bytes) const noexcept {
    for (std::size_t b = 0; b < n_bytes; ++b) bytes[b] = static_cast<std::uint8_t>(words[b >> 3] >> (8 * (b & 7)));
  }
};

/// Bits [first, first + 64) of a packed `b8` shot of `n_bits` bits, (n_bits + 7) / 8 bytes; `first` is a multiple of 64 below n_bits.
/// Those past the end are zero.
inline std::uint64_t load_word(const std::uint8_t* bytes, std::size_t first, std::size_t n_bits) noexcept {
  const std::size_t left = n_bits - first < 64 ? n_bits - first : 64;
  std::uint64_t word = 0;
  if (std::endian::native == std::endian::little && left > 56) {
    std::memcpy(&word, bytes + first / 8, 8);
  } else {
    for (std::size_t b = 0; b < (left + 7) / 8; ++b) word |= std::uint64_t{bytes[first / 8 + b]} << (8 * b);
  }
  return left < 64 ? word & ((std::uint64_t{1} << left) - 1) : word;
}

/// Calls `visit(k)` for every set bit k of `words`, ascending.
template <class Visit>
constexpr void for_each_set_bit(Span<const std::uint64_t> words, Visit&& visit) {
  for (std::size_t w = 0; w < words.size(); ++w)
    for (std::uint64_t left = words[w]; left != 0; left &= left - 1)
      visit(64 * w + static_cast<std::size_t>(std::countr_zero(left)));
}

}  // namespace spinel
