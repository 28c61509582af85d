// SPDX-License-Identifier: Apache-2.0
// The model curves y = fixed(x; theta) + sum_j c_j phi_j(x; theta) of the separable fits. A curve fills the columns phi_j for
// all x at once; columns [0, n_fixed) have coefficient one, the others are solved for. Source: Golub and Pereyra (1973).
#pragma once

#include <concepts>
#include <cstddef>

#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>

namespace spinel::calib {

/// What a curve offers: `n_theta` <= 3, `n_fixed` <= 1, `n_linear` <= 6, and `fill(x, theta, columns)`.
template <class C>
concept Curve = requires(const C& curve, Span<const double> x, const double* theta, double* const* columns) {
  { C::n_theta } -> std::convertible_to<int>;
  { C::n_fixed } -> std::convertible_to<int>;
  { C::n_linear } -> std::convertible_to<int>;
  curve.fill(x, theta, columns);
};

inline constexpr double two_pi = 2.0 * spinel::pi;

namespace detail {
/// True when the points are equidistant to 1e-9 of the span, so that a recurrence may replace the transcendental calls.
inline bool equidistant(Span<const double> x) noexcept {
  const std::size_t n = x.size();
  if (n < 3) return false;
  const double step = (x[n - 1] - x[0]) / static_cast<double>(n - 1);
  for (std::size_t i = 0; i < n; ++i)
    if (spinel::fabs(x[i] - x[0] - step * static_cast<double>(i)) > 1e-9 * spinel::fabs(x[n - 1] - x[0])) return false;
  return true;
}

/// exp(-g |x|) cos(2 pi f x) and the sine beside it; equidistant non-negative points use one complex product a point.
inline void damped_pair(Span<const double> x, bool uniform, double f, double g, double* cosine, double* sine) noexcept {
  const std::size_t n = x.size();
  if (uniform && (g == 0.0 || x[0] >= 0.0)) {
    const double step = (x[n - 1] - x[0]) / static_cast<double>(n - 1);
    const double shrink = spinel::exp(-g * step);
    const double turn_re = shrink * spinel::cos(two_pi * f * step), turn_im = shrink * spinel::sin(two_pi * f * step);
    double re = spinel::exp(-g * x[0]) * spinel::cos(two_pi * f * x[0]), im = spinel::exp(-g * x[0]) * spinel::sin(two_pi * f * x[0]);
    for (std::size_t i = 0; i < n; ++i) {
      cosine[i] = re;
      sine[i] = im;
      const double next = re * turn_re - im * turn_im;
      im = re * turn_im + im * turn_re;
      re = next;
    }
    return;
  }
  for (std::size_t i = 0; i < n; ++i) {
    const double envelope = g == 0.0 ? 1.0 : spinel::exp(-g * spinel::fabs(x[i]));
    cosine[i] = envelope * spinel::cos(two_pi * f * x[i]);
    sine[i] = envelope * spinel::sin(two_pi * f * x[i]);
  }
}
}  // namespace detail

/// c0 cos(2 pi f x) + c1 sin(2 pi f x) + c2; theta = (f).
struct Cosine {
  static constexpr int n_theta = 1, n_fixed = 0, n_linear = 3;
  bool uniform = false;
  void fill(Span<const double> x, const double* theta, double* const* columns) const noexcept {
    detail::damped_pair(x, uniform, theta[0], 0.0, columns[0], columns[1]);
    for (std::size_t i = 0; i < x.size(); ++i) columns[2][i] = 1.0;
  }
};

/// exp(-g x) (c0 cos(2 pi f x) + c1 sin(2 pi f x)) + c2; theta = (f, g).
struct DampedCosine {
  static constexpr int n_theta = 2, n_fixed = 0, n_linear = 3;
  bool uniform = false;
  void fill(Span<const double> x, const double* theta, double* const* columns) const noexcept {
    detail::damped_pair(x, uniform, theta[0], theta[1], columns[0], columns[1]);
    for (std::size_t i = 0; i < x.size(); ++i) columns[2][i] = 1.0;
  }
};

/// 1/2 + 1/2 exp(-g x) cos(2 pi f x + p); theta = (f, g, p): amplitude and offset come from calibration points.
struct CalibratedCosine {
  static constexpr int n_theta = 3, n_fixed = 1, n_linear = 0;
  double sign = 1.0;
  void fill(Span<const double> x, const double* theta, double* const* columns) const noexcept {
    for (std::size_t i = 0; i < x.size(); ++i)
      columns[0][i] = 0.5 + 0.5 * sign * spinel::exp(-theta[1] * x[i]) * spinel::cos(two_pi * theta[0] * x[i] + theta[2]);
  }
};

/// Two tones under one envelope and an offset; theta = (f1, f2, g).
struct TwoTones {
  static constexpr int n_theta = 3, n_fixed = 0, n_linear = 5;
  bool uniform = false;
  void fill(Span<const double> x, const double* theta, double* const* columns) const noexcept {
    detail::damped_pair(x, uniform, theta[0], theta[2], columns[0], columns[1]);
    detail::damped_pair(x, uniform, theta[1], theta[2], columns[2], columns[3]);
    for (std::size_t i = 0; i < x.size(); ++i) columns[4][i] = 1.0;
  }
};

/// c0 exp(-g x) + c1; theta = (g).
struct Exponential {
  static constexpr int n_theta = 1, n_fixed = 0, n_linear = 2;
  void fill(Span<const double> x, const double* theta, double* const* columns) const noexcept {
    for (std::size_t i = 0; i < x.size(); ++i) {
      columns[0][i] = spinel::exp(-theta[0] * x[i]);
      columns[1][i] = 1.0;
    }
  }
};

/// c0 exp(-g x) with the offset held at `offset`; theta = (g).
struct ExponentialFixedOffset {
  static constexpr int n_theta = 1, n_fixed = 1, n_linear = 1;
  double offset = 0.0;
  void fill(Span<const double> x, const double* theta, double* const* columns) const noexcept {
    for (std::size_t i = 0; i < x.size(); ++i) {
      columns[0][i] = offset;
      columns[1][i] = spinel::exp(-theta[0] * x[i]);
    }
  }
};

/// `amplitude` exp(-g x) + `offset`, both held; theta = (g).
struct ExponentialFixed {
  static constexpr int n_theta = 1, n_fixed = 1, n_linear = 0;
  double amplitude = 1.0, offset = 0.0;
  void fill(Span<const double> x, const double* theta, double* const* columns) const noexcept {
    for (std::size_t i = 0; i < x.size(); ++i) columns[0][i] = offset + amplitude * spinel::exp(-theta[0] * x[i]);
  }
};

/// c0 exp(-(g x)^m) + c1; theta = (g, m).
struct StretchedExponential {
  static constexpr int n_theta = 2, n_fixed = 0, n_linear = 2;
  void fill(Span<const double> x, const double* theta, double* const* columns) const noexcept {
    for (std::size_t i = 0; i < x.size(); ++i) {
      columns[0][i] = spinel::exp(-spinel::pow(spinel::fabs(theta[0] * x[i]), theta[1]));
      columns[1][i] = 1.0;
    }
  }
};

/// Two decays under one offset; theta = (g1, g2).
struct TwoExponentials {
  static constexpr int n_theta = 2, n_fixed = 0, n_linear = 3;
  void fill(Span<const double> x, const double* theta, double* const* columns) const noexcept {
    for (std::size_t i = 0; i < x.size(); ++i) {
      columns[0][i] = spinel::exp(-theta[0] * x[i]);
      columns[1][i] = spinel::exp(-theta[1] * x[i]);
      columns[2][i] = 1.0;
    }
  }
};

/// c0 / (1 + ((x - f) / h)^2) + c1 [+ c2 x] [+ c3 dispersive]; theta = (f, h), h the half width at half maximum.
template <bool slope, bool dispersive>
struct Lorentzian {
  static constexpr int n_theta = 2, n_fixed = 0, n_linear = 2 + (slope ? 1 : 0) + (dispersive ? 1 : 0);
  void fill(Span<const double> x, const double* theta, double* const* columns) const noexcept {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double u = (x[i] - theta[0]) / theta[1];
      columns[0][i] = 1.0 / (1.0 + u * u);
      columns[1][i] = 1.0;
      if constexpr (slope) columns[2][i] = x[i];
      if constexpr (dispersive) columns[n_linear - 1][i] = u / (1.0 + u * u);
    }
  }
};

