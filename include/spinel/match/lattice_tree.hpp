// SPDX-License-Identifier: Apache-2.0
// The lattice matcher's search: one alternating tree at a time between detection events, whose distances come from the
// lattice tables tier by tier. Every plus leaf caches its next event; a leaf may grow only to half the radius within which it
// knows all others, so nothing is ever assumed. Source: Edmonds' blossom algorithm with duals as radii (arXiv:2303.15933 for
// the picture); tiers with symmetric insertion, time-shifted duals and cached events are this library's own way to run it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>

#include <spinel/core/bits.hpp>
#include <spinel/core/config.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_tables.hpp>

namespace spinel::detail {

/// State of one shot. Items [0, n_detectors) are events (leaves), those above are blossoms.
template <MemoryExperiment experiment, class BitOps>
class LatticeTree {
 public:
  using Layout = LatticeLayout<experiment>;
  using Tables = LatticeTables<experiment>;
  using Index = typename Layout::Index;
  static constexpr Index unmatched = -1;
  static constexpr Index to_boundary = -2;
  static constexpr Index explore_further = -3;
  static constexpr int n_leaves_max = Layout::n_detectors;

  enum class Label : std::int8_t { outside, plus, minus };

  /// From leaf u to leaf v (or one of the constants above).
  struct Link {
    MarkedDistance path = 0;
    Index u = unmatched;
    Index v = unmatched;
    Link reversed() const noexcept { return {path, v, u}; }
  };
  /// A leaf's `radius` is its dual variable with its share of all blossoms around it; a blossom's is its own dual variable.
  /// While a tree grows, plus leaves store it minus the time, minus leaves plus the time, blossoms the other way round.
  struct Item {
    std::int32_t radius = 0;
    Index top = 0;
    Index parent = -1;
    Link match;
    Link tree;  ///< of a minus item: from the plus leaf that reached it
    Label label = Label::outside;
    std::int8_t tier = 0;
    bool touched = false;
  };

  LatticeTree() noexcept {
    for (auto& word : bits) word = 0;
    for (auto& event : event_at) event = 0;
    event_at[0] = static_cast<Index>(n_leaves_max);
    for (int k = 0; k < n_items; ++k) restore(static_cast<Index>(k));
  }

  Item& item(Index id) noexcept { return items_[static_cast<std::size_t>(id)]; }
  const Item& item(Index id) const noexcept { return items_[static_cast<std::size_t>(id)]; }
  static bool is_blossom(Index id) noexcept { return id >= n_leaves_max; }
  Item& top_of(Index leaf) noexcept { return item(item(leaf).top); }

  /// Prepares for a shot whose events are already in `bits`, `ids`, `event_at`, `n_events`.
  void begin() noexcept {
    n_touched_ = 0;
    n_blossoms_ = n_free_blossoms_ = 0;
    n_candidates_ = 0;
    without_lists_ = false;
  }

  /// Grows a tree from unmatched leaf `root`'s top item until it is matched, or gives up (duals stay feasible) where more than
  /// `max_items` items would take part.
  void search(const Tables& tables, LatticeSearch<experiment>& paths, Index root, int max_items) noexcept {
    tables_ = &tables;
    paths_ = &paths;
    n_plus_ = n_minus_ = n_growing_ = 0;
    now_ = 0;
    bool minus_blossoms = false;
    const Index root_item = item(root).top;
    plus_[n_plus_++] = root_item;
    item(root_item).label = Label::plus;
    int size = 1;
    for_leaves(root_item, [&](Index leaf) {
      touch(leaf);
      grow_leaf(leaf);
    });
    look_ahead_from(0);
    while (true) {
      const int first = BitOps::index_of_least(time_, n_growing_);
      std::int32_t time = time_[first];
      if (minus_blossoms) {
        Index shrunk = -1;
        for (int k = 0; k < n_minus_; ++k)
          if (is_blossom(minus_[k]) && item(minus_[k]).radius < time) {
            shrunk = minus_[k];
            time = item(shrunk).radius;
          }
        if (shrunk >= 0) {
          now_ = time;
          expand_blossom(shrunk);
          look_ahead_from(0);
          continue;
        }
      }
      now_ = time;
      const Link link = next_[first];
      if (link.v == to_boundary) {
        augment(item(link.u).top, link);
        break;
      }
      if (link.v == explore_further) {
        look_ahead(first);
        continue;
      }
      const Index other = item(link.v).top;
      Item& met = item(other);
      // Cached when it was true; what it meets may have changed since, but never to something earlier.
      const std::int32_t slack = distance_of(link.path) - item(link.u).radius - item(link.v).radius;
      const std::int32_t still = met.label == Label::plus ? slack >> 1 : slack;
      if (other == item(link.u).top || met.label == Label::minus || still > now_) {
        look_ahead(first);
        continue;
      }
      if (met.label == Label::plus) {
        form_blossom(link);
        look_ahead(first);
        continue;
      }
      if (met.match.v < 0) {  // unmatched, or matched to the boundary, which it leaves
        for_leaves(other, [&](Index leaf) { touch(leaf); });
        augment(item(link.u).top, link);
        met.match = link.reversed();
        break;
      }
      if (size + 2 > max_items) break;
      size += 2;
      minus_blossoms |= is_blossom(other);
      const int before = n_growing_;
      grow(other, link);
      look_ahead_from(before);
      look_ahead(first);
    }
    settle();
  }

