// SPDX-License-Identifier: Apache-2.0
// 3x3x3 convolution in float32 with fewer multiplications: Cook-Toom (Winograd) F(m, 3) along each axis, one matrix product per
// frequency. Source: Lavin and Gray, arXiv:1509.09308; matrices by transposing polynomial multiplication at the points
// infinity, 0, 1, -1, 1/2, -2, 2. Tiles of several sizes share the transformed weights, since a smaller tile uses the first of the
// same points: an axis is cut without padding. Relative error some 1e-6; not for int8, whose numbers grow in the transforms.
#pragma once

#include <cstddef>

#include <spinel/core/algorithm.hpp>
#include <spinel/nn/conv3d.hpp>
#include <spinel/nn/round_buffer.hpp>
#include <utility>

namespace spinel::detail {

/// An axis cut into tiles of near-equal sizes: `n_larger` tiles of `larger` outputs come first, all others have one output less.
struct AxisTiles {
  int count, larger, n_larger;
  constexpr AxisTiles(int length, int edge) noexcept : count((length + edge - 1) / edge), larger((length + count - 1) / count), n_larger(length - (larger - 1) * count) {}
  constexpr int size(int tile) const noexcept { return tile < n_larger ? larger : larger - 1; }
  constexpr int start(int tile) const noexcept { return tile * (larger - 1) + spinel::min(tile, n_larger); }
  /// How many tiles use a frequency; they are the first ones.
  constexpr int using_frequency(int frequency) const noexcept { return frequency < larger + 1 ? count : frequency < larger + 2 ? n_larger : 0; }
  /// Products along this axis for one pair of channels.
  constexpr int products() const noexcept { return count * (larger + 1) + n_larger; }
};

/// y = At [(G g) * (Bt d)] gives m <= edge outputs of a 3-tap correlation from m + 2 inputs. Frequency 0 is the point at infinity. G
/// is the same for all m up to `edge`.
template <int edge, int m>
struct CookToom {
  static constexpr int n = m + 2;
  static constexpr double points[6] = {0, 1, -1, 0.5, -2, 2};
  double input[static_cast<std::size_t>(n)][static_cast<std::size_t>(n)]{};   ///< Bt
  double output[static_cast<std::size_t>(m)][static_cast<std::size_t>(n)]{};  ///< At
  double kernel[static_cast<std::size_t>(n)][3]{};                            ///< G

