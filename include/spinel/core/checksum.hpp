// SPDX-License-Identifier: Apache-2.0
// CRC-32 of the flat file formats (weights blob, audit log): reflected polynomial 0xEDB88320, as in IEEE 802.3 and zlib.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <spinel/core/span.hpp>

namespace spinel {

namespace detail {

inline constexpr auto crc32_tables = [] {
  std::array<std::array<std::uint32_t, 256>, 4> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) remainder = (remainder >> 1) ^ ((remainder & 1u) != 0 ? 0xEDB88320u : 0u);
    tables[0][byte] = remainder;
  }
  for (std::size_t byte = 0; byte < 256; ++byte)
    for (std::size_t slice = 1; slice < 4; ++slice) {
      const std::uint32_t previous = tables[slice - 1][byte];
      tables[slice][byte] = (previous >> 8) ^ tables[0][previous & 0xFFu];
    }
  return tables;
}();

}  // namespace detail

/// CRC-32 of `bytes`; pass the result of an earlier call as `previous` to go on where it ended.
constexpr std::uint32_t crc32(Span<const std::byte> bytes, std::uint32_t previous = 0) noexcept {
  const auto& tables = detail::crc32_tables;
  std::uint32_t state = ~previous;
  std::size_t k = 0;
  const auto at = [&](std::size_t index) { return std::to_integer<std::uint32_t>(bytes[index]); };
  for (; k + 4 <= bytes.size(); k += 4) {
    state ^= at(k) | at(k + 1) << 8 | at(k + 2) << 16 | at(k + 3) << 24;
    state = tables[3][state & 0xFFu] ^ tables[2][(state >> 8) & 0xFFu] ^ tables[1][(state >> 16) & 0xFFu] ^ tables[0][state >> 24];
  }
  for (; k < bytes.size(); ++k) state = (state >> 8) ^ tables[0][(state ^ at(k)) & 0xFFu];
  return ~state;
}

}  // namespace spinel
