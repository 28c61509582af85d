// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <spinel/core/log.hpp>

namespace {

using Limits = std::numeric_limits<double>;

static_assert(spinel::natural_log(1.0) == 0.0);
static_assert(spinel::natural_log(0.0) == -Limits::infinity());

/// Distance from the long double logarithm, in units in the last place of the double nearest to it.
double error_in_ulp(double x) {
  const long double truth = std::log(static_cast<long double>(x));
  const double near = static_cast<double>(truth);
  const double unit = std::nextafter(std::abs(near), Limits::infinity()) - std::abs(near);
  return static_cast<double>(std::abs(static_cast<long double>(spinel::natural_log(x)) - truth)) / unit;
}

TEST(NaturalLog, StaysWithinOneUlpOfLongDouble) {
  std::mt19937_64 random(5);
  double worst = 0;
  for (int k = 0; k < 400000; ++k) {
    const double anywhere = std::bit_cast<double>(random() >> 2);  // any exponent up to 2^512, subnormals included
    if (anywhere > 0) worst = std::max(worst, error_in_ulp(anywhere));
    const double p = std::ldexp(static_cast<double>(random() >> 11), -53);
    if (p > 0 && p < 1) worst = std::max(worst, error_in_ulp((1 - p) / p));
    worst = std::max(worst, error_in_ulp(1 + (p - 0.5) * 1e-3));
  }
  EXPECT_LT(worst, 1.0);
  RecordProperty("worst_ulp", std::to_string(worst));
}

TEST(NaturalLog, EdgesOfTheRange) {
  for (const double x : {Limits::min(), Limits::denorm_min(), Limits::max(), Limits::min() / 3, std::sqrt(0.5),
                         std::nextafter(std::sqrt(0.5), 0.0), std::sqrt(2.0), 1 - Limits::epsilon() / 2})
    EXPECT_LT(error_in_ulp(x), 1.0) << x;
  EXPECT_EQ(spinel::natural_log(Limits::infinity()), Limits::infinity());
  EXPECT_TRUE(std::isnan(spinel::natural_log(-1.0)));
  EXPECT_TRUE(std::isnan(spinel::natural_log(Limits::quiet_NaN())));
}

}  // namespace
