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
#include <spinel/match/graph.hpp>
#include <spinel/match/lattice_matcher.hpp>

namespace spinel {

/// A memory experiment of unbounded length, decoded in windows of `commit` + `buffer` rounds. `buffer` = `commit` = distance
/// costs a few tenths of a percent in logical error rate against the whole history.
struct StreamExperiment {
  int distance = 3;
  int commit = 3;
  int buffer = 3;
  Basis basis = Basis::X;
  Orientation orientation = Orientation::O1;

  constexpr int window() const noexcept { return commit + buffer; }
  constexpr int n_data() const noexcept { return distance * distance; }
  constexpr int n_checks() const noexcept { return (distance * distance - 1) / 2; }
  /// Bits of one round: X checks, then Z checks.
  constexpr int round_bits() const noexcept { return 2 * n_checks(); }
  constexpr MemoryExperiment memory(int rounds) const noexcept { return {distance, rounds, basis, orientation}; }
  friend constexpr bool operator==(const StreamExperiment&, const StreamExperiment&) = default;
};

/// `commit` = `buffer` = distance.
constexpr StreamExperiment stream_of(const MemoryExperiment& experiment) noexcept {
  return {experiment.distance, experiment.distance, experiment.distance, experiment.basis, experiment.orientation};
}

/// Where in a stream a window lies; each has a model of its own.
enum class WindowKind : std::uint8_t {
  starting,  ///< begins with the prepared state, open to the future
  moving,    ///< begins at a seam, open to the future
  closing,   ///< ends with the data read-out: all of it is committed
};

namespace detail {

/// Cuts the models of the three kinds of window out of the unrolled model of a short experiment with `model_rounds` rounds.
template <StreamExperiment stream>
struct WindowModels {
  static constexpr int model_rounds = 8, bulk = 4;
  static constexpr MemoryExperiment model_experiment = stream.memory(model_rounds);
  /// Window layers 1 to window() of this experiment's lattice hold the rounds; a closing window ends with its last layer.
  static constexpr MemoryExperiment window_experiment = stream.memory(stream.window() + 1);
  static constexpr int last_layer = stream.window() + 1;

