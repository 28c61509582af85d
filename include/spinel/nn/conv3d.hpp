// SPDX-License-Identifier: Apache-2.0
// Direct 3-D convolution: one register tile of `sites` x `vectors` accumulators, written once for every instruction set and
// element type. Activations are [round][row][column][channel] without a halo; a tile walks only the taps that lie inside, so
// no product with padding is ever computed. What is unrolled (sites, vectors, kernel columns) and what is not (input channels,
// kernel rounds and rows) follows measurements: docs/decisions/0010-convolution-kernels.md.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/config.hpp>
#include <spinel/nn/activation.hpp>
#include <spinel/simd/arch.hpp>
#include <utility>

namespace spinel::detail {

/// float32 activations and weights.
template <Arch A>
struct Float32 {
  using arch = A;
  using input = float;
  using weight = float;
  using vector = typename A::f32;
  using accumulator = typename A::f32;
  static constexpr int group = 1;  ///< input channels that one multiply instruction takes together
  static SPINEL_ALWAYS_INLINE accumulator zero() noexcept { return A::broadcast(0.0f); }
  static SPINEL_ALWAYS_INLINE vector load_weights(const weight* p) noexcept { return A::load(p); }
  static SPINEL_ALWAYS_INLINE vector broadcast(const input* p) noexcept { return A::broadcast(*p); }
  static SPINEL_ALWAYS_INLINE void multiply_add(accumulator& sum, vector x, vector w) noexcept { sum = A::fma(x, w, sum); }
};

/// bfloat16 activations and weights, float32 sums.
template <Arch A>
struct BFloat16 {
  static_assert(has_bf16<A>, "this instruction set has no bfloat16 products");
  using arch = A;
  using input = std::uint16_t;
  using weight = std::uint16_t;
  using vector = typename A::i32;
  using accumulator = typename A::f32;
  static constexpr int group = 2;
  static SPINEL_ALWAYS_INLINE accumulator zero() noexcept { return A::broadcast(0.0f); }
  static SPINEL_ALWAYS_INLINE vector load_weights(const weight* p) noexcept { return A::load_bytes(p); }
  static SPINEL_ALWAYS_INLINE vector broadcast(const input* p) noexcept { return A::broadcast_four(p); }
  static SPINEL_ALWAYS_INLINE void multiply_add(accumulator& sum, vector x, vector w) noexcept { sum = A::dot_bf16(sum, x, w); }
};

/// Unsigned byte activations, signed byte weights, int32 sums.
template <Arch A>
struct Int8 {
  using arch = A;
  using input = std::uint8_t;
  using weight = std::int8_t;
  using vector = typename A::i32;
  using accumulator = typename A::i32;
  static constexpr int group = 4;
  static SPINEL_ALWAYS_INLINE accumulator zero() noexcept { return A::zero_i32(); }
  static SPINEL_ALWAYS_INLINE vector load_weights(const weight* p) noexcept { return A::load_bytes(p); }
  static SPINEL_ALWAYS_INLINE vector broadcast(const input* p) noexcept { return A::broadcast_four(p); }
  static SPINEL_ALWAYS_INLINE void multiply_add(accumulator& sum, vector x, vector w) noexcept { sum = A::dot_u8s8(sum, x, w); }
  /// Sums are the same in any order.
  static SPINEL_ALWAYS_INLINE accumulator join(accumulator a, accumulator b) noexcept { return A::add_i32(a, b); }
};

/// Which side of the row a site touches.
inline constexpr int left_edge = 1, right_edge = 2;

/// Kernel rounds [t0, t1) and kernel rows [h0, h1) whose input lies inside the volume.
struct TapRange {
  int t0, t1, h0, h1;
};

/// What a tile does with its finished sums, once per vector. `at_row` gives the epilogue of one output row, `store` takes the
/// tile's edge of the row (left_edge, right_edge, 0) because int8 corrections depend on which taps fall outside.
template <Arch A, Activation activation>
struct StoreFloat32 {
  using output = float;
  const float* bias;
  const StoreFloat32& at_row(TapRange, int) const noexcept { return *this; }
  SPINEL_ALWAYS_INLINE void store(float* out, typename A::f32 sum, int channel, int) const noexcept {
    A::store(out, activate<activation, A>(A::add(sum, A::load(bias + channel))));
  }
};

template <Arch A, Activation activation>
struct StoreBFloat16 {
  using output = std::uint16_t;
  const float* bias;
  const StoreBFloat16& at_row(TapRange, int) const noexcept { return *this; }
  SPINEL_ALWAYS_INLINE void store(std::uint16_t* out, typename A::f32 sum, int channel, int) const noexcept {
    A::store_bf16(out, activate<activation, A>(A::add(sum, A::load(bias + channel))));
  }
};

/// From float sums (the first layer) to bytes q with value (q - zero) / inverse_scale, both per channel.
template <Arch A, Activation activation>
struct QuantizeFloat {
  using output = std::uint8_t;
  const float* bias;
  const float* inverse_scale;
  const float* zero;
  const QuantizeFloat& at_row(TapRange, int) const noexcept { return *this; }
  SPINEL_ALWAYS_INLINE void store(std::uint8_t* out, typename A::f32 sum, int channel, int) const noexcept {
    const auto y = activate<activation, Exact<A>>(A::add(sum, A::load(bias + channel)));
    A::store_u8(out, A::fused(y, A::load(inverse_scale + channel), A::load(zero + channel)));
  }
};

/// From int32 sums to bytes. Inputs carry a zero point but taps outside the volume are skipped, so the zero point's share of the
/// sum depends on the site's edges: `biases` is [t and h edges, 16][w edges, 4][channel].
template <Arch A, Activation activation>
struct Quantize {
  using output = std::uint8_t;
  const float* scale;
  const float* biases;
  int channels;
  const float* inverse_scale;
  const float* zero;
  static constexpr int n_edges = 64;
  static constexpr int row_edges(TapRange taps, int kernel) noexcept {
    return (taps.t0 > 0 ? 1 : 0) | (taps.t1 < kernel ? 2 : 0) | (taps.h0 > 0 ? 4 : 0) | (taps.h1 < kernel ? 8 : 0);
  }
  Quantize at_row(TapRange taps, int kernel) const noexcept {
    Quantize row = *this;
    row.biases += row_edges(taps, kernel) * 4 * channels;
    return row;
  }
  SPINEL_ALWAYS_INLINE void store(std::uint8_t* out, typename A::i32 sum, int channel, int edge) const noexcept {
    const auto y = A::fused(A::to_float(sum), A::load(scale + channel), A::load(biases + edge * channels + channel));
    A::store_u8(out, A::fused(activate<activation, Exact<A>>(y), A::load(inverse_scale + channel), A::load(zero + channel)));
  }
};

/// Stores the sums as they are.
template <Arch A>
struct StoreSums {
  using output = float;
  SPINEL_ALWAYS_INLINE void store(float* out, typename A::f32 sum, int, int) const noexcept { A::store(out, sum); }
};

/// Stores int32 sums as floats: sum * scale + offset per column.
template <Arch A>
struct StoreScaled {
  using output = float;
  const float* scale;
  const float* offset;
  SPINEL_ALWAYS_INLINE void store(float* out, typename A::i32 sum, int column, int) const noexcept {
    A::store(out, A::fused(A::to_float(sum), A::load(scale + column), A::load(offset + column)));
  }
};

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
        if (sites * vectors < 8 && n * sites * vectors <= E::arch::accumulators && in_channels / E::group % n == 0) return n;
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
      for (int kh = taps.h0; kh < taps.h1; ++kh)
        columns(sums, x + (kt - reach) * round_stride + (kh - reach) * row_stride, w + (kt * kernel + kh) * row_weights,
                std::make_integer_sequence<int, kernel>{});
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
SPINEL_COLD void pack_weights(Weight* packed, int in_channels, int out_channels, int kernel, int block_channels, int group, WeightOf&& weight) noexcept {
  const int taps = kernel * kernel * kernel;
  for (int out = 0; out < out_channels; ++out)
    for (int in = 0; in < in_channels; ++in)
      for (int tap = 0; tap < taps; ++tap) {
        const int block = out / block_channels;
        const std::ptrdiff_t at = (((static_cast<std::ptrdiff_t>(block) * taps + tap) * (in_channels / group) + in / group) * block_channels +
                                   out % block_channels) * group + in % group;
        packed[at] = weight(out, in, tap);
      }
}

/// One whole layer at one row width.
template <class E, int in_channels, int out_channels, int kernel, int distance>
struct DirectConv {
  static_assert(out_channels % E::arch::width == 0, "hidden layers must have a multiple of 16 filters");
  static_assert(in_channels % E::group == 0);
  static constexpr RowPlan plan = row_plan(distance, out_channels / E::arch::width, E::arch::accumulators);
  static constexpr int block_channels = plan.vectors * E::arch::width;
  static constexpr std::ptrdiff_t block_weights = static_cast<std::ptrdiff_t>(kernel) * kernel * kernel * in_channels * block_channels;

