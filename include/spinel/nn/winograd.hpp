// SPDX-License-Identifier: Apache-2.0
// 3x3x3 convolution in float32 with fewer multiplications: Cook-Toom (Winograd) F(m, 3) along each axis, one matrix product per
// frequency. Source: Lavin and Gray, arXiv:1509.09308; matrices by transposing polynomial multiplication at the points
// 0, 1, -1, 2, -2, infinity. Relative error about 1e-5; not for int8, whose numbers grow eightfold in the transforms.
#pragma once

#include <cstddef>

#include <spinel/core/algorithm.hpp>
#include <spinel/nn/conv3d.hpp>
#include <utility>

namespace spinel::detail {

/// y = At [(G g) * (Bt d)] gives m outputs of a 3-tap correlation from m + 2 inputs.
template <int m>
struct CookToom {
  static constexpr int n = m + 2;
  static constexpr double points[5] = {0, 1, -1, 2, -2};
  double input[static_cast<std::size_t>(n)][static_cast<std::size_t>(n)]{};   ///< Bt
  double output[static_cast<std::size_t>(m)][static_cast<std::size_t>(n)]{};  ///< At
  double kernel[static_cast<std::size_t>(n)][3]{};                            ///< G

  constexpr CookToom() noexcept {
    static_assert(n - 1 <= 5);
    for (int j = 0; j < n; ++j) {
      // coefficients of the product of (x - point) over all finite points but point j; over all of them for infinity
      double coefficients[static_cast<std::size_t>(n)]{1.0};
      double others = 1.0;
      int degree = 0;
      for (int k = 0; k < n - 1; ++k) {
        if (k == j) continue;
        if (j < n - 1) others *= points[j] - points[k];
        for (int q = ++degree; q > 0; --q) coefficients[q] = coefficients[q - 1] - points[k] * coefficients[q];
        coefficients[0] *= -points[k];
      }
      for (int i = 0; i < n; ++i) input[j][i] = coefficients[i];
      double power = 1.0;
      for (int i = 0; i < spinel::max(m, 3); ++i) {
        if (i < m) output[i][j] = j < n - 1 ? power : (i == m - 1 ? 1.0 : 0.0);
        if (i < 3) kernel[j][i] = j < n - 1 ? power / others : (i == 2 ? 1.0 : 0.0);
        power *= j < n - 1 ? points[j] : 1.0;
      }
    }
  }
};

template <int m>
inline constexpr CookToom<m> cook_toom{};

/// Row j of a transform applied to `n` vectors; coefficients are compile-time, so zeros and ones cost nothing.
template <class A, int m, bool to_output, int j>
struct TransformRow {
  using f32 = typename A::f32;
  static constexpr int n = m + 2;
  static constexpr double coefficient(int i) noexcept { return to_output ? cook_toom<m>.output[j][i] : cook_toom<m>.input[j][i]; }
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

template <class A, int m, bool to_output, int... j>
SPINEL_ALWAYS_INLINE void transform(const typename A::f32* x, typename A::f32* y, std::integer_sequence<int, j...>) noexcept {
  ((y[j] = TransformRow<A, m, to_output, j>::apply(x, std::make_integer_sequence<int, m + 2>{})), ...);
}

/// Output tile edge for this distance; 0 where the direct kernel is the better choice. The fewest multiplications decide, but edge 3
/// is taken when it costs at most a fifth more: its weights take 8 MB instead of 14 MB a layer of 128 channels.
constexpr int winograd_tile(int distance) noexcept {
  if (distance < 5) return 0;
  const int three = (distance + 2) / 3 * 5, four = (distance + 3) / 4 * 6;
  return three * three * three * 5 <= four * four * four * 6 ? 3 : 4;
}

constexpr int winograd_tiles_across(int distance, int m) noexcept { return (distance + m - 1) / m; }

/// Tile layers in time that go through the products together. The weights of all frequencies stream from far caches once a group,
/// so groups are large: 128 tiles measured 1.2 to 1.7 times as fast as 16 at distance 13.
constexpr int winograd_group(int distance, int m) noexcept {
  const int across = winograd_tiles_across(distance, m);
  return spinel::clamp(128 / (across * across), 1, 8);
}

/// Floats that the transformed tiles of a layer take.
constexpr std::size_t winograd_work(int distance, int m, std::size_t in_channels, std::size_t out_channels) noexcept {
  const auto n = static_cast<std::size_t>(m + 2), across = static_cast<std::size_t>(winograd_tiles_across(distance, m));
  return n * n * n * (static_cast<std::size_t>(winograd_group(distance, m)) * across * across * (in_channels + out_channels) + 128);
}

/// One layer of `in_channels` to `out_channels` at any distance with tiles of m^3 outputs.
template <Arch A, int m, int in_channels, int out_channels>
struct Winograd {
  static constexpr int n = m + 2;
  static constexpr int frequencies = n * n * n;
  static constexpr int vectors = 2;
  static constexpr int block_channels = vectors * A::width;
  static constexpr int most_sites = spinel::min(A::accumulators / vectors, 13);
  static_assert(out_channels % block_channels == 0);
  using Vector = typename A::f32;
  static constexpr auto cube = static_cast<std::size_t>(frequencies);

