// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>

namespace spinel::cli {

/// A 95 % interval of a share.
struct Interval {
  double low = 0, high = 1;
};

/// Wilson score interval of `mistakes` in `shots` (> 0): sound for few mistakes too.
inline Interval wilson_interval(double mistakes, double shots) {
  constexpr double z = 1.959964;
  const double share = mistakes / shots, scale = 1 + z * z / shots;
  const double center = (share + z * z / (2 * shots)) / scale;
  const double half = z * std::sqrt(share * (1 - share) / shots + z * z / (4 * shots * shots)) / scale;
  return {mistakes == 0 ? 0.0 : std::max(0.0, center - half), center + half};
}

}  // namespace spinel::cli
