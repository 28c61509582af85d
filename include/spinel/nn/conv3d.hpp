// SPDX-License-Identifier: Apache-2.0
// Direct 3-D convolution: one register tile of `sites` x `vectors` accumulators, written once for every instruction set and
// element type. Activations are [round][row][column][channel] without a halo; a tile walks only the taps that lie inside, so
// no product with padding is ever computed. What is unrolled (sites, vectors, kernel columns) and what is not (input channels,
// kernel rounds and rows) follows measurements: docs/decisions/0010-convolution-kernels.md.
#pragma once

#include <cstddef>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/config.hpp>
#include <spinel/nn/element.hpp>
#include <utility>

namespace spinel::detail {

/// How a row of `distance` sites is cut into register tiles, and how many vectors of output channels a tile spans.
struct RowPlan {
  int vectors = 1;
  int n_tiles = 1;
  int smaller_tile = 0;  ///< sites of the tiles after the first `n_larger`
  int n_larger = 0;
  constexpr int tile_sites(int tile) const noexcept { return smaller_tile + (tile < n_larger ? 1 : 0); }
  constexpr int tile_start(int tile) const noexcept { return tile * smaller_tile + (tile < n_larger ? tile : n_larger); }
};

/// Near-equal tiles with at most `accumulators` vectors each; short rows take four vectors so that the loads are amortised.
constexpr RowPlan row_plan(int distance, int output_vectors, int accumulators) noexcept {
  RowPlan plan{};
  plan.vectors = output_vectors % 4 == 0 && distance * 4 <= accumulators ? 4 : output_vectors % 2 == 0 ? 2 : 1;
  const int most_sites = accumulators / plan.vectors;
  plan.n_tiles = (distance + most_sites - 1) / most_sites;
  plan.smaller_tile = distance / plan.n_tiles;
  plan.n_larger = distance % plan.n_tiles;
  return plan;
}

template <class E, int in_channels, int kernel, int sites, int vectors, bool left, bool right>
struct Tile {
  static constexpr int reach = kernel / 2;
  static constexpr int vector_weights = vectors * E::arch::width * E::group;
  /// A small tile has fewer sums than a multiplier has stages: where their order does not matter, several chains a sum keep it busy.
  static constexpr int chains = [] {
    if constexpr (requires(typename E::accumulator sum) { E::join(sum, sum); })
      for (const int n : {4, 2})
        if (sites * vectors < 12 && n * sites * vectors <= E::arch::accumulators && in_channels / E::group % n == 0) return n;
    return 1;
  }();
  using Sums = typename E::accumulator[static_cast<std::size_t>(chains)][static_cast<std::size_t>(sites)][static_cast<std::size_t>(vectors)];

  template <int kw>
  static SPINEL_ALWAYS_INLINE void column(Sums& sums, const typename E::input* SPINEL_RESTRICT x,
                                          const typename E::weight* SPINEL_RESTRICT w) noexcept {
    constexpr int shift = kw - reach;
    constexpr int first = left && shift < 0 ? spinel::min(-shift, sites) : 0;
    constexpr int last = right && shift > 0 ? spinel::max(sites - shift, 0) : sites;
    if constexpr (first < last) {
      x += shift * in_channels;
      w += static_cast<std::ptrdiff_t>(kw) * (in_channels / E::group) * vector_weights;
#pragma GCC unroll 1
      for (int c0 = 0; c0 < in_channels / E::group; c0 += chains)
#pragma GCC unroll 4
        for (int chain = 0; chain < chains; ++chain) {
          const int c = c0 + chain;
          typename E::vector weights[static_cast<std::size_t>(vectors)];
#pragma GCC unroll 8
          for (int v = 0; v < vectors; ++v)
            weights[v] = E::load_weights(w + c * vector_weights + v * E::arch::width * E::group);
#pragma GCC unroll 32
          for (int s = first; s < last; ++s) {
            const typename E::vector value = E::broadcast(x + s * in_channels + c * E::group);
#pragma GCC unroll 8
            for (int v = 0; v < vectors; ++v) E::multiply_add(sums[chain][s][v], value, weights[v]);
          }
        }
    }
  }