  static constexpr double others(int point, int n_points) noexcept {
    double product = 1.0;
    for (int k = 0; k < n_points; ++k)
      if (k != point) product *= points[point] - points[k];
    return product;
  }
  constexpr CookToom() noexcept {
    static_assert(m <= edge && edge <= 5);
    for (int j = 0; j < n; ++j) {
      // coefficients of the product of (x - point) over all finite points but this one's; over all of them for infinity
      double coefficients[static_cast<std::size_t>(n)]{1.0};
      int degree = 0;
      for (int k = 0; k < n - 1; ++k) {
        if (k == j - 1) continue;
        for (int q = ++degree; q > 0; --q) coefficients[q] = coefficients[q - 1] - points[k] * coefficients[q];
        coefficients[0] *= -points[k];
      }
      const double shared = j == 0 ? 1.0 : others(j - 1, edge + 1), scale = j == 0 ? 1.0 : shared / others(j - 1, n - 1);
      for (int i = 0; i < n; ++i) input[j][i] = coefficients[i] * scale;
      double power = 1.0;
      for (int i = 0; i < spinel::max(m, 3); ++i) {
        if (i < m) output[i][j] = j > 0 ? power : (i == m - 1 ? 1.0 : 0.0);
        if (i < 3) kernel[j][i] = j > 0 ? power / shared : (i == 2 ? 1.0 : 0.0);
        if (j > 0) power *= points[j - 1];
      }
    }
  }
};

template <int edge, int m>
inline constexpr CookToom<edge, m> cook_toom{};

/// Row j of a transform applied to vectors; coefficients are compile-time, so zeros and ones cost nothing.
template <class A, int edge, int m, bool to_output, int j>
struct TransformRow {
  using f32 = typename A::f32;
  static constexpr double coefficient(int i) noexcept { return to_output ? cook_toom<edge, m>.output[j][i] : cook_toom<edge, m>.input[j][i]; }
  template <int i>
  static SPINEL_ALWAYS_INLINE void add_term(f32& sum, bool& begun, const f32* x) noexcept {
    constexpr double c = coefficient(i);
    if constexpr (c != 0.0) {
      if (!begun)
        sum = c == 1.0 ? x[i] : A::multiply(x[i], A::broadcast(static_cast<float>(c)));
      else
        sum = c == 1.0 ? A::add(sum, x[i]) : A::fma(x[i], A::broadcast(static_cast<float>(c)), sum);
      begun = true;
    }
  }
  template <int... i>
  static SPINEL_ALWAYS_INLINE f32 apply(const f32* x, std::integer_sequence<int, i...>) noexcept {
    f32 sum = A::broadcast(0.0f);
    bool begun = false;
    (add_term<i>(sum, begun, x), ...);
    return sum;
  }
};

template <class A, int edge, int m, bool to_output, int... j>
SPINEL_ALWAYS_INLINE void transform_rows(const typename A::f32* x, typename A::f32* y, std::integer_sequence<int, j...>) noexcept {
  ((y[j] = TransformRow<A, edge, m, to_output, j>::apply(x, std::make_integer_sequence<int, m + 2>{})), ...);
}
/// m + 2 inputs to as many frequencies, or m + 2 frequencies to m outputs.
template <class A, int edge, int m, bool to_output>
SPINEL_ALWAYS_INLINE void transform(const typename A::f32* x, typename A::f32* y) noexcept {
  transform_rows<A, edge, m, to_output>(x, y, std::make_integer_sequence<int, to_output ? m : m + 2>{});
}

/// How a volume of this distance is cut: largest tile edge in time and in space (0 where the direct kernel is the better choice).
struct WinogradEdges {
  int time = 0, space = 0;
  constexpr int frequencies() const noexcept { return (time + 2) * (space + 2) * (space + 2); }
};
/// Measured (docs/decisions/0010-convolution-kernels.md). A larger edge needs fewer products but more weights: (edge + 2)^3 times 64 kB a layer
/// of 128 channels, which stream past once for all tiles. Small volumes have few tiles to share them.
constexpr WinogradEdges winograd_edges(int distance) noexcept {
  switch (distance) {
    case 3: return {};
    case 5: return {2, 3};
    case 7: return {3, 4};
    case 9: return {5, 3};
    case 11: return {4, 4};
    default: return {5, 5};
  }
}

/// Tiles in time whose planes go through the products together: as many as keep one plane of frequencies, about a megabyte, near.
constexpr int winograd_slab(int distance, WinogradEdges edges, int channels) noexcept {
  const int across = AxisTiles(distance, edges.space).products();
  return spinel::clamp((1 << 18) / (across * across * channels), 1, 12);
}

/// Floats that a layer's frequencies take while it is computed.
constexpr std::size_t winograd_work(int distance, WinogradEdges edges, int in_channels, int out_channels) noexcept {
  const auto channels = static_cast<std::size_t>(spinel::max(in_channels, out_channels)), across = static_cast<std::size_t>(AxisTiles(distance, edges.space).products());
  const auto slab = static_cast<std::size_t>(winograd_slab(distance, edges, static_cast<int>(channels))), n = static_cast<std::size_t>(edges.space + 2);
  const auto tiles = static_cast<std::size_t>(AxisTiles(distance, edges.space).count), d = static_cast<std::size_t>(distance);
  return slab * static_cast<std::size_t>(edges.time + 2) * d * d * channels + slab * (across * across + tiles * tiles) * channels + (n * n + 1) * 32;
}

/// One layer of `in_channels` to `out_channels` at any distance with tiles of up to edge_t x edge x edge outputs. Time is transformed
/// first and undone last, so that only one time frequency's products are in hand, and stay in the second-level cache.
template <Arch A, int edge_t, int edge, int in_channels, int out_channels>
struct Winograd {
  static constexpr int n_t = edge_t + 2, n = edge + 2;
  static constexpr int frequencies = n_t * n * n;
  static constexpr int vectors = 2;
  static constexpr int block_channels = vectors * A::width;
  static constexpr int channels = spinel::max(in_channels, out_channels);
  static constexpr int most_sites = spinel::min(A::accumulators / vectors, 13);
  static constexpr int padding = 32;  // floats between frequencies, so that they do not fall on the same cache sets
  static_assert(out_channels % block_channels == 0 && in_channels % A::width == 0);
  using Vector = typename A::f32;
  static constexpr WinogradEdges edges{edge_t, edge};
  static constexpr std::size_t packed_size() noexcept { return static_cast<std::size_t>(frequencies) * static_cast<std::size_t>(in_channels) * static_cast<std::size_t>(out_channels); }

