// SPDX-License-Identifier: Apache-2.0
// Graphs and packed shots for the tests of matching.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include <spinel/match/graph.hpp>

namespace spinel {

inline std::vector<std::uint8_t> packed(std::size_t n, const std::vector<std::uint32_t>& events) {
  std::vector<std::uint8_t> bytes((n + 7) / 8);
  for (const auto event : events) bytes[event / 8] ^= static_cast<std::uint8_t>(1u << (event % 8));
  return bytes;
}

/// What may occur in a random graph.
struct GraphCase {
  bool boundary, negative, zero, parallel, integer_like;
};

inline std::vector<GraphEdge> random_graph(std::mt19937_64& random, std::size_t n, std::size_t n_edges, const GraphCase& c) {
  const auto below = [&](std::size_t k) { return static_cast<std::uint32_t>(random() % k); };
  std::vector<GraphEdge> edges;
  for (std::size_t k = 0; k < n_edges; ++k) {
    GraphEdge edge{below(n), below(n), 0.0, random()};
    if (c.boundary && below(4) == 0) edge.b = boundary_node;
    if (edge.a == edge.b) continue;
    edge.probability = c.integer_like ? 1 / (1 + std::exp(double(below(4)))) : 0.001 + 0.3 * double(below(1000)) / 1000;
    if (c.negative && below(5) == 0) edge.probability = 1 - edge.probability;
    if (c.zero && below(4) == 0) edge.probability = 0.5;
    edges.push_back(edge);
    if (c.parallel && below(3) == 0) edges.push_back(edge);
  }
  return edges;
}

/// A cubic lattice with diagonals, periodic unless it has a boundary at both ends of x.
inline std::vector<GraphEdge> grid(std::size_t side, bool boundary, std::mt19937_64& random) {
  std::vector<GraphEdge> edges;
  const auto id = [&](std::size_t x, std::size_t y, std::size_t z) {
    return static_cast<std::uint32_t>((z % side * side + y % side) * side + x % side);
  };
  const auto p = [&] { return 0.002 * double(1 + random() % 30); };
  for (std::size_t z = 0; z < side; ++z)
    for (std::size_t y = 0; y < side; ++y)
      for (std::size_t x = 0; x < side; ++x) {
        if (x + 1 < side || !boundary) edges.push_back({id(x, y, z), id(x + 1, y, z), p(), x == 0 ? 1u : 0u});
        if (y + 1 < side || !boundary) edges.push_back({id(x, y, z), id(x, y + 1, z), p(), y == 0 ? 2u : 0u});
        if (z + 1 < side || !boundary) edges.push_back({id(x, y, z), id(x, y, z + 1), p(), 0});
        if (z + 1 < side || !boundary) edges.push_back({id(x, y, z), id(x + 1, y + 1, z + 1), p(), x == 0 ? 1u : 0u});
        if (boundary && (x == 0 || x + 1 == side)) edges.push_back({id(x, y, z), boundary_node, p(), x == 0 ? 1u : 0u});
      }
  return edges;
}

}  // namespace spinel
