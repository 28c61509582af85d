// SPDX-License-Identifier: Apache-2.0
// Fills the far tier of the lattice matcher's tables: cuts what is around a place into parts of one layer, stores every part
// and every list of parts once. Near the ends of an experiment only the parts towards the end differ from the middle's.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/status.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_surroundings.hpp>
#include <spinel/match/lattice_tables.hpp>

namespace spinel::detail {

/// Numbers what is stored once: looks up by content what has a number already. Open addressing in memory for twice as many.
class ContentNumbers {
 public:
  void lay_out(std::size_t capacity, Arena& arena) noexcept {
    n_slots_ = std::bit_ceil(2 * capacity + 2);
    slots_ = arena.take_raw<Slot>(n_slots_);
  }
  void clear() noexcept {
    for (std::size_t k = 0; k < n_slots_; ++k) slots_[k] = {};
  }
  /// The number of what has this hash and for which `same(number)`; otherwise `next`, which it remembers.
  template <class Same>
  std::size_t number(std::uint64_t hash, std::size_t next, Same&& same) noexcept {
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    for (std::size_t at = hash & (n_slots_ - 1);; at = (at + 1) & (n_slots_ - 1)) {
      Slot& slot = slots_[at];
      if (slot.number_and_1 == 0) {
        slot = {tag, static_cast<std::uint32_t>(next + 1)};
        return next;
      }
      if (slot.tag == tag && same(slot.number_and_1 - 1)) return slot.number_and_1 - 1;
    }
  }

  static void mix(std::uint64_t& hash, std::uint64_t word) noexcept {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
  }

 private:
  struct Slot {
    std::uint32_t tag = 0;
    std::uint32_t number_and_1 = 0;
  };
  Slot* slots_ = nullptr;
  std::size_t n_slots_ = 0;
};

/// Working memory of set-up.
template <class Layout>
class LatticeFarBuilder {
 public:
  using Tables = LatticeTables<Layout>;
  using Around = LatticeSurroundings<Layout>;

  /// `builder` is null while sizes are counted.
  static void lay_out(LatticeFarBuilder* builder, const LatticeCapacity& capacity, Arena& arena) noexcept {
    ContentNumbers lists, parts;
    lists.lay_out(capacity.far, arena);
    parts.lay_out(capacity.far_parts, arena);
    if (builder == nullptr) return;
    builder->list_numbers_ = lists;
    builder->part_numbers_ = parts;
  }
  void clear(Tables& tables) noexcept {
    tables.n_far = tables.n_far_places = tables.n_far_parts = tables.n_far_slots = 0;
    list_numbers_.clear();
    part_numbers_.clear();
    is_full_ = false;
  }
  /// Whether something did not fit.
  bool is_full() const noexcept { return is_full_; }

  /// Who is in the far tiers of `lane`, one after the other, as parts of at most `part_bits` bits.
  Status cut(const Around& around, int lane, Tables& tables) noexcept {
    auto& parts = parts_[lane];
    parts.n = 0;
    if (!cut(around, lane, tables, Tables::far_tier - 1)) return Status::out_of_capacity;
    parts.n_first = parts.n;
    return cut(around, lane, tables, Tables::far_tier) ? Status::ok : Status::out_of_capacity;
  }
  /// Whether `owner`'s parts, read at `other`'s layer, are `other`'s: what is missing there must not exist there.
  bool serves(const Around& around, int type, int owner, int other) const noexcept {
    const auto &mine = parts_[owner], &wanted = parts_[other];
    int b = 0;
    for (int a = 0; a < mine.n; ++a) {
      if (b < wanted.n && same(mine.place[a], wanted.place[b])) ++b;
      else if (around.exists(type, other, mine.layers[a])) return false;
    }
    return b == wanted.n;
  }
  int emit(int lane, Tables& tables) noexcept {
    const auto& parts = parts_[lane];
    const auto n = static_cast<std::size_t>(parts.n);
    if (tables.n_far == tables.capacity.far || tables.n_far_places + n > tables.capacity.far_places) {
      is_full_ = true;
      return -1;
    }
    std::uint64_t hash = n;
    for (int k = 0; k < parts.n; ++k)
      ContentNumbers::mix(hash, static_cast<std::uint64_t>(static_cast<std::uint16_t>(parts.place[k].offset)) << 16 | parts.place[k].part);
    const std::size_t number = list_numbers_.number(hash, tables.n_far, [&](std::size_t known) {
      const FarTable& list = tables.far[known];
      if (list.end - list.begin != n) return false;
      for (std::size_t k = 0; k < n; ++k)
        if (!same(tables.far_places[list.begin + k], parts.place[k])) return false;
      return true;
    });
    if (number < tables.n_far) return static_cast<int>(number);
    const auto begin = static_cast<std::uint32_t>(tables.n_far_places);
    for (int k = 0; k < parts.n; ++k) tables.far_places[tables.n_far_places++] = parts.place[k];
    tables.far[tables.n_far] = {begin, begin + static_cast<std::uint32_t>(parts.n_first), static_cast<std::uint32_t>(tables.n_far_places)};
    return static_cast<int>(tables.n_far++);
  }