  /// Weights [out][in][3][3][3] to [frequency][block][in][block channels].
  SPINEL_COLD static void pack(const float* source, float* packed) noexcept {
    const auto& g_t = cook_toom<edge_t, edge_t>.kernel;
    const auto& g = cook_toom<edge, edge>.kernel;
    for (int out = 0; out < out_channels; ++out)
      for (int in = 0; in < in_channels; ++in) {
        const float* w = source + (static_cast<std::ptrdiff_t>(out) * in_channels + in) * 27;
        double columns[3][3][static_cast<std::size_t>(n)], rows[3][static_cast<std::size_t>(n)][static_cast<std::size_t>(n)];
        for (int i = 0; i < 3; ++i)
          for (int j = 0; j < 3; ++j)
            for (int c = 0; c < n; ++c)
              columns[i][j][c] = g[c][0] * static_cast<double>(w[(i * 3 + j) * 3]) + g[c][1] * static_cast<double>(w[(i * 3 + j) * 3 + 1]) +
                                 g[c][2] * static_cast<double>(w[(i * 3 + j) * 3 + 2]);
        for (int i = 0; i < 3; ++i)
          for (int b = 0; b < n; ++b)
            for (int c = 0; c < n; ++c) rows[i][b][c] = g[b][0] * columns[i][0][c] + g[b][1] * columns[i][1][c] + g[b][2] * columns[i][2][c];
        for (int a = 0; a < n_t; ++a)
          for (int b = 0; b < n; ++b)
            for (int c = 0; c < n; ++c) {
              const std::ptrdiff_t frequency = (a * n + b) * n + c;
              packed[((frequency * (out_channels / block_channels) + out / block_channels) * in_channels + in) * block_channels + out % block_channels] =
                  static_cast<float>(g_t[a][0] * rows[0][b][c] + g_t[a][1] * rows[1][b][c] + g_t[a][2] * rows[2][b][c]);
            }
      }
  }

