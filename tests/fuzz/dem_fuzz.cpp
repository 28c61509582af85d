// SPDX-License-Identifier: Apache-2.0
// Any bytes as a .dem: a clear refusal, or a model whose indices hold, that prints to a text which reads back the same.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

#include <spinel/io/dem.hpp>
#include <spinel/io/mechanisms.hpp>

namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "dem_fuzz: %s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr spinel::io::DemLimits limits{2000, 20000, 5000};
  const auto model = spinel::io::parse_dem(text, limits);
  if (!model) {
    require(model.error().rfind("line ", 0) == 0, "a refusal does not name its line");
    return 0;
  }
  require(model->n_detectors <= limits.detectors && model->n_observables <= 64, "counts beyond the limits");
  for (const auto& mechanism : model->mechanisms) {
    require(mechanism.probability >= 0 && mechanism.probability <= 1, "a probability outside [0, 1]");
    require(mechanism.components_begin < mechanism.components_end, "a mechanism without component");
    require(mechanism.components_end <= model->components.size(), "components beyond the end");
  }
  for (const auto& component : model->components)
    require(component.detectors_begin <= component.detectors_end && component.detectors_end <= model->detectors.size(),
            "detectors beyond the end");
  for (const auto detector : model->detectors) require(detector < model->n_detectors, "a detector beyond the count");
  require(model->coordinates_begin.empty() || model->coordinates_begin.size() == model->n_detectors + 1,
          "coordinates of other detectors");
  const std::string printed = spinel::io::dem_text(*model);
  const auto again = spinel::io::parse_dem(printed);
  require(static_cast<bool>(again), "the printed model is refused");
  require(spinel::io::dem_text(*again) == printed, "the printed model reads back as another");
  require(again->n_detectors == model->n_detectors && again->n_observables == model->n_observables, "counts changed");
  require(again->mechanisms.size() == model->mechanisms.size(), "mechanisms were lost");
  const auto joined = spinel::io::joined_mechanisms(*model);
  require(spinel::Sampler::memory_bytes(joined.view()).status == spinel::Status::ok, "the sampler refuses the model");
  return 0;
}
