// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include <spinel/io/graph.hpp>
#include <spinel/match/implied_weights.hpp>
#include <spinel/match/matcher.hpp>

namespace spinel {

/// A packed shot and the flips of its observables, mechanism by mechanism; every probability times `strength`.
template <class Random>
std::pair<std::vector<std::uint8_t>, ObservableFlips> sample_shot(const io::GraphEdges& model, std::size_t n_detectors, Random& random,
                                                                  double strength = 1) {
  std::uniform_real_distribution<> uniform(0, 1);
  std::pair<std::vector<std::uint8_t>, ObservableFlips> shot{std::vector<std::uint8_t>((n_detectors + 7) / 8), 0};
  detail::for_mechanisms(model.mechanism_of, [&](std::size_t begin, std::size_t end) {
    if (uniform(random) >= strength * model.edges[begin].probability) return;
    for (std::size_t k = begin; k < end; ++k) {
      shot.second ^= model.edges[k].observables;
      for (const std::uint32_t node : {model.edges[k].a, model.edges[k].b})
        if (node != boundary_node) shot.first[node / 8] ^= static_cast<std::uint8_t>(1u << (node % 8));
    }
  });
  return shot;
}

}  // namespace spinel
