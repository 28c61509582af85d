// SPDX-License-Identifier: Apache-2.0
// Priors from data: the probabilities of a model's error mechanisms from detection events alone, one pass over the shots.
// With z = 1 - 2x for every detector, -ln <product of z over A> is the sum of theta = -ln(1 - 2p) over the mechanisms that
// flip an odd number of A. The alternating sum over the subsets of A leaves 2^(|A| - 1) times the theta of all
// mechanisms that flip the whole of A: exact for any mechanisms, pairs and boundary included.
// Source: pair correlations as in Spitz, Tarasinski, Beenakker and O'Brien, Adv. Quantum Technol. 1 (2018) 1800012, and
// Google Quantum AI, Nature 595, 383 (2021); the form for more than two detectors as in Blume-Kohout and Young,
// arXiv:2504.14643 (restated here from the definition).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/bits.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/noise/sampler.hpp>

namespace spinel {

/// A mechanism's probability and its standard error. What the shots say little about stays near the model's own value.
struct PriorEstimate {
  double probability = 0;
  double error = 0;
};

struct PriorEstimatorOptions {
  /// The model's own probability counts as a measurement with this relative error; larger trusts the shots more. 0: as much as the
  /// probabilities that the shots tell well differ from the model's.
  double model_error = 0;
};

class PriorEstimator {
 public:
  using Options = PriorEstimatorOptions;
  /// A mechanism may flip at most this many detectors.
  static constexpr std::size_t max_detectors_each = 6;

  static std::size_t memory_needed(const ErrorMechanismsView& model) noexcept {
    Arena counter;
    PriorEstimator{}.lay_out(model, counter);
    return counter.used() + Arena::alignment;
  }

  /// An estimator for the mechanisms of `model` (whose detectors must be ascending and without repetition), in `memory`.
  /// Errors: unsupported for a mechanism with more than `max_detectors_each` detectors; bad_argument for p outside [0, 1/2)
  /// or a model error below 0; bad_shape for detectors out of order or range; out_of_capacity.
  static Result<PriorEstimator> create(const ErrorMechanismsView& model, Span<std::byte> memory,
                                       const Options& options = {}) noexcept {
    if (!(options.model_error >= 0)) return Status::bad_argument;
    for (std::size_t m = 0; m < model.probabilities.size(); ++m) {
      const std::uint32_t begin = model.detectors_begin[m], end = model.detectors_begin[m + 1];
      if (end - begin > max_detectors_each) return Status::unsupported;
      if (!(model.probabilities[m] >= 0 && model.probabilities[m] < 0.5)) return Status::bad_argument;
      for (std::uint32_t k = begin; k < end; ++k) {
        if (model.detectors[k] >= model.n_detectors) return Status::bad_shape;
        if (k > begin && model.detectors[k - 1] >= model.detectors[k]) return Status::bad_shape;
      }
    }
    Arena arena(memory);
    PriorEstimator made;
    made.lay_out(model, arena);
    if (arena.overflowed() || memory.empty()) return Status::out_of_capacity;
    made.options_ = options;
    made.index(model);
    return made;
  }

  /// Counts one packed shot ((n_detectors + 7) / 8 bytes).
  void add(const std::uint8_t* events) noexcept {
    ++n_shots_;
    const std::size_t n_bytes = (n_detectors_ + 7) / 8;
    for (std::size_t byte = 0; byte < n_bytes; ++byte)
      for (unsigned left = events[byte]; left != 0; left &= left - 1) {
        const std::size_t detector = 8 * byte + static_cast<unsigned>(std::countr_zero(left));
        if (detector < n_detectors_) add_from(events, static_cast<std::uint32_t>(detector));
      }
  }

  std::uint64_t n_shots() const noexcept { return n_shots_; }
  std::size_t n_mechanisms() const noexcept { return model_theta_.size(); }
  /// How often a detector fired.
  std::uint64_t n_fired(std::uint32_t detector) const noexcept { return subsets_[detector].n_fired; }

  /// One estimate a mechanism, in the model's order. Mechanisms that flip the same detectors share what was found in the
  /// proportion that the model gives them; those without detectors keep the model's value, with error 0.
  /// Errors: bad_shape if `out` has another size; bad_argument without shots; not_finite if detectors fire so often, or
  /// so seldom together, that no probabilities below 1/2 explain it (`culprit` then names the first of them).
  Status estimate(Span<PriorEstimate> out, std::uint32_t* culprit = nullptr) noexcept;