  /// Calls `visit(blossom, dual variable, leaves)` for every blossom that exists.
  template <class Visit>
  void for_blossoms(Visit&& visit) noexcept {
    for (int k = 0; k < n_blossoms_; ++k)
      if (leaf_count_[k] > 0) visit(static_cast<Index>(n_leaves_max + k), leaf_count_[k]);
  }
  bool has_blossoms() const noexcept { return n_blossoms_ > 0; }

  /// Turns the matching of blossoms into one of leaves: around its ring, the children other than the one that is matched
  /// outside are matched in pairs.
  void resolve_blossoms() noexcept {
    int n = 0;
    Link* tasks = climbed_link_[0];  // u: the leaf matched outside, v: the item
    for_blossoms([&](Index id, int) {
      if (item(id).parent >= 0) return;
      const Link match = item(id).match;
      item(match.u).match = match;
      tasks[n++] = {0, match.u, id};
    });
    while (n > 0) {
      const Link task = tasks[--n];
      const Index base = child_with(task.u, task.v);
      if (is_blossom(base)) tasks[n++] = {0, task.u, base};
      for (Index left = ring_next(base); left != base;) {
        const Link link = ring_link(left);
        const Index right = ring_next(left);
        item(link.u).match = link;
        item(link.v).match = link.reversed();
        if (is_blossom(left)) tasks[n++] = {0, link.u, left};
        if (is_blossom(right)) tasks[n++] = {0, link.v, right};
        left = ring_next(right);
      }
    }
  }

  /// Leaves whose matching or dual variable may differ from the first pairing's.
  int n_touched() const noexcept { return n_touched_; }
  Index touched(int k) const noexcept { return touched_[k]; }

  /// Ends a shot: items look unused again.
  void end() noexcept {
    for (int k = 0; k < n_touched_; ++k) restore(touched_[k]);
    for (int k = 0; k < n_events; ++k) {
      const auto id = static_cast<std::uint32_t>(ids[k]);
      bits[id / 64] = 0;
    }
  }

  // == The events of the shot, written by the matcher ==
  std::uint64_t bits[Layout::n_words];
  Index event_at[Layout::n_ids];  ///< meaningful where a bit is set; entry 0 names an event that is nobody's
  std::int32_t ids[n_leaves_max + 1];
  int n_events = 0;
  /// Sums over untouched leaves: flips (lowest bit) and dual variables.
  MarkedDistance flips = 0;
  std::int64_t weight = 0;

  /// 57 bits from bit `from` on.
  std::uint64_t read(int from) const noexcept {
    std::uint64_t word;
    std::memcpy(&word, reinterpret_cast<const unsigned char*>(bits) + (static_cast<unsigned>(from) >> 3), 8);
    return word >> (from & 7);
  }

 private:
  static constexpr int n_items = Layout::n_items;
  static constexpr int n_candidates_max = 16 * n_leaves_max + 4096;
  struct Candidate {
    MarkedDistance distance;
    Index leaf;
  };
  struct CandidateList {
    std::int32_t begin = 0;
    std::int32_t size = 0;
    std::int32_t capacity = 0;
  };

