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
    for (int id = 0; id < layout.n_ids(); ++id) first_at_[id] = none;
  }
  /// Begins with the events' own checks.
  void begin(const Tables& tables, Events& events) noexcept {
    tables_ = &tables;
    events_ = &events;
    n_ = events.n_events;
    n_tall_ = 0;
    for (std::int32_t& id : tall_ids_) id = nowhere;
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
  std::int32_t n_places() const noexcept { return n_; }
  /// Of the places at a check, linked by `next_here`; the event itself is the last.
  std::int32_t first_at(int id) const noexcept { return events_->has_event(id) ? first_at_[id] : none; }
  /// The first of the places at a check, or, where there is none, any place. (There is no branch in this, nor in the next.)
  const Place& first_or_any(int id) const noexcept {
    return places_[first_at_[id] & -static_cast<std::int32_t>(events_->has_event(id))];
  }
  /// Whether the first place at a check is the leaf's own, and no further than `marked`.
  bool first_is(std::int32_t leaf, int id, MarkedDistance marked) const noexcept {
    const Place& place = first_or_any(id);
    const bool is_there = events_->has_event(id);
    return is_there & (place.owner == leaf) & (distance_of(place.head_start) <= distance_of(marked));
  }
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
    // Sixteen at a time: the others are nowhere.
    bool any = false;
    for (std::int32_t begin = 0; begin < n_tall_; begin += 16)
      for (std::int32_t k = begin; k < begin + 16; ++k) any |= static_cast<unsigned>(tall_ids_[k] - id + tall_reach) <= 2u * tall_reach;
    return any;
  }
  void mark_all_tall(std::int32_t leaf) noexcept {
    mark_tall(leaf);
    for (std::int32_t p = first_of_[leaf]; p != none; p = places_[p].next_of_owner) mark_tall(p);
  }

  /// The bits around a check that are set, as slots of a table.
  struct Slots {
    std::uint64_t slots;
    const std::int16_t* offset;
    const MarkedDistance* distance;
  };
  Slots near_slots(const std::uint64_t* bits, int id) const noexcept {
    const NearTable& near = tables_->near[tables_->near_of[id]];
    return {LayerWindows<Layout>(bits, id - window_reach).template slots<BitOps>(near), near.offset, near.distance};
  }
  Slots window_slots(const std::uint64_t* bits, int id) const noexcept {
    const WindowTable& window = tables_->window[tables_->window_of[id]];
    return {LayerWindows<Layout>(bits, id - window_reach).template slots<BitOps>(window), &tables_->window_offset[window.begin],
            &tables_->window_distance[window.begin]};
  }

  /// All that are nearer than `reach`, at most the window table's radius, and maybe others.
  Slots slots_within(const std::uint64_t* bits, int id, std::int32_t reach) const noexcept {
    return reach <= tables_->radius[0] ? near_slots(bits, id) : window_slots(bits, id);
  }

  // == Looks from several places at once ==
  static constexpr int n_looks_max = 16;
  /// A place that looks around itself, as far as others are nearer than `limit` to the place's owner.
  struct Look {
    const std::int16_t* offset;
    const MarkedDistance* distance;
    std::int32_t id;
    MarkedDistance head_start;
    std::int32_t limit;
    std::int32_t tag;
  };
  bool has_room_for_looks() const noexcept { return n_looks_ <= n_looks_max - 2 && n_met_ < n_looks_max; }
  void add_look(const Slots& around, std::int32_t id, MarkedDistance head_start, std::int32_t limit, std::int32_t tag) noexcept {
    n_hits_ += BitOps::positions(around.slots, static_cast<unsigned>(64 * n_looks_), hits_ + n_hits_);
    looks_[n_looks_++] = {around.offset, around.distance, id, head_start, limit, tag};
  }
  /// Of all looks that were added: `visit(look, id, distance with the head start)` for the bits that they see.
  template <class Visit>
  void for_hits(Visit&& visit) noexcept {
    for (int k = 0; k < n_hits_; ++k) {
      const Look& look = looks_[hits_[k] / 64];
      const int slot = hits_[k] % 64;
      visit(look, look.id + look.offset[slot], sum_of(look.head_start, look.distance[slot]));
    }
    n_looks_ = n_hits_ = 0;
  }
  static constexpr int n_met_max = n_looks_max * (64 + 1);
  /// Of the places that all looks see: `visit(distance with both head starts, owner, whether nearer than the limit, tag)`, and
  /// `then(whether that was all)` after at most `n_met_max` of them.
  template <class Visit, class Then>
  void for_looks(Visit&& visit, Then&& then) noexcept {
    int n = n_met_;
    for_hits([&](const Look& look, int id, MarkedDistance marked) {
      met_[n] = {marked, first_at_[id], look.limit, look.tag};
      n += distance_of(marked) < look.limit;
    });
    // Mostly there is one place at a check; those that have more come again.
    while (n > 0) {
      int n_more = 0;
      for (int k = 0; k < n; ++k) {
        const Met met = met_[k];
        const Place& place = places_[met.place];
        const MarkedDistance marked = sum_of(met.marked, place.head_start);
        visit(marked, place.owner, distance_of(marked) < met.limit, met.tag);
        met_[n_more] = {met.marked, place.next_here, met.limit, met.tag};
        n_more += place.next_here != none;
      }
      n = n_more;
      then(n == 0);
    }
    n_met_ = 0;
  }
  /// The places at the check itself are met as well.
  void add_met(std::int32_t id, MarkedDistance head_start, std::int32_t limit, std::int32_t tag) noexcept {
    met_[n_met_++] = {head_start, first_at_[id], limit, tag};
  }

 private:
  struct Met {
    MarkedDistance marked;
    std::int32_t place, limit, tag;
  };
  static constexpr int n_tall_max = 64, tall_reach = 2 * Layout::layer_stride + window_reach, nowhere = -(1 << 30);

  const Tables* tables_ = nullptr;
  Events* events_ = nullptr;
  std::int32_t n_ = 0, n_max_ = 0;
  std::int32_t n_tall_ = 0, tall_ids_[n_tall_max];
  std::int32_t n_looks_ = 0, n_hits_ = 0, n_met_ = 0;
  Look looks_[n_looks_max];
  std::uint16_t hits_[(n_looks_max + 1) * 64];
  Met met_[n_met_max];
  LatticeArray<std::int32_t, Sizes::ids> first_at_;  ///< by id, where a bit is set
  LatticeArray<Place, Sizes::of(n_places_max(Sizes::detectors))> places_;
  LatticeArray<std::int32_t, Sizes::detectors> first_of_;
  LatticeArray<std::uint64_t, Sizes::words> satellite_bits_;
  LatticeArray<std::uint64_t, Sizes::words> tall_bits_;
};

}  // namespace spinel::detail
