// SPDX-License-Identifier: Apache-2.0
// The activations on vectors of any instruction set, to about 2 ulp of their float32 definition.
#pragma once

#include <spinel/core/config.hpp>
#include <spinel/nn/network.hpp>
#include <spinel/simd/arch.hpp>

namespace spinel {

namespace detail {
/// A with every fma rounded once, so that the result is the same bits on every machine.
template <Arch A>
struct Exact : A {
  static SPINEL_ALWAYS_INLINE typename A::f32 fma(typename A::f32 a, typename A::f32 b, typename A::f32 c) noexcept { return A::fused(a, b, c); }
};
}  // namespace detail

/// GELU in its tanh form, written as x / (1 + exp(-2u)) with u = sqrt(2/pi) (x + 0.044715 x^3): (1 + tanh u) / 2 is the logistic
/// function of 2u, so the small results at negative x keep their relative accuracy.
template <class A>
SPINEL_ALWAYS_INLINE typename A::f32 gelu_tanh(typename A::f32 x) noexcept {
  constexpr double log2_e = 1.4426950408889634, root_two_over_pi = 0.7978845608028654;
  constexpr auto linear = static_cast<float>(-2.0 * root_two_over_pi * log2_e);
  constexpr auto cubic = static_cast<float>(-2.0 * root_two_over_pi * 0.044715 * log2_e);
  typename A::f32 z = A::multiply(x, A::fma(A::multiply(x, x), A::broadcast(cubic), A::broadcast(linear)));
  z = A::maximum(A::minimum(z, A::broadcast(126.0f)), A::broadcast(-126.0f));
  const typename A::f32 whole = A::round(z);
  const typename A::f32 part = A::fma(whole, A::broadcast(-1.0f), z);
  // 2^part on [-1/2, 1/2]: the exponential series to degree six, relative error below 2e-7
  typename A::f32 power = A::fma(part, A::broadcast(1.5403530393381608e-4f), A::broadcast(1.3333558146428443e-3f));
  power = A::fma(power, part, A::broadcast(9.6181291076284770e-3f));
  power = A::fma(power, part, A::broadcast(5.5504108664821580e-2f));
  power = A::fma(power, part, A::broadcast(2.4022650695910072e-1f));
  power = A::fma(power, part, A::broadcast(6.9314718055994530e-1f));
  power = A::fma(power, part, A::broadcast(1.0f));
  power = A::scale_by_power_of_two(power, whole);
  return A::divide(x, A::add(power, A::broadcast(1.0f)));
}

/// The same to 1.3e-4 without exponential and division, for results that become bytes: max(x, 0) + GELU(-|x|), the second by the polynomial of least
/// greatest error on [-3.75, 0].
template <class A>
SPINEL_ALWAYS_INLINE typename A::f32 gelu_tanh_for_bytes(typename A::f32 x) noexcept {
  const typename A::f32 positive = A::maximum(x, A::broadcast(0.0f));
  const typename A::f32 b = A::maximum(A::fma(positive, A::broadcast(-2.0f), x), A::broadcast(-3.75f));
  typename A::f32 ratio = A::fma(b, A::broadcast(-7.252546e-4f), A::broadcast(-1.0950196e-2f));
  ratio = A::fma(ratio, b, A::broadcast(-6.263404e-2f));
  ratio = A::fma(ratio, b, A::broadcast(-0.15255117f));
  ratio = A::fma(ratio, b, A::broadcast(-5.935101e-2f));
  ratio = A::fma(ratio, b, A::broadcast(0.3801487f));
  ratio = A::fma(ratio, b, A::broadcast(0.49810550f));
  return A::fma(ratio, b, positive);
}

/// Applies one activation, chosen at compile time.
template <Activation activation, class A>
SPINEL_ALWAYS_INLINE typename A::f32 activate(typename A::f32 x) noexcept {
  if constexpr (activation == Activation::gelu_tanh)
    return gelu_tanh<A>(x);
  else if constexpr (activation == Activation::relu)
    return A::maximum(x, A::broadcast(0.0f));
  else if constexpr (activation == Activation::leaky_relu)
    return A::maximum(x, A::multiply(x, A::broadcast(0.01f)));
  else
    return x;
}

/// The same where the result is rounded to a byte, with the same bits on every machine.
template <Activation activation, Arch A>
SPINEL_ALWAYS_INLINE typename A::f32 activate_for_bytes(typename A::f32 x) noexcept {
  if constexpr (activation == Activation::gelu_tanh)
    return gelu_tanh_for_bytes<detail::Exact<A>>(x);
  else
    return activate<activation, detail::Exact<A>>(x);
}

}  // namespace spinel