  void restore(Index id) noexcept {
    Item& fresh = item(id);
    fresh.top = id;
    fresh.parent = -1;
    fresh.match.u = id;
    fresh.label = Label::outside;
    fresh.tier = 0;
    fresh.touched = false;
    if (!is_blossom(id)) lists_[id] = {};
  }
  void touch(Index leaf) noexcept {
    Item& own = item(leaf);
    if (own.touched) return;
    own.touched = true;
    touched_[n_touched_++] = leaf;
    if (own.match.v < leaf) flips ^= own.match.path;
    weight -= own.radius;
  }

  // == Ring structure of blossoms ==
  Index ring_next(Index id) const noexcept { return ring_next_[static_cast<std::size_t>(id)]; }
  const Link& ring_link(Index id) const noexcept { return ring_link_[static_cast<std::size_t>(id)]; }
  Index first_leaf(Index id) const noexcept { return is_blossom(id) ? first_leaf_[id - n_leaves_max] : id; }
  Index last_leaf(Index id) const noexcept { return is_blossom(id) ? last_leaf_[id - n_leaves_max] : id; }
  template <class Visit>
  void for_leaves(Index id, Visit&& visit) noexcept {
    if (!is_blossom(id)) return visit(id);
    const Index last = last_leaf(id);
    for (Index leaf = first_leaf(id);; leaf = next_leaf_[leaf]) {
      visit(leaf);
      if (leaf == last) return;
    }
  }
  Index child_with(Index leaf, Index blossom) const noexcept {
    Index child = leaf;
    while (item(child).parent != blossom) child = item(child).parent;
    return child;
  }
  static void erase(Index* list, int& n, Index id) noexcept {
    for (int k = 0; k < n; ++k)
      if (list[k] == id) {
        list[k] = list[--n];
        return;
      }
  }

  // == Candidates ==
  bool push(Index leaf, Candidate candidate) noexcept {
    CandidateList& list = lists_[leaf];
    if (list.size == list.capacity && !reserve(list, list.size < 8 ? 16 : 2 * list.size)) return false;
    candidates_[list.begin + list.size++] = candidate;
    return true;
  }
  bool reserve(CandidateList& list, std::int32_t capacity) noexcept {
    if (list.capacity >= capacity) return true;
    if (n_candidates_ + capacity > n_candidates_max) {
      without_lists_ = true;
      return false;
    }
    for (std::int32_t k = 0; k < list.size; ++k) candidates_[n_candidates_ + k] = candidates_[list.begin + k];
    list.begin = n_candidates_;
    list.capacity = capacity;
    n_candidates_ += capacity;
    return true;
  }
  /// Makes all events within the next tier's radius known to `leaf`, and from the far tier on `leaf` known to them.
  void explore(Index leaf) noexcept {
    Item& own = item(leaf);
    const int tier = ++own.tier;
    const int id = ids[leaf];
    if (tier == 1) return open_window(leaf, id);
    const auto meet = [&](Index other, MarkedDistance distance) {
      if (item(other).tier >= tier) return;
      touch(other);
      if (push(leaf, {distance, other})) push(other, {distance, leaf});
    };
    if (tier > 2) {
      const std::int32_t from = tables_->radius[tier - 1];
      return paths_->from_within_boundary(*tables_, id, tables_->radius[tier], [&](int met, MarkedDistance distance) {
        if (distance_of(distance) >= from && has_event(met)) meet(event_at[met], distance);
      });
    }
    const FarTable& far = tables_->far[tables_->row(id).far];
    for (std::uint32_t at = far.begin; at < far.end; at += 16) {
      const auto n = static_cast<int>(far.end - at < 16 ? far.end - at : 16);
      for (std::uint32_t hits = BitOps::test_bits(bits, id, &tables_->far_offset[at], n); hits != 0; hits &= hits - 1) {
        const std::uint32_t k = at + static_cast<std::uint32_t>(std::countr_zero(hits));
        meet(event_at[id + tables_->far_offset[k]], tables_->far_distance[k]);
      }
    }
  }
  bool has_event(int id) const noexcept { return (bits[static_cast<unsigned>(id) / 64] >> (static_cast<unsigned>(id) % 64)) & 1; }
  void open_window(Index leaf, int id) noexcept {
    touch(leaf);
    const WindowTable& window = tables_->window[tables_->row(id).window];
    constexpr int stride = Layout::n_positions;
    const int from = id - 2 * stride - window_reach;
    std::uint64_t slots = 0;
    for (int layer = 0; layer < 5; ++layer) {
      // A layer after the 64th slot has an empty mask.
      const std::uint64_t hits = BitOps::extract(read(from + layer * stride), window.mask[layer]);
      slots |= hits << (window.first_slot[layer] & 63);
    }
    CandidateList& list = lists_[leaf];
    if (!reserve(list, list.size + count_ones(slots) + 4)) return;
    const std::int16_t* offsets = &tables_->window_offset[window.begin];
    const MarkedDistance* distances = &tables_->window_distance[window.begin];
    Candidate* out = &candidates_[list.begin + list.size];
    for (; slots != 0; slots &= slots - 1) {
      const int slot = std::countr_zero(slots);
      *out++ = {distances[slot], event_at[id + offsets[slot]]};
    }
    list.size = static_cast<std::int32_t>(out - &candidates_[list.begin]);
  }

