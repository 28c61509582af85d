// SPDX-License-Identifier: Apache-2.0
// The lattice matcher's search: one alternating tree at a time between detection events. Who is near whom it asks a metric
// (lattice_metric.hpp), step by step: a leaf may grow only to half the radius within which it knows all others, so nothing is
// ever assumed. Source: Edmonds' blossom algorithm with duals as radii (arXiv:2303.15933 for the picture); time-shifted duals
// and one cached next event a plus leaf are this library's own way to run it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include <spinel/core/config.hpp>
#include <spinel/match/lattice_growth.hpp>
#include <spinel/match/lattice_items.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/simd/bit_ops.hpp>

namespace spinel::detail {

template <class Tree>
class LatticeGapFlood;
template <class Tree>
class LatticeGapWaves;
template <class Tree>
class LatticeGapWalk;

/// The items of one shot, and the search that matches them.
template <class Layout_, class Index_, class BitOps_>
class LatticeTree : public LatticeGrowth<Layout_, Index_, BitOps_> {
  using Items = LatticeItems<Layout_, Index_>;
  using Growth = LatticeGrowth<Layout_, Index_, BitOps_>;
  friend class LatticeGapFlood<LatticeTree>;
  friend class LatticeGapWaves<LatticeTree>;
  friend class LatticeGapWalk<LatticeTree>;

 public:
  using BitOps = BitOps_;
  using typename Items::Dual;
  using typename Items::Index;
  using typename Items::Item;
  using typename Items::Label;
  using typename Items::Layout;
  using typename Items::Link;
  using typename Items::Sizes;
  using Items::dual;
  using Items::is_blossom;
  using Items::item;
  using Items::match;
  using Items::match_around;
  using Items::to_boundary;
  using Items::touch;
  using Items::unmatched;
  using Growth::explore_further;
  static constexpr Index unsettled = -4;  // single for want of time

  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    const auto n_items = static_cast<std::size_t>(layout.n_items());
    Growth::lay_out(layout, arena);
    plus_.lay_out(n_items, arena);
    minus_.lay_out(n_items, arena);
    for (int side = 0; side < 2; ++side) {
      climbed_[side].lay_out(n_items, arena);
      climbed_link_[side].lay_out(n_items, arena);
    }
  }
  using Growth::begin;
  /// Ends a shot: items look unused again. `forget` is called for every touched leaf.
  template <class Forget>
  void end(Forget&& forget) noexcept {
    Items::end(forget);
  }
  /// Makes every leaf an item by itself again; radii and mates stay. `forget` is called for every touched leaf.
  template <class Forget>
  void forget_blossoms(Forget&& forget) noexcept {
    end(forget);
    begin();
  }
  /// Grows a tree from unmatched leaf `root`'s top item until it is matched, or gives up (duals stay feasible) where more than
  /// `max_items` items would take part.
  template <class Metric>
  void search(Metric& metric, Index root, int max_items) noexcept {
    n_plus_ = n_minus_ = 0;
    begin_growth();
    bool minus_blossoms = false;
    if (search_nearby(metric, root, max_items)) return;
    int size = n_plus_ + n_minus_;
    if (size == 0) {
      const Index root_item = dual(root).top;
      plus_[n_plus_++] = root_item;
      dual(root_item).label = Label::plus;
      size = 1;
      for_leaves(root_item, [&](Index leaf) {
        touch(leaf);
        dual(leaf).label = Label::plus;
        grow_leaf(leaf);
      });
      look_ahead_from(metric, 0);
    }
    while (true) {
      const int first = BitOps::index_of_least(time_, n_growing_);
      std::int32_t time = time_[first];
      if (minus_blossoms) {
        Index shrunk = -1;
        for (int k = 0; k < n_minus_; ++k)
          if (is_blossom(minus_[k]) && dual(minus_[k]).radius < time) {
            shrunk = minus_[k];
            time = dual(shrunk).radius;
          }
        if (shrunk >= 0) {
          now_ = time;
          expand_blossom(shrunk);
          look_ahead_from(metric, 0);
          continue;
        }
      }
      now_ = time;
      const Link link = next_[first];
      if (link.v == to_boundary) {
        augment(dual(link.u).top, link);
        break;
      }
      if (link.v == explore_further) {
        look_ahead(metric, first);
        continue;
      }
      const Index other = dual(link.v).top;
      const Label met = dual(other).label;
      // Cached when it was true; what it meets may have changed since, but never to something earlier.
      const std::int32_t slack = distance_of(link.path) - dual(link.u).radius - dual(link.v).radius;
      const std::int32_t still = met == Label::plus ? slack >> 1 : slack;
      if (other == dual(link.u).top || met == Label::minus || still > now_) {
        look_ahead(metric, first);
        continue;
      }
      if (met == Label::plus) {
        form_blossom(metric, link);
        look_ahead(metric, first);
        continue;
      }
      if (match(other).v < 0) {  // unmatched, or matched to the boundary, which it leaves
        for_leaves(other, [&](Index leaf) { touch(leaf); });
        augment(dual(link.u).top, link);
        match(other) = link.reversed();
        break;
      }
      if (size + 2 > max_items) break;
      size += 2;
      minus_blossoms |= is_blossom(other);
      const int before = n_growing_;
      grow(other, link);
      look_ahead_from(metric, before);
      look_ahead(metric, first);
    }
    settle();
  }

