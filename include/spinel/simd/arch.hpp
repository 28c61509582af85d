// SPDX-License-Identifier: Apache-2.0
// What an instruction set must offer to the kernels of nn/: a float vector, an int32 vector, and a few operations on them.
// The instruction set is a template argument everywhere; nothing outside this folder asks the compiler which one it has.
#pragma once

#include <concepts>
#include <cstdint>

namespace spinel {

/// An instruction set as a type with static operations.
/// `width`: floats per vector; `accumulators`: how many vectors a kernel may keep live beside two weights and one input.
/// `fma(a, b, c)` is a * b + c, with one rounding where the machine has the instruction.
/// `fused(a, b, c)` always rounds once: int8 results are the same bits on every machine. `dot_u8s8(sum, x, w)` adds to each int32
/// lane the exact sum of four products of unsigned bytes of x and signed bytes of w. `store_u8` rounds to nearest even and clamps.
/// An instruction set may also offer `dot_bf16(sum, x, w)` and `store_bf16`, and then says `has_bf16 = true`.
template <class A>
concept Arch = requires(typename A::f32 v, typename A::i32 n, const float* in, float* out, float x, std::uint8_t* bytes,
                        std::int32_t* ints) {
  { A::width } -> std::convertible_to<int>;
  { A::accumulators } -> std::convertible_to<int>;
  { A::load(in) } -> std::same_as<typename A::f32>;
  { A::broadcast(x) } -> std::same_as<typename A::f32>;
  A::store(out, v);
  { A::fma(v, v, v) } -> std::same_as<typename A::f32>;
  { A::add(v, v) } -> std::same_as<typename A::f32>;
  { A::multiply(v, v) } -> std::same_as<typename A::f32>;
  { A::divide(v, v) } -> std::same_as<typename A::f32>;
  { A::minimum(v, v) } -> std::same_as<typename A::f32>;
  { A::maximum(v, v) } -> std::same_as<typename A::f32>;
  { A::round(v) } -> std::same_as<typename A::f32>;
  { A::scale_by_power_of_two(v, v) } -> std::same_as<typename A::f32>;
  { A::fused(v, v, v) } -> std::same_as<typename A::f32>;
  { A::zero_i32() } -> std::same_as<typename A::i32>;
  { A::broadcast_i32(0) } -> std::same_as<typename A::i32>;
  { A::add_i32(n, n) } -> std::same_as<typename A::i32>;
  A::store_i32(ints, n);
  { A::load_bytes(bytes) } -> std::same_as<typename A::i32>;
  { A::broadcast_four(bytes) } -> std::same_as<typename A::i32>;
  { A::dot_u8s8(n, n, n) } -> std::same_as<typename A::i32>;
  { A::to_float(n) } -> std::same_as<typename A::f32>;
  A::store_u8(bytes, v);
};

/// Whether A multiplies bfloat16 pairs.
template <class A>
inline constexpr bool has_bf16 = requires { requires A::has_bf16; };

}  // namespace spinel
