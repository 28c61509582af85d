// SPDX-License-Identifier: Apache-2.0
// Distances from one position of the lattice to everything around it, for all kinds of layers at once: a node is seen from
// the source (so many layers and positions away), and what differs between the source's layers are the lanes of a vector.
// A label-correcting search, buckets no wider than the lightest edge, so a node is seldom visited twice. Only for set-up.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <spinel/core/config.hpp>
#include <spinel/core/status.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_tables.hpp>

namespace spinel::detail {

template <class Layout>
class LatticeSurroundings {
 public:
  using Tables = LatticeTables<Layout>;
  static constexpr int reach = Layout::max_layers_reached;
  /// One lane for each kind of layer, in full vectors.
  static constexpr int n_lanes = (Layout::n_layer_classes + 7) / 8 * 8;
  static constexpr std::int32_t unreached = 1 << 29;
  /// A place as seen from the source: its marked distance in `from[lane]`, `unreached` or at least the limit where there is none.
  struct Place {
    std::int32_t layers = 0;
    std::int32_t positions = 0;
    const std::int32_t* from = nullptr;
    int offset() const noexcept { return layers * Layout::layer_stride + positions; }
  };

  /// Spreads the edges over the lanes. Errors: unsupported (more than `max_steps` different edges in one place over time).
  Status build(const Layout& layout, const Tables& tables) noexcept {
    layout_ = layout;
    shift_ = tables.bucket_shift;
    last_lane_ = layout.last_layer() < Layout::n_layer_classes - 1 ? layout.last_layer() : Layout::n_layer_classes - 1;
    n_used_ = (last_lane_ + 8) / 8 * 8;
    for (auto& word : seen_) word = 0;
    n_places_ = source_position_ = 0;
    for (auto& head : heads_) head = none;
    for (int type = 0; type < 2; ++type)
      for (int position = 0; position < Layout::n_positions; ++position) {
        Steps& steps = steps_[type * Layout::n_positions + position];
        steps.n = 0;
        for (int lane = 0; lane <= last_lane_; ++lane)
          if (!spread(tables, {type, layer(lane), position}, lane, steps)) return Status::unsupported;
      }
    return Status::ok;
  }

  int last_lane() const noexcept { return last_lane_; }
  /// The layer that lane `lane` stands for, one of them where they are alike.
  int layer(int lane) const noexcept {
    constexpr int ends = Layout::end_layers;
    if (lane < ends || last_lane_ < 2 * ends) return lane;
    return lane == ends ? layout_.last_layer() / 2 : layout_.last_layer() - (2 * ends - lane);
  }
  bool exists(int type, int lane) const noexcept { return layout_.exists(type, layer(lane)); }
  /// Whether the layer `layers` away from lane `lane`'s exists.
  bool exists(int type, int lane, int layers) const noexcept { return layout_.exists(type, layer(lane) + layers); }

  /// The least that an edge costs for each layer and each position that it leads on.
  void rates(std::int32_t& per_layer, std::int32_t& per_position) const noexcept {
    per_layer = per_position = unreached / (reach + 1);
    const auto lower = [](std::int32_t& rate, std::int32_t weight, std::int32_t steps) {
      const std::int32_t own = steps == 0 ? rate : weight / (steps < 0 ? -steps : steps);
      if (own < rate) rate = own;
    };
    for (const Steps& steps : steps_)
      for (int k = 0; k < steps.n; ++k)
        for (const std::int32_t weight : steps.step[k].weight) {
          lower(per_layer, weight, steps.step[k].layers);
          lower(per_position, weight, steps.step[k].positions);
        }
  }

  /// Finds everything nearer than `limit`, which no way to a layer further than `reach` may be; `places()` then lists it.
  void look_around(int type, int position, std::int32_t limit) noexcept {
    for (int k = 0; k < n_places_; ++k) seen_[node_of(places_[k]) / 64] = 0;
    seen_[source_node(source_position_) / 64] = 0;
    source_position_ = position;
    const int source = source_node(position);
    std::int32_t* const own = see(source);
    for (int lane = 0; lane <= last_lane_; ++lane) own[lane] = exists(type, lane) ? 0 : unreached;
    enqueue(source, 0);
    for (std::uint32_t bucket = 0; n_queued_ > 0; ++bucket)
      while (heads_[bucket % n_buckets] != none) visit(take(bucket % n_buckets), type, limit);
    n_places_ = 0;
    for (int word = 0; word < n_words; ++word)
      for (std::uint64_t left = seen_[word]; left != 0; left &= left - 1) {
        const int node = 64 * word + std::countr_zero(left);
        if (node != source) places_[n_places_++] = {node / Layout::n_positions - reach, node % Layout::n_positions - position, distance_[node]};
      }
  }
  /// In ascending order of offsets, without the source; among them some that are at the limit or further.
  const Place* begin() const noexcept { return places_; }
  const Place* end() const noexcept { return places_ + n_places_; }