  // == Events of plus leaves ==
  void grow_leaf(Index leaf) noexcept { next_[n_growing_++].u = leaf; }
  void look_ahead_from(int begin) noexcept {
    for (int k = begin; k < n_growing_; ++k) look_ahead(k);
  }
  /// Finds when and with what plus leaf `next_[k].u` meets next: boundary, event, or the end of what it knows.
  void look_ahead(int k) noexcept {
    const Index leaf = next_[k].u;
    const Item& own = item(leaf);
    const std::int32_t base = own.radius;
    std::int32_t limit = Tables::no_limit;
    while (!without_lists_ && (own.tier == 0 || (limit = (tables_->radius[own.tier] >> 1) - base) <= now_)) explore(leaf);
    const MarkedDistance boundary = tables_->boundary[ids[leaf]];
    std::int32_t best = distance_of(boundary) - base;
    Index target = to_boundary;
    MarkedDistance path = boundary;
    const Index top = own.top;
    const auto consider = [&](Index other_leaf, MarkedDistance distance) {
      const Item& other = item(other_leaf);
      const Label label = item(other.top).label;
      std::int32_t time = distance_of(distance) - base - other.radius;
      time = label == Label::plus ? time >> 1 : time;
      const bool better = (other.top != top) & (label != Label::minus) & (time < best);
      best = better ? time : best;
      target = better ? other_leaf : target;
      path = better ? distance : path;
    };
    if (SPINEL_UNLIKELY(without_lists_)) {
      limit = Tables::no_limit;
      paths_->from_within_boundary(*tables_, ids[leaf], Tables::no_limit, [&](int met, MarkedDistance distance) {
        if (!has_event(met)) return;
        touch(event_at[met]);
        consider(event_at[met], distance);
      });
    } else {
      const CandidateList& list = lists_[leaf];
      const Candidate* candidates = &candidates_[list.begin];
      for (std::int32_t c = 0; c < list.size; ++c) consider(candidates[c].leaf, candidates[c].distance);
    }
    if (limit < best) {
      best = limit;
      target = explore_further;
    }
    time_[k] = best;
    next_[k].v = target;
    next_[k].path = path;
  }

