// SPDX-License-Identifier: Apache-2.0
// Where the events of a shot with lowered edges can be met: at their own checks and at satellites, checks that a lowered edge
// makes nearer than the tables know. Who is near a check is read off the tables, as the bits of events and satellites around it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <spinel/core/arena.hpp>
#include <spinel/core/config.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_tables.hpp>

namespace spinel::detail {

template <class Layout, class Events, class BitOps>
class LatticePlaces {
 public:
  using Sizes = LatticeSizes<Layout>;
  using Tables = LatticeTables<Layout>;
  static constexpr std::int32_t none = -1;
  static constexpr std::size_t n_places_max(std::size_t n_leaves) noexcept { return 24 * n_leaves + 1024; }
  /// Where an event's reach begins: at its own check (places [0, n_events)) or at a satellite.
  struct Place {
    MarkedDistance head_start = 0;
    std::int32_t id = 0;
    std::int32_t next_here = none;
    std::int32_t next_of_owner = none;
    std::int32_t owner = 0;
  };

  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    const auto n = static_cast<std::size_t>(layout.n_detectors());
    n_max_ = static_cast<std::int32_t>(n_places_max(n));
    first_at_.lay_out(static_cast<std::size_t>(layout.n_ids()), arena);
    places_.lay_out(n_places_max(n), arena);
    first_of_.lay_out(n, arena);
    satellite_bits_.lay_out(static_cast<std::size_t>(layout.n_words()), arena);
    tall_bits_.lay_out(static_cast<std::size_t>(layout.n_words()), arena);
  }
  void clear(const Layout& layout) noexcept {
    for (int k = 0; k < layout.n_words(); ++k) satellite_bits_[k] = tall_bits_[k] = 0;
  }
  /// Begins with the events' own checks.
  void begin(const Tables& tables, Events& events) noexcept {
    tables_ = &tables;
    events_ = &events;
    n_ = events.n_events;
    n_tall_ = 0;
    for (std::int32_t k = 0; k < n_; ++k) {
      places_[k] = {0, events.ids[k], none, none, k};
      first_at_[events.ids[k]] = k;
      first_of_[k] = none;
    }
  }
  /// Takes the satellites out of the events' bits.
  void end() noexcept {
    if (n_tall_ > 0)
      for (std::int32_t p = 0; p < n_; ++p) tall_bits_[static_cast<unsigned>(places_[p].id) / 64] = 0;
    for (std::int32_t p = events_->n_events; p < n_; ++p) {
      const unsigned word = static_cast<unsigned>(places_[p].id) / 64;
      events_->bits[word] = 0;
      satellite_bits_[word] = 0;
    }
  }

  Place& operator[](std::int32_t p) noexcept { return places_[p]; }
  const Place& operator[](std::int32_t p) const noexcept { return places_[p]; }
  bool has_satellites() const noexcept { return n_ > events_->n_events; }
  /// Of the places at a check, linked by `next_here`; the event itself is the last.
  std::int32_t first_at(int id) const noexcept { return events_->has_event(id) ? first_at_[id] : none; }
  /// Of a leaf's satellites, linked by `next_of_owner`.
  std::int32_t first_of(std::int32_t leaf) const noexcept { return first_of_[leaf]; }
  /// `none` where there is no room for another.
  std::int32_t add_satellite(std::int32_t leaf, std::int32_t id, MarkedDistance head_start) noexcept {
    if (n_ == n_max_) return none;
    const auto at = static_cast<std::uint32_t>(id);
    places_[n_] = {head_start, id, first_at(id), first_of_[leaf], leaf};
    events_->bits[at / 64] |= std::uint64_t{1} << (at % 64);
    satellite_bits_[at / 64] |= std::uint64_t{1} << (at % 64);
    first_at_[id] = n_;
    first_of_[leaf] = n_;
    return n_++;
  }