  template <class Epilogue, int... tile>
  static SPINEL_ALWAYS_INLINE void row(const typename E::input* x, TapRange taps, const typename E::weight* w, const Epilogue& epilogue,
                                       typename Epilogue::output* out, int channel, std::integer_sequence<int, tile...>) noexcept {
    constexpr std::ptrdiff_t row_stride = static_cast<std::ptrdiff_t>(distance) * in_channels;
    (Tile<E, in_channels, kernel, plan.tile_sites(tile), plan.vectors, tile == 0, tile == plan.n_tiles - 1>::run(
         x + plan.tile_start(tile) * in_channels, row_stride, row_stride * distance, taps, w, epilogue,
         out + plan.tile_start(tile) * out_channels, out_channels, channel),
     ...);
  }

  /// Output rounds [begin, end) of a volume of `rounds` rounds; `x` and `out` point at round `begin`, and `x` has the valid
  /// neighbour rounds before and after it in memory.
  template <class Epilogue>
  SPINEL_NOINLINE static void rounds(const typename E::input* x, const typename E::weight* packed, const Epilogue& epilogue, typename Epilogue::output* out,
                     int begin, int end, int rounds) noexcept {
    constexpr int reach = kernel / 2;
    for (int block = 0; block < out_channels / block_channels; ++block)
      for (int t = begin; t < end; ++t)
        for (int h = 0; h < distance; ++h) {
          const TapRange taps{spinel::max(0, reach - t), spinel::min(kernel, rounds - t + reach), spinel::max(0, reach - h),
                              spinel::min(kernel, distance - h + reach)};
          const std::ptrdiff_t site = (static_cast<std::ptrdiff_t>(t - begin) * distance + h) * distance;
          row(x + site * in_channels, taps, packed + block * block_weights, epilogue.at_row(taps, kernel), out + site * out_channels + block * block_channels,
              block * block_channels, std::make_integer_sequence<int, plan.n_tiles>{});
        }
  }
};

/// A layer with few filters (the network's last): each input site is multiplied by all taps at once, as one matrix product with
/// kernel^3 * filters columns, and the columns are then summed at their shifted sites. Four filters in sixteen lanes would waste
/// three quarters of the work.
template <class E, int in_channels, int filters, int kernel>
struct NarrowConv {
  using A = typename E::arch;
  static constexpr int taps = kernel * kernel * kernel;
  static constexpr int columns = (taps * filters + 15) / 16 * 16;
  /// What a product adds to the rounds around it, [kernel round][filter], and as much as whole vectors hold.
  static constexpr int share = kernel * filters, share_vectors = (share + A::width - 1) / A::width, share_size = share_vectors * A::width;
  static constexpr int column_vectors = columns / A::width;
  static constexpr int vectors = column_vectors % 7 == 0 && A::accumulators >= 21 ? 7 : column_vectors % 2 == 0 ? 2 : 1;
  static constexpr int sites = A::accumulators / vectors;
  static constexpr int block_channels = vectors * A::width;