 private:
  static constexpr std::uint32_t none = 0;

  /// A subset of some mechanism's detectors: a node of a tree whose first level are the detectors themselves.
  struct Subset {
    std::uint32_t detector = 0;
    std::uint32_t first_child = none, next_sibling = none;
    std::uint64_t n_fired = 0;  // shots in which all of it fired
    double log_mean = 0;        // -ln <product of z>
    // Of the mechanisms that flip all of it and more, as far as they are estimated:
    double theta = 0;
    double variance = 0;
    double covariance = 0;  // with what its own alternating sum finds
  };

  void lay_out(const ErrorMechanismsView& model, Arena& arena) noexcept {
    n_detectors_ = model.n_detectors;
    const std::size_t n = model.probabilities.size();
    std::size_t n_subsets = 0;
    for (std::size_t m = 0; m < n; ++m) {
      const std::size_t size = model.detectors_begin[m + 1] - model.detectors_begin[m];
      if (size <= max_detectors_each) n_subsets += std::size_t{1} << size;
    }
    subsets_ = arena.take<Subset>(n_detectors_ + n_subsets);
    subset_of_ = arena.take<std::uint32_t>(n_subsets);
    subsets_begin_ = arena.take<std::uint32_t>(n + 1);
    model_theta_ = arena.take<double>(n);
    size_ = arena.take<std::uint8_t>(n);
    order_ = arena.take<std::uint32_t>(n);
    walk_ = arena.take<std::uint32_t>(n_detectors_ + n_subsets);
  }
  void index(const ErrorMechanismsView& model) noexcept;
  std::uint32_t child(std::uint32_t subset, std::uint32_t detector) noexcept;
  void add_from(const std::uint8_t* events, std::uint32_t detector) noexcept {
    std::size_t n = 0;
    walk_[n++] = detector;
    while (n > 0) {
      Subset& subset = subsets_[walk_[--n]];
      ++subset.n_fired;
      for (std::uint32_t k = subset.first_child; k != none; k = subsets_[k].next_sibling)
        if (events[subsets_[k].detector / 8] >> (subsets_[k].detector % 8) & 1) walk_[n++] = k;
    }
  }
  std::uint32_t subset(std::uint32_t mechanism, std::uint32_t mask) const noexcept {
    return subset_of_[subsets_begin_[mechanism] + mask];
  }
  /// <product of z> of the detectors of `mask`, from how often its subsets fired.
  double mean(std::uint32_t mechanism, std::uint32_t mask) const noexcept {
    double total = 1;
    for (std::uint32_t part = mask; part != 0; part = (part - 1) & mask) {
      double factor = 1;
      for (std::uint32_t bits = part; bits != 0; bits &= bits - 1) factor *= -2;
      total += factor * static_cast<double>(subsets_[subset(mechanism, part)].n_fired) / static_cast<double>(n_shots_);
    }
    return total;
  }
  struct Theta {
    double value = 0, variance = 0;
  };
  Theta all_of(std::uint32_t mechanism) const noexcept;
  double covariance(std::uint32_t mechanism, std::uint32_t first, std::uint32_t second) const noexcept;
  /// How far the model is from what the shots say, relative to it: sums over the groups of mechanisms that they tell well.
  struct ModelDeviation {
    double squares = 0;
    int n = 0;
    /// Between one, before anything is known, and what was found.
    double error() const noexcept {
      constexpr double n_supposed = 30;
      return sqrt(clamp((squares + n_supposed) / (n + n_supposed), 0.01, 100.0));
    }
  };
  ModelDeviation share_all(double model_error, Span<PriorEstimate> out) noexcept;
  void share(std::size_t begin, std::size_t end, double model_error, ModelDeviation& deviation, Span<PriorEstimate> out) noexcept;

