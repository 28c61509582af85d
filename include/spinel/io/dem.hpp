// SPDX-License-Identifier: Apache-2.0
// Stim's detector error model language (.dem): text -> DetectorErrorModel -> text, repeat blocks unrolled, detector and
// coordinate shifts applied. Every source of detector error models meets every consumer (graph, sampler) in this type.
// Source: the description of the language in Stim's documentation, and Stim 1.16's behavior where it is silent.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <spinel/io/dem_lexer.hpp>
#include <spinel/io/error.hpp>

namespace spinel::io {

/// Independent error mechanisms and what each of them flips.
struct DetectorErrorModel {
  /// One part of a mechanism between two '^': detectors [detectors_begin, detectors_end) and a mask of observables.
  struct Component {
    std::uint32_t detectors_begin = 0, detectors_end = 0;
    std::uint64_t observables = 0;
  };
  /// Happens with `probability` in [0, 1]; flips the sum of its components [components_begin, components_end), at least one.
  struct Mechanism {
    double probability = 0;
    std::uint32_t components_begin = 0, components_end = 0;
  };

  std::size_t n_detectors = 0;    ///< 1 + the largest index of any line
  std::size_t n_observables = 0;  ///< 1 + the largest index of any line, at most 64
  std::vector<std::uint32_t> detectors;
  std::vector<Component> components;
  std::vector<Mechanism> mechanisms;
  /// Detector k's coordinates are coordinates[coordinates_begin[k], coordinates_begin[k + 1]); empty when no line has any.
  std::vector<std::uint32_t> coordinates_begin;
  std::vector<double> coordinates;
};

/// How much a text may unroll to; a repeat block beyond it is an error instead of exhausted memory.
struct DemLimits {
  std::uint64_t instructions = std::uint64_t{1} << 26;  ///< after unrolling: error, detector, ... lines and block passes
  std::uint64_t targets = std::uint64_t{1} << 28;       ///< after unrolling: D# and L# in all lines
  std::uint64_t detectors = std::uint64_t{1} << 26;     ///< 1 + the largest detector index
};

namespace detail {

/// Applies instructions one after the other and collects the flattened model. Errors name the instruction's line.
class DemBuilder {
 public:
  explicit DemBuilder(const DemLimits& limits) : limits_(limits) {}

  Expected<void> apply(const DemSyntax& syntax, const DemInstruction& instruction) {
    switch (instruction.kind) {
      case DemKind::error: return add_error(syntax, instruction);
      case DemKind::detector: return add_detector(syntax, instruction);
      case DemKind::logical_observable: {
        const auto& target = syntax.targets[instruction.targets_begin];
        model_.n_observables = std::max(model_.n_observables, static_cast<std::size_t>(target.value) + 1);
        return {};
      }
      case DemKind::shift_detectors: return shift(syntax, instruction);
      case DemKind::repeat:
      case DemKind::block_end: break;
    }
    return {};
  }

  Expected<DetectorErrorModel> finish() {
    if (!model_.coordinates.empty()) lay_out_coordinates();
    return std::move(model_);
  }

 private:
  struct Located {
    std::uint32_t detector, begin, end;
  };

  Expected<std::uint32_t> absolute(const DemTarget& target, const DemInstruction& instruction) {
    const std::uint64_t index = shift_ + target.value;  // neither exceeds 2^62
    if (index >= limits_.detectors)
      return dem_error(instruction.line, "detector index " + std::to_string(index) + " (D" +
                                             std::to_string(target.value) + " shifted by " + std::to_string(shift_) +
                                             ") is too large, expected less than " +
                                             std::to_string(limits_.detectors));
    model_.n_detectors = std::max(model_.n_detectors, static_cast<std::size_t>(index) + 1);
    return static_cast<std::uint32_t>(index);
  }

  Expected<void> add_error(const DemSyntax& syntax, const DemInstruction& instruction) {
    const auto components_begin = static_cast<std::uint32_t>(model_.components.size());
    auto& detectors = model_.detectors;
    DetectorErrorModel::Component component;
    component.detectors_begin = static_cast<std::uint32_t>(detectors.size());
    const auto close_component = [&] {
      cancel_pairs(component.detectors_begin);
      component.detectors_end = static_cast<std::uint32_t>(detectors.size());
      model_.components.push_back(component);
      component = {component.detectors_end, component.detectors_end, 0};
    };
    for (auto t = instruction.targets_begin; t < instruction.targets_end; ++t) {
      const DemTarget& target = syntax.targets[t];
      switch (target.kind) {
        case DemTarget::detector: {
          const auto index = absolute(target, instruction);
          if (!index) return Error{index.error()};
          detectors.push_back(*index);
          break;
        }
        case DemTarget::observable:
          component.observables ^= std::uint64_t{1} << target.value;
          model_.n_observables = std::max(model_.n_observables, static_cast<std::size_t>(target.value) + 1);
          break;
        case DemTarget::separator: close_component(); break;
      }
    }
    close_component();
    model_.mechanisms.push_back({syntax.arguments[instruction.arguments_begin], components_begin,
                                 static_cast<std::uint32_t>(model_.components.size())});
    return {};
  }