 private:
  using Items::child_with;
  using Items::duals_;
  using Items::first_leaf;
  using Items::first_leaf_;
  using Items::for_leaves;
  using Items::free_blossoms_;
  using Items::last_leaf;
  using Items::last_leaf_;
  using Items::leaf_count_;
  using Items::n_blossoms_;
  using Items::n_free_blossoms_;
  using Items::n_leaves_max;
  using Items::next_leaf_;
  using Items::ring_link;
  using Items::ring_link_;
  using Items::ring_next;
  using Items::ring_next_;
  using Growth::begin_growth;
  using Growth::grow_leaf;
  using Growth::knows_enough;
  using Growth::look_ahead;
  using Growth::look_ahead_from;
  using Growth::n_growing_;
  using Growth::next_;
  using Growth::next_meeting;
  using Growth::note;
  using Growth::now_;
  using Growth::time_;

  static void erase(Index* list, int& n, Index id) noexcept {
    for (int k = 0; k < n; ++k)
      if (list[k] == id) {
        list[k] = list[--n];
        return;
      }
  }

  // == The first steps of a search ==
  /// Most trees end with their first leaf, or with the first pair that it meets: these steps need none of a tree's bookkeeping.
  /// True where the search is over; else the tree so far is as the loop of `search` wants it, or not begun.
  template <class Metric>
  bool search_nearby(Metric& metric, Index root, int max_items) noexcept {
    Dual& own = dual(root);
    if (own.top != root) return false;
    touch(root);
    if (!knows_enough(metric, root)) return false;
    const Meeting first = next_meeting(metric, root);
    if (first.v == explore_further) {
      own.change(0, Label::plus);
      plus_[n_plus_++] = root;
      begin_looking(root, first);
      return false;
    }
    const Link link{first.path, root, static_cast<Index>(first.v)};
    if (first.v == to_boundary) {
      own.radius += first.time;
      match(root) = link;
      return true;
    }
    const auto minus_id = static_cast<Index>(first.v);
    Dual& minus = dual(minus_id);
    Link& met = match(minus.top);
    if (met.v < 0) {
      for_leaves(minus.top, [&](Index leaf) { touch(leaf); });
      own.radius += first.time;
      match(root) = link;
      met = link.reversed();
      return true;
    }
    const Index plus_id = met.v;
    Dual& plus = dual(plus_id);
    if (minus.top != minus_id || plus.top != plus_id) return false;
    now_ = first.time;
    touch(minus_id);
    touch(plus_id);
    own.change(0, Label::plus);
    minus.change(now_, Label::minus);
    plus.change(-now_, Label::plus);
    Meeting next[2] = {{now_, explore_further, 0}, {now_, explore_further, 0}};
    if (knows_enough(metric, root)) next[0] = next_meeting(metric, root);
    if (knows_enough(metric, plus_id)) next[1] = next_meeting(metric, plus_id);
    const bool by_plus = next[1].time < next[0].time;
    const Meeting& last = next[by_plus];
    const auto end = static_cast<Index>(last.v);
    // The root has no mate either, but who meets it closes a blossom.
    const bool is_met = end >= 0 && dual(end).label == Label::outside;
    const bool is_over = end == to_boundary || (is_met && match_around(end).v < 0);
    if (is_over || (is_met && max_items < 5)) {
      const Link way_out{last.path, by_plus ? plus_id : root, end};
      own.change(last.time, Label::outside);
      plus.change(last.time, Label::outside);
      minus.change(-last.time, Label::outside);
      if (!is_over) return true;
      if (end >= 0) {
        for_leaves(dual(end).top, [&](Index leaf) { touch(leaf); });
        match_around(end) = way_out.reversed();
      }
      match(root) = link;
      if (by_plus) match(minus_id) = link.reversed();
      match(way_out.u) = way_out;
      return true;
    }
    item(minus_id).tree = link;
    plus_[n_plus_++] = root;
    plus_[n_plus_++] = plus_id;
    minus_[n_minus_++] = minus_id;
    begin_looking(root, next[0]);
    begin_looking(plus_id, next[1]);
    return false;
  }
  void begin_looking(Index leaf, const Meeting& next) noexcept {
    grow_leaf(leaf);
    note(n_growing_ - 1, next);
  }
  // == Steps of the search ==
  void augment(Index id, Link link) noexcept {
    while (true) {
      const Index former = match(id).v;
      match(id) = link;
      if (former == unmatched) return;
      const Index minus = dual(former).top;
      link = item(minus).tree;
      match(minus) = link.reversed();
      id = dual(link.u).top;
    }
  }
  void grow(Index minus_id, const Link& link) noexcept {
    const Index plus_id = dual(match(minus_id).v).top;
    item(minus_id).tree = link;
    minus_[n_minus_++] = minus_id;
    if (is_blossom(minus_id)) dual(minus_id).change(now_, Label::minus);
    for_leaves(minus_id, [&](Index leaf) {
      touch(leaf);
      dual(leaf).change(now_, Label::minus);
    });
    plus_[n_plus_++] = plus_id;
    if (is_blossom(plus_id)) dual(plus_id).change(-now_, Label::plus);
    for_leaves(plus_id, [&](Index leaf) {
      touch(leaf);
      dual(leaf).change(-now_, Label::plus);
      grow_leaf(leaf);
    });
  }
  void settle() noexcept {
    for (int k = 0; k < n_plus_; ++k) {
      if (is_blossom(plus_[k])) dual(plus_[k]).change(now_, Label::outside);
    }
    for (int k = 0; k < n_growing_; ++k) {
      dual(next_[k].u).change(now_, Label::outside);
    }
    for (int k = 0; k < n_minus_; ++k) {
      if (is_blossom(minus_[k])) dual(minus_[k]).change(-now_, Label::outside);
      for_leaves(minus_[k], [&](Index leaf) {
        dual(leaf).change(-now_, Label::outside);
      });
    }
  }
  /// The way from plus item `id` to the root: items, and each one's link to the next.
  int climb(Index id, int side) noexcept {
    Index* items = climbed_[side];
    Link* links = climbed_link_[side];
    for (int n = 0;;) {
      const Link up = match(id);
      items[n] = id;
      links[n++] = up;
      if (up.v == unmatched) return n;
      const Index minus_id = dual(up.v).top;
      const Link tree = item(minus_id).tree;
      items[n] = minus_id;
      links[n++] = tree.reversed();
      id = dual(tree.u).top;
    }
  }
  template <class Metric>
  SPINEL_NOINLINE void form_blossom(Metric& metric, const Link link) noexcept {
    int n_left = climb(dual(link.u).top, 0), n_right = climb(dual(link.v).top, 1);
    while (n_left > 1 && n_right > 1 && climbed_[0][n_left - 2] == climbed_[1][n_right - 2]) --n_left, --n_right;
    const Index base = climbed_[0][n_left - 1];
    const int number = n_free_blossoms_ > 0 ? free_blossoms_[--n_free_blossoms_] : n_blossoms_++;
    const auto id = static_cast<Index>(n_leaves_max() + number);
    match(id) = match(base);
    item(id).parent = -1;
    dual(id).top = id;
    dual(id).radius = -now_;
    dual(id).label = Label::plus;
    int n_leaves = 0;
    Index last = -1;
    const int before = n_growing_;
    const auto append = [&](Index child_id) {
      Dual& child = dual(child_id);
      const bool was_minus = child.label == Label::minus;
      if (was_minus) erase(minus_, n_minus_, child_id);
      else erase(plus_, n_plus_, child_id);
      if (is_blossom(child_id)) child.radius += was_minus ? -now_ : now_;
      child.label = Label::outside;
      item(child_id).parent = id;
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
        dual(leaf).top = id;
        dual(leaf).change(was_minus ? -2 * now_ : 0, Label::plus);
        if (was_minus) grow_leaf(leaf);
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
    look_ahead_from(metric, before);
  }
  /// A minus blossom whose dual variable reached zero falls apart: the even way from where the tree enters it to where it is
  /// matched stays in the tree, the other children leave it matched in pairs.
  SPINEL_NOINLINE void expand_blossom(Index id) noexcept {
    const Link entry = item(id).tree, exit = match(id);
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
      for_leaves(ring[k], [&](Index leaf) { dual(leaf).top = ring[k]; });
    }
    dual(id).label = Label::outside;
    erase(minus_, n_minus_, id);
    leaf_count_[id - n_leaves_max()] = 0;
    free_blossoms_[n_free_blossoms_++] = static_cast<Index>(id - n_leaves_max());
    int n_steps = exit_at - entry_at;
    const bool forward = n_steps % 2 == 0;
    if (!forward) n_steps = n - n_steps;
    const auto child_at = [&](int step) { return ring[forward ? step : (n - step) % n]; };
    // From child_at(step) to child_at(step + 1).
    const auto link_after = [&](int step) { return forward ? links[step] : links[n - 1 - step].reversed(); };
    // Leaves still hold radius + now_, the children's own duals are true.
    const auto join_minus = [&](Index child_id, const Link& tree) {
      item(child_id).tree = tree;
      dual(child_id).label = Label::minus;
      if (is_blossom(child_id)) dual(child_id).radius += now_;
      minus_[n_minus_++] = child_id;
    };
    Link tree = entry;
    for (int step = 0; step < n_steps; step += 2) {
      const Index minus_id = child_at(step), plus_id = child_at(step + 1);
      const Link matched = link_after(step);
      join_minus(minus_id, tree);
      match(minus_id) = matched;
      match(plus_id) = matched.reversed();
      dual(plus_id).label = Label::plus;
      if (is_blossom(plus_id)) dual(plus_id).radius -= now_;
      plus_[n_plus_++] = plus_id;
      for_leaves(plus_id, [&](Index leaf) {
        dual(leaf).change(-2 * now_, Label::plus);
        grow_leaf(leaf);
      });
      tree = link_after(step + 1);
    }
    join_minus(child_at(n_steps), tree);
    match(child_at(n_steps)) = exit;
    for (int step = n_steps + 1; step < n; step += 2) {
      const Link matched = link_after(step);
      match(child_at(step)) = matched;
      match(child_at(step + 1)) = matched.reversed();
      for (const Index child_id : {child_at(step), child_at(step + 1)})
        for_leaves(child_id, [&](Index leaf) {
          dual(leaf).change(-now_, Label::outside);
        });
    }
  }

  int n_plus_ = 0, n_minus_ = 0;
  LatticeArray<Index, Sizes::items> plus_, minus_;
  LatticeArray<Index, Sizes::items> climbed_[2];
  LatticeArray<Link, Sizes::items> climbed_link_[2];
};

}  // namespace spinel::detail