  /// Output rounds [begin, end); `x` points at round `begin` of the input, which holds rounds up to `available` (all others are
  /// zero padding); `work` has winograd_work(distance, ...) floats.
  template <class Epilogue>
  SPINEL_NOINLINE static void rounds(const float* x, const float* packed, const Epilogue& epilogue, typename Epilogue::output* out, float* work, int begin, int end,
                     int available, int distance) noexcept {
    const AxisTiles time{end - begin, edge_t}, space{distance, edge};
    const int slab = winograd_slab(distance, edges, channels), slabs = (time.count + slab - 1) / slab;
    const std::ptrdiff_t plane = static_cast<std::ptrdiff_t>(distance) * distance * channels;
    float* planes = work;  // [tile][frequency in time][site][channel]
    float* products = work + slab * n_t * plane;
    for (int part = 0; part < slabs; ++part) {
      const int first = part * time.count / slabs, last = (part + 1) * time.count / slabs;
      for (int tile = first; tile < last; ++tile)
        with_size<edge_t>(time.size(tile), [&]<int m>() { into_time_frequencies<m>(x, begin, begin + time.start(tile), available, distance, planes + (tile - first) * n_t * plane, plane); });
      for (int a = 0; a < time.larger + 2; ++a) {
        const int tiles = spinel::min(last, time.using_frequency(a)) - first;
        if (tiles <= 0) break;
        const Slots slots{space, tiles};
        for (int tile = 0; tile < tiles; ++tile) into_products(planes + (tile * n_t + a) * plane, products + slots.gap, slots, space, tile, distance);
        multiply(products, packed + static_cast<std::ptrdiff_t>(a) * n * n * in_channels * out_channels, slots, space);
        for (int tile = 0; tile < tiles; ++tile) from_products(products, planes + (tile * n_t + a) * plane, slots, space, tile, distance);
      }
      for (int tile = first; tile < last; ++tile)
        with_size<edge_t>(time.size(tile), [&]<int m>() {
          from_time_frequencies<m>(planes + (tile - first) * n_t * plane, plane, epilogue, out + static_cast<std::ptrdiff_t>(time.start(tile)) * distance * distance * out_channels, distance);
        });
    }
  }

 private:
  /// Where a space frequency's rows lie, one row of channels a tile. A frequency's products take the place of inputs that have been
  /// used: inputs lie `gap` floats behind.
  struct Slots {
    std::ptrdiff_t at[static_cast<std::size_t>(n * n)];
    std::ptrdiff_t gap;
    int tiles;  ///< in time
    Slots(const AxisTiles& space, int n_tiles) noexcept : gap(static_cast<std::ptrdiff_t>(n_tiles) * space.count * space.count * channels + padding), tiles(n_tiles) {
      std::ptrdiff_t next = 0;
      for (int b = 0; b < n; ++b)
        for (int c = 0; c < n; ++c) {
          at[b * n + c] = next;
          if (const int rows = tiles * space.using_frequency(b) * space.using_frequency(c); rows != 0) next += static_cast<std::ptrdiff_t>(rows) * channels + padding;
        }
    }
  };

  /// Calls `visit` with a tile size 1 ... largest as a template argument.
  template <int largest, class Visit>
  static SPINEL_ALWAYS_INLINE void with_size(int size, Visit&& visit) noexcept {
    [&]<int... k>(std::integer_sequence<int, k...>) { (void)((size == k + 1 ? (visit.template operator()<k + 1>(), true) : false) || ...); }(std::make_integer_sequence<int, largest>{});
  }
  template <int m>
  static SPINEL_NOINLINE void into_time_frequencies(const float* x, int origin, int t0, int available, int distance, float* to, std::ptrdiff_t plane) noexcept {
    const std::ptrdiff_t size = static_cast<std::ptrdiff_t>(distance) * distance * in_channels;
    const float* from[static_cast<std::size_t>(m + 2)];
    bool inside[static_cast<std::size_t>(m + 2)];
    for (int i = 0; i < m + 2; ++i) {
      const int t = t0 + i - 1;
      inside[i] = t >= 0 && t < available;
      from[i] = inside[i] ? x + (t - origin) * size : x;
    }
    Vector line[static_cast<std::size_t>(m + 2)], turned[static_cast<std::size_t>(m + 2)];
    for (std::ptrdiff_t k = 0; k < size; k += A::width) {
#pragma GCC unroll 8
      for (int i = 0; i < m + 2; ++i) line[i] = inside[i] ? A::load(from[i] + k) : A::broadcast(0.0f);
      transform<A, edge_t, m, false>(line, turned);
#pragma GCC unroll 8
      for (int i = 0; i < m + 2; ++i) A::store(to + i * plane + k, turned[i]);
    }
  }
  template <int m, class Epilogue>
  static SPINEL_NOINLINE void from_time_frequencies(const float* from, std::ptrdiff_t plane, const Epilogue& epilogue, typename Epilogue::output* out, int distance) noexcept {
    Vector line[static_cast<std::size_t>(m + 2)], turned[static_cast<std::size_t>(m)];
    const std::ptrdiff_t size = static_cast<std::ptrdiff_t>(distance) * distance * out_channels;
    for (std::ptrdiff_t site = 0; site < size; site += out_channels)
      for (int channel = 0; channel < out_channels; channel += A::width) {
#pragma GCC unroll 8
        for (int i = 0; i < m + 2; ++i) line[i] = A::load(from + i * plane + site + channel);
        transform<A, edge_t, m, true>(line, turned);
#pragma GCC unroll 8
        for (int i = 0; i < m; ++i) epilogue.store(out + i * size + site + channel, turned[i], channel, 0);
      }
  }

