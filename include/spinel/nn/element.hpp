// SPDX-License-Identifier: Apache-2.0
// What the layers' kernels are written in terms of: element types (what is stored, and how it is multiplied and summed), and epilogues (what
// becomes of a finished sum).
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/config.hpp>
#include <spinel/nn/activation.hpp>
#include <spinel/simd/arch.hpp>

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
/// Which taps of a row lie outside, as four bits: before the first round, after the last, above the first row, below the last.
constexpr int row_edges(TapRange taps, int kernel_rounds, int kernel) noexcept {
  return (taps.t0 > 0 ? 1 : 0) | (taps.t1 < kernel_rounds ? 2 : 0) | (taps.h0 > 0 ? 4 : 0) | (taps.h1 < kernel ? 8 : 0);
}

/// What a tile does with its finished sums, once per vector. `at_row` gives the epilogue of an output row with these row_edges, `store` takes
/// the tile's edge of the row (left_edge, right_edge, 0) because int8 corrections depend on which taps fall outside.
template <Arch A, Activation activation>
struct StoreFloat32 {
  using output = float;
  const float* bias;
  const StoreFloat32& at_row(int) const noexcept { return *this; }
  SPINEL_ALWAYS_INLINE void store(float* out, typename A::f32 sum, int channel, int) const noexcept {
    A::store(out, activate<activation, A>(A::add(sum, A::load(bias + channel))));
  }
};

template <Arch A, Activation activation>
struct StoreBFloat16 {
  using output = std::uint16_t;
  const float* bias;
  const StoreBFloat16& at_row(int) const noexcept { return *this; }
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
  const QuantizeFloat& at_row(int) const noexcept { return *this; }
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
  Quantize at_row(int edges) const noexcept {
    Quantize row = *this;
    row.biases += edges * 4 * channels;
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
  const StoreSums& at_row(int) const noexcept { return *this; }
  SPINEL_ALWAYS_INLINE void store(float* out, typename A::f32 sum, int, int) const noexcept { A::store(out, sum); }
};

/// Stores int32 sums as floats: sum * scale + offset per column, the offset also by edges as in Quantize.
template <Arch A>
struct StoreScaled {
  using output = float;
  const float* scale;
  const float* offsets;
  int columns;
  StoreScaled at_row(int edges) const noexcept { return {scale, offsets + edges * 4 * columns, columns}; }
  SPINEL_ALWAYS_INLINE void store(float* out, typename A::i32 sum, int column, int edge) const noexcept {
    A::store(out, A::fused(A::to_float(sum), A::load(scale + column), A::load(offsets + edge * columns + column)));
  }
};

}  // namespace spinel::detail
