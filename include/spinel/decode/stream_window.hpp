// SPDX-License-Identifier: Apache-2.0
// One window of a stream over the lattice matcher: matches what is known of some consecutive rounds, answers for the first
// ones (commit) and leaves the later ones (buffer) to the next window. A matched path that crosses the seam is cut there:
// its first place in the buffer becomes an artificial defect, which the next window sees as a detection event.
// Source: overlapping windows, Dennis, Kitaev, Landahl, Preskill, quant-ph/0110143; artificial defects as in arXiv:2209.09219.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include <spinel/code/experiment.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/decode/window.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/lattice_correlated.hpp>
#include <spinel/match/lattice_gap_bound.hpp>
#include <spinel/match/lattice_matcher.hpp>

namespace spinel {

namespace detail {

/// Nobody else decodes where time was too short.
struct NoRest {
  bool operator()(WindowAnswer&) const noexcept { return false; }
};

/// Windows over `Matcher_`, exact or correlated, for three models of one lattice.
template <StreamExperiment stream, class Matcher_>
class LatticeWindowOver {
  using Models = WindowModels<stream>;
  using Matcher = Matcher_;

 public:
  /// The experiment whose unrolled model (own numbering, code/detectors.hpp) `set_up` takes.
  static constexpr MemoryExperiment model_experiment = Models::model_experiment;
  using Layout = LatticeLayout<Models::window_experiment.distance, Models::window_experiment.rounds>;
  static constexpr Layout layout{};
  static constexpr int first_layer = 1, last_layer = Models::last_layer;
  static constexpr int first_buffer_layer = first_layer + stream.commit;
  /// Whether `set_up` wants to know which edges share a mechanism.
  static constexpr bool uses_mechanisms = Matcher::uses_mechanisms;

  /// Bytes that `set_up` needs, and only during the call.
  static std::size_t scratch_bytes(Span<const GraphEdge> model, Span<const std::uint32_t> mechanism_of = {}) noexcept {
    const Amounts most = most_of(model, mechanism_of);
    return scratch_bytes_for(most.edges, most.joints);
  }
  /// The same for any model of at most `n_edges` edges that are spread evenly over its rounds.
  static std::size_t scratch_bytes_at_most(std::size_t n_edges) noexcept
    requires(!uses_mechanisms)
  {
    return scratch_bytes_for((n_edges / (Models::model_rounds - 2) + 1) * (stream.window() + 2), 0);
  }

  /// Builds the models of all windows from the edges of `model_experiment`. Errors: bad_shape (not its detectors), unsupported (not
  /// periodic in time, or the matcher's), out_of_capacity (scratch), and MatchingGraph's.
  Status set_up(Span<const GraphEdge> model, Span<std::byte> scratch) noexcept
    requires(!uses_mechanisms)
  {
    return set_up_with(model, {}, scratch);
  }
  /// For correlated matching: `mechanism_of[k]` says which mechanism edge k is a component of, components of one stand together;
  /// bad_shape too if the two differ in size.
  Status set_up(Span<const GraphEdge> model, Span<const std::uint32_t> mechanism_of, Span<std::byte> scratch) noexcept
    requires uses_mechanisms
  {
    return mechanism_of.size() == model.size() ? set_up_with(model, mechanism_of, scratch) : Status::bad_shape;
  }

