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
  std::int16_t column = 0;
  std::int16_t channel = 0;
  float value = 0;
};

template <Arch A, int in_channels, int out_channels, int kernel>
struct FirstLayer {
  static_assert(out_channels % A::width == 0, "hidden layers must have a multiple of 16 filters");
  static constexpr int reach = kernel / 2, taps = kernel * kernel * kernel;
  static constexpr int all_vectors = out_channels / A::width;
  static constexpr int vectors = all_vectors % 8 == 0 ? 8 : all_vectors % 4 == 0 ? 4 : all_vectors % 2 == 0 ? 2 : 1;

  /// One product that an output site needs.
  struct Term {
    std::int32_t weights = 0;  ///< offset of a row of out_channels weights
    float value = 0;
  };

  /// Differences of all rounds at hand, [round][difference] row by row, and where the rows of a round end, [round][row].
  struct Input {
    RoundBuffer<InputDifference> differences{};
    RoundBuffer<std::uint16_t> row_ends{};

    /// Appends a round: `slice` [row][column][channel], less `background` unless that is null.
    SPINEL_NOINLINE void append(const float* slice, const float* background, int distance) noexcept {
      InputDifference* to = differences.at(differences.end);
      std::uint16_t* ends = row_ends.at(row_ends.end);
      std::uint16_t n = 0;
      for (int row = 0; row < distance; ++row) {
        for (int column = 0; column < distance; ++column)
          for (int c = 0; c < in_channels; ++c) {
            const int at = (row * distance + column) * in_channels + c;
            const float value = background == nullptr ? slice[at] : slice[at] - background[at];
            if (value != 0.0f) to[n++] = {static_cast<std::int16_t>(column), static_cast<std::int16_t>(c), value};
          }
        ends[row] = n;
      }
      ++differences.end;
      ++row_ends.end;
    }
    void reset() noexcept { differences.reset(), row_ends.reset(); }
    void make_room(int keep, int incoming) noexcept { differences.make_room(keep, incoming), row_ends.make_room(keep, incoming); }
    void renumber(int by) noexcept { differences.renumber(by), row_ends.renumber(by); }
  };
  static constexpr std::size_t work_terms(std::size_t distance) noexcept { return distance * static_cast<std::size_t>(taps * in_channels); }

  /// Weights, a function of (out, in, tap), to [tap][in][out].
  template <class WeightOf>
  SPINEL_COLD static void pack(WeightOf&& weight, float* packed) noexcept {
    for (int out = 0; out < out_channels; ++out)
      for (int in = 0; in < in_channels; ++in)
        for (int tap = 0; tap < taps; ++tap) packed[(tap * in_channels + in) * out_channels + out] = weight(out, in, tap);
  }

  /// Output rounds [begin, end) of `rounds`. `sums` and `outputs` are the background's, or null when the input is no difference.
  template <class Epilogue, class Output>
  SPINEL_NOINLINE static void rounds(const Input& input, const float* packed, const BackgroundRounds<float>* sums, const BackgroundRounds<Output>* outputs,
                     const Epilogue& epilogue, Output* out, Term* terms, int begin, int end, int rounds, int distance) noexcept {
    int n_terms[largest_distance];
    for (int t = begin; t < end; ++t)
      for (int h = 0; h < distance; ++h) {
        for (int w = 0; w < distance; ++w) n_terms[w] = 0;
        for (int kt = t < reach ? reach - t : 0; kt < kernel && t + kt - reach < rounds; ++kt)
          for (int kh = h < reach ? reach - h : 0; kh < kernel && h + kh - reach < distance; ++kh) {
            const int row = h + kh - reach, from = t + kt - reach;
            const std::uint16_t* ends = input.row_ends.at(from);
            const InputDifference* differences = input.differences.at(from);
            for (int k = row == 0 ? 0 : ends[row - 1]; k < ends[row]; ++k) {
              const InputDifference& difference = differences[k];
              for (int kw = 0; kw < kernel; ++kw) {
                const int w = difference.column - kw + reach;
                if (w < 0 || w >= distance) continue;
                terms[w * taps * in_channels + n_terms[w]++] = {
                    (((kt * kernel + kh) * kernel + kw) * in_channels + difference.channel) * out_channels, difference.value};
              }
            }
          }
        for (int w = 0; w < distance; ++w) {
          const std::ptrdiff_t site = static_cast<std::ptrdiff_t>(h) * distance + w;
          Output* to = out + (static_cast<std::ptrdiff_t>(t - begin) * distance * distance + site) * out_channels;
          if (outputs != nullptr && n_terms[w] == 0)
            std::memcpy(to, outputs->at(t, rounds) + site * out_channels, sizeof(Output) * static_cast<std::size_t>(out_channels));
          else
            one_site(terms + w * taps * in_channels, n_terms[w], packed, sums == nullptr ? nullptr : sums->at(t, rounds) + site * out_channels, epilogue, to);
        }
      }
  }

 private:
  template <class Epilogue, class Output>
  static SPINEL_NOINLINE void one_site(const Term* terms, int n_terms, const float* packed, const float* start, const Epilogue& epilogue, Output* out) noexcept {
    for (int channel = 0; channel < out_channels; channel += vectors * A::width) {
      typename A::f32 sum[static_cast<std::size_t>(vectors)];
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sum[v] = start == nullptr ? A::broadcast(0.0f) : A::load(start + channel + v * A::width);
#pragma GCC unroll 1
      for (int k = 0; k < n_terms; ++k) {
        const float* weights = packed + terms[k].weights + channel;
        const auto value = A::broadcast(terms[k].value);
#pragma GCC unroll 8
        for (int v = 0; v < vectors; ++v) sum[v] = A::fma(value, A::load(weights + v * A::width), sum[v]);
      }
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) epilogue.store(out + channel + v * A::width, sum[v], channel + v * A::width, 0);
    }
  }
};

}  // namespace spinel::detail