/// Complex notch resonator: (a + c / (1 + i (x - f)/h)) exp(-2 pi i x t) with complex a and c; theta = (f, h, t).
/// x holds the sweep twice: first half for the real parts, second half for the imaginary parts.
/// Source: Probst et al., Rev. Sci. Instrum. 86, 024706 (2015), written with the linear coefficients explicit.
struct NotchResonator {
  static constexpr int n_theta = 3, n_fixed = 0, n_linear = 4;
  void fill(Span<const double> x, const double* theta, double* const* columns) const noexcept {
    const std::size_t half = x.size() / 2;
    for (std::size_t i = 0; i < half; ++i) {
      const double u = (x[i] - theta[0]) / theta[1];
      const double c = spinel::cos(two_pi * x[i] * theta[2]), s = -spinel::sin(two_pi * x[i] * theta[2]);
      const double line_re = 1.0 / (1.0 + u * u), line_im = -u * line_re;
      const double re[2] = {c, c * line_re - s * line_im};
      const double im[2] = {s, c * line_im + s * line_re};
      for (int k = 0; k < 2; ++k) {
        columns[2 * k][i] = re[k];
        columns[2 * k][half + i] = im[k];
        columns[2 * k + 1][i] = -im[k];
        columns[2 * k + 1][half + i] = re[k];
      }
    }
  }
};

/// Polynomial of degree `degree`; no theta.
template <int degree>
struct Polynomial {
  static constexpr int n_theta = 0, n_fixed = 0, n_linear = degree + 1;
  void fill(Span<const double> x, const double*, double* const* columns) const noexcept {
    for (std::size_t i = 0; i < x.size(); ++i) {
      double power = 1.0;
      for (int k = 0; k <= degree; ++k, power *= x[i]) columns[k][i] = power;
    }
  }
};

/// Cosine of known frequency `f` with offset; no theta.
struct KnownCosine {
  static constexpr int n_theta = 0, n_fixed = 0, n_linear = 3;
  double f = 1.0;
  void fill(Span<const double> x, const double*, double* const* columns) const noexcept {
    detail::damped_pair(x, false, f, 0.0, columns[0], columns[1]);
    for (std::size_t i = 0; i < x.size(); ++i) columns[2][i] = 1.0;
  }
};

/// Linear drift plus an oscillation in the pulse number: c0 + c1 n + c2 cos + c3 sin; theta = (f).
struct LinearPlusCosine {
  static constexpr int n_theta = 1, n_fixed = 0, n_linear = 4;
  void fill(Span<const double> x, const double* theta, double* const* columns) const noexcept {
    detail::damped_pair(x, false, theta[0], 0.0, columns[2], columns[3]);
    for (std::size_t i = 0; i < x.size(); ++i) {
      columns[0][i] = 1.0;
      columns[1][i] = x[i];
    }
  }
};

}  // namespace spinel::calib