  /// The column of a tap (round, row, column) and filter: those of one place in the plane stand together, round by round.
  static constexpr int column_of(int tap, int filter) noexcept {
    return (tap % (kernel * kernel) * kernel + tap / (kernel * kernel)) * filters + filter;
  }
  static constexpr int filter_of(int column) noexcept { return column % filters; }
  static constexpr int tap_of(int column) noexcept {
    return column / filters % kernel * kernel * kernel + column / filters / kernel;
  }
  /// Floats of the product of one round: reads of whole vectors go past the last column.
  static constexpr std::size_t product_size(std::size_t n_sites) noexcept { return n_sites * columns + share_size; }

  /// Weights, a function of (filter, in, tap), to the packed blocks of the product.
  template <class WeightOf>
  SPINEL_COLD static void pack(typename E::weight* packed, WeightOf&& weight) noexcept {
    for (int column = 0; column < columns; ++column)
      for (int in = 0; in < in_channels; ++in) {
        const int block = column / block_channels;
        const std::ptrdiff_t at = ((static_cast<std::ptrdiff_t>(block) * (in_channels / E::group) + in / E::group) * block_channels +
                                   column % block_channels) * E::group + in % E::group;
        packed[at] = column < taps * filters ? weight(filter_of(column), in, tap_of(column)) : typename E::weight{};
      }
  }