  /// All kernel columns in one loop over the channels: an input is loaded once for the (up to `kernel`) sums that it goes into.
  static constexpr bool is_merged = chains * sites * vectors + kernel * vectors + 1 <= E::arch::accumulators + 4;
  static SPINEL_ALWAYS_INLINE void merged(Sums& sums, const typename E::input* SPINEL_RESTRICT x, const typename E::weight* SPINEL_RESTRICT w) noexcept {
    constexpr std::ptrdiff_t column_weights = static_cast<std::ptrdiff_t>(in_channels / E::group) * vector_weights;
    constexpr int first = left ? 0 : -reach, last = right ? sites : sites + reach;
#pragma GCC unroll 1
    for (int c0 = 0; c0 < in_channels / E::group; c0 += chains)
#pragma GCC unroll 4
      for (int chain = 0; chain < chains; ++chain) {
        const int c = c0 + chain;
        typename E::vector weights[static_cast<std::size_t>(kernel)][static_cast<std::size_t>(vectors)];
#pragma GCC unroll 8
        for (int kw = 0; kw < kernel; ++kw)
#pragma GCC unroll 8
          for (int v = 0; v < vectors; ++v) weights[kw][v] = E::load_weights(w + kw * column_weights + c * vector_weights + v * E::arch::width * E::group);
#pragma GCC unroll 40
        for (int s = first; s < last; ++s) {
          const typename E::vector value = E::broadcast(x + s * in_channels + c * E::group);
#pragma GCC unroll 8
          for (int kw = 0; kw < kernel; ++kw)
            if (const int out = s - kw + reach; out >= 0 && out < sites)
#pragma GCC unroll 8
              for (int v = 0; v < vectors; ++v) E::multiply_add(sums[chain][out][v], value, weights[kw][v]);
        }
      }
  }

  template <int... kw>
  static SPINEL_ALWAYS_INLINE void columns(Sums& sums, const typename E::input* x, const typename E::weight* w,
                                           std::integer_sequence<int, kw...>) noexcept {
    (column<kw>(sums, x, w), ...);
  }

  /// `x`: first site of the tile, channel 0, at the centre tap; `w`: this block's weights [kt][kh][kw][in / group][vectors][width][group].
  template <class Epilogue>
  static SPINEL_NOINLINE void run(const typename E::input* x, std::ptrdiff_t row_stride, std::ptrdiff_t round_stride, TapRange taps,
                                  const typename E::weight* w, const Epilogue& epilogue, typename Epilogue::output* out,
                                  std::ptrdiff_t out_stride, int channel) noexcept {
    Sums sums;
#pragma GCC unroll 4
    for (int chain = 0; chain < chains; ++chain)
#pragma GCC unroll 32
      for (int s = 0; s < sites; ++s)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; ++v) sums[chain][s][v] = E::zero();
    constexpr std::ptrdiff_t row_weights = static_cast<std::ptrdiff_t>(kernel) * (in_channels / E::group) * vector_weights;
#pragma GCC unroll 1
    for (int kt = taps.t0; kt < taps.t1; ++kt)
#pragma GCC unroll 1
      for (int kh = taps.h0; kh < taps.h1; ++kh) {
        const auto* from = x + (kt - reach) * round_stride + (kh - reach) * row_stride;
        if constexpr (is_merged)
          merged(sums, from, w + (kt * kernel + kh) * row_weights);
        else
          columns(sums, from, w + (kt * kernel + kh) * row_weights, std::make_integer_sequence<int, kernel>{});
      }
    if constexpr (chains > 1)
#pragma GCC unroll 4
      for (int chain = 1; chain < chains; ++chain)
#pragma GCC unroll 32
        for (int s = 0; s < sites; ++s)
#pragma GCC unroll 8
          for (int v = 0; v < vectors; ++v) sums[0][s][v] = E::join(sums[0][s][v], sums[chain][s][v]);
#pragma GCC unroll 32
    for (int s = 0; s < sites; ++s)
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v)
        epilogue.store(out + s * out_stride + v * E::arch::width, sums[0][s][v], channel + v * E::arch::width,
                         (left && s == 0 ? left_edge : 0) | (right && s == sites - 1 ? right_edge : 0));
  }
};

