// SPDX-License-Identifier: Apache-2.0
// How sure an exact matching of a lattice is, from its dual variables alone: a lower bound of the gap, of what the best solution costs
// more that flips the observable the other way. That solution differs from the matching by a path from one side of the boundary to the
// other, and costs at least the slack along it (weight less the duals of its ends). The shortest such path is searched among the
// events, with distances that are never too long: through the projection of the lattice onto its checks, or through time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include <spinel/core/algorithm.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_tables.hpp>

namespace spinel::detail {

/// For all models that are added, of layouts with one distance and fixed rounds.
template <class Layout>
class LatticeGapBound {
  static constexpr int h = Layout::n_positions;
  static constexpr std::int32_t far = 1 << 28;

 public:
  static constexpr int max_events = 256;

  void clear() noexcept {
    for (int p = 0; p < h; ++p) {
      for (int q = 0; q < h; ++q) apart_[p][q] = p == q ? 0 : far;
      for (auto& side : to_side_) side[p] = far;
    }
    a_layer_ = far;
    across_ = 0;
    is_valid_ = true;
  }
  /// Adds a model's edges of the memory basis. Boundary edges in layers from `first_open` on lead to the future, which is no side.
  void add(const LatticeTables<Layout>& tables, int first_open) noexcept {
    const Layout& layout = tables.layout;
    for (int layer = 0; layer <= layout.last_layer(); ++layer)
      for (int p = 0; p < h; ++p) {
        const LatticeSite site{0, layer, p};
        const int row = layout.edge_row(site), id = layout.id(site);
        for (int e = 0; e < tables.degree[row]; ++e) {
          const LatticeSite other = layout.site(id + tables.edges[row][e].offset);
          const MarkedDistance weight = tables.edges[row][e].weight;
          if ((weight & 1) != 0) is_valid_ = false;  // the observable is not the parity of a side
          lower(apart_[p][other.position], distance_of(weight));
          if (other.layer != layer) lower(a_layer_, distance_of(weight));
        }
        if (const MarkedDistance weight = tables.boundary_edge[row]; weight != 0 && layer < first_open)
          lower(to_side_[weight & 1][p], distance_of(weight));
      }
    for (int k = 0; k < h; ++k)
      for (int p = 0; p < h; ++p) {
        for (int q = 0; q < h; ++q) lower(apart_[p][q], apart_[p][k] + apart_[k][q]);
        for (auto& side : to_side_) lower(side[p], apart_[p][k] + side[k]);
      }
    // To a side through what the previous loop made shorter later.
    for (int p = 0; p < h; ++p)
      for (int k = 0; k < h; ++k)
        for (auto& side : to_side_) lower(side[p], apart_[p][k] + side[k]);
    across_ = far;
    for (int p = 0; p < h; ++p) lower(across_, to_side_[0][p] + to_side_[1][p]);
  }

  /// The bound, or `limit` if that is less. `event(k)` for k in [0, n) gives the event's id, dual variable and top item; all types.
  /// `only_whether`: 0 for any less than `limit`, which takes less time.
  template <bool only_whether, class Event>
  std::int32_t least_gap(const Layout& layout, int n, std::int32_t limit, Event&& event) noexcept {
    if (!is_valid_) return 0;
    std::int32_t least = limit < across_ ? limit : across_;
    const int second_type = layout.id({1, 0, 0});
    int n_open = 0;
    for (int k = 0; k < n; ++k) {
      const auto [id, radius, top] = event(k);
      if (id >= second_type) continue;
      if (n_open == max_events) return 0;
      const LatticeSite site = layout.site(id);
      const std::int32_t from_side = to_side_[0][site.position] - radius, rest = to_side_[1][site.position] - radius;
      Open& open = open_[n_open++];
      open = {from_side > 0 ? from_side : 0, rest > 0 ? rest : 0, radius, site.layer, site.position, top};
      lower(least, open.arrival + open.rest);
      if (only_whether && least < limit) return 0;
    }
    while (true) {
      int next = -1;
      for (int k = 0; k < n_open; ++k)
        if (open_[k].arrival < (next < 0 ? least : open_[next].arrival)) next = k;
      if (next < 0) return least;
      const Open at = open_[next];
      open_[next] = open_[--n_open];
      const std::int32_t* apart = apart_[at.position];
      for (int k = 0; k < n_open; ++k) {
        Open& to = open_[k];
        const std::int32_t layers = (to.layer < at.layer ? at.layer - to.layer : to.layer - at.layer) * a_layer_;
        const std::int32_t slack = (layers > apart[to.position] ? layers : apart[to.position]) - at.radius - to.radius;
        lower(to.arrival, at.arrival + (slack < 0 || to.top == at.top ? 0 : slack));
        lower(least, to.arrival + to.rest);
      }
      if (only_whether && least < limit) return 0;
    }
  }

 private:
  /// An event to which the shortest path from the first side is not known for certain.
  struct Open {
    std::int32_t arrival = 0, rest = 0;  ///< from the first side, at most that far; to the second directly
    std::int32_t radius = 0;
    std::int32_t layer = 0, position = 0, top = 0;
  };
  static void lower(std::int32_t& value, std::int32_t to) noexcept { value = to < value ? to : value; }

  // == Permanent: fixed at set-up ==
  std::int32_t apart_[h][h];       ///< of two positions, whatever their layers
  std::int32_t to_side_[2][h];     ///< by the flip of the observable
  std::int32_t a_layer_ = far;     ///< least weight of an edge between layers
  std::int32_t across_ = 0;
  bool is_valid_ = false;
  // == Per shot ==
  Open open_[max_events];
};

}  // namespace spinel::detail