  const std::uint64_t* satellite_bits() const noexcept { return satellite_bits_; }
  /// Of places of events whose radius exceeds half the near table's.
  const std::uint64_t* tall_bits() const noexcept { return tall_bits_; }
  void mark_tall(std::int32_t p) noexcept {
    const auto at = static_cast<std::uint32_t>(places_[p].id);
    tall_bits_[at / 64] |= std::uint64_t{1} << (at % 64);
    if (n_tall_ < n_tall_max) tall_ids_[n_tall_] = places_[p].id;
    ++n_tall_;
  }
  /// Whether a tall place may be within the window: mostly there are few of them, and none.
  bool any_tall_near(int id) const noexcept {
    if (n_tall_ > n_tall_max) return true;
    bool any = false;
    for (std::int32_t k = 0; k < n_tall_; ++k)
      any |= static_cast<unsigned>(tall_ids_[k] - id + tall_reach) <= 2u * tall_reach;
    return any;
  }
  void mark_all_tall(std::int32_t leaf) noexcept {
    mark_tall(leaf);
    for (std::int32_t p = first_of_[leaf]; p != none; p = places_[p].next_of_owner) mark_tall(p);
  }

  /// `visit(id, marked)` for the bits nearer than `radius`, at most the window table's. `id` itself is not among them.
  template <class Visit>
  void scan(const std::uint64_t* bits, int id, std::int32_t radius, Visit&& visit) const noexcept {
    const LayerWindows<Layout> around(bits, id - window_reach);
    if (radius <= tables_->radius[0]) {
      const NearTable& near = tables_->near[tables_->near_of[id]];
      std::uint64_t slots = around.template slots<BitOps>(near);
      for (slots &= 0xffff; slots != 0; slots &= slots - 1) {
        const unsigned rank = near.rank[std::countr_zero(slots)];
        if (distance_of(near.distance[rank]) < radius) visit(id + near.offset[rank], near.distance[rank]);
      }
      return;
    }
    const WindowTable& window = tables_->window[tables_->window_of[id]];
    for (std::uint64_t slots = around.template slots<BitOps>(window); slots != 0; slots &= slots - 1) {
      const std::uint32_t slot = window.begin + static_cast<std::uint32_t>(std::countr_zero(slots));
      if (distance_of(tables_->window_distance[slot]) < radius)
        visit(id + tables_->window_offset[slot], tables_->window_distance[slot]);
    }
  }

  /// `visit(distance with both head starts, owner)` for the places nearer than `radius` to `place`, that check included.
  template <class Visit>
  void for_places_near(const std::uint64_t* bits, const Place& place, std::int32_t radius, Visit&& visit) const noexcept {
    const auto at = [&](int id, MarkedDistance marked) {
      for (std::int32_t p = first_at_[id]; p != none; p = places_[p].next_here)
        visit(sum_of(marked, places_[p].head_start), places_[p].owner);
    };
    at(place.id, place.head_start);
    if (radius > tables_->lightest)
      scan(bits, place.id, radius, [&](int id, MarkedDistance marked) { at(id, sum_of(marked, place.head_start)); });
  }

 private:
  static constexpr int n_tall_max = 64, tall_reach = 2 * Layout::layer_stride + window_reach;

  const Tables* tables_ = nullptr;
  Events* events_ = nullptr;
  std::int32_t n_ = 0, n_max_ = 0;
  std::int32_t n_tall_ = 0, tall_ids_[n_tall_max];
  LatticeArray<std::int32_t, Sizes::ids> first_at_;  ///< by id, where a bit is set
  LatticeArray<Place, Sizes::of(n_places_max(Sizes::detectors))> places_;
  LatticeArray<std::int32_t, Sizes::detectors> first_of_;
  LatticeArray<std::uint64_t, Sizes::words> satellite_bits_;
  LatticeArray<std::uint64_t, Sizes::words> tall_bits_;
};

}  // namespace spinel::detail
