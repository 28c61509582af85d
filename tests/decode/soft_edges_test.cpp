// SPDX-License-Identifier: Apache-2.0
// Edges as label bits: the same effect through the residual code, and no fewer and no other bits in a search over all sets.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <span>
#include <spinel/decode/residual.hpp>
#include <spinel/decode/soft_edges.hpp>
#include <spinel/io/experiment.hpp>
#include <spinel/io/graph.hpp>

namespace {

using namespace spinel;

struct Made {
  MemoryExperiment experiment;
  TensorLayout<5> layout;
  io::DemMatcher matcher;
  std::vector<std::byte> memory;
  SoftEdges soft;

  Made(const MemoryExperiment& e, bool dual) : experiment(e) {
    EXPECT_EQ(make_tensor_layout(e, dual, layout), Status::ok);
    matcher = *io::make_matcher(*io::experiment_model(e, uniform_depolarizing(0.01)));
    memory.resize(SoftEdges::memory_needed(matcher.matcher.graph(), layout));
    auto made = SoftEdges::create(matcher.matcher.graph(), layout, memory);
    EXPECT_TRUE(made) << to_string(made.status);
    soft = *made;
  }
  std::size_t bits() const { return static_cast<std::size_t>(experiment.rounds * experiment.n_data() * 4); }