  static constexpr int most_across = largest_distance + 2;
  using Lines = Vector[static_cast<std::size_t>(n * most_across)];  // [row frequency][column + 1]; columns -1 and `distance` are zero

  static SPINEL_NOINLINE void into_products(const float* plane, float* to, const Slots& slots, const AxisTiles& space, int tile, int distance) noexcept {
    Lines lines;
    for (int b = 0; b < n; ++b) lines[b * most_across] = lines[b * most_across + distance + 1] = A::broadcast(0.0f);
    for (int channel = 0; channel < in_channels; channel += A::width)
      for (int th = 0; th < space.count; ++th) {
        with_size<edge>(space.size(th), [&]<int m>() {
          Vector line[static_cast<std::size_t>(m + 2)], turned[static_cast<std::size_t>(m + 2)];
          const int h = space.start(th) - 1;
          const float* from = plane + static_cast<std::ptrdiff_t>(h) * distance * in_channels + channel;
          const bool above = h >= 0, below = h + m + 1 < distance;
          for (int w = 0; w < distance; ++w, from += in_channels) {
#pragma GCC unroll 8
            for (int i = 0; i < m + 2; ++i)
              line[i] = (i > 0 || above) && (i < m + 1 || below) ? A::load(from + static_cast<std::ptrdiff_t>(i) * distance * in_channels) : A::broadcast(0.0f);
            transform<A, edge, m, false>(line, turned);
#pragma GCC unroll 8
            for (int i = 0; i < m + 2; ++i) lines[i * most_across + w + 1] = turned[i];
          }
        });
        for (int b = 0; b < space.size(th) + 2; ++b) {
          const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(tile) * space.using_frequency(b) + th;
          for (int tw = 0; tw < space.count; ++tw)
            with_size<edge>(space.size(tw), [&]<int m>() {
              Vector turned[static_cast<std::size_t>(m + 2)];
              transform<A, edge, m, false>(lines + b * most_across + space.start(tw), turned);
#pragma GCC unroll 8
              for (int c = 0; c < m + 2; ++c) A::store(to + slots.at[b * n + c] + (row * space.using_frequency(c) + tw) * in_channels + channel, turned[c]);
            });
        }
      }
  }

