// SPDX-License-Identifier: Apache-2.0
// The wider published shapes (models 2, 3 and 5) on this binary's own instruction set only: their kernels are many.
#include <span>

#include <spinel/simd/native.hpp>

#include "predecode_make.hpp"

namespace spinel::cli {

std::unique_ptr<PredecodeEngine> make_wide_engine(std::span<const std::byte> blob, const PredecodeSettings& settings) {
  Network network{};
  if (network_of_blob(blob, network).status != Status::ok) return nullptr;
  if (network == model_2) return detail::make_engine_of<model_2, arch::native>(blob, settings);
  if (network == model_3) return detail::make_engine_of<model_3, arch::native>(blob, settings);
  if (network == model_5) return detail::make_engine_of<model_5, arch::native>(blob, settings);
  return nullptr;
}

}  // namespace spinel::cli