  // == Steps of the search ==
  void augment(Index id, Link link) noexcept {
    while (true) {
      const Index former = item(id).match.v;
      item(id).match = link;
      if (former == unmatched) return;
      Item& minus = top_of(former);
      minus.match = minus.tree.reversed();
      link = minus.tree;
      id = item(link.u).top;
    }
  }
  void grow(Index minus_id, const Link& link) noexcept {
    Item& minus = item(minus_id);
    const Index plus_id = item(minus.match.v).top;
    Item& plus = item(plus_id);
    minus.label = Label::minus;
    minus.tree = link;
    minus_[n_minus_++] = minus_id;
    if (is_blossom(minus_id)) minus.radius += now_;
    for_leaves(minus_id, [&](Index leaf) {
      touch(leaf);
      item(leaf).radius += now_;
    });
    plus.label = Label::plus;
    plus_[n_plus_++] = plus_id;
    if (is_blossom(plus_id)) plus.radius -= now_;
    for_leaves(plus_id, [&](Index leaf) {
      touch(leaf);
      item(leaf).radius -= now_;
      grow_leaf(leaf);
    });
  }
  void settle() noexcept {
    for (int k = 0; k < n_plus_; ++k) {
      Item& plus = item(plus_[k]);
      plus.label = Label::outside;
      if (is_blossom(plus_[k])) plus.radius += now_;
    }
    for (int k = 0; k < n_growing_; ++k) item(next_[k].u).radius += now_;
    for (int k = 0; k < n_minus_; ++k) {
      Item& minus = item(minus_[k]);
      minus.label = Label::outside;
      if (is_blossom(minus_[k])) minus.radius -= now_;
      for_leaves(minus_[k], [&](Index leaf) { item(leaf).radius -= now_; });
    }
  }
  /// The way from plus item `id` to the root: items, and each one's link to the next.
  int climb(Index id, int side) noexcept {
    Index* items = climbed_[side];
    Link* links = climbed_link_[side];
    for (int n = 0;;) {
      const Link up = item(id).match;
      items[n] = id;
      links[n++] = up;
      if (up.v == unmatched) return n;
      const Index minus_id = item(up.v).top;
      const Link tree = item(minus_id).tree;
      items[n] = minus_id;
      links[n++] = tree.reversed();
      id = item(tree.u).top;
    }
  }
  SPINEL_NOINLINE void form_blossom(const Link link) noexcept {
    int n_left = climb(item(link.u).top, 0), n_right = climb(item(link.v).top, 1);
    while (n_left > 1 && n_right > 1 && climbed_[0][n_left - 2] == climbed_[1][n_right - 2]) --n_left, --n_right;
    const Index base = climbed_[0][n_left - 1];
    const int number = n_free_blossoms_ > 0 ? free_blossoms_[--n_free_blossoms_] : n_blossoms_++;
    const auto id = static_cast<Index>(n_leaves_max + number);
    Item& blossom = item(id);
    blossom.match = item(base).match;
    blossom.radius = -now_;
    blossom.parent = -1;
    blossom.top = id;
    blossom.label = Label::plus;
    int n_leaves = 0;
    Index last = -1;
    const int before = n_growing_;
    const auto append = [&](Index child_id) {
      Item& child = item(child_id);
      const bool was_minus = child.label == Label::minus;
      if (was_minus) erase(minus_, n_minus_, child_id);
      else erase(plus_, n_plus_, child_id);
      if (is_blossom(child_id)) child.radius += was_minus ? -now_ : now_;
      child.label = Label::outside;
      child.parent = id;
      if (last < 0) {
        first_leaf_[number] = first_leaf(child_id);
      } else {
        ring_next_[static_cast<std::size_t>(last)] = child_id;
        next_leaf_[last_leaf(last)] = first_leaf(child_id);
      }
      last = child_id;
      last_leaf_[number] = last_leaf(child_id);
      for_leaves(child_id, [&](Index leaf) {
        ++n_leaves;
        item(leaf).top = id;
        if (!was_minus) return;
        item(leaf).radius -= 2 * now_;
        grow_leaf(leaf);
      });
    };
    const auto link_last = [&](const Link& to_next) { ring_link_[static_cast<std::size_t>(last)] = to_next; };
    append(base);
    for (int k = n_left - 2; k >= 0; --k) {
      link_last(climbed_link_[0][k].reversed());
      append(climbed_[0][k]);
    }
    link_last(link);
    for (int k = 0; k + 1 < n_right; ++k) {
      append(climbed_[1][k]);
      link_last(climbed_link_[1][k]);
    }
    ring_next_[static_cast<std::size_t>(last)] = base;
    leaf_count_[number] = n_leaves;
    plus_[n_plus_++] = id;
    look_ahead_from(before);
  }
  /// A minus blossom whose dual variable reached zero falls apart: the even way from where the tree enters it to where it is
  /// matched stays in the tree, the other children leave it matched in pairs.
  SPINEL_NOINLINE void expand_blossom(Index id) noexcept {
    const Link entry = item(id).tree, exit = item(id).match;
    const Index entry_child = child_with(entry.v, id), exit_child = child_with(exit.u, id);
    Index* ring = climbed_[0];
    Link* links = climbed_link_[0];
    int n = 0, entry_at = 0, exit_at = 0;
    for (Index child = entry_child; n == 0 || child != entry_child; child = ring_next(child)) {
      if (child == exit_child) exit_at = n;
      ring[n] = child;
      links[n++] = ring_link(child);
    }
    for (int k = 0; k < n; ++k) {
      item(ring[k]).parent = -1;
      for_leaves(ring[k], [&](Index leaf) { item(leaf).top = ring[k]; });
    }
    item(id).label = Label::outside;
    erase(minus_, n_minus_, id);
    leaf_count_[id - n_leaves_max] = 0;
    free_blossoms_[n_free_blossoms_++] = static_cast<Index>(id - n_leaves_max);
    int distance = exit_at - entry_at;
    const bool forward = distance % 2 == 0;
    if (!forward) distance = n - distance;
    const auto child_at = [&](int step) { return ring[forward ? step : (n - step) % n]; };
    // From child_at(step) to child_at(step + 1).
    const auto link_after = [&](int step) { return forward ? links[step] : links[n - 1 - step].reversed(); };
    // Leaves still hold radius + now_, the children's own duals are true.
    const auto join_minus = [&](Index child_id, const Link& tree) {
      Item& child = item(child_id);
      child.label = Label::minus;
      child.tree = tree;
      if (is_blossom(child_id)) child.radius += now_;
      minus_[n_minus_++] = child_id;
    };
    Link tree = entry;
    for (int step = 0; step < distance; step += 2) {
      const Index minus_id = child_at(step), plus_id = child_at(step + 1);
      const Link matched = link_after(step);
      join_minus(minus_id, tree);
      item(minus_id).match = matched;
      Item& plus = item(plus_id);
      plus.match = matched.reversed();
      plus.label = Label::plus;
      if (is_blossom(plus_id)) plus.radius -= now_;
      plus_[n_plus_++] = plus_id;
      for_leaves(plus_id, [&](Index leaf) {
        item(leaf).radius -= 2 * now_;
        grow_leaf(leaf);
      });
      tree = link_after(step + 1);
    }
    join_minus(child_at(distance), tree);
    item(child_at(distance)).match = exit;
    for (int step = distance + 1; step < n; step += 2) {
      const Link matched = link_after(step);
      item(child_at(step)).match = matched;
      item(child_at(step + 1)).match = matched.reversed();
      for (const Index child_id : {child_at(step), child_at(step + 1)})
        for_leaves(child_id, [&](Index leaf) { item(leaf).radius -= now_; });
    }
  }

  const Tables* tables_ = nullptr;
  LatticeSearch<experiment>* paths_ = nullptr;
  std::int32_t now_ = 0;
  int n_plus_ = 0, n_minus_ = 0, n_growing_ = 0, n_touched_ = 0, n_blossoms_ = 0, n_free_blossoms_ = 0;
  std::int32_t n_candidates_ = 0;
  bool without_lists_ = false;  ///< the pool of candidates is used up: every look ahead searches the graph

  Item items_[n_items];
  CandidateList lists_[n_leaves_max + 1];
  std::int32_t time_[n_leaves_max];
  Link next_[n_leaves_max];
  Index plus_[n_items], minus_[n_items], touched_[n_leaves_max];
  Candidate candidates_[n_candidates_max];
  // == Blossoms ==
  Index ring_next_[n_items];
  Link ring_link_[n_items];
  Index next_leaf_[n_leaves_max];
  Index first_leaf_[n_leaves_max / 2 + 2], last_leaf_[n_leaves_max / 2 + 2];
  std::int32_t leaf_count_[n_leaves_max / 2 + 2];
  Index free_blossoms_[n_leaves_max / 2 + 2];
  Index climbed_[2][n_items];
  Link climbed_link_[2][n_items];
};

}  // namespace spinel::detail
