// SPDX-License-Identifier: Apache-2.0
// An int8 layer from the inputs that differ from the background: sums = background's sums + weights * (input - background). Integer
// sums have no rounding, so the result is the dense layer's bit for bit, for work in proportion to the inputs touched.
// A difference of two bytes takes nine bits: it is split into signed bytes ("levels"); weights become unsigned by adding 128,
// which is taken back from each output as 128 times the sum of its differences.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <spinel/core/config.hpp>
#include <spinel/core/span.hpp>
#include <spinel/nn/conv3d.hpp>
#include <spinel/nn/round_buffer.hpp>
#include <spinel/simd/arch.hpp>

namespace spinel::detail {

/// A site of the volume.
struct DeltaSite {
  std::int32_t t = 0;
  std::int16_t h = 0, w = 0;
};

/// The rows of differences of a stretch of rounds.
struct DeltaRows {
  static constexpr int levels = 3;  // 255 = 127 + 127 + 1
  Span<std::int8_t> values;    // [row][channel], then one row of zeros
  Span<DeltaSite> place;       // [row]
  Span<std::int32_t> sum;      // [row]: of its differences
  int level_end[levels] = {};
  int capacity = 0;

  template <class AnyArena>
  constexpr void take_memory(AnyArena& arena, std::size_t rows, std::size_t channels) noexcept {
    values = arena.template take<std::int8_t>((rows + 1) * channels);
    place = arena.template take<DeltaSite>(rows);
    sum = arena.template take<std::int32_t>(rows);
    capacity = static_cast<int>(rows);
  }

  /// Finds the sites of rounds [begin, end) whose input differs from the background's (all zeros if that is null). False where
  /// there are more rows than `most`.
  template <int channels>
  SPINEL_NOINLINE bool find(const RoundBuffer<std::uint8_t>& input, const BackgroundRounds<std::uint8_t>* background, int begin, int end, int rounds,
            int distance, int most) noexcept {
    alignas(64) static constexpr std::uint8_t nothing[static_cast<std::size_t>(channels)] = {};
    int n = 0;
    if (most > capacity) most = capacity;
    for (int t = begin; t < end; ++t) {
      const std::uint8_t* x = input.at(t);
      const std::uint8_t* base = background == nullptr ? nothing : background->at(t, rounds);
      for (int h = 0; h < distance; ++h)
        for (int w = 0; w < distance; ++w, x += channels) {
          if (std::memcmp(x, base, static_cast<std::size_t>(channels)) != 0) {
            if (n == most) return false;
            place[static_cast<std::size_t>(n++)] = {t, static_cast<std::int16_t>(h), static_cast<std::int16_t>(w)};
          }
          if (background != nullptr) base += channels;
        }
    }
    level_end[0] = n;
    // What a level cannot hold goes to the next; a site has no more than one row in each.
    for (int level = 0, first = 0; level < levels; ++level) {
      const int last = level_end[level];
      int next = last;
      for (int row = first; row < last; ++row) {
        const DeltaSite site = place[static_cast<std::size_t>(row)];
        const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(site.h * distance + site.w) * channels;
        const std::uint8_t* x = input.at(site.t) + at;
        const std::uint8_t* base = background == nullptr ? nothing : background->at(site.t, rounds) + at;
        const bool more = split<channels>(x, base, level, values.data() + static_cast<std::ptrdiff_t>(row) * channels, sum[static_cast<std::size_t>(row)]);
        if (!more) continue;
        if (next == most || level + 1 == levels) return false;
        place[static_cast<std::size_t>(next++)] = place[static_cast<std::size_t>(row)];
      }
      first = last;
      if (level + 1 < levels) level_end[level + 1] = next;
    }
    std::memset(values.data() + static_cast<std::ptrdiff_t>(level_end[levels - 1]) * channels, 0, static_cast<std::size_t>(channels));
    return true;
  }

 private:
  /// Part `level` of x - base; true if parts are left.
  template <int channels>
  static bool split(const std::uint8_t* x, const std::uint8_t* base, int level, std::int8_t* to, std::int32_t& total) noexcept {
    std::int32_t all = 0;
    int left = 0;
    for (int c = 0; c < channels; ++c) {
      int difference = x[c] - base[c];
      for (int k = 0; k < level; ++k) difference -= difference < -128 ? -128 : difference > 127 ? 127 : difference;
      const int part = difference < -128 ? -128 : difference > 127 ? 127 : difference;
      to[c] = static_cast<std::int8_t>(part);
      all += part;
      left |= difference - part;
    }
    total = all;
    return left != 0;
  }
};

/// A row and the output that it adds to.
struct DeltaPair {
  std::int32_t row = 0, out = 0;
};

/// What a slab of output rounds is made in.
struct DeltaWork {
  Span<std::int32_t> sums;         // [output site of the slab, and one more][channel]
  Span<std::int32_t> corrections;  // [output site]: sum of the differences that were added
  Span<std::uint8_t> touched;      // [output site]
  Span<DeltaPair> pairs;           // of one tap

