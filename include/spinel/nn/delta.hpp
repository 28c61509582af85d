// SPDX-License-Identifier: Apache-2.0
// An int8 layer from the inputs that differ from the background: sums = background's sums + weights * (input - background). Integer
// sums have no rounding, so the result is the dense layer's bit for bit, for work in proportion to the inputs touched.
// A difference of two bytes takes nine bits: it is split into signed bytes ("levels"); weights become unsigned by adding 128,
// which is taken back from each output as 128 times the sum of its differences. Channels are packed by how often they differ, and
// rows sorted by their last channel that does, so that a tile stops where all its rows are at their end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <spinel/core/config.hpp>
#include <spinel/core/span.hpp>
#include <spinel/nn/element.hpp>
#include <spinel/nn/round_buffer.hpp>
#include <spinel/simd/arch.hpp>

namespace spinel::detail {

/// A row of differences: of one input site, or what the row before could not hold of it.
struct DeltaRow {
  std::int32_t t = 0;
  std::int16_t h = 0, w = 0;
  std::int32_t sum = 0;     ///< of its differences
  std::int32_t extent = 0;  ///< groups of four channels up to the last that differs
};

/// The rows of differences of a stretch of rounds.
struct DeltaRows {
  static constexpr int levels = 3;  // 255 = 127 + 127 + 1
  Span<std::int8_t> values;    // [row][channel], then one row of zeros
  Span<DeltaRow> rows;
  Span<std::int32_t> order;  // rows by level, then by extent
  int level_end[levels] = {};

  /// What a row costs beside its extent: reading and writing the sums.
  static constexpr int row_cost = 3;

  template <class AnyArena>
  constexpr void take_memory(AnyArena& arena, std::size_t sites, std::size_t channels) noexcept {
    values = arena.template take<std::int8_t>((sites + 1) * channels);
    rows = arena.template take<DeltaRow>(sites);
    order = arena.template take<std::int32_t>(sites);
  }
  int count() const noexcept { return level_end[levels - 1]; }

  /// Finds where the input of rounds [begin, end) differs from the background's (all zeros if that is null). False where rows and
  /// their extents cost more than `most`, or there are more rows than memory.
  template <int channels>
  SPINEL_NOINLINE bool find(const RoundBuffer<std::uint8_t>& input, const BackgroundRounds<std::uint8_t>* background, int begin, int end, int rounds,
                            int distance, std::int64_t most) noexcept {
    alignas(64) static constexpr std::uint8_t nothing[static_cast<std::size_t>(channels)] = {};
    const auto capacity = static_cast<std::int32_t>(rows.size());
    std::int32_t n = 0;
    std::int64_t cost = 0;
    bool more = false;
    for (int t = begin; t < end; ++t) {
      const std::uint8_t* x = input.at(t);
      const std::uint8_t* base = background == nullptr ? nothing : background->at(t, rounds);
      for (int h = 0; h < distance; ++h)
        for (int w = 0; w < distance; ++w, x += channels, base += background == nullptr ? 0 : channels) {
          if (std::memcmp(x, base, static_cast<std::size_t>(channels)) == 0) continue;
          if (n == capacity) return false;
          rows[static_cast<std::size_t>(n)] = {t, static_cast<std::int16_t>(h), static_cast<std::int16_t>(w), 0, 0};
          more |= split<channels>(x, base, 0, n);
          cost += row_cost + rows[static_cast<std::size_t>(n)].extent;
          if (cost > most) return false;
          ++n;
        }
    }
    level_end[0] = n;
    // What a level cannot hold goes to the next; a site has no more than one row in each.
    for (int level = 1, first = 0; level < levels; ++level) {
      const std::int32_t last = n;
      for (std::int32_t row = first; more && row < last; ++row) {
        const DeltaRow site = rows[static_cast<std::size_t>(row)];
        const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(site.h * distance + site.w) * channels;
        const std::uint8_t* x = input.at(site.t) + at;
        const std::uint8_t* base = background == nullptr ? nothing : background->at(site.t, rounds) + at;
        if (n == capacity) return false;
        rows[static_cast<std::size_t>(n)] = {site.t, site.h, site.w, 0, 0};
        split<channels>(x, base, level, n);
        n += rows[static_cast<std::size_t>(n)].extent != 0 ? 1 : 0;
      }
      first = last;
      level_end[level] = n;
    }
    std::memset(values.data() + static_cast<std::ptrdiff_t>(n) * channels, 0, static_cast<std::size_t>(channels));
    sort<channels / 4>();
    return true;
  }