  /// A detector named twice in one component is flipped twice: both go; the others keep their order.
  void cancel_pairs(std::uint32_t begin) {
    auto& detectors = model_.detectors;
    scratch_.assign(detectors.begin() + begin, detectors.end());
    std::sort(scratch_.begin(), scratch_.end());
    if (std::adjacent_find(scratch_.begin(), scratch_.end()) == scratch_.end()) return;
    std::size_t kept = 0;
    for (std::size_t k = 0; k < scratch_.size();) {
      std::size_t same = k;
      while (same < scratch_.size() && scratch_[same] == scratch_[k]) ++same;
      if ((same - k) % 2 == 1) scratch_[kept++] = scratch_[k];
      k = same;
    }
    scratch_.resize(kept);
    std::size_t out = begin;
    seen_.assign(kept, false);
    for (std::size_t k = begin; k < detectors.size(); ++k) {
      const auto at = std::lower_bound(scratch_.begin(), scratch_.end(), detectors[k]);
      if (at == scratch_.end() || *at != detectors[k]) continue;
      const auto place = static_cast<std::size_t>(at - scratch_.begin());
      if (!seen_[place]) detectors[out++] = detectors[k];
      seen_[place] = true;
    }
    detectors.resize(out);
  }

  Expected<void> add_detector(const DemSyntax& syntax, const DemInstruction& instruction) {
    const auto index = absolute(syntax.targets[instruction.targets_begin], instruction);
    if (!index) return Error{index.error()};
    const auto begin = static_cast<std::uint32_t>(model_.coordinates.size());
    for (auto a = instruction.arguments_begin; a < instruction.arguments_end; ++a) {
      const std::size_t axis = a - instruction.arguments_begin;
      const double coordinate = syntax.arguments[a] + (axis < origin_.size() ? origin_[axis] : 0.0);
      if (!std::isfinite(coordinate))
        return dem_error(instruction.line, "a coordinate with the shifts before it does not fit a double");
      model_.coordinates.push_back(coordinate);
    }
    located_.push_back({*index, begin, static_cast<std::uint32_t>(model_.coordinates.size())});
    return {};
  }

  Expected<void> shift(const DemSyntax& syntax, const DemInstruction& instruction) {
    const std::uint64_t by = syntax.targets[instruction.targets_begin].value;
    if (by >= dem_index_end - shift_)
      return dem_error(instruction.line, "the sum of the detector shifts is too large, expected less than 2^62");
    shift_ += by;
    const std::size_t n = instruction.arguments_end - instruction.arguments_begin;
    if (origin_.size() < n) origin_.resize(n, 0.0);
    for (std::size_t axis = 0; axis < n; ++axis) origin_[axis] += syntax.arguments[instruction.arguments_begin + axis];
    return {};
  }

  /// From declaration order to detector order; of several declarations of one detector the first one holds, as in Stim.
  void lay_out_coordinates() {
    std::stable_sort(located_.begin(), located_.end(),
                     [](const Located& a, const Located& b) { return a.detector < b.detector; });
    std::vector<double> ordered;
    ordered.reserve(model_.coordinates.size());
    model_.coordinates_begin.assign(model_.n_detectors + 1, 0);
    std::size_t next = 0;
    for (std::size_t k = 0; k < model_.n_detectors; ++k) {
      model_.coordinates_begin[k] = static_cast<std::uint32_t>(ordered.size());
      if (next < located_.size() && located_[next].detector == k)
        ordered.insert(ordered.end(), model_.coordinates.begin() + located_[next].begin,
                       model_.coordinates.begin() + located_[next].end);
      while (next < located_.size() && located_[next].detector == k) ++next;
    }
    model_.coordinates_begin[model_.n_detectors] = static_cast<std::uint32_t>(ordered.size());
    model_.coordinates = std::move(ordered);
  }