  /// Round of the model whose edges window layer `layer` starts, or -1.
  static constexpr int source_round(WindowKind kind, int layer) noexcept {
    if (layer < 1) return -1;
    if (kind == WindowKind::closing) return last_layer - layer <= 3 ? model_rounds - (last_layer - layer) : bulk;
    if (layer == last_layer) return -1;
    return kind == WindowKind::starting && layer - 1 < bulk ? layer - 1 : bulk;
  }
  static constexpr std::uint32_t detector_of(const LatticeSite& site) noexcept {
    if (site.type == 0 && site.layer == last_layer)
      return static_cast<std::uint32_t>(boundary_detector_index(window_experiment, site.position));
    const Basis type = site.type == 0 ? stream.basis : opposite(stream.basis);
    return static_cast<std::uint32_t>(detector_index(window_experiment, type, site.position, site.layer));
  }
  static constexpr bool in_window(WindowKind kind, const LatticeSite& site) noexcept {
    if (site.layer < 1 || site.layer > last_layer) return false;
    return site.layer < last_layer || (kind == WindowKind::closing && site.type == 0);
  }
  /// Calls `visit(edge)` for the edges of one kind of window; `sites` places the model's detectors.
  template <class Visit>
  static void for_edges(WindowKind kind, Span<const GraphEdge> model, const LatticeSite* sites, Visit&& visit) noexcept {
    for (int layer = 1; layer <= last_layer; ++layer) {
      const int round = source_round(kind, layer);
      if (round < 0) continue;
      for (const GraphEdge& edge : model) {
        const LatticeSite& one = sites[edge.a == boundary_node ? edge.b : edge.a];
        const LatticeSite& other = sites[edge.b == boundary_node ? edge.a : edge.b];
        const int low = one.layer < other.layer ? one.layer : other.layer;
        if (low == round) move(kind, edge, sites, layer - low, visit);
      }
    }
  }
  /// The same by mechanisms: the round whose mechanisms begin in window layer `layer`. A seam cuts through those before it.
  static constexpr int anchor_round(WindowKind kind, int layer) noexcept {
    return layer == 0 && kind != WindowKind::starting ? bulk : source_round(kind, layer);
  }
  /// Calls `visit(edge)` with what `edge` is `layers` later in a window, if anything.
  template <class Visit>
  static void move(WindowKind kind, const GraphEdge& edge, const LatticeSite* sites, int layers, Visit&& visit) noexcept {
    LatticeSite low = sites[edge.a == boundary_node ? edge.b : edge.a];
    LatticeSite high = sites[edge.b == boundary_node ? edge.a : edge.b];
    if (high.layer < low.layer) {
      const LatticeSite swapped = low;
      low = high;
      high = swapped;
    }
    const bool single = edge.a == boundary_node || edge.b == boundary_node;
    low.layer += layers;
    high.layer += layers;
    if (!in_window(kind, low)) return;
    GraphEdge moved{detector_of(low), boundary_node, edge.probability, edge.observables};
    // What leads out of an open window may end there: the future is a boundary.
    if (!single && in_window(kind, high)) moved.b = detector_of(high);
    visit(moved);
  }
  /// bad_shape: not the detectors of model_experiment; unsupported: an edge over more than one round, or rounds in the
  /// middle that differ.
  static Status check(Span<const GraphEdge> model, const LatticeSite* sites) noexcept {
    double weight_of_round[model_rounds + 1] = {};
    for (const GraphEdge& edge : model) {
      std::int32_t low = model_rounds, high = 0;
      double place = 1;
      for (const std::uint32_t node : {edge.a, edge.b}) {
        if (node == boundary_node) continue;
        if (node >= static_cast<std::uint32_t>(model_experiment.n_detectors())) return Status::bad_shape;
        low = sites[node].layer < low ? sites[node].layer : low;
        high = sites[node].layer > high ? sites[node].layer : high;
        place += 3 * sites[node].position + sites[node].type;
      }
      if (edge.a == boundary_node && edge.b == boundary_node) return Status::bad_argument;
      if (high - low > 1) return Status::unsupported;
      weight_of_round[low] += edge.probability * place;
    }
    for (int round = 3; round + 2 < model_rounds; ++round) {
      const double difference = weight_of_round[round] - weight_of_round[bulk];
      if (!(difference * difference <= 1e-18 * weight_of_round[bulk] * weight_of_round[bulk])) return Status::unsupported;
    }
    return Status::ok;
  }
};

}  // namespace detail

/// Which of the engines gave an answer, the best first.
enum class Engine : std::uint8_t {
  correlated,  ///< two-pass matching
  exact,       ///< minimum-weight perfect matching
  union_find,  ///< bounded work, a valid explanation near the minimum
  local,       ///< nearest events and the boundary; what could be matched exactly in time is
};

constexpr const char* to_string(Engine engine) noexcept {
  switch (engine) {
    case Engine::correlated: return "correlated";
    case Engine::exact: return "exact";
    case Engine::union_find: return "union-find";
    case Engine::local: return "local";
  }
  return "unknown engine";
}

/// A window's answer. `flips` are those of everything committed.
struct WindowAnswer {
  ObservableFlips flips = 0;
  std::int32_t n_unexplained = 0;  ///< events that no mechanism of the model fires, left out
  std::int32_t n_unsettled = 0;    ///< events that went to the boundary for want of time
  Engine engine = Engine::exact;
};

/// Time without end: the default of every `decode`.
struct NoDeadline {
  static constexpr bool passed() noexcept { return false; }
};
/// A point in time on a clock of the caller: `clock()` gives a number that does not fall, in the unit of `at`.
template <class Clock>
struct Deadline {
  Clock& clock;
  std::int64_t at = 0;
  bool passed() const noexcept { return clock() >= at; }
  std::int64_t left() const noexcept { return at - clock(); }
};
template <class Clock>
Deadline(Clock&, std::int64_t) -> Deadline<Clock>;

/// The exact matcher on windows of one stream: three models, one working memory, all of it in the object.
template <StreamExperiment stream, class BitOps = NativeBits>
class LatticeWindow {
  using Models = detail::WindowModels<stream>;
  using Matcher = LatticeMatcher<Models::window_experiment, BitOps, 3>;

 public:
  /// The experiment whose unrolled model (own numbering, code/detectors.hpp) `set_up` takes.
  static constexpr MemoryExperiment model_experiment = Models::model_experiment;
  using Layout = LatticeLayout<Models::window_experiment.distance, Models::window_experiment.rounds>;
  static constexpr Layout layout{};
  static constexpr int first_layer = 1, last_layer = Models::last_layer;
  static constexpr int first_buffer_layer = first_layer + stream.commit;

  /// Bytes that `set_up` needs, and only during the call.
  static std::size_t scratch_bytes(Span<const GraphEdge> model) noexcept {
    // No round of the model starts more edges than all do; a window has window() + 1 of them.
    return scratch_bytes_for(most_edges(model));
  }
  /// The same for any model of at most `n_edges` edges that are spread evenly over its rounds.
  static std::size_t scratch_bytes_at_most(std::size_t n_edges) noexcept {
    return scratch_bytes_for((n_edges / (Models::model_rounds - 2) + 1) * (stream.window() + 1));
  }