  /// Decodes a window: `events` are ids of `Layout` in ascending order of layers, each once. Unless closing, `toggle(id)` is called
  /// for every place of the buffer whose event the committed paths explain or leave behind. Past the deadline no further search
  /// begins; if events are single then, `rest(answer)` may decode the window instead and return true. Otherwise they go to the
  /// boundary: the answer explains everything, and says that it is local.
  template <class Toggle, class Until = NoDeadline, class Rest = NoRest>
  WindowAnswer decode(WindowKind kind, Span<const std::int32_t> events, Toggle&& toggle, const Until& deadline = {},
                      Rest&& rest = {}) noexcept {
    const int model = static_cast<int>(kind);
    WindowAnswer answer;
    MarkedDistance flips = 0;
    int n_cut = 0;
    // Whatever a closing window matches is committed.
    const auto is_kept = [&](std::int32_t id) { return kind == WindowKind::closing || committed(id); };
    const auto matched = matcher_.match_places(
        model, events.data(), static_cast<int>(events.size()),
        [&](int k, int mate, MarkedDistance path) {
          const std::int32_t from = events[static_cast<std::size_t>(k)];
          if (mate == Matcher::unsettled_mate) answer.engine = Engine::local;
          if (!is_kept(from)) return;
          const bool is_single = mate < 0;
          if (is_single ? kind == WindowKind::closing : is_kept(events[static_cast<std::size_t>(mate)]))
            flips ^= mate < k ? path : 0;  // a pair's path counts once
          else cut_[n_cut++] = {from, is_single ? Matcher::boundary_mate : events[static_cast<std::size_t>(mate)], path};
        },
        [&] { return deadline.passed(); },
        [&] {
          if (answer.engine == Engine::local && rest(answer)) {
            flips = 0;
            return;
          }
          for (int k = 0; kind != WindowKind::closing && k < n_cut; ++k) {
            const Exit exit = way_out(model, cut_[k]);
            flips ^= exit.flips;
            if (exit.id != 0) toggle(exit.id);
          }
        },
        [&](std::int32_t id) { return kind == WindowKind::closing || is_before(id, first_uncorrelated_layer); },
        [&] {
          if (gap_limit_ == 0) return true;
          const double nats = matcher_.nats_per_unit(model);
          const std::int32_t limit = gap_limit_ < 1e9 * nats ? static_cast<std::int32_t>(gap_limit_ / nats) : 1 << 30;
          const std::int32_t gap = bound_.template least_gap<uses_mechanisms>(layout, matcher_.n_duals(), limit, [&](int k) { return matcher_.dual(k); });
          answer.least_gap = nats * gap;
          return gap < limit;
        });
    if (matched.is_correlated) answer.engine = Engine::correlated;
    answer.flips ^= flips & 1;
    answer.n_unexplained = matched.n_unexplained;
    answer.n_unsettled = matched.n_unsettled;
    return answer;
  }

  /// Asks for every exact answer's `least_gap`, up to `nats` (0: for none). In correlated matching windows whose exact answer is as sure
  /// as that have no second pass, and those that are not have one and no bound.
  void limit_gap(double nats) noexcept { gap_limit_ = nats > 0 ? nats : 0; }
  /// Bytes of tables that decoding may read.
  std::size_t table_bytes() const noexcept {
    return matcher_.table_bytes(0) + matcher_.table_bytes(1) + matcher_.table_bytes(2);
  }
  const Matcher& matcher() const noexcept { return matcher_; }

 private:
  static constexpr std::size_t n_model_detectors = static_cast<std::size_t>(model_experiment.n_detectors());
  static constexpr int h = stream.n_checks();
  /// Pairs later than this do not lower what they imply: the next window does it again, and two thirds of the distance beyond the seam
  /// are as good as all of it (docs/decisions/0034).
  static constexpr int first_uncorrelated_layer = first_buffer_layer + (2 * stream.distance + 2) / 3;
  static constexpr std::int32_t not_reached = -1;
  struct Reached {
    MarkedDistance distance = 0;
    std::int32_t order = not_reached;
  };
  struct Crossing {
    std::int32_t from = 0, to = 0;
    MarkedDistance path = 0;
  };
  /// Where the shortest way from a committed place to the boundary enters the buffer (id 0: nowhere), and its flips until there.
  struct Exit {
    std::int32_t id = 0;
    MarkedDistance flips = 0;
  };