  DemLimits limits_;
  DetectorErrorModel model_;
  std::vector<Located> located_;
  std::vector<double> origin_;
  std::uint64_t shift_ = 0;
  std::vector<std::uint32_t> scratch_;
  std::vector<bool> seen_;
};

/// Refuses a text that unrolls to more than the limits, before anything is unrolled.
inline Expected<void> check_dem_size(const DemSyntax& syntax, const DemLimits& limits) {
  struct Count {
    std::uint64_t instructions, targets;
  };
  const auto add = [](std::uint64_t a, std::uint64_t b) { return a > ~b ? ~std::uint64_t{0} : a + b; };
  const auto times = [](std::uint64_t a, std::uint64_t b) {
    return b != 0 && a > ~std::uint64_t{0} / b ? ~std::uint64_t{0} : a * b;
  };
  std::vector<Count> open{{0, 0}};
  for (const auto& instruction : syntax.instructions) {
    switch (instruction.kind) {
      case DemKind::repeat: open.push_back({1, 0}); break;
      case DemKind::block_end: {
        const auto& head = syntax.instructions[instruction.partner];
        const Count body = open.back();
        open.pop_back();
        Count& outer = open.back();
        outer.instructions = add(outer.instructions, times(body.instructions, head.count));
        outer.targets = add(outer.targets, times(body.targets, head.count));
        if (outer.instructions > limits.instructions || outer.targets > limits.targets)
          return dem_error(head.line, "repeat " + std::to_string(head.count) +
                                          " unrolls to too much, expected at most " +
                                          std::to_string(limits.instructions) + " instructions and " +
                                          std::to_string(limits.targets) + " targets in the whole model");
        break;
      }
      default: {
        Count& here = open.back();
        ++here.instructions;
        // Coordinates take the same memory as targets and are counted with them.
        here.targets += instruction.targets_end - instruction.targets_begin;
        here.targets += instruction.arguments_end - instruction.arguments_begin;
        if (here.instructions > limits.instructions || here.targets > limits.targets)
          return dem_error(instruction.line, "the model is too large, expected at most " +
                                                 std::to_string(limits.instructions) + " instructions and " +
                                                 std::to_string(limits.targets) + " targets");
      }
    }
  }
  return {};
}

}  // namespace detail

/// Reads a .dem text. Errors name line and column and what was expected. Tags and comments are dropped; a detector named
/// twice in one component cancels. Time and memory are linear in the unrolled size, which `limits` bounds.
inline Expected<DetectorErrorModel> parse_dem(std::string_view text, const DemLimits& limits = {}) {
  const auto syntax = detail::DemReader(text).read();
  if (!syntax) return Error{syntax.error()};
  if (auto size = detail::check_dem_size(*syntax, limits); !size) return Error{size.error()};
  detail::DemBuilder builder(limits);
  std::vector<std::uint64_t> passes_left;
  for (std::size_t k = 0; k < syntax->instructions.size(); ++k) {
    const auto& instruction = syntax->instructions[k];
    if (instruction.kind == detail::DemKind::repeat) {
      if (instruction.count == 0) {
        k = instruction.partner;
      } else {
        passes_left.push_back(instruction.count);
      }
    } else if (instruction.kind == detail::DemKind::block_end) {
      if (--passes_left.back() > 0) {
        k = instruction.partner;
      } else {
        passes_left.pop_back();
      }
    } else if (auto done = builder.apply(*syntax, instruction); !done) {
      return Error{done.error()};
    }
  }
  return builder.finish();
}

/// The model as text that Stim reads back to the same model: probabilities and coordinates keep every bit.
inline std::string dem_text(const DetectorErrorModel& model) {
  std::string text;
  const auto put_observables = [&](std::uint64_t mask) {
    for (std::size_t k = 0; k < 64; ++k)
      if ((mask >> k) & 1) text += " L" + std::to_string(k);
  };
  std::vector<bool> mentioned(model.n_detectors, false);
  std::uint64_t mentioned_observables = 0;
  for (const auto& mechanism : model.mechanisms) {
    text += "error(";
    detail::append_shortest(text, mechanism.probability);
    text += ')';
    bool any = false;  // Stim refuses a leading '^': an empty component has nothing to say and is left out
    for (auto c = mechanism.components_begin; c < mechanism.components_end; ++c) {
      const auto& component = model.components[c];
      if (component.detectors_begin == component.detectors_end && component.observables == 0) continue;
      if (any) text += " ^";
      any = true;
      for (auto d = component.detectors_begin; d < component.detectors_end; ++d) {
        text += " D" + std::to_string(model.detectors[d]);
        mentioned[model.detectors[d]] = true;
      }
      put_observables(component.observables);
      mentioned_observables |= component.observables;
    }
    text += '\n';
  }
  for (std::size_t k = 0; k < model.n_detectors; ++k) {
    const bool located =
        !model.coordinates_begin.empty() && model.coordinates_begin[k] != model.coordinates_begin[k + 1];
    if (!located && (mentioned[k] || k + 1 != model.n_detectors)) continue;
    text += "detector";
    if (located) {
      text += '(';
      for (auto c = model.coordinates_begin[k]; c < model.coordinates_begin[k + 1]; ++c) {
        if (c != model.coordinates_begin[k]) text += ", ";
        detail::append_shortest(text, model.coordinates[c]);
      }
      text += ')';
    }
    text += " D" + std::to_string(k) + '\n';
  }
  if (model.n_observables > 0 && ((mentioned_observables >> (model.n_observables - 1)) & 1) == 0)
    text += "logical_observable L" + std::to_string(model.n_observables - 1) + '\n';
  return text;
}

}  // namespace spinel::io
