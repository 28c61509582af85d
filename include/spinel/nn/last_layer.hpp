// SPDX-License-Identifier: Apache-2.0
// The network's last layer: few filters, so few that they would fill a quarter of a vector.
#pragma once

#include <cstddef>
#include <cstring>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/config.hpp>
#include <spinel/nn/conv3d.hpp>
#include <spinel/nn/element.hpp>
#include <type_traits>

namespace spinel::detail {

/// A round is multiplied once for all the rounds that it adds to: its "shares" are, at every site, kernel * filters sums over rows and
/// columns, and an output round is the sum of the shares that the rounds around it have for it.
/// From many channels, shares are made of one matrix product with kernel^3 * filters columns, a column a tap and filter: the products are
/// then summed at their shifted sites. From few channels that would write and read more than it multiplies, and shares are the results
/// of a direct convolution within the round, a column a kernel round and filter.
template <class E, int in_channels, int filters, int kernel>
struct LastLayer {
  using A = typename E::arch;
  static constexpr bool is_planar = in_channels < 64 && kernel <= 3;  // int8 offsets know one row of taps beyond an edge
  static constexpr int plane = kernel * kernel;
  /// What a site adds to the rounds around it, [kernel round][filter], and as much as whole vectors hold.
  static constexpr int share = kernel * filters, share_vectors = (share + A::width - 1) / A::width, share_size = share_vectors * A::width;
  static constexpr int columns = is_planar ? share_size : (plane * share + 15) / 16 * 16;
  /// Edge of the square of taps that a column sums.
  static constexpr int column_kernel = is_planar ? kernel : 1;

  /// Filter and tap of the weight of a column's tap; a filter below zero: no weight, the column fills a vector.
  struct Place {
    int filter, tap;
  };
  static constexpr Place place(int column, int tap) noexcept {
    const int of_share = column % (is_planar ? share_size : share), of_plane = is_planar ? tap : column / share;
    return {of_share < share && of_plane < plane ? of_share % filters : -1, of_share / filters * plane + of_plane};
  }

  /// Weights, a function of (column, in, tap of the column), as `shares` reads them.
  template <int distance, class WeightOf>
  SPINEL_COLD static void pack(typename E::weight* packed, WeightOf&& weight) noexcept {
    constexpr int block = is_planar ? Plane<distance>::block_channels : block_channels;
    pack_weights(packed, in_channels, columns, column_kernel * column_kernel, block, E::group, weight);
  }

  /// Floats of the product of one round: reads of whole vectors go past the last column.
  static constexpr std::size_t product_size(std::size_t n_sites) noexcept { return is_planar ? 0 : n_sites * columns + share_size; }

  /// Shares [site][share_size] of the round `x` [site][in]; `product` is work space.
  template <int distance, class Epilogue>
  static void shares(const typename E::input* x, const typename E::weight* packed, const Epilogue& epilogue, float* product, float* shares) noexcept {
    if constexpr (is_planar) {
      Plane<distance>::rounds(x, packed, epilogue, shares, 0, 1, 1);
    } else {
      products(x, packed, epilogue, product, std::ptrdiff_t{distance} * distance);
      gather(product, shares, distance);
    }
  }

  /// Output round t of `rounds`; `shares_of(t)` says where a round's shares are.
  template <class SharesOf>
  SPINEL_NOINLINE static void sum_shares(SharesOf&& shares_of, const float* bias, float* out, int t, int rounds, int distance) noexcept {
    constexpr int reach = kernel / 2;
    const int kt0 = spinel::max(0, reach - t), kt1 = spinel::min(kernel, rounds - t + reach), n_sites = distance * distance;
    const float* from[static_cast<std::size_t>(kernel)] = {};
    for (int kt = kt0; kt < kt1; ++kt) from[kt] = shares_of(t + kt - reach) + kt * filters;
    constexpr int lanes = filters % 4 == 0 ? 4 : 1;
    typedef float Some __attribute__((vector_size(4 * lanes)));
    const auto load = [](const float* p) {
      Some values;
      std::memcpy(&values, p, sizeof values);
      return values;
    };
    const auto sum = [&](auto begin, auto end) {
      for (int site = 0; site < n_sites; ++site)
        for (int f = 0; f < filters; f += lanes) {
          Some total = load(bias + f);
          for (int kt = begin; kt < end; ++kt) total += load(from[kt] + site * share_size + f);
          std::memcpy(out + site * filters + f, &total, sizeof total);
        }
    };
    if (kt0 == 0 && kt1 == kernel) sum(std::integral_constant<int, 0>{}, std::integral_constant<int, kernel>{});
    else sum(kt0, kt1);
  }

 private:
  template <int distance>
  using Plane = DirectConv<E, in_channels, share_size, kernel, distance, 1>;
  // The product's tiles.
  static constexpr int column_vectors = columns / A::width;
  static constexpr int vectors = column_vectors % 7 == 0 && A::accumulators >= 21 ? 7 : column_vectors % 2 == 0 ? 2 : 1;
  static constexpr int sites = A::accumulators / vectors;
  static constexpr int block_channels = vectors * A::width;

  /// The product for `n_sites` consecutive sites: `x` [site][in], `product` [site][columns].
  template <class Epilogue>
  SPINEL_NOINLINE static void products(const typename E::input* x, const typename E::weight* packed, const Epilogue& epilogue, float* product,
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

  /// Sums one round's product over rows and columns: `shares` [site][share_size].
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
};

}  // namespace spinel::detail