  template <class AnyArena>
  constexpr void take_memory(AnyArena& arena, std::size_t outputs, std::size_t rows, std::size_t channels) noexcept {
    sums = arena.template take<std::int32_t>((outputs + 1) * channels);
    corrections = arena.template take<std::int32_t>(outputs + 1);
    touched = arena.template take<std::uint8_t>(outputs);
    pairs = arena.template take<DeltaPair>(rows + static_cast<std::size_t>(DeltaRows::levels) * 32 + 1);
  }
};

/// Output rounds that are worked on together: their sums fit the second-level cache.
constexpr int delta_slab_rounds(int distance, int channels) noexcept {
  const int rounds = (512 << 10) / (distance * distance * channels * 4);
  return rounds < 1 ? 1 : rounds > 24 ? 24 : rounds;
}

template <Arch A, int in_channels, int out_channels, int kernel>
struct DeltaConv {
  static constexpr int reach = kernel / 2, taps = kernel * kernel * kernel;
  static constexpr int vectors = out_channels / A::width % 2 == 0 ? 2 : 1;
  static constexpr int block_channels = vectors * A::width;
  static constexpr int sites = A::accumulators / vectors;
  static constexpr int depth = in_channels / 4;

  /// Weights as unsigned bytes [block][tap][in / 4][out of block][4], from a function of (out, in, tap).
  template <class WeightOf>
  SPINEL_COLD static void pack(std::uint8_t* packed, WeightOf&& weight_of) noexcept {
    for (int out = 0; out < out_channels; ++out)
      for (int in = 0; in < in_channels; ++in)
        for (int tap = 0; tap < taps; ++tap) {
          const std::ptrdiff_t at =
              (((static_cast<std::ptrdiff_t>(out / block_channels) * taps + tap) * depth + in / 4) * block_channels + out % block_channels) * 4 + in % 4;
          packed[at] = static_cast<std::uint8_t>(weight_of(out, in, tap) + 128);
        }
  }

  /// Sums of output rounds [begin, end), at most a slab, into work.sums, for the touched sites only: `start` gives the background's
  /// sums of a round, or is null. Corrections are applied.
  SPINEL_NOINLINE static void accumulate(const DeltaRows& rows, const std::uint8_t* packed, const BackgroundRounds<std::int32_t>* start, DeltaWork& work, int begin,
                         int end, int rounds, int distance) noexcept {
    const int n_sites = distance * distance, outputs = (end - begin) * n_sites;
    std::memset(work.touched.data(), 0, static_cast<std::size_t>(outputs));
    std::memset(work.corrections.data(), 0, sizeof(std::int32_t) * static_cast<std::size_t>(outputs + 1));
    for (int row = 0; row < rows.level_end[0]; ++row) {
      const DeltaSite site = rows.place[static_cast<std::size_t>(row)];
      for (int t = site.t - reach < begin ? begin : site.t - reach; t < end && t <= site.t + reach; ++t)
        for (int h = site.h < reach ? 0 : site.h - reach; h < distance && h <= site.h + reach; ++h)
          for (int w = site.w < reach ? 0 : site.w - reach; w < distance && w <= site.w + reach; ++w)
            work.touched[static_cast<std::size_t>((t - begin) * n_sites + h * distance + w)] = 1;
    }
    for (int out = 0; out < outputs; ++out) {
      if (work.touched[static_cast<std::size_t>(out)] == 0) continue;
      std::int32_t* to = work.sums.data() + static_cast<std::ptrdiff_t>(out) * out_channels;
      if (start == nullptr)
        std::memset(to, 0, sizeof(std::int32_t) * static_cast<std::size_t>(out_channels));
      else
        std::memcpy(to, start->at(begin + out / n_sites, rounds) + static_cast<std::ptrdiff_t>(out % n_sites) * out_channels,
                    sizeof(std::int32_t) * static_cast<std::size_t>(out_channels));
    }
    for (int tap = 0; tap < taps; ++tap) {
      const int dt = tap / (kernel * kernel) - reach, dh = tap / kernel % kernel - reach, dw = tap % kernel - reach;
      int n = 0;
      for (int level = 0, row = 0; level < DeltaRows::levels; ++level) {
        for (; row < rows.level_end[level]; ++row) {
          const DeltaSite site = rows.place[static_cast<std::size_t>(row)];
          const int t = site.t - dt, h = site.h - dh, w = site.w - dw;
          const bool inside = (t >= begin) & (t < end) & (h >= 0) & (h < distance) & (w >= 0) & (w < distance);
          const std::int32_t out = inside ? ((t - begin) * distance + h) * distance + w : outputs;
          work.pairs[static_cast<std::size_t>(n)] = {row, out};
          n += inside ? 1 : 0;
          work.corrections[static_cast<std::size_t>(out)] += rows.sum[static_cast<std::size_t>(row)];
        }
        // Rows of one site stand on different levels and must not meet in one tile, which would lose one of the two.
        while (n % sites != 0) work.pairs[static_cast<std::size_t>(n++)] = {rows.level_end[DeltaRows::levels - 1], outputs};
      }
      for (int block = 0; block < out_channels / block_channels; ++block)
        for (int pair = 0; pair < n; pair += sites)
          tile(rows.values.data(), packed + (static_cast<std::ptrdiff_t>(block) * taps + tap) * depth * block_channels * 4,
               work.pairs.data() + pair, work.sums.data() + block * block_channels);
    }
  }