  /// Builds the models of all windows from the edges of `model_experiment`. Errors: bad_shape (not its detectors), unsupported (not
  /// periodic in time, or LatticeMatcher's), out_of_capacity (scratch), and MatchingGraph's.
  Status set_up(Span<const GraphEdge> model, Span<std::byte> scratch) noexcept {
    if (scratch.empty()) return Status::out_of_capacity;
    Arena arena(scratch);
    const auto sites = arena.take<LatticeSite>(n_model_detectors);
    const auto edges = arena.take<GraphEdge>(most_edges(model));
    if (arena.overflowed()) return Status::out_of_capacity;
    place_own_detectors(model_experiment, sites.data());
    if (const Status status = Models::check(model, sites.data()); status != Status::ok) return status;
    for (const WindowKind kind : {WindowKind::starting, WindowKind::moving, WindowKind::closing}) {
      std::size_t n = 0;
      Models::for_edges(kind, model, sites.data(), [&](const GraphEdge& edge) {
        if (n < edges.size()) edges[n] = edge;
        ++n;
      });
      if (n > edges.size()) return Status::out_of_capacity;
      const Status status = matcher_.set_up(edges.first(n), scratch.subspan(arena.used()), DetectorNumbering::own,
                                            static_cast<int>(kind));
      if (status != Status::ok) return status;
      if (kind != WindowKind::closing) find_exits(static_cast<int>(kind));
    }
    for (auto& distance : reached_) distance = not_reached;
    return Status::ok;
  }

  /// Decodes a window: `events` are ids of `Layout` in ascending order of layers, each once. Unless closing, `toggle(id)` is called
  /// for every place of the buffer whose event the committed paths explain or leave behind. Past the deadline no further search
  /// begins: the answer explains everything, and says that it is local.
  template <class Toggle, class Until = NoDeadline>
  WindowAnswer decode(WindowKind kind, Span<const std::int32_t> events, Toggle&& toggle, const Until& deadline = {}) noexcept {
    const int model = static_cast<int>(kind);
    const auto stop = [&] { return deadline.passed(); };
    const auto answer_of = [](const auto& matched, detail::MarkedDistance marked) {
      return WindowAnswer{marked & 1, matched.n_unexplained, matched.n_unsettled,
                          matched.n_unsettled == 0 ? Engine::exact : Engine::local};
    };
    detail::MarkedDistance flips = 0;
    if (kind == WindowKind::closing) {
      // A pair's path counts once.
      const auto matched = matcher_.match_places(
          model, events.data(), static_cast<int>(events.size()),
          [&](int k, int mate, detail::MarkedDistance path) { flips ^= mate < k ? path : 0; }, stop);
      return answer_of(matched, flips);
    }
    int n_cut = 0;
    const auto matched = matcher_.match_places(
        model, events.data(), static_cast<int>(events.size()),
        [&](int k, int mate, detail::MarkedDistance path) {
          if (!committed(events[static_cast<std::size_t>(k)])) return;
          if (mate < 0) {
            const Exit exit = exits_[model][exit_at(events[static_cast<std::size_t>(k)])];
            flips ^= exit.flips;
            if (exit.id != 0) toggle(exit.id);
          } else if (committed(events[static_cast<std::size_t>(mate)])) {
            flips ^= mate < k ? path : 0;
          } else {
            cut_[n_cut++] = {events[static_cast<std::size_t>(k)], events[static_cast<std::size_t>(mate)], path};
          }
        },
        stop);
    for (int k = 0; k < n_cut; ++k) flips ^= cut(model, cut_[k], toggle);
    return answer_of(matched, flips);
  }

  /// Bytes of tables that decoding may read.
  std::size_t table_bytes() const noexcept {
    return matcher_.table_bytes(0) + matcher_.table_bytes(1) + matcher_.table_bytes(2);
  }
  const Matcher& matcher() const noexcept { return matcher_; }

 private:
  static constexpr std::size_t n_model_detectors = static_cast<std::size_t>(model_experiment.n_detectors());
  static constexpr int h = stream.n_checks();
  static constexpr std::int32_t not_reached = -1;
  struct Crossing {
    std::int32_t from = 0, to = 0;
    detail::MarkedDistance path = 0;
  };
  /// Where the shortest way from a committed place to the boundary enters the buffer (id 0: nowhere), and its flips until there.
  struct Exit {
    std::int32_t id = 0;
    detail::MarkedDistance flips = 0;
  };

