// SPDX-License-Identifier: Apache-2.0
// The network's first layer. Its input is almost all background (presence values that never change, and no event), so an output
// is the background's sum plus one weight row for each input that differs from it within reach.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <spinel/core/config.hpp>
#include <spinel/nn/conv3d.hpp>
#include <spinel/nn/round_buffer.hpp>
#include <spinel/simd/arch.hpp>

namespace spinel::detail {

/// An input value, or what it has more than the background.
struct InputDifference {
  std::uint8_t row = 0, column = 0;
  std::int16_t channel = 0;
  float value = 0;
};

template <Arch A, int in_channels, int out_channels, int kernel>
struct FirstLayer {
  static_assert(out_channels % A::width == 0, "hidden layers must have a multiple of 16 filters");
  static constexpr int reach = kernel / 2, taps = kernel * kernel * kernel;
  static constexpr int vectors = out_channels / A::width;

  /// Differences of all rounds at hand, and how many a round has.
  struct Input {
    RoundBuffer<InputDifference> differences{};
    RoundBuffer<std::uint16_t> counts{};

    /// Appends a round: `slice` [row][column][channel], less `background` unless that is null.
    SPINEL_NOINLINE void append(const float* slice, const float* background, int distance) noexcept {
      InputDifference* const first = differences.at(differences.end);
      InputDifference* to = first;
      for (int row = 0; row < distance; ++row)
        for (int column = 0; column < distance; ++column, slice += in_channels) {
          if (background != nullptr) {
            background += in_channels;
            if (std::memcmp(slice, background - in_channels, in_channels * sizeof(float)) == 0) continue;
          }
          for (int c = 0; c < in_channels; ++c) {
            const float value = background == nullptr ? slice[c] : slice[c] - background[c - in_channels];
            if (value != 0.0f) *to++ = {static_cast<std::uint8_t>(row), static_cast<std::uint8_t>(column), static_cast<std::int16_t>(c), value};
          }
        }
      *counts.at(counts.end) = static_cast<std::uint16_t>(to - first);
      ++differences.end;
      ++counts.end;
    }
    void reset() noexcept { differences.reset(), counts.reset(); }
    void make_room(int keep, int incoming) noexcept { differences.make_room(keep, incoming), counts.make_room(keep, incoming); }
    void renumber(int by) noexcept { differences.renumber(by), counts.renumber(by); }
  };

  /// Weights, a function of (out, in, tap), to [tap][in][out].
  template <class WeightOf>
  SPINEL_COLD static void pack(WeightOf&& weight, float* packed) noexcept {
    for (int out = 0; out < out_channels; ++out)
      for (int in = 0; in < in_channels; ++in)
        for (int tap = 0; tap < taps; ++tap) packed[(tap * in_channels + in) * out_channels + out] = weight(out, in, tap);
  }

  /// Output rounds [begin, end) of `rounds`. `sums` and `outputs` are the background's, or null when the input is no difference.
  /// `work` [site][out] takes the sums of the sites that differ, one round at a time; each sum is made in the order of its inputs.
  template <class Epilogue, class Output>
  SPINEL_NOINLINE static void rounds(const Input& input, const float* packed, const BackgroundRounds<float>* sums, const BackgroundRounds<Output>* outputs,
                     const Epilogue& epilogue, Output* out, float* work, int begin, int end, int rounds, int distance) noexcept {
    constexpr int most_sites = largest_distance * largest_distance;
    const int n_sites = distance * distance;
    for (int t = begin; t < end; ++t, out += static_cast<std::ptrdiff_t>(n_sites) * out_channels) {
      std::uint16_t touched[static_cast<std::size_t>(most_sites)];
      bool is_touched[static_cast<std::size_t>(most_sites)];
      int n_touched = 0;
      const float* start = sums == nullptr ? nullptr : sums->at(t, rounds);
      const auto touch = [&](int site) {
        is_touched[site] = true;
        touched[n_touched++] = static_cast<std::uint16_t>(site);
        for (int v = 0; v < vectors; ++v) {
          const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(site) * out_channels + v * A::width;
          A::store(work + at, start == nullptr ? A::broadcast(0.0f) : A::load(start + at));
        }
      };
      for (int site = 0; site < n_sites; ++site) is_touched[site] = false;
      if (outputs != nullptr) std::memcpy(out, outputs->at(t, rounds), static_cast<std::size_t>(n_sites * out_channels) * sizeof(Output));
      else for (int site = 0; site < n_sites; ++site) touch(site);
      for (int kt = t < reach ? reach - t : 0; kt < kernel && t + kt - reach < rounds; ++kt) {
        const InputDifference* const differences = input.differences.at(t + kt - reach);
        const int n = *input.counts.at(t + kt - reach);
        for (int k = 0; k < n; ++k) {
          const InputDifference& difference = differences[k];
          const int row = difference.row, column = difference.column;
          const int h0 = row < reach ? 0 : row - reach, h1 = row + reach < distance ? row + reach : distance - 1;
          const int w0 = column < reach ? 0 : column - reach, w1 = column + reach < distance ? column + reach : distance - 1;
          const auto value = A::broadcast(difference.value);
          for (int h = h0; h <= h1; ++h)
            for (int w = w0; w <= w1; ++w) {
              const int site = h * distance + w;
              if (!is_touched[site]) touch(site);
              const float* weights = packed + (((kt * kernel + row - h + reach) * kernel + column - w + reach) * in_channels + difference.channel) * out_channels;
              float* sum = work + static_cast<std::ptrdiff_t>(site) * out_channels;
#pragma GCC unroll 8
              for (int v = 0; v < vectors; ++v)
                A::store(sum + v * A::width, A::fma(value, A::load(weights + v * A::width), A::load(sum + v * A::width)));
            }
        }
      }
      for (int k = 0; k < n_touched; ++k) {
        const std::ptrdiff_t at = std::ptrdiff_t{touched[k]} * out_channels;
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) epilogue.store(out + at + v * A::width, A::load(work + at + v * A::width), v * A::width, 0);
      }
    }
  }
};

}  // namespace spinel::detail