  /// Output rounds [begin, end) of a slab from its sums, and the background's outputs where nothing was touched.
  template <class Epilogue>
  SPINEL_NOINLINE static void finish(const DeltaWork& work, const BackgroundRounds<std::uint8_t>& outputs, const Epilogue& epilogue, std::uint8_t* out, int begin, int end,
                     int rounds, int distance) noexcept {
    std::ptrdiff_t at = 0;
    for (int t = begin; t < end; ++t)
      for (int h = 0; h < distance; ++h) {
        const auto row = epilogue.at_row(TapRange{t < reach ? reach - t : 0, rounds - t + reach < kernel ? rounds - t + reach : kernel,
                                                  h < reach ? reach - h : 0, distance - h + reach < kernel ? distance - h + reach : kernel},
                                         kernel);
        for (int w = 0; w < distance; ++w, ++at) {
          std::uint8_t* to = out + at * out_channels;
          if (work.touched[static_cast<std::size_t>(at)] == 0) {
            std::memcpy(to, outputs.at(t, rounds) + (h * distance + w) * out_channels, static_cast<std::size_t>(out_channels));
            continue;
          }
          const int edge = (w == 0 ? left_edge : 0) | (w == distance - 1 ? right_edge : 0);
          const auto correction = A::broadcast_i32(-128 * work.corrections[static_cast<std::size_t>(at)]);
          for (int channel = 0; channel < out_channels; channel += A::width)
            row.store(to + channel, A::add_i32(A::load_bytes(work.sums.data() + at * out_channels + channel), correction), channel, edge);
        }
      }
  }

 private:
  /// sums[pair.out] += weights * values[pair.row] for `sites` pairs with different outputs.
  static SPINEL_NOINLINE void tile(const std::int8_t* values, const std::uint8_t* w, const DeltaPair* pairs, std::int32_t* sums) noexcept {
    typename A::i32 sum[static_cast<std::size_t>(sites)][static_cast<std::size_t>(vectors)];
    const std::int8_t* row[static_cast<std::size_t>(sites)];
#pragma GCC unroll 32
    for (int s = 0; s < sites; ++s) {
      row[s] = values + static_cast<std::ptrdiff_t>(pairs[s].row) * in_channels;
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) sum[s][v] = A::load_bytes(sums + static_cast<std::ptrdiff_t>(pairs[s].out) * out_channels + v * A::width);
    }
#pragma GCC unroll 1
    for (int k = 0; k < depth; ++k, w += block_channels * 4) {
      typename A::i32 weights[static_cast<std::size_t>(vectors)];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) weights[v] = A::load_bytes(w + v * A::width * 4);
#pragma GCC unroll 32
      for (int s = 0; s < sites; ++s) {
        const auto difference = A::broadcast_four(row[s] + 4 * k);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) sum[s][v] = A::dot_u8s8(sum[s][v], weights[v], difference);
      }
    }
#pragma GCC unroll 32
    for (int s = 0; s < sites; ++s)
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) A::store_i32(sums + static_cast<std::ptrdiff_t>(pairs[s].out) * out_channels + v * A::width, sum[s][v]);
  }
};

}  // namespace spinel::detail