/// Weights, a function of (out, in, tap), to [block][kt][kh][kw][in / group][vectors * width][group], in the order in which the tiles
/// read them.
template <class Weight, class WeightOf>
SPINEL_COLD void pack_weights(Weight* packed, int in_channels, int out_channels, int taps, int block_channels, int group, WeightOf&& weight) noexcept {
  for (int out = 0; out < out_channels; ++out)
    for (int in = 0; in < in_channels; ++in)
      for (int tap = 0; tap < taps; ++tap) {
        const int block = out / block_channels;
        const std::ptrdiff_t at = (((static_cast<std::ptrdiff_t>(block) * taps + tap) * (in_channels / group) + in / group) * block_channels +
                                   out % block_channels) * group + in % group;
        packed[at] = weight(out, in, tap);
      }
}

/// One whole layer at one row width. `kernel_rounds` is `kernel`, or 1 for a layer that stays within a round.
template <class E, int in_channels, int out_channels, int kernel, int distance, int kernel_rounds = kernel>
struct DirectConv {
  static_assert(out_channels % E::arch::width == 0, "hidden layers must have a multiple of 16 filters");
  static_assert(in_channels % E::group == 0);
  static constexpr RowPlan plan = row_plan(distance, out_channels / E::arch::width, E::arch::accumulators);
  static constexpr int block_channels = plan.vectors * E::arch::width;
  static constexpr std::ptrdiff_t block_weights = static_cast<std::ptrdiff_t>(kernel_rounds) * kernel * kernel * in_channels * block_channels;

  template <class Epilogue, int... tile>
  static SPINEL_ALWAYS_INLINE void row(const typename E::input* x, TapRange taps, const typename E::weight* w, const Epilogue& epilogue,
                                       typename Epilogue::output* out, int channel, std::integer_sequence<int, tile...>) noexcept {
    constexpr std::ptrdiff_t row_stride = static_cast<std::ptrdiff_t>(distance) * in_channels;
    (Tile<E, in_channels, kernel, plan.tile_sites(tile), plan.vectors, tile == 0, tile == plan.n_tiles - 1>::run(
         x + plan.tile_start(tile) * in_channels, row_stride, kernel_rounds == 1 ? 0 : row_stride * distance, taps, w, epilogue,
         out + plan.tile_start(tile) * out_channels, out_channels, channel),
     ...);
  }

  /// Output rounds [begin, end) of a volume of `rounds` rounds; `x` and `out` point at round `begin`, and `x` has the valid
  /// neighbour rounds before and after it in memory.
  template <class Epilogue>
  SPINEL_NOINLINE static void rounds(const typename E::input* x, const typename E::weight* packed, const Epilogue& epilogue, typename Epilogue::output* out,
                     int begin, int end, int rounds) noexcept {
    constexpr int reach = kernel / 2, reach_rounds = kernel_rounds / 2;
    for (int block = 0; block < out_channels / block_channels; ++block)
      for (int t = begin; t < end; ++t)
        for (int h = 0; h < distance; ++h) {
          const TapRange taps{spinel::max(0, reach_rounds - t), spinel::min(kernel_rounds, rounds - t + reach_rounds), spinel::max(0, reach - h),
                              spinel::min(kernel, distance - h + reach)};
          const std::ptrdiff_t site = (static_cast<std::ptrdiff_t>(t - begin) * distance + h) * distance;
          row(x + site * in_channels, taps, packed + block * block_weights, epilogue.at_row(row_edges(taps, kernel_rounds, kernel)),
              out + site * out_channels + block * block_channels, block * block_channels, std::make_integer_sequence<int, plan.n_tiles>{});
        }
  }
};

}  // namespace spinel::detail
