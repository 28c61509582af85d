// SPDX-License-Identifier: Apache-2.0
// Symmetric positive definite systems of fixed capacity: the linear half of every fit. Plain Cholesky with unit diagonal
// scaling, so that columns of different size do not spoil the pivot test. Source: Golub and Van Loan, section 4.2.
#pragma once

#include <spinel/core/math.hpp>

namespace spinel::calib {

/// The most unknowns a fit has: three non-linear and six linear parameters.
inline constexpr int max_unknowns = 9;

/// Lower factor of a scaled symmetric matrix; `rank_deficient` says that a pivot fell under 1e-13 of its diagonal.
struct Cholesky {
  double lower[max_unknowns][max_unknowns]{};
  double scale[max_unknowns]{};
  int size = 0;
  bool rank_deficient = false;

  /// Factors the leading `n` x `n` block of `matrix`; a lost pivot is replaced by a large one, which zeroes that unknown.
  void factor(const double (&matrix)[max_unknowns][max_unknowns], int n) noexcept {
    size = n;
    rank_deficient = false;
    for (int i = 0; i < n; ++i) scale[i] = matrix[i][i] > 0 ? 1.0 / spinel::sqrt(matrix[i][i]) : 0.0;
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j <= i; ++j) {
        double sum = matrix[i][j] * scale[i] * scale[j];
        for (int k = 0; k < j; ++k) sum -= lower[i][k] * lower[j][k];
        if (i == j) {
          if (!(sum > 1e-13)) {
            rank_deficient = true;
            sum = 1e30;
          }
          lower[i][i] = spinel::sqrt(sum);
        } else {
          lower[i][j] = sum / lower[j][j];
        }
      }
    }
  }

  /// Solves in place: `vector` goes in as the right-hand side and comes out as the unknowns.
  void solve(double* vector) const noexcept {
    for (int i = 0; i < size; ++i) {
      double sum = vector[i] * scale[i];
      for (int k = 0; k < i; ++k) sum -= lower[i][k] * vector[k];
      vector[i] = sum / lower[i][i];
    }
    for (int i = size - 1; i >= 0; --i) {
      double sum = vector[i];
      for (int k = i + 1; k < size; ++k) sum -= lower[k][i] * vector[k];
      vector[i] = sum / lower[i][i];
    }
    for (int i = 0; i < size; ++i) vector[i] *= scale[i];
  }
};

}  // namespace spinel::calib
