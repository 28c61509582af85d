// SPDX-License-Identifier: Apache-2.0
// The network's logits as the matcher's edge weights for one shot, instead of only their signs. Every edge of the graph is written
// as the fewest label bits (data corrections, measurement flips) with the same detectors and observables, in all such ways. An
// edge costs what its cheapest way costs, and a way what its dearest bit costs.
// The bits are edges themselves (of detectors at one round, or of one check at two rounds), so ways are shortest paths.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/code/detectors.hpp>
#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/decode/encode.hpp>
#include <spinel/match/graph.hpp>

namespace spinel {

/// How the matcher hears of the network.
enum class Decision : std::uint8_t {
  hard,           ///< thresholded corrections, then matching of the residual with the graph's own weights
  soft_residual,  ///< the same corrections, but undoing or doing one more costs its |logit|
  soft_raw,       ///< matching of the events themselves, where a bit costs -logit
};

/// Weights for the edges between detectors of the memory basis; those of the other basis cannot flip the observable and keep
/// their own, as do edges that no three bits amount to.
class SoftEdges {
 public:
  static constexpr int max_bits = 3;

  /// Bytes that `create` needs for this graph.
  template <int max_distance>
  static std::size_t memory_needed(const MatchingGraph& graph, const TensorLayout<max_distance>& layout) noexcept {
    Arena counter;
    SoftEdges made;
    made.lay_out(graph, layout, counter);
    return counter.used() + Arena::alignment;
  }

  /// Finds the ways of every edge; `memory` must outlive the object. Errors: bad_shape where the graph has other detectors than
  /// the layout's experiment, out_of_capacity.
  template <int max_distance>
  static Result<SoftEdges> create(const MatchingGraph& graph, const TensorLayout<max_distance>& layout, Span<std::byte> memory) noexcept {
    if (static_cast<std::int64_t>(graph.n_detectors()) != layout.experiment.n_detectors()) return Status::bad_shape;
    Arena arena{memory};
    SoftEdges made;
    made.lay_out(graph, layout, arena);
    if (memory.empty() || arena.overflowed()) return Status::out_of_capacity;
    std::size_t n_edges = 0, n_ways = 0;
    for (std::size_t edge = 0; edge < graph.edges().size(); ++edge) {
      const std::size_t before = n_ways;
      for_each_way(graph.edges()[edge], layout, [&](const std::uint32_t (&bits)[max_bits]) {
        for (int k = 0; k < max_bits; ++k) made.ways_[n_ways].bits[k] = bits[k];
        ++n_ways;
      });
      if (n_ways == before) continue;
      made.edges_[n_edges] = {static_cast<std::uint32_t>(edge), 0};
      made.ways_end_[n_edges++] = static_cast<std::uint32_t>(n_ways);
    }
    return made;
  }

  /// Takes round t's logits, [row][column][channel].
  void take_round(int t, const float* logits) noexcept {
    float* to = logits_.data() + static_cast<std::size_t>(t) * round_size_;
    for (std::size_t k = 0; k < round_size_; ++k) to[k] = logits[k];
  }

  /// The weights of this shot in `graph`'s units, after every round was taken; valid until the next call.
  Span<const EdgeWeight> weights(const MatchingGraph& graph, Decision decision) noexcept {
    const bool raw = decision == Decision::soft_raw;
    std::size_t way = 0;
    for (std::size_t k = 0; k < edges_.size(); ++k) {
      float cheapest = 0;
      for (bool first = true; way < ways_end_[k]; ++way, first = false) {
        float dearest = 0;
        for (int b = 0; b < max_bits; ++b) {
          const float logit = logits_[ways_[way].bits[b]];
          const float cost = raw ? -logit : spinel::fabs(logit);
          dearest = b == 0 ? cost : spinel::max(dearest, cost);
        }
        cheapest = first ? dearest : spinel::min(cheapest, dearest);
      }
      edges_[k].weight = graph.units(static_cast<double>(cheapest));
    }
    return edges_;
  }

  /// Edges that have ways, and the ways of one: bits as (round * sites + site) * 4 + channel, the last repeated if fewer than three.
  std::size_t n_edges() const noexcept { return edges_.size(); }
  std::uint32_t edge(std::size_t k) const noexcept { return edges_[k].edge; }
  template <class Visit>
  void for_ways_of(std::size_t k, Visit&& visit) const noexcept {
    for (std::size_t way = k == 0 ? 0 : ways_end_[k - 1]; way < ways_end_[k]; ++way) visit(Span<const std::uint32_t>(ways_[way].bits));
  }

 private:
  struct Way {
    std::uint32_t bits[max_bits] = {};
  };
  /// One bit, seen from one of the detectors that it flips.
  struct Step {
    std::uint32_t to = boundary_node;
    std::uint32_t bit = 0;
    bool flips_observable = false;
  };
  struct Steps {
    static constexpr int capacity = 6;  // four data qubits, two rounds
    Step steps[capacity];
    int count = 0;
    void add(std::uint32_t to, std::uint32_t bit, bool flips_observable) noexcept { steps[count++] = {to, bit, flips_observable}; }
  };

