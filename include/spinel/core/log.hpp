// SPDX-License-Identifier: Apache-2.0
// The natural logarithm as a constant expression, for edge weights ln((1-p)/p). Written out so that set-up needs no
// mathematics library either, and so that a weight does not depend on which one a machine has.
// Source: the series of the inverse hyperbolic tangent, log(m) = 2 artanh((m-1)/(m+1)).
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

namespace spinel {

/// ln(x) within 1 unit in the last place for finite x > 0, subnormals included; -infinity for 0, +infinity for
/// +infinity, NaN for everything else.
constexpr double natural_log(double x) noexcept {
  using Limits = std::numeric_limits<double>;
  if (!(x >= 0)) return Limits::quiet_NaN();
  if (x == 0) return -Limits::infinity();
  if (x == Limits::infinity()) return x;

  // x = 2^exponent * m with m in [sqrt(1/2), sqrt(2)), where the series converges fast and ln(m) has no cancellation.
  int exponent = 0;
  if (x < Limits::min()) {
    x *= 0x1p54;
    exponent = -54;
  }
  constexpr std::uint64_t mantissa_bits = 52, one = std::uint64_t{1023} << mantissa_bits;
  constexpr std::uint64_t sqrt_half_to_one = one - 0x3fe6a09e667f3bcdu;
  const std::uint64_t shifted = std::bit_cast<std::uint64_t>(x) + sqrt_half_to_one;
  exponent += static_cast<int>(shifted >> mantissa_bits) - 1023;
  const std::uint64_t mantissa_mask = (std::uint64_t{1} << mantissa_bits) - 1;
  const double m = std::bit_cast<double>((shifted & mantissa_mask) + one - sqrt_half_to_one);

  // 2 artanh(s) = f - f^2/2 + s (f^2/2 + tail), f = m - 1: the first terms are exact or nearly so, and carry the digits.
  const double f = m - 1, s = f / (m + 1), z = s * s;
  double tail = 0;
  for (int k = 23; k >= 3; k -= 2) tail = z * (2.0 / k + tail);
  const double half_square = 0.5 * f * f;
  // ln 2 in two parts; the upper one has trailing zeros, so that its product with the exponent is exact.
  constexpr double ln2_upper = 0x1.62e42fee00000p-1, ln2_lower = 0x1.a39ef35793c76p-33;
  const double e = exponent;
  return e * ln2_upper - ((half_square - (s * (half_square + tail) + e * ln2_lower)) - f);
}

}  // namespace spinel