 private:
  /// Writes part `level` of x - base as row `n`; true if parts are left.
  template <int channels>
  bool split(const std::uint8_t* x, const std::uint8_t* base, int level, std::int32_t n) noexcept {
    std::int8_t* to = values.data() + static_cast<std::ptrdiff_t>(n) * channels;
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
    std::int32_t extent = channels / 4;
    for (std::int32_t group = 0; extent > 0; --extent) {
      std::memcpy(&group, to + 4 * (extent - 1), 4);
      if (group != 0) break;
    }
    rows[static_cast<std::size_t>(n)].sum = all;
    rows[static_cast<std::size_t>(n)].extent = extent;
    return left != 0;
  }

  /// Counting sort of every level by extent.
  template <int depth>
  void sort() noexcept {
    for (int level = 0, first = 0; level < levels; first = level_end[level++]) {
      std::int32_t begin[static_cast<std::size_t>(depth) + 2] = {};
      for (int row = first; row < level_end[level]; ++row) ++begin[rows[static_cast<std::size_t>(row)].extent + 1];
      begin[0] = first;
      for (int k = 1; k <= depth + 1; ++k) begin[k] += begin[k - 1];
      for (int row = first; row < level_end[level]; ++row) order[static_cast<std::size_t>(begin[rows[static_cast<std::size_t>(row)].extent]++)] = row;
    }
  }
};

/// A row that reaches into the slab in hand.
struct DeltaReach {
  std::int32_t row = 0;
  std::int32_t center = 0;  ///< output site of the slab at the row's own place (it may lie outside)
  std::uint32_t taps = 0;   ///< bit k: the output that sees the row through tap k lies in the slab
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
  Span<DeltaReach> reaching;
  Span<DeltaPair> pairs;  // of one tap

  template <class AnyArena>
  constexpr void take_memory(AnyArena& arena, std::size_t outputs, std::size_t sites, std::size_t channels) noexcept {
    sums = arena.template take<std::int32_t>((outputs + 1) * channels);
    corrections = arena.template take<std::int32_t>(outputs);
    touched = arena.template take<std::uint8_t>(outputs);
    reaching = arena.template take<DeltaReach>(sites);
    pairs = arena.template take<DeltaPair>(sites + static_cast<std::size_t>(DeltaRows::levels) * 32 + 1);
  }
};

/// Output rounds whose sums fit the second-level cache, at least one.
constexpr int delta_most_rounds(int distance, int channels) noexcept {
  const int fitting = (640 << 10) / (distance * distance * channels * 4);
  return fitting < 1 ? 1 : fitting > 24 ? 24 : fitting;
}
/// Of `rounds` output rounds, how many are worked on together: as equal slabs as can be.
constexpr int delta_slab_rounds(int rounds, int distance, int channels) noexcept {
  const int most = delta_most_rounds(distance, channels);
  const int slabs = (rounds + most - 1) / most;
  return (rounds + slabs - 1) / slabs;
}

template <Arch A, int in_channels, int out_channels, int kernel>
struct DeltaConv {
  static constexpr int reach = kernel / 2, taps = kernel * kernel * kernel;
  static_assert(taps <= 32, "a row's taps are bits of a word");
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

