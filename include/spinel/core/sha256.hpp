// SPDX-License-Identifier: Apache-2.0
// SHA-256 over bytes, for the audit chain. Constant memory, no heap; one pass. Source: FIPS 180-4, section 6.2.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <spinel/core/span.hpp>

namespace spinel {

/// Incremental SHA-256. `update` any number of times, then `finish` once.
class Sha256 {
 public:
  using Digest = std::array<std::uint8_t, 32>;

  constexpr void update(std::string_view text) noexcept {
    for (const char c : text) put(static_cast<std::uint8_t>(c));
  }
  constexpr void update(Span<const std::uint8_t> bytes) noexcept {
    for (const auto byte : bytes) put(byte);
  }
  constexpr Digest finish() noexcept {
    const std::uint64_t bits = 8 * length_;
    put(0x80);
    while (used_ != 56) put(0);
    for (int k = 7; k >= 0; --k) put(static_cast<std::uint8_t>(bits >> (8 * k)));
    Digest digest{};
    for (std::size_t k = 0; k < 32; ++k) digest[k] = static_cast<std::uint8_t>(state_[k / 4] >> (24 - 8 * (k % 4)));
    return digest;
  }

 private:
  constexpr void put(std::uint8_t byte) noexcept {
    block_[used_++] = byte;
    ++length_;
    if (used_ == 64) compress();
  }
  constexpr void compress() noexcept {
    constexpr std::uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
        0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
        0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
        0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
        0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
        0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
    std::uint32_t w[64]{};
    for (std::size_t t = 0; t < 16; ++t)
      w[t] = std::uint32_t{block_[4 * t]} << 24 | std::uint32_t{block_[4 * t + 1]} << 16 | std::uint32_t{block_[4 * t + 2]} << 8 | std::uint32_t{block_[4 * t + 3]};
    for (std::size_t t = 16; t < 64; ++t) {
      const auto s0 = std::rotr(w[t - 15], 7) ^ std::rotr(w[t - 15], 18) ^ (w[t - 15] >> 3);
      const auto s1 = std::rotr(w[t - 2], 17) ^ std::rotr(w[t - 2], 19) ^ (w[t - 2] >> 10);
      w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
    auto v = state_;
    for (std::size_t t = 0; t < 64; ++t) {
      const auto s1 = std::rotr(v[4], 6) ^ std::rotr(v[4], 11) ^ std::rotr(v[4], 25);
      const auto t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[t] + w[t];
      const auto s0 = std::rotr(v[0], 2) ^ std::rotr(v[0], 13) ^ std::rotr(v[0], 22);
      const auto t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
      for (std::size_t j = 7; j > 0; --j) v[j] = v[j - 1];
      v[4] += t1;
      v[0] = t1 + t2;
    }
    for (std::size_t j = 0; j < 8; ++j) state_[j] += v[j];
    used_ = 0;
  }

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::uint8_t, 64> block_{};
  std::size_t used_ = 0;
  std::uint64_t length_ = 0;
};

/// Digest as 64 lower-case hexadecimal characters.
constexpr std::array<char, 64> to_hex(const Sha256::Digest& digest) noexcept {
  constexpr char digits[] = "0123456789abcdef";
  std::array<char, 64> text{};
  for (std::size_t k = 0; k < 32; ++k) {
    text[2 * k] = digits[digest[k] >> 4];
    text[2 * k + 1] = digits[digest[k] & 15];
  }
  return text;
}

}  // namespace spinel