  /// Detectors that a set of label bits flips, and -1 for the observable: by way of the thresholded residual.
  std::set<std::int64_t> effect(const std::set<std::uint32_t>& set) const {
    std::vector<std::uint64_t> events(static_cast<std::size_t>(experiment.n_detectors() + 63) / 64), residual = events;
    begin_residual(layout, events, residual);
    std::set<std::int64_t> found;
    ObservableFlips flips = 0;
    const std::size_t round = static_cast<std::size_t>(experiment.n_data()) * 4;
    for (int t = 0; t < experiment.rounds; ++t) {
      std::vector<float> logits(round, -1.0f);
      for (const auto bit : set)
        if (bit / round == static_cast<std::size_t>(t)) logits[bit % round] = 1.0f;
      flips ^= apply_round(layout, t, logits.data(), residual);
    }
    for (std::int64_t k = 0; k < experiment.n_detectors(); ++k)
      if (residual[static_cast<std::size_t>(k / 64)] >> (k % 64) & 1) found.insert(k);
    if (flips != 0) found.insert(-1);
    return found;
  }
  std::set<std::int64_t> effect_of_edge(std::uint32_t edge) const {
    const MergedEdge& e = matcher.matcher.graph().edges()[edge];
    std::set<std::int64_t> found{e.a};
    if (e.b != boundary_node) found.insert(e.b);
    if (e.observables != 0) found.insert(-1);
    return found;
  }
};

TEST(SoftEdges, EveryWayHasTheEffectOfItsEdge) {
  for (const Basis basis : {Basis::X, Basis::Z})
    for (const Orientation orientation : {Orientation::O1, Orientation::O2, Orientation::O3, Orientation::O4})
      for (const bool dual : {false, true}) {
        const Made made({5, 4, basis, orientation}, dual);
        std::size_t of_basis = 0;
        for (const MergedEdge& edge : made.matcher.matcher.graph().edges()) {
          const auto group = edge.a / 12;
          of_basis += group == 0 || (group % 2 == 1) == (basis == Basis::X);
        }
        EXPECT_EQ(made.soft.n_edges(), of_basis);  // none is left without
        for (std::size_t k = 0; k < made.soft.n_edges(); ++k)
          made.soft.for_ways_of(k, [&](std::span<const std::uint32_t> bits) {
            EXPECT_EQ(made.effect({bits.begin(), bits.end()}), made.effect_of_edge(made.soft.edge(k)));
          });
      }
}

TEST(SoftEdges, AreAllSmallestSetsOfBits) {
  for (const Basis basis : {Basis::X, Basis::Z}) {
    const Made made({3, 3, basis, Orientation::O1}, false);
    // Label bits that the memory basis's detectors see, without flips in the closing round, which never happen.
    std::vector<std::uint32_t> bits;
    for (std::uint32_t bit = 0; bit < made.bits(); ++bit) {
      const bool is_flip = bit % 4 >= 2;
      if (static_cast<int>(bit % 2) != made.layout.basis_kind() || (is_flip && bit / 36 == 2) || made.effect({bit}).empty()) continue;
      bits.push_back(bit);
    }
    std::map<std::set<std::int64_t>, std::set<std::set<std::uint32_t>>> smallest;
    const auto note = [&](const std::set<std::uint32_t>& set) {
      auto& sets = smallest[made.effect(set)];
      if (!sets.empty() && sets.begin()->size() < set.size()) return;
      sets.insert(set);
    };
    for (std::size_t a = 0; a < bits.size(); ++a) note({bits[a]});
    for (std::size_t a = 0; a < bits.size(); ++a)
      for (std::size_t b = 0; b < a; ++b) note({bits[a], bits[b]});
    for (std::size_t a = 0; a < bits.size(); ++a)
      for (std::size_t b = 0; b < a; ++b)
        for (std::size_t c = 0; c < b; ++c) note({bits[a], bits[b], bits[c]});
    for (std::size_t k = 0; k < made.soft.n_edges(); ++k) {
      std::set<std::set<std::uint32_t>> ways;
      made.soft.for_ways_of(k, [&](std::span<const std::uint32_t> way) { EXPECT_TRUE(ways.insert({way.begin(), way.end()}).second); });
      EXPECT_EQ(ways, smallest[made.effect_of_edge(made.soft.edge(k))]) << k;
    }
  }
}

TEST(SoftEdges, WeightsAreTheCheapestWaysDearestBit) {
  Made made({5, 4, Basis::X, Orientation::O1}, false);
  std::vector<float> logits(made.bits());
  for (std::size_t k = 0; k < logits.size(); ++k) logits[k] = static_cast<float>(static_cast<int>(k * 7919 % 1000) - 700) / 100.0f;
  for (int t = 0; t < 4; ++t) made.soft.take_round(t, logits.data() + t * 100);
  const MatchingGraph& graph = made.matcher.matcher.graph();
  for (const Decision decision : {Decision::soft_residual, Decision::soft_raw}) {
    const auto weights = made.soft.weights(graph, decision);
    ASSERT_EQ(weights.size(), made.soft.n_edges());
    bool any_negative = false;
    for (std::size_t k = 0; k < weights.size(); ++k) {
      float cheapest = 1e9f;
      made.soft.for_ways_of(k, [&](std::span<const std::uint32_t> bits) {
        float dearest = -1e9f;
        for (const auto bit : bits) dearest = std::max(dearest, decision == Decision::soft_raw ? -logits[bit] : std::abs(logits[bit]));
        cheapest = std::min(cheapest, dearest);
      });
      EXPECT_EQ(weights[k].edge, made.soft.edge(k));
      EXPECT_EQ(weights[k].weight, graph.units(static_cast<double>(cheapest)));
      any_negative |= weights[k].weight < 0;
    }
    EXPECT_EQ(any_negative, decision == Decision::soft_raw);
  }
}

TEST(SoftEdges, RefuseAGraphOfAnotherExperiment) {
  const Made made({3, 3, Basis::X, Orientation::O1}, false);
  static TensorLayout<5> other;
  ASSERT_EQ(make_tensor_layout<5>({3, 4, Basis::X, Orientation::O1}, false, other), Status::ok);
  std::vector<std::byte> memory(1 << 20);
  EXPECT_EQ(SoftEdges::create(made.matcher.matcher.graph(), other, memory).status, Status::bad_shape);
  static TensorLayout<5> same;
  ASSERT_EQ(make_tensor_layout<5>({3, 3, Basis::X, Orientation::O1}, false, same), Status::ok);
  EXPECT_EQ(SoftEdges::create(made.matcher.matcher.graph(), same, std::span(memory).first(100)).status, Status::out_of_capacity);
}

}  // namespace