  /// Sums of output rounds [begin, end), at most a slab, into work.sums, for the touched sites only and without their corrections:
  /// `start` gives the background's sums of a round, or is null.
  SPINEL_NOINLINE static void accumulate(const DeltaRows& rows, const std::uint8_t* packed, const BackgroundRounds<std::int32_t>* start, DeltaWork& work,
                                         int begin, int end, int rounds, int distance) noexcept {
    const int n_sites = distance * distance, outputs = (end - begin) * n_sites;
    std::memset(work.touched.data(), 0, static_cast<std::size_t>(outputs));
    std::memset(work.corrections.data(), 0, sizeof(std::int32_t) * static_cast<std::size_t>(outputs));
    int n = 0, level = 0, reaching_end[DeltaRows::levels] = {};
    for (int k = 0; k < rows.count(); ++k) {
      while (k == rows.level_end[level]) reaching_end[level++] = n;
      const std::int32_t index = rows.order[static_cast<std::size_t>(k)];
      const DeltaRow& row = rows.rows[static_cast<std::size_t>(index)];
      std::uint32_t seen = 0;
      for (int kt = 0; kt < kernel; ++kt) {
        const int t = row.t - kt + reach;
        if (t < begin || t >= end) continue;
        for (int kh = 0; kh < kernel; ++kh) {
          const int h = row.h - kh + reach;
          if (h < 0 || h >= distance) continue;
          for (int kw = 0; kw < kernel; ++kw) {
            const int w = row.w - kw + reach;
            if (w < 0 || w >= distance) continue;
            const auto out = static_cast<std::size_t>((t - begin) * n_sites + h * distance + w);
            work.touched[out] = 1;
            work.corrections[out] += row.sum;
            seen |= 1u << ((kt * kernel + kh) * kernel + kw);
          }
        }
      }
      if (seen != 0) work.reaching[static_cast<std::size_t>(n++)] = {index, ((row.t - begin) * distance + row.h) * distance + row.w, seen};
    }
    while (level < DeltaRows::levels) reaching_end[level++] = n;
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
      const int shift = (dt * distance + dh) * distance + dw;
      int n_pairs = 0;
      for (int k = 0, of_level = 0; of_level < DeltaRows::levels; ++of_level) {
        for (; k < reaching_end[of_level]; ++k) {
          const DeltaReach& from = work.reaching[static_cast<std::size_t>(k)];
          work.pairs[static_cast<std::size_t>(n_pairs)] = {from.row, from.center - shift};
          n_pairs += static_cast<int>(from.taps >> tap & 1u);
        }
        // Rows of one site stand on different levels and must not meet in one tile, which would lose one of the two.
        while (n_pairs % sites != 0) work.pairs[static_cast<std::size_t>(n_pairs++)] = {rows.count(), outputs};
      }
      for (int pair = 0; pair < n_pairs; pair += sites)
        for (int block = 0; block < out_channels / block_channels; ++block)
          tile(rows, packed + (static_cast<std::ptrdiff_t>(block) * taps + tap) * depth * block_channels * 4, work.pairs.data() + pair,
               work.sums.data() + block * block_channels);
    }
  }

  /// Output rounds [begin, end) of a slab from its sums, and the background's outputs where nothing was touched.
  template <class Epilogue>
  SPINEL_NOINLINE static void finish(const DeltaWork& work, const BackgroundRounds<std::uint8_t>& outputs, const Epilogue& epilogue, std::uint8_t* out,
                                     int begin, int end, int rounds, int distance) noexcept {
    std::ptrdiff_t at = 0;
    for (int t = begin; t < end; ++t)
      for (int h = 0; h < distance; ++h) {
        const TapRange taps{t < reach ? reach - t : 0, rounds - t + reach < kernel ? rounds - t + reach : kernel, h < reach ? reach - h : 0,
                            distance - h + reach < kernel ? distance - h + reach : kernel};
        const auto row = epilogue.at_row(row_edges(taps, kernel, kernel));
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
  static SPINEL_NOINLINE void tile(const DeltaRows& rows, const std::uint8_t* w, const DeltaPair* pairs, std::int32_t* sums) noexcept {
    typename A::i32 sum[static_cast<std::size_t>(sites)][static_cast<std::size_t>(vectors)];
    const std::int8_t* row[static_cast<std::size_t>(sites)];
    std::int32_t extent = 0;
#pragma GCC unroll 32
    for (int s = 0; s < sites; ++s) {
      row[s] = rows.values.data() + static_cast<std::ptrdiff_t>(pairs[s].row) * in_channels;
      if (pairs[s].row < rows.count() && rows.rows[static_cast<std::size_t>(pairs[s].row)].extent > extent)
        extent = rows.rows[static_cast<std::size_t>(pairs[s].row)].extent;
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) sum[s][v] = A::load_bytes(sums + static_cast<std::ptrdiff_t>(pairs[s].out) * out_channels + v * A::width);
    }
#pragma GCC unroll 1
    for (int k = 0; k < extent; ++k, w += block_channels * 4) {
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