  // == Permanent: fixed at set-up ==
  Options options_;
  std::size_t n_detectors_ = 0;
  std::size_t n_subsets_ = 0;
  Span<std::uint32_t> subset_of_;      // of every mechanism and mask of its detectors
  Span<std::uint32_t> subsets_begin_;  // of every mechanism
  Span<double> model_theta_;
  Span<std::uint8_t> size_;
  Span<std::uint32_t> order_;  // mechanisms: larger ones first, those of the same detectors together
  // == Counts ==
  Span<Subset> subsets_;
  Span<std::uint32_t> walk_;
  std::uint64_t n_shots_ = 0;
};

/// The child of a subset that has one detector more, made if need be.
inline std::uint32_t PriorEstimator::child(std::uint32_t subset, std::uint32_t detector) noexcept {
  for (std::uint32_t k = subsets_[subset].first_child; k != none; k = subsets_[k].next_sibling)
    if (subsets_[k].detector == detector) return k;
  const auto made = static_cast<std::uint32_t>(n_subsets_++);
  subsets_[made].detector = detector;
  subsets_[made].next_sibling = subsets_[subset].first_child;
  subsets_[subset].first_child = made;
  return made;
}

inline void PriorEstimator::index(const ErrorMechanismsView& model) noexcept {
  for (std::size_t detector = 0; detector < n_detectors_; ++detector)
    subsets_[detector].detector = static_cast<std::uint32_t>(detector);
  // Subset 0 is the first detector, which is nobody's child: so 0 can stand for none.
  n_subsets_ = n_detectors_;
  std::uint32_t next = 0;
  for (std::uint32_t m = 0; m < model_theta_.size(); ++m) {
    const std::uint32_t begin = model.detectors_begin[m];
    size_[m] = static_cast<std::uint8_t>(model.detectors_begin[m + 1] - begin);
    model_theta_[m] = -log(1 - 2 * model.probabilities[m]);
    order_[m] = m;
    subsets_begin_[m] = next;
    for (std::uint32_t mask = 1; mask < 1u << size_[m]; ++mask) {
      std::uint32_t top = 0;
      while (mask >> (top + 1) != 0) ++top;
      const std::uint32_t rest = mask ^ 1u << top, detector = model.detectors[begin + top];
      subset_of_[next + mask] = rest == 0 ? detector : child(subset_of_[next + rest], detector);
    }
    next += 1u << size_[m];
  }
  subsets_begin_[model_theta_.size()] = next;
  const auto whole = [&](std::uint32_t m) { return size_[m] == 0 ? none : subset(m, (1u << size_[m]) - 1); };
  spinel::sort(order_.data(), order_.data() + order_.size(), [&](std::uint32_t x, std::uint32_t y) {
    if (size_[x] != size_[y]) return size_[x] > size_[y];
    return whole(x) != whole(y) ? whole(x) < whole(y) : x < y;
  });
}

/// Of what the alternating sums of two subsets of a mechanism's detectors find, by chance: to first order in the deviations of the means,
/// whose products are means themselves, cov(z_S, z_T) = (z_(S xor T) - z_S z_T) / n_shots.
inline double PriorEstimator::covariance(std::uint32_t mechanism, std::uint32_t first, std::uint32_t second) const noexcept {
  double sum = 0;
  for (std::uint32_t s = first; s != 0; s = (s - 1) & first)
    for (std::uint32_t t = second; t != 0; t = (t - 1) & second) {
      const auto log_mean = [&](std::uint32_t mask) { return mask == 0 ? 0.0 : subsets_[subset(mechanism, mask)].log_mean; };
      const double excess = exp(log_mean(s) + log_mean(t) - log_mean(s ^ t)) - 1;
      sum += count_ones(s ^ t) % 2 == 0 ? excess : -excess;
    }
  const auto scale = static_cast<double>(std::uint32_t{1} << (count_ones(first) + count_ones(second) - 2));
  return sum / (scale * static_cast<double>(n_shots_));
}

/// Theta of all mechanisms together that flip everything this one does.
inline PriorEstimator::Theta PriorEstimator::all_of(std::uint32_t mechanism) const noexcept {
  const std::uint32_t all = (1u << size_[mechanism]) - 1;
  double sum = 0;
  for (std::uint32_t mask = 1; mask <= all; ++mask) {
    const double log_mean = subsets_[subset(mechanism, mask)].log_mean;
    sum += count_ones(mask) % 2 == 1 ? log_mean : -log_mean;
  }
  return {sum / static_cast<double>(std::uint32_t{1} << (size_[mechanism] - 1)), covariance(mechanism, all, all)};
}

/// Gives mechanisms order_[begin, end), which flip the same detectors, their parts of what these detectors say.
inline void PriorEstimator::share(std::size_t begin, std::size_t end, double model_error, ModelDeviation& deviation,
                                  Span<PriorEstimate> out) noexcept {
  const std::uint32_t first = order_[begin];
  double model_theta = 0;
  for (std::size_t k = begin; k < end; ++k) model_theta += model_theta_[order_[k]];
  const Subset& whole = subsets_[subset(first, (1u << size_[first]) - 1)];
  const Theta all = all_of(first);
  const double found = all.value - whole.theta, n = static_cast<double>(n_shots_);
  // Larger mechanisms that happened by chance are in both. What happens rarely varies by chance as it is expected, not as it was found.
  const double chance = all.variance + whole.variance - 2 * whole.covariance;
  const auto variance_at = [&](double theta) {
    return spinel::max(chance + 2 * (theta - found) / n, 2 * spinel::max(theta, 1 / n) / n);
  };
  if (4 * variance_at(model_theta) < model_theta * model_theta) {  // told to half of the model's value
    deviation.squares += ((found - model_theta) * (found - model_theta) - chance) / (model_theta * model_theta);
    ++deviation.n;
  }
  // The model's value counts as one more measurement; probabilities are not negative.
  const double model_variance = model_error * model_theta * (model_error * model_theta);
  const auto weight_at = [&](double variance) { return model_variance > 0 ? model_variance / (model_variance + variance) : 0; };
  const auto between = [&](double weight) { return spinel::max(weight * found + (1 - weight) * model_theta, 1e-3 * model_theta); };
  const double variance = variance_at(between(weight_at(variance_at(spinel::max(found, model_theta)))));
  const double weight = weight_at(variance), theta = between(weight);
  const double theta_variance = weight * variance;
  const double own = all.value > 0 ? clamp(found / all.value, 0.0, 1.0) : 0;
  const std::uint32_t all_mask = (1u << size_[first]) - 1;
  for (std::uint32_t mask = 1; mask < 1u << size_[first]; ++mask) {
    Subset& part = subsets_[subset(first, mask)];
    part.theta += theta;
    part.variance += theta_variance;
    part.covariance += weight * own * covariance(first, mask, all_mask);
  }
  for (std::size_t k = begin; k < end; ++k) {
    const double fraction = model_theta > 0 ? model_theta_[order_[k]] / model_theta : 0;
    const double survives = exp(-fraction * theta);
    out[order_[k]] = {0.5 * (1 - survives), 0.5 * survives * fraction * sqrt(theta_variance)};
  }
}

inline Status PriorEstimator::estimate(Span<PriorEstimate> out, std::uint32_t* culprit) noexcept {
  if (out.size() != n_mechanisms()) return Status::bad_shape;
  if (n_shots_ == 0) return Status::bad_argument;
  for (std::uint32_t m = 0; m < n_mechanisms(); ++m)
    for (std::uint32_t mask = 1; mask < 1u << size_[m]; ++mask) {
      Subset& part = subsets_[subset(m, mask)];
      const double product = mean(m, mask);
      if (!(product > 0)) {
        if (culprit != nullptr) *culprit = part.detector;
        return Status::not_finite;
      }
      part.log_mean = -log(product);
    }
  double model_error = options_.model_error;
  if (model_error == 0) {
    constexpr double unbelieved = 100;  // the shots alone
    model_error = share_all(unbelieved, out).error();
  }
  share_all(model_error, out);
  return Status::ok;
}

inline PriorEstimator::ModelDeviation PriorEstimator::share_all(double model_error, Span<PriorEstimate> out) noexcept {
  for (std::size_t k = 0; k < n_subsets_; ++k) subsets_[k].theta = subsets_[k].variance = subsets_[k].covariance = 0;
  ModelDeviation deviation;
  for (std::size_t begin = 0; begin < order_.size();) {
    const std::uint32_t first = order_[begin];
    if (size_[first] == 0) {
      out[first] = {0.5 * (1 - exp(-model_theta_[first])), 0};
      ++begin;
      continue;
    }
    const std::uint32_t all = (1u << size_[first]) - 1;
    std::size_t end = begin + 1;
    while (end < order_.size() && size_[order_[end]] == size_[first] && subset(order_[end], all) == subset(first, all)) ++end;
    share(begin, end, model_error, deviation, out);
    begin = end;
  }
  return deviation;
}

}  // namespace spinel