  static constexpr int tiles_across(int distance) noexcept { return winograd_tiles_across(distance, m); }
  static constexpr int group(int distance) noexcept { return winograd_group(distance, m); }
  static constexpr std::ptrdiff_t stride(int distance, int channels) noexcept {
    return static_cast<std::ptrdiff_t>(group(distance)) * tiles_across(distance) * tiles_across(distance) * channels + 64;  // +64: not a multiple of 4096 bytes
  }
  static constexpr std::size_t packed_size() noexcept { return cube * static_cast<std::size_t>(in_channels) * static_cast<std::size_t>(out_channels); }
  static constexpr std::size_t work_size(int distance) noexcept {
    return winograd_work(distance, m, in_channels, out_channels);
  }

  /// Weights [out][in][3][3][3] to [frequency][block][in][block channels].
  SPINEL_COLD static void pack(const float* source, float* packed) noexcept {
    const auto& g = cook_toom<m>.kernel;
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
        for (int a = 0; a < n; ++a)
          for (int b = 0; b < n; ++b)
            for (int c = 0; c < n; ++c) {
              const std::ptrdiff_t frequency = (a * n + b) * n + c;
              packed[((frequency * (out_channels / block_channels) + out / block_channels) * in_channels + in) * block_channels + out % block_channels] =
                  static_cast<float>(g[a][0] * rows[0][b][c] + g[a][1] * rows[1][b][c] + g[a][2] * rows[2][b][c]);
            }
      }
  }

  /// Output rounds [begin, end); `x` points at round `begin` of the input, which holds rounds up to `available` (all others are
  /// zero padding); `work` has work_size(distance) floats.
  template <class Epilogue>
  SPINEL_NOINLINE static void rounds(const float* x, const float* packed, const Epilogue& epilogue, typename Epilogue::output* out, float* work, int begin, int end,
                     int available, int distance) noexcept {
    const int across = tiles_across(distance), slab = group(distance);
    float* inputs = work;
    float* products = work + frequencies * stride(distance, in_channels);
    const int tile_layers = (end - begin + m - 1) / m;
    for (int first = 0; first < tile_layers; first += slab) {
      const int last = spinel::min(tile_layers, first + slab);
      int tile = 0;
      for (int tt = first; tt < last; ++tt)
        for (int th = 0; th < across; ++th)
          for (int tw = 0; tw < across; ++tw, ++tile)
            input_tile(x, begin, begin + tt * m, th * m, tw * m, available, distance, inputs + tile * in_channels);
      multiply(inputs, packed, products, tile, distance);
      tile = 0;
      for (int tt = first; tt < last; ++tt)
        for (int th = 0; th < across; ++th)
          for (int tw = 0; tw < across; ++tw, ++tile)
            output_tile(products + tile * out_channels, epilogue, out, begin, begin + tt * m, th * m, tw * m, end, distance);
    }
  }

 private:
  static SPINEL_NOINLINE void input_tile(const float* x, int origin, int t0, int h0, int w0, int available, int distance, float* to) noexcept {
    Vector volume[cube], line[static_cast<std::size_t>(n)], turned[static_cast<std::size_t>(n)];
    constexpr auto every = std::make_integer_sequence<int, n>{};
    const std::ptrdiff_t step = stride(distance, in_channels);
    for (int channel = 0; channel < in_channels; channel += A::width) {
      for (int a = 0; a < n; ++a)
        for (int b = 0; b < n; ++b) {
          const int t = t0 + a - 1, h = h0 + b - 1;
          Vector* row = volume + (a * n + b) * n;
          if (t < 0 || t >= available || h < 0 || h >= distance) {
            for (int c = 0; c < n; ++c) row[c] = A::broadcast(0.0f);
            continue;
          }
          const float* from = x + ((static_cast<std::ptrdiff_t>(t - origin) * distance + h) * distance + w0 - 1) * in_channels + channel;
          for (int c = 0; c < n; ++c) {
            const int w = w0 + c - 1;
            line[c] = w >= 0 && w < distance ? A::load(from + c * in_channels) : A::broadcast(0.0f);
          }
          transform<A, m, false>(line, row, every);
        }
      for (int a = 0; a < n; ++a)
        for (int c = 0; c < n; ++c) {
          Vector* column = volume + a * n * n + c;
          for (int b = 0; b < n; ++b) line[b] = column[b * n];
          transform<A, m, false>(line, turned, every);
          for (int b = 0; b < n; ++b) column[b * n] = turned[b];
        }
      for (int bc = 0; bc < n * n; ++bc) {
        for (int a = 0; a < n; ++a) line[a] = volume[a * n * n + bc];
        transform<A, m, false>(line, turned, every);
        for (int a = 0; a < n; ++a) A::store(to + (a * n * n + bc) * step + channel, turned[a]);
      }
    }
  }