 private:
  static constexpr int part_bits = Tables::far_part_bits, most_parts = Tables::most_far_parts;
  struct Parts {
    int n, n_first;
    FarPlace place[2 * most_parts];
    std::int8_t layers[2 * most_parts];
  };

  bool cut(const Around& around, int lane, Tables& tables, int tier) noexcept {
    auto& parts = parts_[lane];
    FarPart part;
    int layers = 0, start = 0;
    std::uint64_t hash = 0;
    int n = 0;
    const auto close = [&] {
      if (n == 0) return true;
      const int number = emit_part(part, n, hash, tables);
      parts.layers[parts.n] = static_cast<std::int8_t>(layers);
      parts.place[parts.n++] = {static_cast<std::int16_t>(layers * Layout::layer_stride + start), static_cast<std::uint16_t>(number)};
      n = 0;
      return number >= 0;
    };
    for (const auto& place : around) {
      const auto marked = static_cast<MarkedDistance>(place.from[lane]);
      if (distance_of(marked) < tables.radius[tier - 1] || distance_of(marked) >= tables.radius[tier]) continue;
      if (n == 0 || place.layers != layers || place.positions - start >= part_bits) {
        if (!close()) return false;
        layers = place.layers;
        start = place.positions;
        part = {};
        hash = 0;
      }
      part.mask |= std::uint64_t{1} << (place.positions - start);
      distances_[n++] = marked;
      ContentNumbers::mix(hash, static_cast<std::uint64_t>(place.positions - start) << 32 | marked);
    }
    return close();
  }
  int emit_part(FarPart& part, int n_distances, std::uint64_t hash, Tables& tables) noexcept {
    const auto n = static_cast<std::size_t>(n_distances);
    if (tables.n_far_parts == tables.capacity.far_parts || tables.n_far_slots + n > tables.capacity.far_slots) {
      is_full_ = true;
      return -1;
    }
    const std::size_t number = part_numbers_.number(hash, tables.n_far_parts, [&](std::size_t k) {
      return tables.far_parts[k].mask == part.mask && spinel::equal(distances_, distances_ + n, &tables.far_distance[tables.far_parts[k].begin]);
    });
    if (number < tables.n_far_parts) return static_cast<int>(number);
    part.begin = static_cast<std::uint32_t>(tables.n_far_slots);
    spinel::copy_n(distances_, n, &tables.far_distance[tables.n_far_slots]);
    tables.n_far_slots += n;
    tables.far_parts[tables.n_far_parts] = part;
    return static_cast<int>(tables.n_far_parts++);
  }
  static bool same(const FarPlace& a, const FarPlace& b) noexcept { return a.offset == b.offset && a.part == b.part; }

  bool is_full_ = false;
  MarkedDistance distances_[part_bits];
  Parts parts_[Around::n_lanes];
  ContentNumbers list_numbers_, part_numbers_;
};

}  // namespace spinel::detail