 private:
  static constexpr int max_steps = 24;
  static constexpr int n_buckets = 256;
  static constexpr int n_nodes = (2 * reach + 1) * Layout::n_positions;
  static constexpr int n_words = (n_nodes + 63) / 64;
  static constexpr std::int32_t none = -1;
  /// The edges of one position; weights by layer, `reach` before the first one's, so that lanes read them at an offset.
  struct Steps {
    struct Step {
      std::int32_t layers, positions;
      std::int32_t weight[n_lanes + 2 * reach];
    };
    int n;
    Step step[max_steps];
  };
  struct Link {
    std::int32_t next, previous, bucket;
  };

  bool spread(const Tables& tables, const LatticeSite& site, int lane, Steps& steps) const noexcept {
    if (!layout_.exists(site.type, site.layer)) return true;
    const int row = layout_.edge_row(site), id = layout_.id(site);
    for (int e = 0; e < tables.degree[row]; ++e) {
      const LatticeEdge& edge = tables.edges[row][e];
      const LatticeSite other = layout_.site(id + edge.offset);
      const int layers = other.layer - site.layer, positions = other.position - site.position;
      int k = 0;
      while (k < steps.n && (steps.step[k].layers != layers || steps.step[k].positions != positions)) ++k;
      if (k == max_steps) return false;
      if (k == steps.n) {
        auto& made = steps.step[steps.n++];
        made.layers = layers;
        made.positions = positions;
        for (auto& weight : made.weight) weight = unreached;
      }
      steps.step[k].weight[reach + lane] = static_cast<std::int32_t>(edge.weight);
    }
    return true;
  }

  static int source_node(int position) noexcept { return reach * Layout::n_positions + position; }
  int node_of(const Place& place) const noexcept {
    return source_node(source_position_) + place.layers * Layout::n_positions + place.positions;
  }
  std::int32_t* see(int node) noexcept {
    std::uint64_t& word = seen_[node / 64];
    const std::uint64_t bit = std::uint64_t{1} << (node % 64);
    if ((word & bit) == 0) {
      word |= bit;
      for (int lane = 0; lane < n_used_; ++lane) distance_[node][lane] = unreached;
      links_[node].bucket = none;
    }
    return distance_[node];
  }
  /// Makes `to` no further than over this edge; the least marked distance that became less, or `unreached`.
  static std::int32_t relax(const std::int32_t* SPINEL_RESTRICT from, const std::int32_t* SPINEL_RESTRICT weight,
                            std::int32_t* SPINEL_RESTRICT to, int n) noexcept {
    std::int32_t least = unreached;
    for (int lane = 0; lane < n; ++lane) {
      const std::int32_t sum = from[lane] + weight[lane] - ((from[lane] & weight[lane] & 1) << 1);
      const std::int32_t news = sum < to[lane] ? sum : unreached;
      to[lane] = sum < to[lane] ? sum : to[lane];
      least = news < least ? news : least;
    }
    return least;
  }
  void visit(int node, int type, std::int32_t limit) noexcept {
    const int layers = node / Layout::n_positions - reach, position = node % Layout::n_positions;
    const Steps& steps = steps_[type * Layout::n_positions + position];
    for (int k = 0; k < steps.n; ++k) {
      const auto& step = steps.step[k];
      if (layers + step.layers > reach || layers + step.layers < -reach) continue;
      const int to = node + step.layers * Layout::n_positions + step.positions;
      std::int32_t* const other = see(to);
      const std::int32_t least = relax(distance_[node], step.weight + reach + layers, other, n_used_);
      if (least < limit) enqueue(to, least);
    }
  }

  void enqueue(int node, std::int32_t marked) noexcept {
    Link& link = links_[node];
    const std::int32_t bucket = marked >> shift_;
    if (link.bucket != none) {
      if (link.bucket <= bucket) return;
      unlink(node);
    }
    std::int32_t& head = heads_[bucket % n_buckets];
    link = {head, none, bucket};
    if (head != none) links_[head].previous = node;
    head = node;
    ++n_queued_;
  }
  int take(std::uint32_t bucket) noexcept {
    const int node = heads_[bucket];
    unlink(node);
    return node;
  }
  void unlink(int node) noexcept {
    Link& link = links_[node];
    if (link.next != none) links_[link.next].previous = link.previous;
    if (link.previous != none) links_[link.previous].next = link.next;
    else heads_[link.bucket % n_buckets] = link.next;
    link.bucket = none;
    --n_queued_;
  }

  Layout layout_;
  std::int32_t shift_ = 0;
  int last_lane_ = 0, n_used_ = 0, n_queued_ = 0, n_places_ = 0, source_position_ = 0;
  std::uint64_t seen_[n_words];
  std::int32_t heads_[n_buckets];
  Link links_[n_nodes];
  Place places_[n_nodes];
  alignas(64) std::int32_t distance_[n_nodes][n_lanes];
  Steps steps_[2 * Layout::n_positions];
};

}  // namespace spinel::detail
