// SPDX-License-Identifier: Apache-2.0
// The hash chain of decisions: each digest covers the one before and the record's bytes, so that an edited, removed or reordered
// record breaks every later link. The header keeps a bounded ring of links; files, fsync and rotation are the program's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <spinel/core/sha256.hpp>
#include <string_view>

namespace spinel::calib {

/// Hexadecimal digest of one link; the chain starts from 64 zeros.
using AuditHash = std::array<char, 64>;

inline constexpr AuditHash audit_genesis = [] {
  AuditHash zero{};
  for (char& c : zero) c = '0';
  return zero;
}();

constexpr std::string_view view(const AuditHash& hash) noexcept { return {hash.data(), hash.size()}; }

/// SHA-256 over the previous link's hexadecimal text and the record's bytes.
constexpr AuditHash audit_link(std::string_view previous, std::string_view record) noexcept {
  Sha256 hash;
  hash.update(previous);
  hash.update(record);
  return to_hex(hash.finish());
}

/// The last `capacity` links of a chain. `append` never fails: the oldest link gives way.
template <std::size_t capacity>
class AuditLog {
 public:
  static_assert(capacity > 0, "an audit log keeps at least one link");

  constexpr const AuditHash& append(std::string_view record) noexcept {
    const AuditHash next = audit_link(view(head()), record);
    links_[sequence_ % capacity] = next;
    return links_[sequence_++ % capacity];
  }
  /// Newest link, the genesis when nothing was appended.
  constexpr const AuditHash& head() const noexcept { return sequence_ == 0 ? audit_genesis : links_[(sequence_ - 1) % capacity]; }
  /// Records appended so far.
  constexpr std::uint64_t sequence() const noexcept { return sequence_; }
  /// True when `record` is what link `sequence` (1: first) was made from; false also when the ring has dropped it.
  constexpr bool matches(std::uint64_t sequence, std::string_view record) const noexcept {
    if (sequence == 0 || sequence > sequence_ || sequence_ - sequence + 2 > capacity + (sequence == 1 ? 1u : 0u)) return false;
    const AuditHash& previous = sequence == 1 ? audit_genesis : links_[(sequence - 2) % capacity];
    return links_[(sequence - 1) % capacity] == audit_link(view(previous), record);
  }

 private:
  std::array<AuditHash, capacity> links_{};
  std::uint64_t sequence_ = 0;
};

}  // namespace spinel::calib