  /// The product for `n_sites` consecutive sites: `x` [site][in], `product` [site][columns].
  template <class Epilogue>
  SPINEL_NOINLINE static void products(const typename E::input* x, const typename E::weight* packed, const Epilogue& epilogue, typename Epilogue::output* product,
                       std::ptrdiff_t n_sites) noexcept {
    constexpr TapRange one{0, 1, 0, 1};
    for (int block = 0; block < columns / block_channels; ++block) {
      const auto* w = packed + static_cast<std::ptrdiff_t>(block) * in_channels * block_channels;
      const int channel = block * block_channels;
      const auto* from = x;
      auto* to = product + channel;
      std::ptrdiff_t left = n_sites;
      for (; left >= sites; left -= sites, from += sites * in_channels, to += sites * columns)
        Tile<E, in_channels, 1, sites, vectors, false, false>::run(from, 0, 0, one, w, epilogue, to, columns, channel);
      for (; left > 0; --left, from += in_channels, to += columns)
        Tile<E, in_channels, 1, 1, vectors, false, false>::run(from, 0, 0, one, w, epilogue, to, columns, channel);
    }
  }

  /// Sums one round's product over rows and columns: `shares` [site][share_size] is what it adds to the rounds around it.
  SPINEL_NOINLINE static void gather(const float* product, float* shares, int distance) noexcept {
    constexpr int reach = kernel / 2;
    for (int h = 0; h < distance; ++h) {
      const int kh0 = spinel::max(0, reach - h), kh1 = spinel::min(kernel, distance - h + reach);
      for (int w = 0; w < distance; ++w, shares += share_size) {
        const int kw0 = spinel::max(0, reach - w), kw1 = spinel::min(kernel, distance - w + reach);
        const float* corner = product + (static_cast<std::ptrdiff_t>(h - reach) * distance + w - reach) * columns;
        // One partial sum a kernel row: independent additions overlap.
        typename A::f32 sums[static_cast<std::size_t>(kernel)][static_cast<std::size_t>(share_vectors)];
#pragma GCC unroll 5
        for (int kh = 0; kh < kernel; ++kh)
          for (int v = 0; v < share_vectors; ++v) sums[kh][v] = A::broadcast(0.0f);
        const auto add = [&](int kh, int kw) {
          const float* column = corner + (static_cast<std::ptrdiff_t>(kh) * distance + kw) * columns + (kh * kernel + kw) * share;
#pragma GCC unroll 5
          for (int v = 0; v < share_vectors; ++v) sums[kh][v] = A::add(sums[kh][v], A::load(column + v * A::width));
        };
        if (kh0 == 0 && kh1 == kernel && kw0 == 0 && kw1 == kernel) {
#pragma GCC unroll 5
          for (int kh = 0; kh < kernel; ++kh)
#pragma GCC unroll 5
            for (int kw = 0; kw < kernel; ++kw) add(kh, kw);
        } else {
#pragma GCC unroll 5
          for (int kh = 0; kh < kernel; ++kh)
            if (kh >= kh0 && kh < kh1)
              for (int kw = kw0; kw < kw1; ++kw) add(kh, kw);
        }
#pragma GCC unroll 5
        for (int v = 0; v < share_vectors; ++v) {
          typename A::f32 sum = sums[0][v];
#pragma GCC unroll 5
          for (int kh = 1; kh < kernel; ++kh) sum = A::add(sum, sums[kh][v]);
          A::store(shares + v * A::width, sum);
        }
      }
    }
  }

  /// Output round t of `rounds` from the shares of the rounds around it; `shares_of(t)` says where a round's are.
  template <class SharesOf>
  SPINEL_NOINLINE static void sum_shares(SharesOf&& shares_of, const float* bias, float* out, int t, int rounds, int distance) noexcept {
    constexpr int reach = kernel / 2;
    const int kt0 = spinel::max(0, reach - t), kt1 = spinel::min(kernel, rounds - t + reach), n_sites = distance * distance;
    for (int site = 0; site < n_sites; ++site)
      for (int f = 0; f < filters; ++f) out[site * filters + f] = bias[f];
    for (int kt = kt0; kt < kt1; ++kt) {
      const float* shares = shares_of(t + kt - reach) + kt * filters;
      for (int site = 0; site < n_sites; ++site)
        for (int f = 0; f < filters; ++f) out[site * filters + f] += shares[site * share_size + f];
    }
  }
};

}  // namespace spinel::detail