  template <class Epilogue>
  static SPINEL_NOINLINE void output_tile(const float* from, const Epilogue& epilogue, typename Epilogue::output* out, int origin, int t0, int h0, int w0,
                                          int end, int distance) noexcept {
    Vector volume[cube], line[static_cast<std::size_t>(n)], turned[static_cast<std::size_t>(n)];
    constexpr auto every = std::make_integer_sequence<int, m>{};
    const std::ptrdiff_t step = stride(distance, out_channels);
    const int rounds = spinel::min(m, end - t0), rows = spinel::min(m, distance - h0), columns = spinel::min(m, distance - w0);
    for (int channel = 0; channel < out_channels; channel += A::width) {
      for (int bc = 0; bc < n * n; ++bc) {
        for (int a = 0; a < n; ++a) line[a] = A::load(from + (a * n * n + bc) * step + channel);
        transform<A, m, true>(line, turned, every);
        for (int a = 0; a < m; ++a) volume[a * n * n + bc] = turned[a];
      }
      for (int a = 0; a < rounds; ++a) {
        for (int c = 0; c < n; ++c) {
          Vector* column = volume + a * n * n + c;
          for (int b = 0; b < n; ++b) line[b] = column[b * n];
          transform<A, m, true>(line, turned, every);
          for (int b = 0; b < m; ++b) column[b * n] = turned[b];
        }
        for (int b = 0; b < rows; ++b) {
          transform<A, m, true>(volume + (a * n + b) * n, turned, every);
          auto* to = out + ((static_cast<std::ptrdiff_t>(t0 + a - origin) * distance + h0 + b) * distance + w0) * out_channels + channel;
          for (int c = 0; c < columns; ++c) epilogue.store(to + c * out_channels, turned[c], channel, 0);
        }
      }
    }
  }

  /// products[frequency] = inputs[frequency] * packed[frequency] for `n_tiles` rows; the next block of weights is fetched meanwhile.
  static void multiply(const float* inputs, const float* packed, float* products, int n_tiles, int distance) noexcept {
    constexpr int blocks = out_channels / block_channels;
    constexpr std::ptrdiff_t block_size = static_cast<std::ptrdiff_t>(in_channels) * block_channels;
    constexpr std::ptrdiff_t lines = block_size / 16;
    const int chunks = (n_tiles + most_sites - 1) / most_sites, smaller = n_tiles / chunks, n_larger = n_tiles % chunks;
    const std::ptrdiff_t lines_per_chunk = lines / chunks + 1;
    for (int frequency = 0; frequency < frequencies; ++frequency) {
      const float* from = inputs + frequency * stride(distance, in_channels);
      float* to = products + frequency * stride(distance, out_channels);
      for (int block = 0; block < blocks; ++block) {
        const float* w = packed + (static_cast<std::ptrdiff_t>(frequency) * blocks + block) * block_size;
        const bool more = frequency + 1 < frequencies || block + 1 < blocks;
        int tile = 0;
        for (int chunk = 0; chunk < chunks; ++chunk) {
          if (more)
            for (std::ptrdiff_t line = chunk * lines_per_chunk; line < spinel::min(lines, (chunk + 1) * lines_per_chunk); ++line)
              SPINEL_PREFETCH(w + block_size + line * 16);
          const int sites = smaller + (chunk < n_larger ? 1 : 0);
          run_chunk(from + tile * in_channels, w, to + tile * out_channels + block * block_channels, sites, std::make_integer_sequence<int, most_sites>{});
          tile += sites;
        }
      }
    }
  }
  template <int... smaller>
  static SPINEL_ALWAYS_INLINE void run_chunk(const float* from, const float* w, float* to, int sites, std::integer_sequence<int, smaller...>) noexcept {
    constexpr TapRange one{0, 1, 0, 1};
    (void)((sites == smaller + 1 ? (Tile<Float32<A>, in_channels, 1, smaller + 1, vectors, false, false>::run(from, 0, 0, one, w, StoreSums<A>{}, to, out_channels, 0), true)
                                 : false) || ...);
  }
};

}  // namespace spinel::detail