  static std::size_t scratch_bytes_for(std::size_t n) noexcept {
    return Matcher::scratch_bytes(n) + n * sizeof(GraphEdge) + n_model_detectors * sizeof(LatticeSite) + 4 * Arena::alignment;
  }
  static std::size_t most_edges(Span<const GraphEdge> model) noexcept {
    std::size_t of_layer[Models::model_rounds + 1] = {}, most = 0;
    for (const GraphEdge& edge : model) {
      // The lower end's layer by the order of own numbering; out-of-range indices are reported by set_up.
      const std::uint32_t low = edge.a < edge.b ? edge.a : edge.b;
      const std::size_t layer = (std::size_t{low} + h) / (2 * h);
      ++of_layer[layer < Models::model_rounds ? layer : Models::model_rounds];
    }
    for (const std::size_t n : of_layer) most = n > most ? n : most;
    return most * (stream.window() + 1);
  }
  static constexpr bool committed(std::int32_t id) noexcept {
    constexpr int first_type_end = layout.id({0, first_buffer_layer, 0});
    constexpr int second_type_begin = layout.id({1, 0, 0}), second_type_end = layout.id({1, first_buffer_layer, 0});
    return id < first_type_end || (id >= second_type_begin && id < second_type_end);
  }
  static constexpr std::size_t exit_at(std::int32_t id) noexcept {
    constexpr int first = layout.id({0, first_layer, 0}), second = layout.id({1, first_layer, 0});
    return static_cast<std::size_t>(id < second ? id - first : id - second + stream.commit * h);
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
    detail::MarkedDistance left = tables.boundary[id], flips = 0;
    if (left == static_cast<detail::MarkedDistance>(tables.no_limit)) return {};
    while (true) {
      const int row = layout.edge_row(layout.site(id));
      if (tables.boundary_edge[row] == left) return {0, flips ^ (left & 1)};
      for (int e = 0; e < tables.degree[row]; ++e) {
        const detail::LatticeEdge& edge = tables.edges[row][e];
        const detail::MarkedDistance rest = tables.boundary[id + edge.offset];
        if (detail::distance_of(rest) + detail::distance_of(edge.weight) != detail::distance_of(left)) continue;
        if (((rest ^ edge.weight ^ left) & 1) != 0) continue;
        id += edge.offset;
        flips ^= edge.weight & 1;
        left = rest;
        break;
      }
      if (!committed(id)) return {id, flips};
    }
  }

  /// Commits the part of a path up to its first place in the buffer; returns its flips.
  template <class Toggle>
  detail::MarkedDistance cut(int model, const Crossing& crossing, Toggle&& toggle) noexcept {
    const auto& tables = matcher_.tables(model);
    const auto edges_at = [&](std::int32_t id) {
      const int row = layout.edge_row(layout.site(id));
      return Span<const detail::LatticeEdge>(tables.edges[row], tables.degree[row]);
    };
    // Most crossings are a single edge.
    for (const detail::LatticeEdge& edge : edges_at(crossing.from))
      if (crossing.from + edge.offset == crossing.to && edge.weight == crossing.path) {
        toggle(crossing.to);
        return edge.weight & 1;
      }
    int n = 0;
    matcher_.for_places_within(model, crossing.to, detail::distance_of(crossing.path) + 1,
                               [&](std::int32_t id, detail::MarkedDistance distance) {
                                 reached_[id] = detail::distance_of(distance);
                                 visited_[n++] = id;
                               });
    reached_[crossing.to] = 0;
    detail::MarkedDistance flips = 0;
    std::int32_t at = crossing.from;
    while (committed(at)) {
      for (const detail::LatticeEdge& edge : edges_at(at)) {
        const std::int32_t rest = reached_[at + edge.offset];
        if (rest == not_reached || rest + detail::distance_of(edge.weight) != reached_[at]) continue;
        flips ^= edge.weight & 1;
        at += edge.offset;
        break;
      }
    }
    for (int k = 0; k < n; ++k) reached_[visited_[k]] = not_reached;
    reached_[crossing.to] = not_reached;
    toggle(at);
    if (at != crossing.to) return flips;
    return crossing.path & 1;  // the whole path: among equally short ones the one that was matched
  }

  // == Permanent: fixed at set-up ==
  Matcher matcher_;
  Exit exits_[2][static_cast<std::size_t>(2 * stream.commit) * h];
  // == Per window ==
  Crossing cut_[static_cast<std::size_t>(2 * stream.commit) * h];
  std::int32_t reached_[layout.n_ids()];
  std::int32_t visited_[layout.n_detectors()];
};

}  // namespace spinel