  static SPINEL_NOINLINE void from_products(const float* from, float* plane, const Slots& slots, const AxisTiles& space, int tile, int distance) noexcept {
    Lines lines;
    for (int channel = 0; channel < out_channels; channel += A::width)
      for (int th = 0; th < space.count; ++th) {
        for (int b = 0; b < space.size(th) + 2; ++b) {
          const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(tile) * space.using_frequency(b) + th;
          for (int tw = 0; tw < space.count; ++tw)
            with_size<edge>(space.size(tw), [&]<int m>() {
              Vector line[static_cast<std::size_t>(m + 2)];
#pragma GCC unroll 8
              for (int c = 0; c < m + 2; ++c) line[c] = A::load(from + slots.at[b * n + c] + (row * space.using_frequency(c) + tw) * out_channels + channel);
              transform<A, edge, m, true>(line, lines + b * most_across + space.start(tw));
            });
        }
        with_size<edge>(space.size(th), [&]<int m>() {
          Vector line[static_cast<std::size_t>(m + 2)], turned[static_cast<std::size_t>(m)];
          float* to = plane + static_cast<std::ptrdiff_t>(space.start(th)) * distance * out_channels + channel;
          for (int w = 0; w < distance; ++w, to += out_channels) {
#pragma GCC unroll 8
            for (int i = 0; i < m + 2; ++i) line[i] = lines[i * most_across + w];
            transform<A, edge, m, true>(line, turned);
#pragma GCC unroll 8
            for (int i = 0; i < m; ++i) A::store(to + static_cast<std::ptrdiff_t>(i) * distance * out_channels, turned[i]);
          }
        });
      }
  }

  /// products[frequency] = inputs[frequency] * packed[frequency]; the next frequency's weights are fetched meanwhile.
  static SPINEL_NOINLINE void multiply(float* products, const float* packed, const Slots& slots, const AxisTiles& space) noexcept {
    constexpr std::ptrdiff_t block_size = static_cast<std::ptrdiff_t>(in_channels) * block_channels;
    for (int b = 0; b < n; ++b)
      for (int c = 0; c < n; ++c, packed += static_cast<std::ptrdiff_t>(in_channels) * out_channels) {
        const int rows = slots.tiles * space.using_frequency(b) * space.using_frequency(c);
        if (rows == 0) continue;
        const int chunks = (rows + most_sites - 1) / most_sites, smaller = rows / chunks, n_larger = rows % chunks;
        const float* from = products + slots.at[b * n + c] + slots.gap;
        float* to = products + slots.at[b * n + c];
        for (int block = 0; block < out_channels / block_channels; ++block) {
          int row = 0;
          for (int chunk = 0; chunk < chunks; ++chunk) {
            const int sites = smaller + (chunk < n_larger ? 1 : 0);
            const float* w = packed + block * block_size;
            const float* ahead = w + static_cast<std::ptrdiff_t>(in_channels) * out_channels;  // the next frequency's
            with_size<most_sites>(sites, [&]<int size>() {
              if (chunk == 0)
                product<size, true>(from + row * in_channels, w, to + row * out_channels + block * block_channels, ahead);
              else
                product<size, false>(from + row * in_channels, w, to + row * out_channels + block * block_channels, ahead);
            });
            row += sites;
          }
        }
      }
  }

  template <int sites, bool fetch>
  static SPINEL_NOINLINE void product(const float* SPINEL_RESTRICT x, const float* SPINEL_RESTRICT w, float* SPINEL_RESTRICT to, const float* ahead) noexcept {
    Vector sums[static_cast<std::size_t>(sites)][static_cast<std::size_t>(vectors)];
#pragma GCC unroll 32
    for (int s = 0; s < sites; ++s)
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sums[s][v] = A::broadcast(0.0f);
#pragma GCC unroll 1
    for (int c = 0; c < in_channels; ++c) {
      Vector weights[static_cast<std::size_t>(vectors)];
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) weights[v] = A::load(w + c * block_channels + v * A::width);
      if constexpr (fetch) {
#pragma GCC unroll 8
        for (int line = 0; line < block_channels; line += 16) SPINEL_PREFETCH(ahead + c * block_channels + line);
      }
#pragma GCC unroll 32
      for (int s = 0; s < sites; ++s) {
        const Vector value = A::broadcast(x[s * in_channels + c]);
#pragma GCC unroll 8
        for (int v = 0; v < vectors; ++v) sums[s][v] = A::fma(value, weights[v], sums[s][v]);
      }
    }
#pragma GCC unroll 32
    for (int s = 0; s < sites; ++s)
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) A::store(to + s * out_channels + v * A::width, sums[s][v]);
  }
};

}  // namespace spinel::detail