  /// Of one window.
  struct Amounts {
    std::size_t edges = 0, joints = 0;
  };
  static std::size_t scratch_bytes_for(std::size_t n_edges, std::size_t n_joints) noexcept {
    std::size_t of_matcher;
    if constexpr (uses_mechanisms) of_matcher = Matcher::scratch_bytes(n_edges, n_joints);
    else of_matcher = Matcher::scratch_bytes(n_edges);
    return of_matcher + n_edges * (sizeof(GraphEdge) + 4) + n_model_detectors * sizeof(LatticeSite) + 6 * Arena::alignment;
  }
  /// No round of the model starts more than its fullest; a window has window() + 1 of them, and one that the seam cuts.
  static Amounts most_of(Span<const GraphEdge> model, Span<const std::uint32_t> mechanism_of) noexcept {
    Amounts of_round[Models::model_rounds + 2] = {}, most;
    Models::for_mechanisms(model, mechanism_of, [&](std::size_t begin, std::size_t end, int anchor) {
      // Out-of-range indices are reported by set_up.
      Amounts& here = of_round[anchor <= Models::model_rounds ? anchor : Models::model_rounds + 1];
      here.edges += end - begin;
      here.joints += (end - begin) * (end - begin - 1);
    });
    for (const Amounts& of : of_round) {
      most.edges = of.edges > most.edges ? of.edges : most.edges;
      most.joints = of.joints > most.joints ? of.joints : most.joints;
    }
    const auto n_rounds = static_cast<std::size_t>(stream.window()) + 2;
    return {most.edges * n_rounds, most.joints * n_rounds};
  }
  Status set_up_with(Span<const GraphEdge> model, Span<const std::uint32_t> mechanism_of, Span<std::byte> scratch) noexcept {
    if (scratch.empty()) return Status::out_of_capacity;
    Arena arena(scratch);
    const auto sites = arena.take<LatticeSite>(n_model_detectors);
    const std::size_t n_most = most_of(model, mechanism_of).edges;
    const auto edges = arena.take<GraphEdge>(n_most);
    const auto mechanisms = arena.take<std::uint32_t>(n_most);
    if (arena.overflowed()) return Status::out_of_capacity;
    place_own_detectors(model_experiment, sites.data());
    // Only the memory basis has an observable.
    if constexpr (uses_mechanisms) matcher_.repair_both(false);
    if (const Status status = Models::check(model, sites.data()); status != Status::ok) return status;
    bound_.clear();
    for (const WindowKind kind : {WindowKind::starting, WindowKind::moving, WindowKind::closing}) {
      std::size_t n = 0;
      Models::for_edges(kind, model, mechanism_of, sites.data(), [&](const GraphEdge& edge, std::uint32_t mechanism) {
        edges[n] = edge;
        mechanisms[n++] = mechanism;
      });
      const auto rest = scratch.subspan(arena.used());
      Status status;
      if constexpr (uses_mechanisms)
        status = matcher_.set_up(edges.first(n), mechanisms.first(n), rest, DetectorNumbering::own, static_cast<int>(kind));
      else status = matcher_.set_up(edges.first(n), rest, DetectorNumbering::own, static_cast<int>(kind));
      if (status != Status::ok) return status;
      if (kind != WindowKind::closing) find_exits(static_cast<int>(kind));
      bound_.add(matcher_.tables(static_cast<int>(kind)), kind == WindowKind::closing ? last_layer + 1 : last_layer - 1);
    }
    return Status::ok;
  }
  static constexpr bool is_before(std::int32_t id, int layer) noexcept {
    constexpr int second_type_begin = layout.id({1, 0, 0});
    return id < layout.id({0, layer, 0}) || (id >= second_type_begin && id < layout.id({1, layer, 0}));
  }
  static constexpr bool committed(std::int32_t id) noexcept { return is_before(id, first_buffer_layer); }
  static constexpr std::size_t exit_at(std::int32_t id) noexcept {
    constexpr int first = layout.id({0, first_layer, 0}), second = layout.id({1, first_layer, 0});
    return static_cast<std::size_t>(id < second ? id - first : id - second + stream.commit * layout.layer_stride);
  }

  void find_exits(int model) noexcept {
    for (int type = 0; type < 2; ++type)
      for (int layer = first_layer; layer < first_buffer_layer; ++layer)
        for (int position = 0; position < h; ++position) {
          const int id = layout.id({type, layer, position});
          exits_[model][exit_at(id)] = walk_out(model, id);
        }
  }
  /// Follows the tables' shortest way to the boundary, as far as it stays committed.
  Exit walk_out(int model, std::int32_t id) const noexcept {
    const auto& tables = matcher_.tables(model);
    MarkedDistance left = tables.boundary[id], flips = 0;
    if (left == static_cast<MarkedDistance>(tables.no_limit)) return {};
    while (true) {
      const int row = layout.edge_row(layout.site(id));
      if (tables.boundary_edge[row] == left) return {0, flips ^ (left & 1)};
      for (int e = 0; e < tables.degree[row]; ++e) {
        const LatticeEdge& edge = tables.edges[row][e];
        const MarkedDistance rest = tables.boundary[id + edge.offset];
        if (distance_of(rest) + distance_of(edge.weight) != distance_of(left)) continue;
        if (((rest ^ edge.weight ^ left) & 1) != 0) continue;
        id += edge.offset;
        flips ^= edge.weight & 1;
        left = rest;
        break;
      }
      if (!committed(id)) return {id, flips};
    }
  }