  template <int max_distance>
  void lay_out(const MatchingGraph& graph, const TensorLayout<max_distance>& layout, Arena& arena) noexcept {
    std::size_t n_edges = 0, n_ways = 0;
    for (const MergedEdge& edge : graph.edges()) {
      const std::size_t before = n_ways;
      for_each_way(edge, layout, [&](const std::uint32_t (&)[max_bits]) { ++n_ways; });
      n_edges += n_ways > before ? 1 : 0;
    }
    round_size_ = static_cast<std::size_t>(layout.n_sites()) * tensor_channels;
    edges_ = arena.take<EdgeWeight>(n_edges);
    ways_end_ = arena.take<std::uint32_t>(n_edges);
    ways_ = arena.take<Way>(n_ways);
    logits_ = arena.take<float>(round_size_ * static_cast<std::size_t>(layout.experiment.rounds));
  }

  /// Check and round of a detector of the memory basis; check -1 for all others and for those of the closing read-out.
  struct Place {
    int check = -1, t = 0;
  };
  static Place place(const MemoryExperiment& experiment, std::uint32_t detector) noexcept {
    const auto h = static_cast<std::uint32_t>(experiment.n_checks());
    const auto group = static_cast<int>(detector / h), check = static_cast<int>(detector % h);
    if (group == 0) return {check, 0};
    if (group == 2 * experiment.rounds - 1) return {};
    return (group % 2 == 1) == (experiment.basis == Basis::X) ? Place{check, (group + 1) / 2} : Place{};
  }

  template <int max_distance>
  static Steps steps_from(const TensorLayout<max_distance>& layout, std::uint32_t node) noexcept {
    const MemoryExperiment& experiment = layout.experiment;
    const int kind = layout.basis_kind();
    const auto [check, t] = place(experiment, node);
    Steps found;
    if (check < 0) return found;
    const auto bit = [&](int round, int site, int channel) {
      return (static_cast<std::uint32_t>(round) * static_cast<std::uint32_t>(layout.n_sites()) + static_cast<std::uint32_t>(site)) * tensor_channels +
             static_cast<std::uint32_t>(channel);
    };
    const auto detector = [&](int k, int round) { return static_cast<std::uint32_t>(detector_index(experiment, experiment.basis, k, round)); };
    // The check's own site is its first data qubit; the others lie within two rows and columns around it.
    const int d = experiment.distance, site = layout.site_of_check[kind][check];
    for (int row = spinel::max(0, site / d - 1); row < spinel::min(d, site / d + 2); ++row)
      for (int column = spinel::max(0, site % d - 1); column < spinel::min(d, site % d + 2); ++column) {
        const int data = row * d + column;
        const auto& checks = layout.checks_of_data[kind][data];
        if (checks[0] != check && checks[1] != check) continue;
        const int other = checks[0] == check ? checks[1] : checks[0];
        found.add(other >= 0 ? detector(other, t) : boundary_node, bit(t, data, kind), layout.in_logical[data]);
      }
    if (t + 1 < experiment.rounds) found.add(detector(check, t + 1), bit(t, site, 2 + kind), false);
    if (t > 0) found.add(detector(check, t - 1), bit(t - 1, site, 2 + kind), false);
    return found;
  }

  /// Calls `visit(bits)` for every shortest path of at most `max_bits` bits with the edge's ends and observable; shorter ones are
  /// padded with their last bit. The boundary is passed through only on the way to the edge's other end.
  template <int max_distance, class Visit>
  static void for_each_way(const MergedEdge& edge, const TensorLayout<max_distance>& layout, Visit&& visit) noexcept {
    const std::uint32_t start = edge.a, target = edge.b;
    if (start == target || place(layout.experiment, start).check < 0) return;
    if (target != boundary_node && place(layout.experiment, target).check < 0) return;
    const bool wanted = (edge.observables & 1) != 0;
    Steps level[max_bits];
    for (int length = 1; length <= max_bits; ++length) {
      bool found = false;
      int next[max_bits] = {}, depth = 0;
      std::uint32_t bits[max_bits] = {};
      bool parity[max_bits + 1] = {};
      level[0] = steps_from(layout, start);
      while (depth >= 0) {
        if (next[depth] == level[depth].count) {
          --depth;
          continue;
        }
        const Step& step = level[depth].steps[next[depth]++];
        bits[depth] = step.bit;
        parity[depth + 1] = parity[depth] != step.flips_observable;
        if (depth + 1 == length) {
          if (step.to != target || parity[depth + 1] != wanted) continue;
          for (int k = length; k < max_bits; ++k) bits[k] = bits[length - 1];
          visit(bits);
          found = true;
          continue;
        }
        if (step.to == target || step.to == start) continue;
        if (step.to == boundary_node) {
          level[depth + 1] = {};
          const Steps back = steps_from(layout, target);
          for (int k = 0; k < back.count; ++k)
            if (back.steps[k].to == boundary_node) level[depth + 1].add(target, back.steps[k].bit, back.steps[k].flips_observable);
        } else {
          level[depth + 1] = steps_from(layout, step.to);
        }
        next[++depth] = 0;
      }
      if (found) return;
    }
  }

  // == Permanent: fixed at set-up ==
  std::size_t round_size_ = 0;
  Span<std::uint32_t> ways_end_;  // of each edge's ways, which begin where the last edge's end
  Span<Way> ways_;
  // == Per shot ==
  Span<EdgeWeight> edges_;
  Span<float> logits_;
};

}  // namespace spinel
