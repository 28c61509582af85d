// SPDX-License-Identifier: Apache-2.0
// Learned priors against the probabilities that shots were drawn with, event by event and not by the library's sampler.
#include <spinel/noise/prior_estimator.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <utility>
#include <vector>

namespace spinel {
namespace {

struct Model {
  std::size_t n_detectors = 0;
  std::vector<double> probabilities;
  std::vector<std::uint32_t> detectors_begin{0}, detectors;
  std::vector<std::uint64_t> observables;

  void add(std::vector<std::uint32_t> flipped, double p) {
    detectors.insert(detectors.end(), flipped.begin(), flipped.end());
    detectors_begin.push_back(static_cast<std::uint32_t>(detectors.size()));
    probabilities.push_back(p);
    observables.push_back(0);
  }
  ErrorMechanismsView view() const { return {n_detectors, 0, probabilities, detectors_begin, detectors, observables}; }
};

/// A chain with both boundaries, pairs, and mechanisms that flip three and four detectors.
Model chain(const std::vector<double>& p) {
  Model model;
  model.n_detectors = 9;
  std::size_t k = 0;
  model.add({0}, p[k++]);
  for (std::uint32_t i = 0; i < 8; ++i) model.add({i, i + 1}, p[k++]);
  model.add({8}, p[k++]);
  model.add({0, 1, 4}, p[k++]);
  model.add({2, 3, 5, 6}, p[k++]);
  model.add({1, 2, 6, 7}, p[k++]);
  return model;
}

std::vector<PriorEstimate> learn(const Model& guess, const Model& truth, std::size_t n_shots, double model_error, unsigned seed) {
  std::vector<std::byte> memory(PriorEstimator::memory_needed(guess.view()));
  auto estimator = PriorEstimator::create(guess.view(), memory, {model_error});
  EXPECT_EQ(estimator.status, Status::ok);
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<> uniform(0, 1);
  for (std::size_t shot = 0; shot < n_shots; ++shot) {
    std::vector<std::uint8_t> events((truth.n_detectors + 7) / 8 + 1);
    for (std::size_t m = 0; m < truth.probabilities.size(); ++m)
      if (uniform(random) < truth.probabilities[m])
        for (auto d = truth.detectors_begin[m]; d < truth.detectors_begin[m + 1]; ++d)
          events[truth.detectors[d] / 8] ^= static_cast<std::uint8_t>(1u << (truth.detectors[d] % 8));
    estimator.value.add(events.data());
  }
  EXPECT_EQ(estimator.value.n_shots(), n_shots);
  std::vector<PriorEstimate> out(guess.probabilities.size());
  EXPECT_EQ(estimator.value.estimate(out), Status::ok);
  return out;
}

const std::vector<double> uneven{0.05, 0.01, 0.03, 0.02, 0.06, 0.015, 0.04, 0.02, 0.01, 0.08, 0.02, 0.03, 0.01};
/// Mean square of the deviations from the truth, in error bars.
double mean_square(double guess, double model_error, std::size_t n_shots, unsigned n_seeds) {
  double squares = 0;
  int n = 0;
  for (unsigned seed = 1; seed <= n_seeds; ++seed) {
    const auto found = learn(chain(std::vector<double>(uneven.size(), guess)), chain(uneven), n_shots, model_error, seed);
    for (std::size_t m = 0; m < uneven.size(); ++m) {
      const double pull = (found[m].probability - uneven[m]) / found[m].error;
      EXPECT_LT(std::abs(pull), 5) << "mechanism " << m << ": " << found[m].probability << " for " << uneven[m];
      squares += pull * pull;
      ++n;
    }
  }
  return squares / n;
}

TEST(PriorEstimator, FindsWhatTheShotsWereDrawnWith) {
  const auto found = learn(chain(std::vector<double>(uneven.size(), 0.03)), chain(uneven), 60000, 1e6, 1);
  for (std::size_t m = 0; m < uneven.size(); ++m) {
    ASSERT_GT(found[m].error, 0);
    ASSERT_LT(found[m].error, 0.12 * uneven[m] + 0.002) << "mechanism " << m;
  }
  const double of_shots = mean_square(0.03, 1e6, 60000, 16);  // 208 of them: known to a tenth
  EXPECT_GT(of_shots, 0.7);
  EXPECT_LT(of_shots, 1.35);
}

TEST(PriorEstimator, TellsFromTheShotsHowFarToTrustTheModel) {
  // The model is wrong by a factor of up to 16.
  const double wrong = mean_square(0.005, 0, 20000, 16);
  EXPECT_GT(wrong, 0.65);
  EXPECT_LT(wrong, 1.5);
  // Where it is right it helps.
  const auto right = [](double model_error) {
    double squares = 0;
    for (unsigned seed = 1; seed <= 8; ++seed) {
      const auto found = learn(chain(std::vector<double>(13, 0.02)), chain(std::vector<double>(13, 0.02)), 2000, model_error, seed);
      for (const auto& estimate : found) squares += (estimate.probability - 0.02) * (estimate.probability - 0.02);
    }
    return squares;
  };
  EXPECT_LT(right(0), 0.95 * right(1e6));
}

TEST(PriorEstimator, StaysWithTheModelWhereShotsSayLittle) {
  const std::vector<double> p(13, 0.01), guess(13, 0.004);
  const auto few = learn(chain(guess), chain(p), 50, 0.1, 1);
  for (const auto& estimate : few) EXPECT_NEAR(estimate.probability, 0.004, 0.0008);
  const auto many = learn(chain(guess), chain(p), 100000, 1, 1);
  for (const auto& estimate : many) EXPECT_NEAR(estimate.probability, 0.01, 0.003);
  for (const auto& estimate : learn(chain(guess), chain(std::vector<double>(13, 0.0)), 1000, 1, 1)) {
    EXPECT_GT(estimate.probability, 0);
    EXPECT_LT(estimate.probability, 0.004);
  }
}

TEST(PriorEstimator, SharesBetweenMechanismsOfTheSameDetectors) {
  Model guess, truth;
  guess.n_detectors = truth.n_detectors = 2;
  guess.add({0, 1}, 0.01);
  guess.add({0, 1}, 0.03);
  guess.add({}, 0.2);
  truth.add({0, 1}, 0.08);
  const auto found = learn(guess, truth, 100000, 100, 3);
  EXPECT_NEAR(found[0].probability * (1 - found[1].probability) + found[1].probability * (1 - found[0].probability), 0.08, 0.004);
  EXPECT_NEAR(std::log(1 - 2 * found[1].probability) / std::log(1 - 2 * found[0].probability), std::log(0.94) / std::log(0.98), 1e-9);
  EXPECT_NEAR(found[2].probability, 0.2, 1e-12);
  EXPECT_EQ(found[2].error, 0);
}

TEST(PriorEstimator, RefusesWhatItCannotLearn) {
  const auto status = [](const Model& model, double model_error = 1, std::size_t bytes = 1 << 16) {
    std::vector<std::byte> memory(bytes);
    return PriorEstimator::create(model.view(), memory, {model_error}).status;
  };
  Model model;
  model.n_detectors = 8;
  model.add({0, 1}, 0.1);
  EXPECT_EQ(status(model), Status::ok);
  EXPECT_EQ(status(model, 0), Status::ok);
  EXPECT_EQ(status(model, -1), Status::bad_argument);
  EXPECT_EQ(status(model, std::nan("")), Status::bad_argument);
  EXPECT_EQ(status(model, 1, 64), Status::out_of_capacity);
  const auto with = [&](std::vector<std::uint32_t> detectors, double p) {
    Model changed = model;
    changed.add(std::move(detectors), p);
    return status(changed);
  };
  EXPECT_EQ(with({0, 1, 2, 3, 4, 5, 6}, 0.1), Status::unsupported);
  EXPECT_EQ(with({1, 0}, 0.1), Status::bad_shape);
  EXPECT_EQ(with({1, 1}, 0.1), Status::bad_shape);
  EXPECT_EQ(with({8}, 0.1), Status::bad_shape);
  EXPECT_EQ(with({3}, 0.5), Status::bad_argument);
  EXPECT_EQ(with({3}, std::nan("")), Status::bad_argument);
  std::vector<std::byte> memory(1 << 16);
  auto estimator = PriorEstimator::create(model.view(), memory).value;
  std::vector<PriorEstimate> out(1);
  EXPECT_EQ(estimator.estimate(out), Status::bad_argument) << "no shots";
  EXPECT_EQ(estimator.estimate({}), Status::bad_shape);
  const std::uint8_t both = 3;
  estimator.add(&both);
  std::uint32_t culprit = 99;
  EXPECT_EQ(estimator.estimate(out, &culprit), Status::not_finite);
  EXPECT_EQ(culprit, 0u);
}

}  // namespace
}  // namespace spinel