  /// Of a path from a committed place into the buffer or to the boundary: its first place in the buffer (id 0: none) and the flips
  /// until there.
  Exit way_out(int model, const Crossing& crossing) noexcept {
    const bool is_tabled = crossing.to == Matcher::boundary_mate &&
                           distance_of(crossing.path) == distance_of(matcher_.tables(model).boundary[crossing.from]);
    return is_tabled ? exits_[model][exit_at(crossing.from)] : cut(model, crossing);
  }
  Exit cut(int model, const Crossing& crossing) noexcept {
    // Most crossings are a single edge.
    bool is_edge = false;
    matcher_.for_edges_at(model, crossing.from, [&](std::int32_t to, MarkedDistance weight) {
      is_edge |= to == crossing.to && weight == crossing.path;
    });
    const Exit whole{crossing.to == Matcher::boundary_mate ? 0 : crossing.to, crossing.path & 1};
    if (is_edge) return whole;
    n_visited_ = 0;
    std::int32_t order = 0;
    const auto reach = [&](std::int32_t id, MarkedDistance distance) {
      if (reached_[id].order == not_reached) visited_[n_visited_++] = id;
      reached_[id] = {distance, order++};
    };
    reach(crossing.from, 0);
    matcher_.for_places_within(model, crossing.from, distance_of(crossing.path) + 1, reach);
    const Exit exit = walk_back(model, crossing, whole);
    for (int k = 0; k < n_visited_; ++k) reached_[visited_[k]].order = not_reached;
    return exit;
  }
  Exit walk_back(int model, const Crossing& crossing, const Exit& whole) const noexcept {
    std::int32_t at = crossing.to;
    if (at == Matcher::boundary_mate) {
      at = 0;
      for (int k = 0; k < n_visited_ && at == 0; ++k)
        matcher_.for_edges_at(model, visited_[k], [&](std::int32_t to, MarkedDistance weight) {
          if (to == Matcher::boundary_mate && sum_of(reached_[visited_[k]].distance, weight) == crossing.path) at = visited_[k];
        });
    }
    if (at == 0 || reached_[at].order == not_reached) return whole;
    std::int32_t first = 0;
    while (at != 0 && reached_[at].order > 0) {
      if (!committed(at)) first = at;
      // Whom it was reached by was reached before: also where edges weigh nothing, the way back has no loop.
      std::int32_t before = 0;
      matcher_.for_edges_at(model, at, [&](std::int32_t from, MarkedDistance weight) {
        if (from != Matcher::boundary_mate && reached_[from].order != not_reached && reached_[from].order < reached_[at].order &&
            sum_of(reached_[from].distance, weight) == reached_[at].distance)
          before = from;
      });
      at = before;
    }
    if (first == whole.id) return whole;  // among equally short paths the one that was matched
    return {first, reached_[first].distance & 1};
  }

  // == Permanent: fixed at set-up ==
  Matcher matcher_;
  detail::LatticeGapBound<Layout> bound_;
  double gap_limit_ = 0;
  Exit exits_[2][static_cast<std::size_t>(2 * stream.commit) * layout.layer_stride];
  // == Per window ==
  Crossing cut_[static_cast<std::size_t>(2 * stream.commit) * h];
  Reached reached_[layout.n_ids()];
  std::int32_t visited_[layout.n_detectors()];
  int n_visited_ = 0;
};

}  // namespace detail

/// The exact matcher on windows of one stream: three models, one working memory, all of it in the object.
template <StreamExperiment stream, class BitOps = NativeBits>
class LatticeWindow
    : public detail::LatticeWindowOver<stream, LatticeMatcher<detail::WindowModels<stream>::window_experiment, BitOps, 3>> {};

/// Two-pass correlated matching: both check types are matched, then that of the memory basis, which has the observable, again. Where
/// time is short the answer is the first pass's, exact or local, and says so.
template <StreamExperiment stream, class BitOps = NativeBits>
class CorrelatedLatticeWindow
    : public detail::LatticeWindowOver<stream, CorrelatedLatticeMatcher<detail::WindowModels<stream>::window_experiment, BitOps, 3>> {};

}  // namespace spinel
